"""Told in person first (R1111-53): out of the person's sight until told, or for one month, and not one day more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir.store import a_month_after
from tests.access.city import delegate
from tests.deposit import PDF, Clinic, bytes_of, clinic, deposited, document, ids, inline, label
from tests.house import Caller, House, account_of, observation
from tests.phr.care import DOCTOR, STRANGER, software

Json = dict[str, Any]
HIDDEN = "INVISIBLE_PATIENT"
JANUARY_31 = datetime(2027, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)
FEBRUARY_28 = datetime(2027, 2, 28, 10, 0, 0, 250_000, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-01-29", "2026-02-28"),
        ("2028-01-29", "2028-02-29"),
        ("2026-02-28", "2026-03-28"),
        ("2026-03-31", "2026-04-30"),
        ("2026-12-31", "2027-01-31"),
        ("2026-11-15", "2026-12-15"),
    ],
)
def test_a_month_is_the_same_day_of_the_next_or_its_last(told: str, shown: str) -> None:
    at = datetime.fromisoformat(f"{told}T23:59:59.999999+00:00")
    assert a_month_after(at) == datetime.fromisoformat(f"{shown}T23:59:59.999999+00:00")


def at(house: House, now: datetime) -> None:
    """Move the hour of the installation."""
    house.parts.server.clock = lambda: now


@pytest.fixture
async def record(house: House) -> str:
    at(house, JANUARY_31)
    opened = await house.open_record()
    await house.represent(opened, account_of("mum"))
    await house.relate(opened, DOCTOR.id)
    return opened


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


@pytest.fixture
async def report(house: House, record: str, by: Clinic) -> Json:
    at(house, JANUARY_31)
    return await deposited(house.depositor(), document(record, by, securityLabel=[label(HIDDEN)]))


async def ways(caller: Caller, record: str, stored: Json) -> set[str]:
    """The doors by which the document is seen, the only one of its record."""
    shown, address = set(), f"DocumentReference/{stored['id']}"
    for name, path in (("read", address), ("vread", f"{address}/_history/1"), ("history", f"{address}/_history")):
        status = (await caller.get(path)).status_code
        assert status in (200, 404)
        shown |= {name} if status == 200 else set()
    found = await caller.get(f"DocumentReference?patient={record}&_total=accurate")
    shown |= {"search"} if stored["id"] in ids(found) else set()
    shown |= {"total"} if found.json()["total"] else set()
    shown |= {"count"} if (await counted(caller, record)) else set()
    past = (await caller.get(f"DocumentReference/_history?patient={record}")).json()
    shown |= {"history of type"} if past.get("entry") else set()
    whole = {e["resource"]["id"] for e in (await caller.get(f"Patient/{record}/$everything")).json()["entry"]}
    shown |= {"everything"} if stored["id"] in whole else set()
    shown |= {"everything's bytes"} if bytes_of(stored).partition("/")[2] in whole else set()
    events = (await caller.get(f"AuditEvent?patient={record}&_count=200")).text
    shown |= {"journal"} if stored["id"] in events else set()
    brought = (await caller.get(f"Observation?patient={record}&_include=Observation:derived-from")).json()
    shown |= {"include"} if any(e["search"]["mode"] == "include" for e in brought.get("entry", ())) else set()
    status = (await caller.get(bytes_of(stored), Accept="*/*")).status_code
    assert status in (200, 404)
    return shown | ({"bytes"} if status == 200 else set())


async def counted(caller: Caller, record: str) -> int:
    return int((await caller.get(f"DocumentReference?patient={record}&_summary=count")).json()["total"])


WAYS = {
    *("read", "vread", "history", "search", "total", "count", "history of type", "everything", "everything's bytes"),
    *("journal", "include", "bytes"),
}


async def test_out_of_sight_by_every_door_for_one_month(house: House, record: str, report: Json) -> None:
    derived = observation(record, derivedFrom=[{"reference": f"DocumentReference/{report['id']}"}])
    assert (await house.depositor().post("Observation", derived)).status_code == 201
    for now, expected in (
        (JANUARY_31 + INSTANT, set()),
        (FEBRUARY_28 - INSTANT, set()),
        (FEBRUARY_28, WAYS),
        (FEBRUARY_28 + timedelta(days=400), WAYS),
    ):
        at(house, now)
        assert await ways(house.citizen(record), record, report) == expected
        assert await ways(delegate(house, record), record, report) == expected
        assert await ways(house.depositor(), record, report) >= WAYS - {"journal"}
    at(house, FEBRUARY_28 - INSTANT)
    assert await ways(software(house), record, report) >= WAYS - {"journal"}


async def test_absent_and_awaiting_are_answered_alike(house: House, record: str, report: Json) -> None:
    citizen, never = house.citizen(record), f"{record[:3]}-{'0' * 32}"
    for name in (f"DocumentReference/{report['id']}", bytes_of(report)):
        kind = name.partition("/")[0]
        one, other = await citizen.get(name), await citizen.get(f"{kind}/{never}")
        assert (one.status_code, one.json()) == (other.status_code, other.json()) == (404, other.json())
    labelled = [{"op": "replace", "path": "/securityLabel", "value": [label("N")]}]
    for caller in (citizen, delegate(house, record)):
        assert (await caller.patch(f"DocumentReference/{report['id']}", labelled)).status_code == 404
    body = {**report, "securityLabel": [label("N")]}
    refused = await citizen.put(f"DocumentReference/{report['id']}", body)
    unknown = await citizen.put(f"DocumentReference/{never}", {**body, "id": never})
    assert (refused.status_code, refused.json()) == (unknown.status_code, unknown.json())


@pytest.mark.parametrize("how", ["patch", "put"])
async def test_any_professional_who_sees_it_tells_the_person(house: House, record: str, report: Json, how: str) -> None:
    address = f"DocumentReference/{report['id']}"

    async def lift(caller: Caller) -> int:
        if how == "patch":
            change = [{"op": "replace", "path": "/securityLabel", "value": [label("N")]}]
            return (await caller.patch(address, change)).status_code
        body = {**report, "securityLabel": [label("N")]}
        return (await caller.put(address, body)).status_code

    at(house, JANUARY_31 + timedelta(days=3))
    assert await lift(house.depositor("laboratory")) in (404, 405)
    assert await lift(software(house, STRANGER)) in (404, 405)
    assert await ways(house.citizen(record), record, report) == set()
    doctor = software(house)
    worded = {**report, "securityLabel": [label("N")], "description": "reworded"}
    assert (await doctor.put(address, worded)).status_code == 403
    assert await lift(doctor) == 200
    assert await ways(house.citizen(record), record, report) == WAYS - {"include"}
    # What the author hides again is not hidden for longer than the first month.
    again = [{"op": "replace", "path": "/securityLabel", "value": [label(HIDDEN)]}]
    assert (await house.depositor().patch(address, again)).status_code == 200
    assert await ways(house.citizen(record), record, report) == set()
    at(house, FEBRUARY_28)
    assert await ways(house.citizen(record), record, report) == WAYS - {"include"}


async def test_writing_it_again_does_not_extend_the_month(house: House, record: str, report: Json) -> None:
    hospital = house.depositor()
    for days in (1, 20, 27):
        at(house, JANUARY_31 + timedelta(days=days))
        hospital = house.depositor()
        body = (await hospital.get(f"DocumentReference/{report['id']}")).json()
        changed = {**body, "description": f"after {days} days"}
        assert (await hospital.put(f"DocumentReference/{report['id']}", changed)).status_code == 200
    at(house, FEBRUARY_28 - INSTANT)
    assert await ways(house.citizen(record), record, report) == set()
    at(house, FEBRUARY_28)
    assert await ways(house.citizen(record), record, report) == WAYS - {"include"}


async def test_hidden_late_the_month_is_counted_from_then(house: House, record: str, by: Clinic) -> None:
    stored = await deposited(house.depositor(), document(record, by))
    assert await ways(house.citizen(record), record, stored) == WAYS - {"include"}
    later = datetime(2027, 2, 10, tzinfo=UTC)
    at(house, later)
    change = [{"op": "replace", "path": "/securityLabel", "value": [label(HIDDEN)]}]
    assert (await house.depositor().patch(f"DocumentReference/{stored['id']}", change)).status_code == 200
    at(house, a_month_after(later) - INSTANT)
    assert await ways(house.citizen(record), record, stored) == set()
    at(house, a_month_after(later))
    assert await ways(house.citizen(record), record, stored) == WAYS - {"include"}


async def test_new_bytes_of_the_document_follow_it(house: House, record: str, report: Json) -> None:
    at(house, JANUARY_31 + timedelta(days=20))
    hospital = house.depositor()
    body = (await hospital.get(f"DocumentReference/{report['id']}")).json()
    attachment = {name: value for name, value in body["content"][0]["attachment"].items() if name != "url"}
    changed = inline({**body, "content": [{"attachment": attachment}]}, PDF)
    answer = await hospital.put(f"DocumentReference/{report['id']}", changed)
    assert answer.status_code == 200, answer.text
    new = answer.json()
    assert bytes_of(new) != bytes_of(report)
    at(house, FEBRUARY_28 - INSTANT)
    assert (await house.citizen(record).get(bytes_of(new), Accept="*/*")).status_code == 404
    at(house, FEBRUARY_28)
    for stored in (new, report):
        assert (await house.citizen(record).get(bytes_of(stored), Accept="*/*")).status_code == 200


async def test_counts_do_not_betray_it(house: House, record: str, by: Clinic, report: Json) -> None:
    hospital = house.depositor()
    for _ in range(3):
        await deposited(hospital, document(record, by))
    assert await counted(house.citizen(record), record) == 3
    page = (await house.citizen(record).get(f"DocumentReference?patient={record}&_count=3&_total=accurate")).json()
    assert (page["total"], len(page["entry"])) == (3, 3)
    assert [one["relation"] for one in page["link"]] == ["self"]
    assert await counted(hospital, record) == 4
    at(house, FEBRUARY_28)
    assert await counted(house.citizen(record), record) == 4
