"""Rights that a person writes as Consents, by plain REST: held to what the operations ask, and kept alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor, Terms, consent_of
from phr.access.provision import Right
from tests.house import Caller, House, observation
from tests.kin import parameters
from tests.phr.care import DOCTOR, PS, STRANGER, STRUCT, TREATING, body, consents, reason, software

Json = dict[str, Any]
HIM, THERE = Actor(PROFESSIONALS, DOCTOR.id), Actor(STRUCTURES, DOCTOR.structure)
THERE_TOO, PARENT = (STRUCT, DOCTOR.structure), "6d2b1c1e-0000-4000-8000-00000000aaaa"
PLACES = (Right.CARE_RELATION, Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR)


def said(record: str, terms: Terms) -> Json:
    return consent_of(terms, record, datetime.now(UTC))


async def weight(house: House, record: str) -> str:
    made = await house.depositor().post("Observation", observation(record))
    return f"Observation/{made.json()['id']}"


UNKEPT = {
    "a block of nobody": Terms(Right.BLOCK, permits=False),
    "a block of an account": Terms(Right.BLOCK, Actor.account("6d2b1c1e-0000-4000-8000-000000000000"), permits=False),
    "a block of a wrong number": Terms(Right.BLOCK, Actor(RPPS, "10000000000"), permits=False),
    "a block of a wrong structure": Terms(Right.BLOCK, Actor(FINESS, "690000000"), permits=False),
    "a block of a part": Terms(Right.BLOCK, HIM, permits=False, kinds=("Observation",)),
    "a mask for one professional": Terms(Right.MASK, HIM, permits=False, kinds=("Observation",)),
    "a mask with powers": Terms(Right.MASK, permits=False, powers=("consult",)),
    "a preference for nothing": Terms(Right.PREFERENCE),
    "a preference nobody reads": Terms(Right.PREFERENCE, purpose="everything"),
    "a preference about one": Terms(Right.PREFERENCE, HIM, purpose="BTG"),
    **{f"{right}: nobody": Terms(right) for right in PLACES},
    **{f"{right}: a structure": Terms(right, THERE) for right in PLACES},
    "a relation with powers": Terms(Right.CARE_RELATION, HIM, powers=("consult",)),
}


@pytest.mark.parametrize("why", UNKEPT)
async def test_what_would_be_believed_and_not_kept_is_refused(house: House, why: str) -> None:
    """By POST, by PUT over another, and in a transaction."""
    record = await house.open_record()
    person, wanted = house.citizen(record), said(record, UNKEPT[why])
    answer = await person.post("Consent", wanted)
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"][0].startswith("Consent.provision")
    entry = {"resource": wanted, "request": {"method": "POST", "url": "Consent"}}
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert (await person.post("", whole)).status_code == 422
    assert await consents(person, record) == []
    sound = replace(UNKEPT[why], actor=HIM, kinds=(), powers=(), purpose="BTG")
    if UNKEPT[why].right in (Right.MASK, Right.PREFERENCE):
        sound = replace(sound, actor=None)
    kept = await person.post("Consent", said(record, sound))
    assert kept.status_code == 201, kept.text
    assert (await person.put(f"Consent/{kept.json()['id']}", {**wanted, "id": kept.json()["id"]})).status_code == 422


@pytest.mark.parametrize("whom", [HIM, Actor(RPPS, DOCTOR.id[1:]), THERE, Actor(FINESS, DOCTOR.structure[1:])])
async def test_a_block_by_rest_is_a_block(house: House, whom: Actor) -> None:
    record = await house.open_record()
    person, doctor, seen = house.citizen(record), software(house), await weight(house, record)
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    made = await person.post("Consent", said(record, Terms(Right.BLOCK, whom, permits=False)))
    assert made.status_code == 201, made.text
    assert (await doctor.get(seen)).status_code == 404
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    [ended] = await consents(person, record, "inactive")
    assert reason(ended) == "blocked"
    system = PS if whom in (HIM,) or whom.system == RPPS else STRUCT
    what, value = ("professional", DOCTOR.id) if system == PS else ("structure", DOCTOR.structure)
    assert (await person.post(f"Patient/{record}/$allow", body(**{what: (system, value)}))).status_code == 200
    assert (await person.get(f"Consent/{made.json()['id']}")).json()["status"] == "inactive"
    assert (await doctor.get(seen)).status_code == 404


@pytest.mark.parametrize("right", PLACES)
@pytest.mark.parametrize("about", ["the professional", "the structure"])
async def test_nothing_waits_behind_a_block(house: House, right: Right, about: str) -> None:
    """What a person writes for who is blocked would come into force by itself the day they are allowed."""
    record = await house.open_record()
    person, doctor, seen = house.citizen(record), software(house), await weight(house, record)
    other = await person.post("Consent", said(record, Terms(right, Actor(PROFESSIONALS, STRANGER.id))))
    assert other.status_code == 201, other.text
    blocked = {"professional": (PS, DOCTOR.id)} if about == "the professional" else {"structure": THERE_TOO}
    assert (await person.post(f"Patient/{record}/$block", body(**blocked))).status_code == 201
    wanted = said(record, Terms(right, HIM, organization=THERE))
    assert (await person.post("Consent", wanted)).status_code == 409
    moved = {**wanted, "id": other.json()["id"]}
    assert (await person.put(f"Consent/{other.json()['id']}", moved)).status_code == 409
    assert (await person.post(f"Patient/{record}/$allow", body(**blocked))).status_code == 200
    assert (await doctor.get(seen)).status_code == 404
    assert (await person.post("Consent", wanted)).status_code == 201
    assert (await doctor.get(seen)).status_code == 200


async def test_a_secret_block_is_not_told_to_a_representative_who_writes(house: House) -> None:
    """As by `$designate`: the parent writes, and it shows nothing."""
    record = await house.open_record()
    await house.represent(record, PARENT)
    label = ("https://mos.esante.gouv.fr/NOS/TRE_A07", "INVISIBLE_REPRESENTANTS_LEGAUX")
    await house.lend(record, Terms(Right.BLOCK, HIM, permits=False, label=label))
    seen = await weight(house, record)
    claims = house.claims("citizen-app", "app", ("patient/*.cruds",), record, subject=PARENT)
    mother = house.caller(replace(claims, actor=PARENT))
    made = await mother.post("Consent", said(record, Terms(Right.ADMINISTRATOR, HIM)))
    assert made.status_code == 201, made.text
    assert (await software(house).get(seen)).status_code == 404


async def listed(caller: Caller) -> list[str]:
    found = (await caller.get("Patient/$relations")).json()
    return [entry["resource"]["id"] for entry in found.get("entry", ())]


async def test_a_relation_by_rest_is_in_the_professional_s_list_until_it_ends(house: House) -> None:
    record = await house.open_record()
    person, doctor, until = house.citizen(record), software(house), datetime.now(UTC) + timedelta(days=2)
    made = (await person.post("Consent", said(record, Terms(Right.CARE_RELATION, HIM, until=until)))).json()
    assert await listed(doctor) == [made["id"]]
    longer = {**made["provision"], "period": {**made["provision"]["period"], "end": f"{until.year + 1}-01-01"}}
    assert (await person.put(f"Consent/{made['id']}", {**made, "provision": longer})).status_code == 200
    house.parts.server.clock = lambda: until + timedelta(hours=1)
    assert await listed(software(house)) == [made["id"]]
    ended = await house.citizen(record).post(f"Patient/{record}/$end-access", parameters(consent=made["id"]))
    assert ended.status_code == 200, ended.text
    assert await listed(software(house)) == []
