"""What the person does with a prescription: shows its code, sends it, takes it back, says who is told of it."""

from typing import Any

import pytest

from auth.professionals import Professional as Identity
from phr import codes
from phr.prescription import number
from phr.prescription.ledger import WRONG_TRIES
from tests.house import House, observation
from tests.phr.care import STRUCT, body, software, who
from tests.prescription.rx import PARK, STATION, Counter, every, line, parameters, said, state

Json = dict[str, Any]


async def organization(house: House, pharmacist: Identity, sector: str = "SA33") -> Json:
    """A structure of the directory; a reference to it."""
    made = await house.operator().post(
        "Organization",
        {
            "resourceType": "Organization",
            "identifier": [{"system": STRUCT, "value": pharmacist.structure}],
            "name": pharmacist.structure_name,
            "type": [{"coding": [{"system": codes.SECTOR, "code": sector}]}],
        },
    )
    assert made.status_code == 201, made.text
    return {"reference": f"Organization/{made.json()['id']}"}


def inbox(pharmacy: Json, status: str = "ready") -> str:
    return f"Task?owner={pharmacy['reference']}&status={status}"


async def test_a_prescription_is_sent_and_waits_at_the_pharmacy(house: House, counter: Counter) -> None:
    task, _ = await counter.prescribed()
    park, station = await organization(house, PARK), await organization(house, STATION)
    sent = await counter.move(counter.person, task, "send", pharmacy=park)
    assert sent.status_code == 200, sent.text
    assert said(sent, "task")["owner"]["display"] == PARK.structure_name
    waits = (await counter.park.get(inbox(park))).json()
    assert [one["resource"]["id"] for one in waits["entry"]] == [task]
    assert (await counter.station.get(inbox(station))).json().get("entry") is None
    assert (await counter.station.get(inbox(park))).json().get("entry") is None
    # Sent elsewhere: it is there no more.
    assert (await counter.move(counter.person, task, "send", pharmacy=station)).status_code == 200
    assert (await counter.park.get(inbox(park))).json().get("entry") is None
    assert (await counter.park.get(f"Task/{task}")).status_code == 404
    accepted = await counter.move(counter.station, task, "accept")
    assert accepted.status_code == 200
    assert (await counter.station.get(inbox(station))).json().get("entry") is None
    held = (await counter.station.get(inbox(station, "accepted,ready"))).json()["entry"]
    assert state(held[0]["resource"]) == "accepted"


async def test_it_is_taken_back_until_it_is_accepted(house: House, counter: Counter) -> None:
    task, _ = await counter.prescribed()
    park = await organization(house, PARK)
    await counter.move(counter.person, task, "send", pharmacy=park)
    assert (await counter.move(counter.person, task, "take-back")).status_code == 200
    assert (await counter.park.get(f"Task/{task}")).status_code == 404
    assert (await counter.move(counter.park, task, "accept")).status_code == 404
    await counter.move(counter.person, task, "send", pharmacy=park)
    assert (await counter.move(counter.park, task, "accept")).status_code == 200
    late = await counter.move(counter.person, task, "take-back")
    assert late.status_code == 409
    assert "accepted" in late.json()["issue"][0]["diagnostics"]


async def test_only_a_pharmacy_is_sent_one(house: House, counter: Counter) -> None:
    task, _ = await counter.prescribed()
    practice = await organization(house, who(1), "SA07")
    assert (await counter.move(counter.person, task, "send", pharmacy=practice)).status_code == 422
    unknown = {"reference": "Organization/000-" + "0" * 32}
    assert (await counter.move(counter.person, task, "send", pharmacy=unknown)).status_code == 422


@pytest.mark.parametrize("share", [True, False])
async def test_the_pharmacy_sees_the_record_only_if_the_person_gives_it(
    house: House, counter: Counter, share: bool
) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "patient": {"reference": f"Patient/{counter.record}"},
        "code": {"text": "Pénicilline"},
    }
    known = (await counter.person.post("AllergyIntolerance", allergy)).json()["id"]
    task, _ = await counter.prescribed()
    await counter.move(counter.person, task, "send", pharmacy=await organization(house, PARK), share=share)
    assert (await counter.park.get(f"AllergyIntolerance/{known}")).status_code == 404
    await counter.move(counter.park, task, "accept")
    assert (await counter.park.get(f"AllergyIntolerance/{known}")).status_code == (200 if share else 404)
    counter.wait(days=4)
    assert (await counter.park.get(f"AllergyIntolerance/{known}")).status_code == 404
    assert (await counter.park.get(f"Task/{task}")).status_code == 200


async def test_a_new_code_is_given_and_the_old_one_opens_nothing(counter: Counter) -> None:
    task, code = await counter.prescribed()
    shown = await counter.person.get(f"Task/{task}/$code")
    assert said(shown, "code") == code
    assert "<svg" in said(shown, "svg")
    assert said(shown, "url").endswith(code.replace("-", ""))
    renewed = await counter.move(counter.person, task, "renew-code")
    assert said(renewed, "code") != code
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 403
    assert (await counter.park.post("Task/$open-prescription", body(code=said(renewed, "code")))).status_code == 200
    assert (await counter.park.get(f"Task/{task}/$code")).status_code == 403


async def test_a_code_tried_too_often_is_locked_until_the_person_renews_it(counter: Counter) -> None:
    task, code = await counter.prescribed()
    keys = counter.house.parts.installation.system_keys
    whole = code.replace("-", "")[:8] + "Z" * 8
    forged = whole + number._letters(keys, "prescription check", whole, 4)
    for at in range(WRONG_TRIES):
        pharmacist = software(counter.house, who(200 + at, "21", sector="SA33"))
        assert (await pharmacist.post("Task/$open-prescription", body(code=forged))).status_code == 403
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 403
    renewed = said(await counter.move(counter.person, task, "renew-code"), "code")
    assert (await counter.park.post("Task/$open-prescription", body(code=renewed))).status_code == 200


async def test_who_prescribed_sees_what_was_dispensed_if_the_person_agrees(counter: Counter) -> None:
    task, code = await counter.prescribed()
    secret = await counter.accepted(counter.park, task, code)
    await counter.dispensed(counter.park, task, secret, 30)
    asked = f"MedicationDispense?patient={counter.record}"
    assert (await counter.doctor.get(asked)).json().get("entry") is None
    assert (await counter.doctor.get(f"Task/{task}")).status_code == 404
    agreed = await counter.person.post(f"Patient/{counter.record}/$preferences", body(**{"tell-prescriber": True}))
    assert agreed.status_code == 200, agreed.text
    assert len((await counter.doctor.get(asked)).json()["entry"]) == 1
    shown = await counter.doctor.get(f"Task/{task}/$prescription")
    assert every(shown, "line")[0]["remaining"][0]["value"] == 60


async def test_a_blocked_pharmacy_opens_nothing_and_loses_what_it_had(counter: Counter) -> None:
    task, code = await counter.prescribed()
    await counter.accepted(counter.park, task, code)
    blocked = body(structure=(STRUCT, PARK.structure))
    assert (await counter.person.post(f"Patient/{counter.record}/$block", blocked)).status_code in (200, 201)
    assert (await counter.park.get(f"Task/{task}")).status_code == 404
    assert (await counter.park.post("Task/$open-prescription", body(code=code))).status_code == 403


async def test_a_usual_pharmacy_is_kept(house: House, counter: Counter) -> None:
    asked = f"Patient/{counter.record}/$usual-pharmacy"
    assert said(await counter.person.get(asked), "pharmacy") is None
    for pharmacist in (PARK, STATION):
        pharmacy = await organization(house, pharmacist)
        assert (await counter.person.post(asked, parameters(pharmacy=pharmacy))).status_code == 200
        kept = said(await counter.person.get(asked), "pharmacy")
        assert kept == {**pharmacy, "display": pharmacist.structure_name}


async def test_a_masked_prescription_is_still_dispensed_to_who_shows_its_code(counter: Counter) -> None:
    task, code = await counter.prescribed()
    request = (await counter.lines(counter.person, task))[0]["request"][0]
    label = {"system": codes.VISIBILITY, "code": "MASQUE_PS"}
    masked = {**request, "meta": {**request["meta"], "security": [label]}}
    assert (await counter.person.put(f"MedicationRequest/{request['id']}", masked)).status_code == 200
    secret = await counter.accepted(counter.park, task, code)
    assert (await counter.dispensed(counter.park, task, secret, 10)).status_code == 200
    await counter.house.relate(counter.record, who(7).id)
    other = software(counter.house, who(7))
    found = await other.get(f"MedicationRequest?patient={counter.record}")
    assert found.json().get("entry") is None


async def test_what_is_hidden_changes_nothing_at_the_pharmacy(counter: Counter) -> None:
    task, code = await counter.prescribed()
    await counter.accepted(counter.park, task, code)
    before = await counter.park.get(f"Task/{task}/$prescription")
    assert (await counter.person.post("Observation", observation(counter.record))).status_code == 201
    other = await counter.deposit(line(counter.record, number.draw(), counter.now))
    assert other.status_code == 201
    after = await counter.park.get(f"Task/{task}/$prescription")
    assert before.content == after.content
