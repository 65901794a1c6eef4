"""Appointments over plain REST: who writes, changes, cancels and sees them; what is to come and past."""

from datetime import timedelta

import pytest

from tests import kin
from tests.agenda.diary import ahead, appointment, booked, wish
from tests.house import Caller, House
from tests.kin import Person
from tests.phr.care import DOCTOR, NURSE, notes, software


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


async def titles(caller: Caller, record: str, more: str) -> list[str]:
    """What a search finds, in its order."""
    answer = await caller.get(f"Appointment?patient={record}&{more}")
    assert answer.status_code == 200, answer.text
    return [one["resource"]["description"] for one in answer.json().get("entry", ())]


async def test_what_is_to_come_and_past_in_order(house: House, claire: Person) -> None:
    me = claire.caller()
    for days in (9, -3, 2, -40, 30):
        await booked(me, claire.record, ahead(house, days), description=str(days))
    today = house.now().date().isoformat()
    assert await titles(me, claire.record, f"date=ge{today}&_sort=date") == ["2", "9", "30"]
    assert await titles(me, claire.record, f"date=lt{today}&_sort=-date") == ["-3", "-40"]
    assert await titles(me, claire.record, f"date=ge{today}&status=booked&_sort=date&_count=1") == ["2"]


async def test_who_writes_and_who_sees(house: House, claire: Person) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    marc = await kin.person(house, "Marc", "Petit")
    await kin.care(jeanne, claire, "consult", "agenda")
    await kin.care(jeanne, marc, "consult", "documents", "prescriptions", "message")
    keeper, other, owner = claire.acting(jeanne.record), marc.acting(jeanne.record), jeanne.caller()
    body = appointment(jeanne.record, ahead(house, 4))
    assert (await other.post("Appointment", body)).status_code == 403
    theirs = await booked(keeper, jeanne.record, ahead(house, 4), description="Kiné")
    await house.relate(jeanne.record, DOCTOR.id)
    await house.relate(jeanne.record, NURSE.id)
    doctor = software(house)
    made = await booked(doctor, jeanne.record, ahead(house, 6), description="Contrôle")
    for caller in (owner, keeper, other):
        assert await titles(caller, jeanne.record, "_sort=date") == ["Kiné", "Contrôle"]
    # The matrix shows nobody an appointment: its author sees their own.
    assert await titles(doctor, jeanne.record, "_sort=date") == ["Contrôle"]
    assert await titles(software(house, NURSE), jeanne.record, "_sort=date") == []
    # Its author alone changes one; whoever keeps the agenda cancels it.
    for caller, one in ((owner, theirs), (owner, made), (keeper, made)):
        assert (await caller.put(f"Appointment/{one['id']}", {**one, "description": "Autre"})).status_code == 403
    moved = {**made, "start": ahead(house, 7).isoformat(), "end": ahead(house, 7, 9).isoformat()}
    assert (await doctor.put(f"Appointment/{made['id']}", moved)).status_code == 200


async def test_who_cancels(house: House, claire: Person) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    marc = await kin.person(house, "Marc", "Petit")
    await kin.care(jeanne, claire, "consult", "agenda")
    await kin.care(jeanne, marc, "consult")
    await house.relate(jeanne.record, DOCTOR.id)
    doctor = software(house)
    made = await booked(doctor, jeanne.record, ahead(house, 6))
    path = f"Appointment/{made['id']}/$cancel-appointment"
    assert (await marc.acting(jeanne.record).post(path, wish())).status_code == 403
    assert (await claire.caller().post(path, wish())).status_code == 404
    assert (await doctor.post(path, wish())).status_code == 403
    assert (await claire.acting(jeanne.record).post(path, wish(reason="x" * 1001))).status_code == 422
    for version in ("2", "2"):
        answer = await claire.acting(jeanne.record).post(path, wish(reason="Hospitalisée"))
        assert (answer.status_code, answer.json()["status"], answer.json()["meta"]["versionId"]) == (
            200,
            "cancelled",
            version,
        )
    assert answer.json()["cancelationReason"]["coding"][0]["code"] == "pat"
    assert (await doctor.get(f"Appointment/{made['id']}")).json()["status"] == "cancelled"
    assert [note.asked for tag, note in notes(house, jeanne.record) if tag == "agenda" and not note.refused] == [
        path
    ] * 2
    past = await booked(jeanne.caller(), jeanne.record, ahead(house, -2), status="fulfilled")
    assert (await jeanne.caller().post(f"Appointment/{past['id']}/$cancel-appointment", wish())).status_code == 409
    gone = await booked(jeanne.caller(), jeanne.record, house.now() + timedelta(days=2))
    assert (await jeanne.caller().delete(f"Appointment/{gone['id']}")).status_code == 204
    assert (await jeanne.caller().post(f"Appointment/{gone['id']}/$cancel-appointment", wish())).status_code == 410
