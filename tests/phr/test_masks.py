"""Masks: what the person keeps from professionals is gone by every door, and is still there for who must see it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phr import codes
from phr.access.consent import PROFESSIONALS, RIGHT, Actor, Terms, consent_of
from phr.access.journal import Tag
from phr.access.matrix import load
from phr.access.provision import Right
from phr.masks import CATEGORIES, NORMAL, SECTIONS, masked, unmasked
from phr.prevention.canonical import ANSWER
from tests.access.city import delegate
from tests.deposit import PDF, Clinic, bytes_of, clinic, coded, deposited, document, ids, inline, label
from tests.house import Caller, House, account_of, observation
from tests.phr.care import DOCTOR, STRANGER, TREATING_PHYSICIAN, consents, notes, reason, software, who

Json = dict[str, Any]
HL7 = "http://terminology.hl7.org/CodeSystem/observation-category"
LOINC_OID = "urn:oid:2.16.840.1.113883.6.1"
ADMINISTRATOR = who(7)


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


@pytest.fixture
async def record(house: House) -> str:
    opened = await house.open_record()
    await house.relate(opened, DOCTOR.id)
    return opened


@pytest.fixture
def hospital(house: House) -> Caller:
    return house.depositor()


@pytest.fixture
async def report(by: Clinic, record: str, hospital: Caller) -> Json:
    return await deposited(hospital, document(record, by))


def chosen(**values: Any) -> Json:
    """A Parameters body: lists are repeated."""
    made = []
    for name, given in values.items():
        for value in given if isinstance(given, list) else [given]:
            form = {bool: "valueBoolean", dict: "valueReference", str: "valueString"}[type(value)]
            made.append({"name": name, form: value})
    return {"resourceType": "Parameters", "parameter": made}


async def ask(caller: Caller, record: str, operation: str, status: int = 200, **values: Any) -> Json:
    answer = await caller.post(f"Patient/{record}/${operation}", chosen(**values))
    assert answer.status_code == status, answer.text
    told: Json = answer.json()
    return told


def told(answer: Json) -> dict[str, Any]:
    """What the answer says is masked."""
    one = {p["name"]: p["valueBoolean"] for p in answer["parameter"] if "valueBoolean" in p}
    many = {
        name: [p["valueCode"] for p in answer["parameter"] if p["name"] == name] for name in ("section", "category")
    }
    return {**many, **one}


def nothing(**but: Any) -> dict[str, Any]:
    return {"section": [], "category": [], "all": False, "default": False, **but}


def named(stored: Json) -> str:
    return f"DocumentReference/{stored['id']}"


async def everything(caller: Caller, record: str) -> set[str]:
    answer = await caller.get(f"Patient/{record}/$everything?_count=200")
    assert answer.status_code == 200, answer.text
    return {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in answer.json()["entry"]}


async def ways(caller: Caller, record: str, stored: Json, beside: str) -> set[str]:
    """The doors by which a document is seen; `beside`: an Observation derived from it, in sight. It is the only one."""
    shown, address = set(), named(stored)
    for name, path in (("read", address), ("vread", f"{address}/_history/1"), ("history", f"{address}/_history")):
        status = (await caller.get(path)).status_code
        assert status in (200, 404)
        shown |= {name} if status == 200 else set()
    found = await caller.get(f"DocumentReference?patient={record}&_total=accurate")
    shown |= {"search"} if stored["id"] in ids(found) else set()
    shown |= {"total"} if found.json()["total"] else set()
    count = (await caller.get(f"DocumentReference?patient={record}&_summary=count")).json()["total"]
    shown |= {"count"} if count else set()
    past = (await caller.get(f"DocumentReference/_history?patient={record}")).json()
    shown |= {"history of type"} if past.get("entry") else set()
    shown |= {"everything"} if address in await everything(caller, record) else set()
    shown |= {"everything's bytes"} if bytes_of(stored) in await everything(caller, record) else set()
    brought = (await caller.get(f"Observation?patient={record}&_include=Observation:derived-from")).json()
    assert beside in {e["resource"]["id"] for e in brought["entry"]}
    shown |= {"include"} if any(e["search"]["mode"] == "include" for e in brought["entry"]) else set()
    chained = await caller.get(f"Observation?patient={record}&derived-from:DocumentReference.status=current")
    shown |= {"chain"} if ids(chained) else set()
    back = await caller.get(f"DocumentReference?patient={record}&_has:Observation:derived-from:status=final")
    shown |= {"has"} if ids(back) else set()
    status = (await caller.get(bytes_of(stored), Accept="*/*")).status_code
    assert status in (200, 404)
    return shown | ({"bytes"} if status == 200 else set())


WAYS = {
    *("read", "vread", "history", "search", "total", "count", "history of type", "everything", "everything's bytes"),
    *("include", "chain", "has", "bytes"),
}


async def derived(caller: Caller, record: str, stored: Json) -> str:
    answer = await caller.post("Observation", observation(record, derivedFrom=[{"reference": named(stored)}]))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def lent(house: House, record: str) -> tuple[Caller, Caller]:
    """The treating physician and the administrator."""
    for identity, right in ((TREATING_PHYSICIAN, Right.TREATING_PHYSICIAN), (ADMINISTRATOR, Right.ADMINISTRATOR)):
        await house.lend(record, Terms(right, Actor(PROFESSIONALS, identity.id)))
    return software(house, TREATING_PHYSICIAN), software(house, ADMINISTRATOR)


HOW: dict[str, Callable[[Json], dict[str, Any]]] = {
    "the document": lambda stored: {"document": named(stored)},
    "its reference": lambda stored: {"document": {"reference": named(stored)}},
    "its category": lambda stored: {"category": "BIOLOGIE"},
    "every document": lambda stored: {"all": True},
}


@pytest.mark.parametrize("how", HOW)
async def test_masked_is_gone_by_every_door_but_for_who_must_see_it(
    house: House, record: str, hospital: Caller, report: Json, how: str
) -> None:
    doctor, citizen = software(house), house.citizen(record)
    physician, administrator = await lent(house, record)
    beside = await derived(hospital, record, report)
    everyone = (doctor, physician, administrator, citizen, hospital)
    for caller in everyone:
        assert await ways(caller, record, report, beside) == WAYS
    absent = (await doctor.get(f"DocumentReference/{record[:3]}-{'0' * 32}")).json()

    await ask(citizen, record, "mask", **HOW[how](report))
    assert await ways(doctor, record, report, beside) == set()
    assert (await doctor.get(named(report))).json() == absent
    assert (await doctor.get(bytes_of(report), Accept="*/*")).json() == absent
    for caller in everyone[1:]:
        assert await ways(caller, record, report, beside) == WAYS

    await ask(citizen, record, "unmask", **HOW[how](report))
    assert await ways(doctor, record, report, beside) == WAYS


async def test_what_a_consent_masks_by_name_goes_with_its_bytes(
    house: House, record: str, hospital: Caller, report: Json
) -> None:
    """Written by plain REST, on one document: its Binary is no way around."""
    doctor, citizen = software(house), house.citizen(record)
    physician, administrator = await lent(house, record)
    beside = await derived(hospital, record, report)
    terms = Terms(Right.MASK, permits=False, data=(named(report),))
    made = await citizen.post("Consent", consent_of(terms, record, datetime.now(UTC)))
    assert made.status_code == 201, made.text
    assert await ways(doctor, record, report, beside) == set()
    for caller in (physician, administrator, citizen, hospital):
        assert await ways(caller, record, report, beside) == WAYS
    ended = await citizen.put(f"Consent/{made.json()['id']}", {**made.json(), "status": "inactive"})
    assert ended.status_code == 200, ended.text
    assert await ways(doctor, record, report, beside) == WAYS


@pytest.mark.parametrize("how", ["its label", "a Consent"])
async def test_what_takes_the_place_of_a_masked_document_is_masked(
    house: House, record: str, by: Clinic, hospital: Caller, report: Json, how: str
) -> None:
    """A laboratory that corrects its report does not show to everybody what the person hid."""
    doctor, citizen = software(house), house.citizen(record)
    if how == "its label":
        await ask(citizen, record, "mask", document=named(report))
    else:
        await house.lend(record, Terms(Right.MASK, permits=False, data=(named(report),)))
    over = [{"code": "replaces", "target": {"reference": named(report)}}]
    corrected = await deposited(hospital, document(record, by, relatesTo=over))
    assert {named(corrected), bytes_of(corrected)}.isdisjoint(await everything(doctor, record))
    assert (await doctor.get(named(corrected))).status_code == 404
    assert named(corrected) in await everything(citizen, record)
    await ask(citizen, record, "unmask", document=named(corrected))
    assert (await doctor.get(named(corrected))).status_code == 200
    assert (await doctor.get(named(report))).status_code == 404


async def test_what_takes_the_place_of_what_is_kept_from_representatives_is_kept_too(
    house: House, record: str, by: Clinic, hospital: Caller
) -> None:
    secret = await deposited(hospital, document(record, by, securityLabel=[label("INVISIBLE_REPRESENTANTS_LEGAUX")]))
    await house.represent(record, account_of("mum"))
    mother = delegate(house, record)
    over = [{"code": "replaces", "target": {"reference": named(secret)}}]
    corrected = await deposited(hospital, document(record, by, relatesTo=over))
    assert (await mother.get(named(corrected))).status_code == 404
    assert (await software(house).get(named(corrected))).status_code == 200


async def test_nothing_is_replaced_by_what_is_deposited_with_it(
    house: House, record: str, by: Clinic, hospital: Caller, report: Json
) -> None:
    """A chain of corrections in one submission would leave its last one without the mask of the first."""
    await ask(house.citizen(record), record, "mask", document=named(report))
    first, second = (inline(document(record, by)) for _ in range(2))
    middle = "urn:uuid:6f1f7a62-6c1c-4a3b-9d0e-0a4c9f1b2c3d"
    first["relatesTo"] = [{"code": "replaces", "target": {"reference": named(report)}}]
    second["relatesTo"] = [{"code": "replaces", "target": {"reference": middle}}]
    create = {"method": "POST", "url": "DocumentReference"}
    entries = [{"fullUrl": middle, "resource": first, "request": create}, {"resource": second, "request": create}]
    for listed in (entries, entries[::-1]):
        answer = await hospital.post("", {"resourceType": "Bundle", "type": "transaction", "entry": listed})
        assert answer.status_code == 422, answer.text
        assert "deposited with it" in answer.text
    assert (await hospital.get(named(report))).json()["status"] == "current"


async def test_a_professional_still_sees_what_they_wrote(house: House, by: Clinic, record: str) -> None:
    doctor, citizen = software(house), house.citizen(record)
    own = await deposited(doctor, document(record, by))
    weight = (await doctor.post("Observation", observation(record))).json()
    await house.relate(record, STRANGER.id)
    await ask(citizen, record, "mask", document=named(own), section="measures", all=True)
    assert {named(own), bytes_of(own), f"Observation/{weight['id']}"} <= await everything(doctor, record)
    assert await everything(software(house, STRANGER), record) == {f"Patient/{record}", *await mine(house, record)}


async def mine(house: House, record: str) -> set[str]:
    """The one Consent that a professional sees: their own relation."""
    listed = (await software(house, STRANGER).get(f"Consent?patient={record}")).json()["entry"]
    return {f"Consent/{entry['resource']['id']}" for entry in listed}


async def test_the_label_takes_the_place_of_normal_and_gives_it_back(
    house: House, record: str, hospital: Caller, report: Json
) -> None:
    citizen, doctor = house.citizen(record), software(house)
    for _ in range(2):  # asked twice, asked once
        await ask(citizen, record, "mask", document=[named(report), named(report)])
    body = (await citizen.get(named(report))).json()
    assert body["meta"]["versionId"] == "2"
    assert body["securityLabel"] == [{"coding": [{**label("MASQUE_PS")["coding"][0], "display": MASKED_DISPLAY}]}]
    # Nobody but the person lifts it.
    lifted = [{"op": "replace", "path": "/securityLabel", "value": [label("N")]}]
    assert (await hospital.patch(named(report), lifted)).status_code == 403
    assert (await doctor.patch(named(report), lifted)).status_code == 404
    for _ in range(2):
        await ask(citizen, record, "unmask", document=named(report))
    body = (await citizen.get(named(report))).json()
    assert body["meta"]["versionId"] == "3"
    assert body["securityLabel"] == [{"coding": [NORMAL]}]
    assert NORMAL["system"] == "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    assert (await citizen.get(f"{named(report)}/_history")).json()["entry"][1]["resource"]["meta"]["versionId"] == "2"


MASKED_DISPLAY = "Masqué aux professionnels de santé"


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ([label("N")], []),
        ([label("MASQUE_PS")], []),
        ([{"text": " masque_ps "}], []),
        ([label("N"), {"coding": [{"code": "masque_ps"}, {"system": "x", "code": "R"}]}], [coded("x", "R")]),
        ([coded("x", "V"), {"text": "N"}], [coded("x", "V")]),
        (None, []),
    ],
)
def test_labels_are_written_and_taken_away_however_they_were_written(
    before: list[Json] | None, kept: list[Json]
) -> None:
    bare: Json = {"resourceType": "DocumentReference", "meta": {"versionId": "1"}}
    given = {**bare, **({"securityLabel": before} if before is not None else {})}
    given["meta"] = {**given["meta"], "security": [{"code": "Masque_PS"}, {"code": "R"}]}
    shown = unmasked(given)
    left = [one for one in shown.get("securityLabel", []) if one not in (label("N"), {"text": "N"})]
    assert [one for one in left if one != {"coding": [NORMAL]}] == kept
    assert shown["meta"] == {"versionId": "1", "security": [{"code": "R"}]}
    assert unmasked(shown) == shown
    shut = masked({**given, "meta": bare["meta"]})
    assert masked(shut) == shut
    assert unmasked(shut)["meta"] == bare["meta"]


def described(record: str, kind: str, **more: Any) -> Json:
    """A small resource of this type about the person."""
    me, text = {"reference": f"Patient/{record}"}, {"text": "x"}
    bodies: dict[str, Json] = {
        "AllergyIntolerance": {"patient": me, "code": text},
        "Flag": {"subject": me, "status": "active", "code": text},
        "Condition": {"subject": me, "code": text},
        "FamilyMemberHistory": {"patient": me, "status": "completed", "relationship": text},
        "MedicationStatement": {"subject": me, "status": "active", "medicationCodeableConcept": text},
        "MedicationRequest": {
            "subject": me,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": text,
        },
        "Immunization": {
            "patient": me,
            "status": "completed",
            "vaccineCode": text,
            "occurrenceDateTime": "2026-01-02",
        },
        "Procedure": {"subject": me, "status": "completed", "code": text},
        "DiagnosticReport": {"subject": me, "status": "final", "code": text},
        "Device": {"patient": me},
        "Task": {
            "for": me,
            "status": "rejected",
            "intent": "proposal",
            "businessStatus": coded(ANSWER, "declined"),
        },
        "Encounter": {
            "subject": me,
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        },
    }
    return {"resourceType": kind, **bodies[kind], **more}


async def profile(hospital: Caller, record: str) -> dict[str, set[str]]:
    """Structured data of each section but the questionnaires, which no profession sees; a report with its bytes."""
    binary = await hospital.ask(
        "POST", "Binary", {"Content-Type": "application/pdf", "X-Security-Context": f"Patient/{record}"}, content=PDF
    )
    content = f"Binary/{binary.json()['id']}"
    parts: dict[str, list[Json]] = {
        "allergies": [described(record, "AllergyIntolerance"), described(record, "Flag")],
        "conditions": [described(record, "Condition")],
        "family-history": [described(record, "FamilyMemberHistory")],
        "treatments": [described(record, "MedicationStatement"), described(record, "MedicationRequest")],
        "vaccinations": [described(record, "Immunization")],
        "procedures": [described(record, "Procedure")],
        "measures": [observation(record)],
        "lifestyle": [observation(record, category=[coded(HL7, "social-history")])],
        "results": [
            observation(record, category=[coded(HL7, "laboratory")]),
            described(record, "DiagnosticReport", presentedForm=[{"contentType": "application/pdf", "url": content}]),
        ],
        "devices": [described(record, "Device")],
        "prevention": [described(record, "Task")],
        "care": [described(record, "Encounter")],
    }
    made: dict[str, set[str]] = {}
    for section, bodies in parts.items():
        made[section] = set()
        for body in bodies:
            answer = await hospital.post(body["resourceType"], body)
            assert answer.status_code == 201, answer.text
            made[section].add(f"{body['resourceType']}/{answer.json()['id']}")
    made["results"].add(content)
    return made


async def test_a_section_is_masked_with_all_that_is_in_it_and_nothing_else(
    house: House, record: str, hospital: Caller, report: Json
) -> None:
    doctor, citizen = software(house), house.citizen(record)
    physician, _ = await lent(house, record)
    made = await profile(hospital, record)
    assert set(made) | {"questionnaires", "observations"} == set(SECTIONS)
    whole = await everything(doctor, record)
    assert set().union(*made.values()) | {named(report), bytes_of(report)} <= whole
    for section, resources in made.items():
        assert told(await ask(citizen, record, "mask", section=section)) == nothing(section=[section])
        assert await everything(doctor, record) == whole - resources
        assert resources <= await everything(physician, record)
        for name in resources:
            assert (await doctor.get(name, Accept="*/*")).status_code == 404
            assert (await hospital.get(name, Accept="*/*")).status_code == 200
        assert told(await ask(citizen, record, "unmask", section=section)) == nothing()
        assert await everything(doctor, record) == whole


async def test_observations_are_masked_whatever_category_they_bear(house: House, record: str, hospital: Caller) -> None:
    """Another category than the sections name, or none: nothing a profession sees is beyond a section."""
    doctor, citizen = software(house), house.citizen(record)
    bare = {name: value for name, value in observation(record).items() if name != "category"}
    bodies = (bare, *(observation(record, category=[coded(HL7, one)]) for one in ("survey", "exam", "vital-signs")))
    made = {f"Observation/{(await hospital.post('Observation', body)).json()['id']}" for body in bodies}
    for section in set(SECTIONS) - {"observations"}:
        await ask(citizen, record, "mask", section=section)
    assert len(made & await everything(doctor, record)) == 3
    answer = told(await ask(citizen, record, "mask", section="observations"))
    assert set(answer["section"]) == set(SECTIONS)
    assert not made & await everything(doctor, record)


def test_every_type_that_a_profession_sees_is_in_a_section() -> None:
    masked_whole = {kind for part in SECTIONS.values() for kind in part.kinds}
    for line in load().lines.values():
        assert line.kinds | {kind for kind, _ in line.coded} <= masked_whole | {"Patient"}


async def test_a_category_is_masked_under_either_form_of_its_types(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    doctor, citizen = software(house), house.citizen(record)
    other = await deposited(hospital, document(record, by, type=coded(LOINC_OID, "11502-2")))
    letter = await deposited(hospital, document(record, by, type=coded(codes.LOINC, "11490-0")))
    directives = await deposited(
        hospital,
        document(record, by, type=coded(codes.TYPE, "EXPPAT_3"), category=[coded(codes.CLASS, "90")]),
    )
    every = {named(one) for one in (report, other, letter, directives)}
    assert every <= await everything(doctor, record)
    answer = await ask(citizen, record, "mask", category=["BIOLOGIE", "DIR_ANT", "BIOLOGIE"])
    assert told(answer) == nothing(category=["BIOLOGIE", "DIR_ANT"])
    assert {one for one in await everything(doctor, record) if "Document" in one} == {named(letter)}
    for one in (report, other, directives):
        assert (await doctor.get(bytes_of(one), Accept="*/*")).status_code == 404
    [directive, biology] = await masks_of(citizen, record)
    assert len(directive["provision"]["code"]) == 2
    assert biology["provision"]["type"] == "deny"
    listed = {(c["system"], c["code"]) for one in biology["provision"]["code"] for c in one["coding"]}
    assert {(codes.LOINC, "11502-2"), (LOINC_OID, "11502-2"), (codes.TYPE, "DOCPAT05")} <= listed
    assert told(await ask(citizen, record, "unmask", category="BIOLOGIE")) == nothing(category=["DIR_ANT"])
    assert every - {named(directives)} == {one for one in await everything(doctor, record) if "Document" in one}


async def masks_of(citizen: Caller, record: str) -> list[Json]:
    """The masks in force, the shortest first."""
    found = [one for one in await consents(citizen, record) if one["category"][0]["coding"][0]["code"] == "mask"]
    return sorted(found, key=lambda one: len(one["provision"].get("code", ())))


def test_every_document_type_is_in_one_category_and_no_more() -> None:
    types = codes.table("document_types").concepts
    listed = [pair for part in CATEGORIES.values() for pair in part.codes]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(types)
    assert len(CATEGORIES) == 15
    for part in (*SECTIONS.values(), *CATEGORIES.values()):
        assert part.fr
        assert part.en
        assert bool(part.kinds) or bool(part.codes)


async def test_what_was_masked_one_by_one_stays_so(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    doctor, citizen = software(house), house.citizen(record)
    other = await deposited(hospital, document(record, by))
    await ask(citizen, record, "mask", document=named(report))
    assert told(await ask(citizen, record, "mask", all=True)) == nothing(all=True)
    assert not {named(report), named(other)} & await everything(doctor, record)
    assert told(await ask(citizen, record, "unmask", all=True)) == nothing()
    assert {named(report), named(other)} & await everything(doctor, record) == {named(other)}


async def test_asking_twice_is_asking_once_and_what_ends_says_why(house: House, record: str) -> None:
    citizen = house.citizen(record)
    for _ in range(3):
        await ask(citizen, record, "mask", section="conditions", category="REMB", all=True)
    assert len(await masks_of(citizen, record)) == 3
    for _ in range(2):
        await ask(citizen, record, "unmask", section="conditions")
    [ended] = await consents(citizen, record, "inactive")
    assert reason(ended) == "unmasked"
    assert told(await ask(citizen, record, "mask")) == nothing(category=["REMB"], all=True)


async def test_a_mask_written_as_a_consent_is_the_same_mask(house: House, record: str) -> None:
    citizen = house.citizen(record)
    await ask(citizen, record, "mask", section="conditions")
    [mask] = await masks_of(citizen, record)
    twin = {name: value for name, value in mask.items() if name not in ("id", "meta")}
    assert (await citizen.post("Consent", twin)).status_code == 201
    until = {**twin, "provision": {**twin["provision"], "period": {"start": "2026-01-01", "end": "2099-01-01"}}}
    assert (await citizen.post("Consent", until)).status_code == 201
    assert told(await ask(citizen, record, "unmask", section="conditions")) == nothing()
    assert len(await consents(citizen, record, "inactive")) == 3


async def test_a_mask_that_will_end_does_not_stand_for_one_that_does_not(house: House, record: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    await house.lend(record, Terms(Right.MASK, permits=False, kinds=("Condition",), until=until))
    citizen = house.citizen(record)
    await ask(citizen, record, "mask", section="conditions")
    assert len(await masks_of(citizen, record)) == 2


async def test_all_that_is_asked_together_is_done_or_nothing_is(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    citizen, doctor = house.citizen(record), software(house)
    other_record = await house.open_record()
    others = await deposited(hospital, document(other_record, by))
    waiting = await deposited(hospital, document(record, by, securityLabel=[label("INVISIBLE_PATIENT")]))
    never = {"id": f"{record[:3]}-{'0' * 32}"}
    gone = await deposited(citizen, own(record))
    assert (await citizen.delete(named(gone))).status_code == 204
    answers = []
    for wrong in (others, waiting, never, gone):
        answers.append(
            await ask(
                citizen, record, "mask", 404, document=[named(report), named(wrong)], section="conditions", all=True
            )
        )
    assert all(answer == answers[0] for answer in answers)
    assert told(await ask(citizen, record, "mask")) == nothing()
    assert named(report) in await everything(doctor, record)
    refused = [note.refused for tag, note in notes(house, record) if tag is Tag.SHARE and note.refused]
    assert refused == ["absent"] * 4
    await ask(citizen, record, "mask", document=named(report), section="conditions", all=True)
    tag, note = notes(house, record)[-1]
    assert (tag, note.asked, note.refused) == (Tag.SHARE, f"Patient/{record}/$mask", "")


def own(record: str, **more: Any) -> Json:
    """A document of the citizen's own."""
    made = document(record, Clinic("", "", ""), type=coded(codes.TYPE, "EXPPAT_2"), category=[coded(codes.CLASS, "90")])
    made["author"] = [{"reference": f"Patient/{record}"}]
    del made["custodian"], made["context"]["event"]
    patient = coded(codes.PRODUCER, codes.PATIENT_PRODUCER)
    made["context"] |= {"facilityType": patient, "practiceSetting": patient}
    return {**made, **more}


async def test_the_citizen_masks_their_own_documents_too(house: House, record: str) -> None:
    citizen, doctor = house.citizen(record), software(house)
    stored = await deposited(citizen, own(record))
    assert named(stored) in await everything(doctor, record)
    await ask(citizen, record, "mask", document=named(stored))
    assert named(stored) not in await everything(doctor, record)
    assert (await citizen.get(bytes_of(stored), Accept="*/*")).content == PDF


async def test_who_masks(house: House, record: str, report: Json) -> None:
    other = await house.open_record()
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("carer"), "consult", "documents")
    values = {"document": named(report), "section": "conditions"}
    for operation in ("mask", "unmask"):
        await ask(delegate(house, record), record, operation, 200, **values)
        await ask(delegate(house, record, name="carer"), record, operation, 403, **values)
        await ask(delegate(house, record, name="nobody"), record, operation, 404, **values)
        await ask(house.citizen(other), record, operation, 404, **values)
        for caller in (software(house), house.depositor(), house.operator()):
            await ask(caller, record, operation, 403, **values)
    refused = [(note.reader, note.refused) for tag, note in notes(house, record) if tag is Tag.SHARE and note.refused]
    assert refused == [("Delegate", "not-entitled")] * 4
    few = ("patient/DocumentReference.cruds", "patient/Consent.rs")
    await ask(house.citizen(record, few), record, "mask", 403, **values)
    await ask(house.citizen(record, ("patient/Consent.cruds",)), record, "mask", 403, **values)
    await ask(house.citizen(record, ("patient/Consent.cruds",)), record, "mask", 200, section="conditions")
    narrow = (f"patient/Consent.cruds?category={RIGHT}|mask",)
    await ask(house.citizen(record, narrow), record, "mask", 403, section="conditions")


async def test_a_representative_learns_nothing_of_masks_kept_from_them(house: House, record: str) -> None:
    await house.represent(record, account_of("mum"))
    secret = ("https://x", "INVISIBLE_REPRESENTANTS_LEGAUX")
    await house.lend(record, Terms(Right.MASK, permits=False, kinds=("Condition",), label=secret))
    mum = delegate(house, record)
    assert told(await ask(mum, record, "mask")) == nothing()
    assert told(await ask(mum, record, "unmask", section="conditions")) == nothing()
    assert told(await ask(house.citizen(record), record, "mask")) == nothing(section=["conditions"])


@pytest.mark.parametrize(
    "values",
    [
        {"section": "everything"},
        {"category": "11502-2"},
        {"document": "Observation/x"},
        {"document": "x"},
        {"documents": "DocumentReference/x"},
        {"section": True},
        {"all": "true"},
        {"all": [True, True]},
    ],
)
async def test_what_is_not_understood_is_refused(house: House, record: str, values: dict[str, Any]) -> None:
    await ask(house.citizen(record), record, "mask", 422, **values)


async def test_depositors_write_as_before_under_every_mask(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    citizen = house.citizen(record)
    await ask(
        citizen, record, "mask", document=named(report), section=list(SECTIONS), category=list(CATEGORIES), all=True
    )
    assert len(told(await ask(citizen, record, "mask"))["section"]) == len(SECTIONS)
    new = await deposited(hospital, document(record, by))
    assert (await hospital.post("Observation", observation(record))).status_code == 201
    body = (await hospital.get(named(new))).json()
    assert (await hospital.put(named(new), {**body, "description": "corrected"})).status_code == 200
    replacing = [{"code": "replaces", "target": {"reference": named(report)}}]
    assert (
        await hospital.post("DocumentReference", inline(document(record, by, relatesTo=replacing)))
    ).status_code == 201
    assert (await citizen.get(named(report))).json()["status"] == "superseded"
    doctor = software(house)
    own_report = await deposited(doctor, document(record, by))
    assert (await doctor.get(bytes_of(own_report), Accept="*/*")).status_code == 200


async def prefer(citizen: Caller, record: str, *, masked: bool) -> None:
    body = chosen(**{"default-masked": masked})
    assert (await citizen.post(f"Patient/{record}/$preferences", body)).status_code == 200


async def test_new_documents_are_masked_by_default_whoever_deposits_them(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    citizen, doctor, stranger = house.citizen(record), software(house), software(house, STRANGER)
    await house.relate(record, STRANGER.id)
    await prefer(citizen, record, masked=True)
    assert told(await ask(citizen, record, "mask")) == nothing(default=True)
    made = [
        await deposited(hospital, document(record, by)),
        await deposited(doctor, document(record, by)),
        await deposited(citizen, own(record)),
    ]
    for caller, stored in zip((hospital, doctor, citizen), made, strict=True):
        assert (await caller.get(named(stored))).status_code == 200
        assert (await caller.get(bytes_of(stored), Accept="*/*")).status_code == 200
        assert (await citizen.get(named(stored))).status_code == 200
        assert (await stranger.get(named(stored))).status_code == 404
        assert (await stranger.get(bytes_of(stored), Accept="*/*")).status_code == 404
    assert (await stranger.get(named(report))).status_code == 200  # what was there is as it was
    await ask(citizen, record, "unmask", document=[named(stored) for stored in made])
    for stored in made:
        assert (await stranger.get(named(stored))).status_code == 200
    # The depositor's next version is not masked again: only what is new is.
    body = (await hospital.get(named(made[0]))).json()
    assert (await hospital.put(named(made[0]), {**body, "description": "x"})).status_code == 200
    assert (await stranger.get(named(made[0]))).status_code == 200
    await prefer(citizen, record, masked=False)
    shown = await deposited(hospital, document(record, by))
    assert (await stranger.get(named(shown))).status_code == 200


async def test_a_type_says_first_what_the_document_is(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    good, local = coded(codes.LOINC, "11502-2")["coding"], coded("urn:oid:1.2.3", "x")["coding"]
    dodged = await hospital.post("DocumentReference", inline(document(record, by, type={"coding": [*local, *good]})))
    assert dodged.status_code == 422
    assert "DocumentReference.type.coding[0]" in [issue["expression"][0] for issue in dodged.json()["issue"]]
    nameless = {"coding": [{"code": "x"}, *good]}
    assert (await hospital.post("DocumentReference", inline(document(record, by, type=nameless)))).status_code == 422
    both = {"coding": [*coded(LOINC_OID, "11502-2")["coding"], *good, *local]}
    stored = await deposited(hospital, document(record, by, type=both))
    doctor = software(house)
    assert (await doctor.get(bytes_of(stored), Accept="*/*")).status_code == 200
    await ask(house.citizen(record), record, "mask", category="BIOLOGIE")
    assert (await doctor.get(named(stored))).status_code == 404
    assert (await doctor.get(bytes_of(stored), Accept="*/*")).status_code == 404
