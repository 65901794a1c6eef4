"""Preferences: one Consent for each thing said, what holds until then, who says it and which services read it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phr import notices
from phr.access.consent import PROFESSIONALS, RIGHT, Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Provision, Right
from phr.notifications.entry import KINDS
from phr.preferences import PREFERENCES, prefers
from tests.access.city import delegate
from tests.deposit import clinic, deposited, document, label
from tests.house import Caller, House, account_of, observation
from tests.phr.care import DOCTOR, consents, notes, reason, software

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFAULTS = {
    **dict.fromkeys(("ETREAT", "BTG", "notify-access", "notify-document", "notify-delegation"), True),
    **dict.fromkeys(("notify-application", "research-health", "research-statistics", "research-innovation"), True),
    **dict.fromkeys(("notify-prescription", "notify-message", "notify-agenda", "notify-prevention"), True),
    **{f"push-{kind}": True for kind in KINDS if kind not in notices.ALWAYS},
    **dict.fromkeys(("MASKED", "default-masked", "tell-prescriber"), False),
    **{
        f"remind-{theme}": True
        for theme in ("vaccination", "screening", "child-health", "check-up", "dental", "campaign")
    },
}


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


async def say(caller: Caller, record: str, status: int = 200, /, **values: bool | str) -> dict[str, bool]:
    forms = {True: "valueBoolean", False: "valueString"}
    listed = [{"name": name, forms[isinstance(value, bool)]: value} for name, value in values.items()]
    body = {"resourceType": "Parameters", **({"parameter": listed} if listed else {})}
    answer = await caller.post(f"Patient/{record}/$preferences", body)
    assert answer.status_code == status, answer.text
    return told(answer.json())


async def read(caller: Caller, record: str, status: int = 200) -> dict[str, bool]:
    answer = await caller.get(f"Patient/{record}/$preferences")
    assert answer.status_code == status, answer.text
    return told(answer.json())


def told(answer: Json) -> dict[str, bool]:
    return {one["name"]: one["valueBoolean"] for one in answer.get("parameter", ())}


def said(purpose: str, *, permits: bool, since: datetime = NOW, until: datetime | None = None) -> Provision:
    return Provision("x", Right.PREFERENCE, None, permits, since, until, purpose)


def test_what_is_said_holds_and_else_the_default() -> None:
    for purpose, known in PREFERENCES.items():
        assert prefers((), purpose, NOW) is known.default is DEFAULTS[purpose]
        for permits in (True, False):
            assert prefers((said(purpose, permits=permits),), purpose, NOW) is permits
        assert not prefers((said(purpose, permits=True), said(purpose, permits=False)), purpose, NOW)
        over = said(purpose, permits=not known.default, since=NOW - timedelta(1), until=NOW)
        later = said(purpose, permits=not known.default, since=NOW + timedelta(seconds=1))
        assert prefers((over, later, said("other", permits=not known.default)), purpose, NOW) is known.default
        assert known.fr
        assert known.en
    assert set(PREFERENCES) == set(DEFAULTS)
    with pytest.raises(KeyError):
        prefers((), "notify", NOW)


async def test_what_is_said_replaces_what_was_and_the_rest_stays(house: House, record: str) -> None:
    citizen = house.citizen(record)
    assert await read(citizen, record) == DEFAULTS
    first = await say(citizen, record, 200, **{"BTG": False, "research-health": False, "MASKED": False})
    assert first == await read(citizen, record) == {**DEFAULTS, "BTG": False, "research-health": False}
    assert await say(citizen, record, 200, BTG=True) == {**DEFAULTS, "research-health": False}
    assert await say(citizen, record) == await read(citizen, record) == {**DEFAULTS, "research-health": False}
    standing = {one["provision"]["purpose"][0]["code"]: one for one in await consents(citizen, record)}
    assert {code: one["provision"]["type"] for code, one in standing.items()} == {
        "BTG": "permit",
        "MASKED": "deny",
        "research-health": "deny",
    }
    assert {one["category"][0]["coding"][0]["code"] for one in standing.values()} == {"preference"}
    [ended] = await consents(citizen, record, "inactive")
    assert (reason(ended), ended["provision"]["type"]) == ("changed", "deny")


async def test_saying_it_again_writes_nothing(house: House, record: str) -> None:
    citizen = house.citizen(record)
    for _ in range(3):
        await say(citizen, record, 200, BTG=False, ETREAT=False)
    assert len(await consents(citizen, record)) == 2
    assert await consents(citizen, record, "inactive") == []
    tags = [(tag, note.asked) for tag, note in notes(house, record)]
    assert tags.count((Tag.SHARE, f"Patient/{record}/$preferences")) == 3


async def test_two_that_disagree_and_one_that_will_end_are_settled(house: House, record: str) -> None:
    citizen = house.citizen(record)
    until = datetime.now(UTC) + timedelta(days=1)
    for terms in (
        Terms(Right.PREFERENCE, permits=True, purpose="MASKED"),
        Terms(Right.PREFERENCE, permits=False, purpose="MASKED"),
        Terms(Right.PREFERENCE, permits=False, purpose="BTG", until=until),
    ):
        await house.lend(record, terms)
    assert not (await read(citizen, record))["MASKED"]
    assert (await say(citizen, record, 200, MASKED=True, BTG=False))["MASKED"]
    listed = await consents(citizen, record)
    assert len(listed) == 2
    assert all("end" not in one["provision"]["period"] for one in listed)


@pytest.mark.parametrize("values", [{"notify": True}, {"research-": True}, {"BTG": "true"}, {"btg": True}])
async def test_what_is_not_understood_changes_nothing(house: House, record: str, values: dict[str, Any]) -> None:
    citizen = house.citizen(record)
    await say(citizen, record, 422, **{"ETREAT": False, **values})
    assert await read(citizen, record) == DEFAULTS


async def test_a_service_that_is_granted_it_reads_and_does_not_write(house: House, record: str) -> None:
    await say(house.citizen(record), record, 200, **{"research-health": False})
    await house.relate(record, DOCTOR.id)
    for scope, seen in (("patient/Consent.rs", 2), (f"patient/Consent.rs?category={RIGHT}|preference", 1)):
        service = house.citizen(record, (scope,), "service")
        assert not (await read(service, record))["research-health"]
        found, *others = sorted(await consents(service, record), key=lambda one: "actor" in one["provision"])
        assert (found["provision"]["type"], found["provision"]["purpose"][0]["code"]) == ("deny", "research-health")
        assert len(others) == seen - 1, "whoever is granted the preferences learns nothing of who sees the record"
        await say(service, record, 403, BTG=False)
    for scopes in (
        ("patient/Observation.rs",),
        ("patient/Consent.cud",),
        (f"patient/Consent.rs?category={RIGHT}|care-relation",),
        (f"patient/Consent.rs?category={RIGHT}|preference&status=active",),  # half of them would pass for all
        (f"patient/Observation.rs?category={RIGHT}|preference",),
    ):
        await read(house.citizen(record, scopes, "service"), record, 403)
    assert await read(house.citizen(record), record) == {**DEFAULTS, "research-health": False}


async def test_who_says_it(house: House, record: str) -> None:
    other = await house.open_record()
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("carer"), "consult", "documents")
    await house.relate(record, DOCTOR.id)
    await say(delegate(house, record), record, 200, BTG=False)
    assert not (await read(delegate(house, record), record))["BTG"]
    for caller, status in (
        (delegate(house, record, name="carer"), 403),
        (delegate(house, record, name="nobody"), 404),
        (house.citizen(other), 404),
        (software(house), 403),
        (house.depositor(), 403),
        (house.operator(), 403),
    ):
        await read(caller, record, status)
        await say(caller, record, status, BTG=True)
    refused = [(tag, note.refused) for tag, note in notes(house, record) if note.refused]
    assert refused == [(Tag.READ, "not-entitled"), (Tag.SHARE, "not-entitled")] * 2
    assert not (await read(house.citizen(record), record))["BTG"]


async def test_what_is_kept_from_representatives_is_not_theirs_to_change(house: House, record: str) -> None:
    await house.represent(record, account_of("mum"))
    secret = ("https://x", "INVISIBLE_REPRESENTANTS_LEGAUX")
    kept = await house.lend(record, Terms(Right.PREFERENCE, permits=False, purpose="BTG", label=secret))
    mum, citizen = delegate(house, record), house.citizen(record)
    await say(mum, record, 200, BTG=True)
    assert kept in {one["id"] for one in await consents(citizen, record)}
    assert not (await read(citizen, record))["BTG"]  # two that disagree refuse


async def test_an_emergency_is_what_the_person_made_of_it(house: House, record: str) -> None:
    hospital, citizen, doctor = house.depositor(), house.citizen(record), software(house)
    weight = (await hospital.post("Observation", observation(record))).json()
    masked = await deposited(hospital, document(record, await clinic(house), securityLabel=[label("MASQUE_PS")]))
    await house.lend(record, Terms(Right.EMERGENCY, Actor(PROFESSIONALS, DOCTOR.id), purpose="BTG"))

    async def seen() -> tuple[bool, bool]:
        answers = [
            await doctor.get(f"Observation/{weight['id']}"),
            await doctor.get(f"DocumentReference/{masked['id']}"),
        ]
        assert {one.status_code for one in answers} <= {200, 404}
        return answers[0].status_code == 200, answers[1].status_code == 200

    assert await seen() == (True, False)
    await say(citizen, record, 200, MASKED=True)
    assert await seen() == (True, True)
    await say(citizen, record, 200, BTG=False)
    assert await seen() == (False, False)
    await say(citizen, record, 200, BTG=True, MASKED=False)
    assert await seen() == (True, False)
