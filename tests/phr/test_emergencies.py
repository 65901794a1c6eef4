"""Emergency access: who, why, what the person said before, who is told after."""

from datetime import UTC, datetime, timedelta

import pytest

from auth.professionals import Professional as Identity
from phr import emergencies
from phr.access.consent import PROFESSIONALS, RPPS, Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from tests.house import House, observation
from tests.phr import care
from tests.phr.care import (
    DOCTOR,
    NURSE,
    PHARMACIST,
    PS,
    REGULATOR,
    STRANGER,
    TREATING,
    TREATING_PHYSICIAN,
    body,
    consents,
    notes,
    reason,
    software,
    who,
)

MOTIVE = "Inconsciente, seule, sans papiers."
GLASS = {"basis": "BTG", "motive": MOTIVE}
CALL = {"basis": "ETREAT", "motive": MOTIVE}
MASQUE = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
}


def says(purpose: str, permits: bool) -> Terms:
    return Terms(Right.PREFERENCE, permits=permits, purpose=purpose)


async def test_the_glass_breaks(house: House) -> None:
    record = await house.open_record()
    person, nurse = house.citizen(record), software(house, NURSE)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    answer = await nurse.post(f"Patient/{record}/$open-access", body(**GLASS))
    assert answer.status_code == 201, answer.text
    consent = answer.json()
    assert consent["category"][0]["coding"][0]["code"] == "emergency"
    assert {"url": emergencies.MOTIVE, "valueString": MOTIVE} in consent["extension"]
    assert (await nurse.get(f"Observation/{seen}")).status_code == 200
    assert (await person.get(f"Consent/{consent['id']}")).json()["extension"] == consent["extension"]
    [note] = [note for tag, note in notes(house, record) if tag is Tag.ACCESS]
    assert (note.motive, note.refused) == (MOTIVE, "")
    # Twice the same day is one access, and each reason is in the journal.
    again = await nurse.post(f"Patient/{record}/$open-access", body(basis="BTG", motive="Toujours inconsciente."))
    assert (again.status_code, again.json()["id"]) == (200, consent["id"])
    assert notes(house, record)[-1][1].motive == "Toujours inconsciente."


@pytest.mark.parametrize("motive", [None, "", "urgent", " " * 50, "x" * 501])
async def test_a_reason_is_required(house: House, motive: str | None) -> None:
    record = await house.open_record()
    said = {} if motive is None else {"motive": motive}
    answer = await software(house).post(f"Patient/{record}/$open-access", body(basis="BTG", **said))
    assert answer.status_code == 422
    assert await consents(house.citizen(record), record) == []


@pytest.mark.parametrize("identity", [DOCTOR, NURSE, PHARMACIST])
async def test_who_breaks_the_glass(house: House, identity: Identity) -> None:
    record = await house.open_record()
    assert (await software(house, identity).post(f"Patient/{record}/$open-access", body(**GLASS))).status_code == 201


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (who(1, "70"), GLASS),
        (who(1, "00"), GLASS),
        (who(1, ""), GLASS),
        (who(1, category="E"), GLASS),
        (DOCTOR, CALL),
        (who(1, "60", regulation="1"), CALL),
        (who(1, regulation="1", category="E"), CALL),
    ],
)
async def test_who_does_not(house: House, identity: Identity, said: dict[str, str]) -> None:
    record = await house.open_record()
    caller = software(house, identity)
    assert (await caller.post(f"Patient/{record}/$open-access", body(**said))).status_code == 403
    assert (await caller.post("Patient/x/$open-access", body(**said))).status_code == 403


@pytest.mark.parametrize(("identity", "said"), [(DOCTOR, GLASS), (REGULATOR, CALL)])
async def test_nobody_breaks_the_glass_in_another_s_name(
    house: House, identity: Identity, said: dict[str, str]
) -> None:
    record = await house.open_record()
    secretary = software(house, identity, assistant=who(9, ""))
    answer = await secretary.post(f"Patient/{record}/$open-access", body(**said))
    assert (answer.status_code, "who faces it" in answer.text) == (403, True)
    assert await consents(house.citizen(record), record) == []
    assert (await secretary.post("Patient/x/$open-access", body(**said))).text == answer.text


async def test_the_emergency_call(house: House) -> None:
    record = await house.open_record()
    answer = await software(house, REGULATOR).post(f"Patient/{record}/$open-access", body(**CALL))
    assert (answer.status_code, answer.json()["provision"]["purpose"][0]["code"]) == (201, "ETREAT")


@pytest.mark.parametrize(("purpose", "said"), [("BTG", GLASS), ("ETREAT", CALL)])
async def test_who_opposed_it_is_not_seen(house: House, purpose: str, said: dict[str, str]) -> None:
    record = await house.open_record()
    await house.lend(record, says(purpose, permits=False))
    regulator = software(house, REGULATOR)
    refused = await regulator.post(f"Patient/{record}/$open-access", body(**said))
    never = await regulator.post(f"Patient/{record[:3]}-{'0' * 32}/$open-access", body(**said))
    assert (refused.status_code, refused.text) == (404, never.text)
    tag, note = notes(house, record)[-1]
    assert (tag, note.refused, note.motive) == (Tag.ACCESS, "opposed", MOTIVE)
    # One opposition is not the other.
    other = CALL if said is GLASS else GLASS
    assert (await regulator.post(f"Patient/{record}/$open-access", body(**other))).status_code == 201


async def test_one_kept_under_an_opposed_purpose_does_not_stand_for_another(house: House) -> None:
    record = await house.open_record()
    regulator = software(house, REGULATOR)
    first = (await regulator.post(f"Patient/{record}/$open-access", body(**CALL))).json()["id"]
    await house.lend(record, says("ETREAT", permits=False))
    answer = await regulator.post(f"Patient/{record}/$open-access", body(**GLASS))
    assert (answer.status_code, answer.json()["id"] == first) == (201, False)


async def test_a_block_does_not_stop_an_emergency(house: House) -> None:
    record = await house.open_record()
    person, doctor = house.citizen(record), software(house)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    await person.post(f"Patient/{record}/$block", body(professional=(PS, DOCTOR.id)))
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    opened = await doctor.post(f"Patient/{record}/$open-access", body(**GLASS))
    assert opened.status_code == 201
    assert (await doctor.get(f"Observation/{seen}")).status_code == 200
    # The person may refuse emergencies too; then nothing is left.
    await house.lend(record, says("BTG", permits=False))
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    ended = await doctor.post(f"Patient/{record}/$end-access", body(consent=opened.json()["id"]))
    assert ended.status_code == 404


async def test_masked_documents_show_as_the_person_said(house: House) -> None:
    record = await house.open_record()
    person, doctor = house.citizen(record), software(house)
    label = {**MASQUE, "code": "MASQUE_PS"}
    masked = observation(record, meta={"security": [label]})
    seen = (await person.post("Observation", masked)).json()["id"]
    await doctor.post(f"Patient/{record}/$open-access", body(**GLASS))
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    await house.lend(record, says("MASKED", permits=True))
    assert (await doctor.get(f"Observation/{seen}")).status_code == 200


@pytest.mark.parametrize("system", [PROFESSIONALS, RPPS])
async def test_the_treating_physician_is_told(house: House, system: str) -> None:
    record = await house.open_record()
    value = TREATING_PHYSICIAN.id if system == PROFESSIONALS else TREATING_PHYSICIAN.id[1:]
    designation = await house.lend(record, Terms(Right.TREATING_PHYSICIAN, Actor(system, value)))
    physician, other = software(house, TREATING_PHYSICIAN), software(house, STRANGER)
    assert "entry" not in (await physician.get("Patient/$told")).json()
    consent = (await software(house).post(f"Patient/{record}/$open-access", body(**GLASS))).json()["id"]
    [entry] = (await physician.get("Patient/$told")).json()["entry"]
    told = {one["name"]: one for one in entry["resource"]["parameter"]}
    assert told["patient"]["valueReference"] == {"reference": f"Patient/{record}"}
    assert set(told) == {"patient", "at"}
    tag, note = notes(house, record)[-1]
    assert (tag, note.asked, note.because) == (Tag.LOOKUP, "Patient/$told", "treating-physician")
    assert "entry" not in (await other.get("Patient/$told")).json()
    assert consent not in (await physician.get("Patient/$told")).text
    # Once they treat the person no more, nothing of it shows.
    await house.citizen(record).post(f"Patient/{record}/$end-access", body(consent=designation))
    assert (await other.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert (await physician.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert "entry" not in (await physician.get("Patient/$told")).json()


async def test_one_does_not_tell_oneself(house: House) -> None:
    record = await house.open_record()
    await house.lend(record, Terms(Right.TREATING_PHYSICIAN, Actor(PROFESSIONALS, DOCTOR.id)))
    doctor = software(house)
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**GLASS))).status_code == 201
    assert "entry" not in (await doctor.get("Patient/$told")).json()


async def test_a_new_emergency_is_a_new_access(house: House) -> None:
    record = await house.open_record()
    care.account(house, record, "ada@poste.test")
    now = datetime.now(UTC)
    for days in (0, 0, 1):
        visit = care.visit(house, DOCTOR, now + timedelta(days=days))
        await emergencies.open_access(visit, record, "BTG", MOTIVE)
    assert len(care.mails(house)) == 2
    [active] = await consents(house.citizen(record), record)
    [ended] = await consents(house.citizen(record), record, "inactive")
    assert reason(ended) == "replaced"
    assert active["id"] > ended["id"]
