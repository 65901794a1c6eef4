"""`$due`: of a professional's own patients, who is due for what, as each record lets them see it now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir.validation import validate
from phr import inbox
from phr.prevention import practice
from tests.access.city import as_professional
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.house import ALL, Caller, House
from tests.phr.test_forecast import vaccine
from tests.phr.test_prevention import BREAST, details, mammography, no_risk, parts, post

Json = dict[str, Any]
DOCTOR, OTHER = professional("810801"), professional("810802")
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DTP = "vaccine-dtp-adult"


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    """A day on which what is expected is known."""
    house.parts.server.clock = lambda: NOW


def fresh(house: House, record: str) -> Caller:
    """The person's application, who proved themself by two factors just now."""
    claims = house.claims("citizen-app", "app", ALL, record)
    return house.caller(replace(claims, acr="mfa", auth_time=int(house.now().timestamp())))


async def opened(house: House, record: str, who: Any = DOCTOR) -> str:
    """A care relation, as the professional opens it; the id of its Consent."""
    said = [{"name": "basis", "valueCode": "treating"}, {"name": "informed", "valueBoolean": True}]
    answer = await as_professional(house, who).post(
        f"Patient/{record}/$open-access", {"resourceType": "Parameters", "parameter": said}
    )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


async def woman(house: House, *, done: bool = False, who: Any = DOCTOR) -> str:
    """Of 52, for whom a mammography is due unless it was done; a patient of the professional's."""
    record = await house.open_record(birthDate="1974-05-17")
    await post(house.depositor(), no_risk(record, "2026-01-01"))
    if done:
        await post(house.depositor(), mammography(record))
    await opened(house, record, who)
    return record


async def due(caller: Caller, query: str = "") -> Json:
    answer = await caller.get(f"Patient/$due{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def plans(found: Json) -> dict[str, Json]:
    assert (found["resourceType"], found["type"]) == ("Bundle", "collection")
    assert validate("Bundle", found) == ()
    return {
        one["resource"]["subject"]["reference"].removeprefix("Patient/"): one["resource"]
        for one in found.get("entry", ())
    }


def counts(found: Json) -> tuple[dict[tuple[str, str], int], int, bool]:
    assert validate("Parameters", found) == ()
    told = {one["name"]: one for one in found["parameter"]}
    listed: Sequence[Json] = [one for one in found["parameter"] if one["name"] == "count"]
    each = {
        (one["part"][0]["valueCode"], one["part"][1]["valueCode"]): one["part"][2]["valueInteger"] for one in listed
    }
    return each, told["people"]["valueInteger"], told["cut"]["valueBoolean"]


async def test_who_is_due_for_what(house: House) -> None:
    late, done = await woman(house), await woman(house, done=True)
    doctor = as_professional(house, DOCTOR)
    found = plans(await due(doctor))
    assert set(found) == {late, done}
    assert BREAST in details(found[late])
    assert BREAST not in details(found[done])
    assert {parts(one)["status"][0] for plan in found.values() for one in details(plan).values()} <= {"due", "overdue"}
    assert set(plans(await due(doctor, f"?rule={BREAST}"))) == {late}
    [(_, only)] = plans(await due(doctor, f"?rule={BREAST}&status=done")).items()
    assert list(details(only)) == [BREAST]
    assert plans(await due(doctor, f"?theme=vaccination&rule={BREAST}")) == {}


async def test_how_many_are_due_for_what(house: House) -> None:
    for done in (False, False, True):
        await woman(house, done=done)
    doctor = as_professional(house, DOCTOR)
    assert counts(await due(doctor, f"?summary=count&rule={BREAST}")) == ({(BREAST, "overdue"): 2}, 3, False)
    each, _, _ = counts(await due(doctor, f"?summary=count&rule={BREAST}&status=done,overdue"))
    assert each == {(BREAST, "overdue"): 2, (BREAST, "done"): 1}


async def test_each_sees_their_own_patients(house: House) -> None:
    mine, theirs = await woman(house), await woman(house, who=OTHER)
    assert set(plans(await due(as_professional(house, DOCTOR)))) == {mine}
    assert set(plans(await due(as_professional(house, OTHER)))) == {theirs}
    await opened(house, mine, OTHER)
    assert set(plans(await due(as_professional(house, OTHER)))) == {mine, theirs}


async def test_what_is_over_blocked_or_closed_is_gone(house: House) -> None:
    stays, ended, blocked, closed = [await woman(house) for _ in range(4)]
    consent = await opened(house, ended)
    doctor = as_professional(house, DOCTOR)
    assert set(plans(await due(doctor))) == {stays, ended, blocked, closed}
    await house.end(ended, consent)
    named = {"name": "professional", "valueIdentifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": DOCTOR.id}}
    answer = await house.citizen(blocked).post(
        f"Patient/{blocked}/$block", {"resourceType": "Parameters", "parameter": [named]}
    )
    assert answer.status_code < 300, answer.text
    parameters = {"resourceType": "Parameters"}
    assert (await fresh(house, closed).post(f"Patient/{closed}/$close", parameters)).status_code == 200
    assert set(plans(await due(doctor))) == {stays}
    assert counts(await due(doctor, f"?summary=count&rule={BREAST}"))[1] == 1
    house.parts.server.clock = lambda: NOW + timedelta(days=91)
    later = as_professional(house, DOCTOR)
    assert await due(later) == {"resourceType": "Bundle", "type": "collection"}
    assert counts(await due(later, "?summary=count")) == ({}, 0, False)


async def test_what_is_masked_changes_nothing(house: House) -> None:
    bare, masked = [await house.open_record(birthDate="1974-05-17") for _ in range(2)]
    await post(house.depositor(), vaccine("dtp-reduced", "2024-06-01", masked))
    for record in (bare, masked):
        await opened(house, record)
    doctor = as_professional(house, DOCTOR)

    async def told() -> list[Any]:
        found = plans(await due(doctor, "?status=due,overdue,soon,done,ask,not-concerned"))
        return [found[record]["activity"] for record in (bare, masked)]

    before = await told()
    assert before[0] != before[1]
    section = {"name": "section", "valueCode": "vaccinations"}
    answer = await house.citizen(masked).post(
        f"Patient/{masked}/$mask", {"resourceType": "Parameters", "parameter": [section]}
    )
    assert answer.status_code == 200, answer.text
    after = await told()
    assert after[0] == after[1] == before[0]
    each, people, _ = counts(await due(doctor, f"?summary=count&rule={DTP}&status=overdue,due,done,ask"))
    assert (list(each.values()), people) == ([2], 2)


async def test_each_record_is_journaled_in_itself(house: House) -> None:
    record, stranger = await woman(house), await house.open_record()
    for query in ("", "?summary=count"):
        before = len(entries(house, record))
        await due(as_professional(house, DOCTOR), query)
        found = [(one.tag, list(one.resources)[-1].partition("/")[0]) for one in entries(house, record)[before:]]
        assert found == [("lookup", "Consent"), ("prevention", "Patient")]
    assert "prevention" not in [one.tag for one in entries(house, stranger)]


async def test_page_by_page(house: House) -> None:
    records = {await woman(house) for _ in range(5)}
    doctor, seen = as_professional(house, DOCTOR), list[str]()
    path, pages = f"?rule={BREAST}&_count=2", 0
    while path:
        found = await due(doctor, path)
        seen += plans(found)
        [link] = [one["url"] for one in found.get("link", ())] or [""]
        path, pages = f"?{link.partition('?')[2]}" if link else "", pages + 1
        assert not link or f"rule={BREAST}" in link
    assert (sorted(seen), pages) == (sorted(records), 3)


async def test_a_count_that_is_cut_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 2)
    for _ in range(3):
        await woman(house)
    doctor = as_professional(house, DOCTOR)
    assert counts(await due(doctor, f"?summary=count&rule={BREAST}")) == ({(BREAST, "overdue"): 3}, 3, False)
    monkeypatch.setattr(practice, "MOST_COUNTED", 2)
    assert counts(await due(doctor, f"?summary=count&rule={BREAST}")) == ({(BREAST, "overdue"): 2}, 2, True)


async def test_who_may_not_ask_and_what_cannot_be(house: House) -> None:
    record = await woman(house)
    for caller in (house.citizen(record), house.depositor(), house.operator()):
        for query in ("", "?summary=count"):
            assert (await caller.get(f"Patient/$due{query}")).status_code == 403
    assert (await house.http.get("/fhir/Patient/$due")).status_code == 401
    doctor = as_professional(house, DOCTOR)
    for query in ("rule=x", "theme=x", "status=completed", "summary=true", "_count=0", "_cursor=x"):
        assert (await doctor.get(f"Patient/$due?{query}")).status_code == 400, query


async def test_the_dead_are_not_counted(house: House) -> None:
    record = await house.open_record(birthDate="1974-05-17", deceasedBoolean=True)
    await opened(house, record)
    doctor = as_professional(house, DOCTOR)
    assert plans(await due(doctor)) == {}
    assert counts(await due(doctor, "?summary=count")) == ({}, 0, False)
