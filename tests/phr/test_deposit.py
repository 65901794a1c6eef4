"""Publishing and finding documents over HTTP, as an integrator does: ITI-65, ITI-105, ITI-66, ITI-67, ITI-68."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from phr import codes
from tests.deposit import (
    PDF,
    Clinic,
    archived,
    attachment,
    bytes_of,
    clinic,
    coded,
    deposited,
    document,
    ids,
    inline,
    label,
    submission,
)
from tests.house import INS_SYSTEM, Caller, House

Json = dict[str, Any]


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


@pytest.fixture
def hospital(house: House) -> Caller:
    return house.depositor()


def named(answer: Any) -> list[str | None]:
    """The expressions of an OperationOutcome."""
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [issue.get("expression", [None])[0] for issue in answer.json()["issue"]]


async def test_a_submission_is_published_found_and_retrieved(
    house: House, by: Clinic, record: str, hospital: Caller
) -> None:
    texts = [PDF, "Réconfort et repos.".encode()]
    documents = [document(record, by), document(record, by, texts[1], "text/plain")]
    answer = await hospital.post("", submission(documents, texts))
    assert answer.status_code == 200, answer.text
    lines = answer.json()["entry"]
    assert [line["response"]["status"][:3] for line in lines] == ["201"] * 5
    citizen = house.citizen(record)
    (held,) = ids(await citizen.get(f"List?patient=Patient/{record}&code=submissionset&status=current"))
    found = (await citizen.get(f"List/{held}")).json()
    listed = [entry["item"]["reference"] for entry in found["entry"]]
    assert len(listed) == 2
    for name, data in zip(listed, texts, strict=True):
        reference = (await citizen.get(name)).json()
        content = await citizen.get(bytes_of(reference), Accept="*/*")
        assert content.status_code == 200
        assert content.content == data
        assert content.headers["content-type"].startswith(reference["content"][0]["attachment"]["contentType"])


async def test_a_submission_for_an_ins(house: House, by: Clinic, hospital: Caller) -> None:
    ins = house.new_ins()
    record = await house.open_record(ins)
    described = document(record, by, subject={"identifier": {"system": INS_SYSTEM, "value": ins}})
    described["subject"] = {"reference": f"Patient?identifier={INS_SYSTEM}|{ins}"}
    answer = await hospital.post("", submission([described]))
    assert answer.status_code == 200, answer.text
    citizen = house.citizen(record)
    assert len(ids(await citizen.get("DocumentReference"))) == 1
    assert len(ids(await hospital.get(f"DocumentReference?patient.identifier={INS_SYSTEM}|{ins}&status=current"))) == 1


async def test_a_submission_for_nobody_stores_nothing(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    stranger = {"reference": f"Patient?identifier={INS_SYSTEM}|{house.new_ins()}"}
    answer = await hospital.post("", submission([document(record, by, subject=stranger)]))
    assert answer.status_code == 422
    assert ids(await house.citizen(record).get("DocumentReference")) == []


async def test_simplified_publish(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    answer = await hospital.post("DocumentReference", inline(document(record, by)))
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert "data" not in stored["content"][0]["attachment"]
    content = await house.citizen(record).get(bytes_of(stored), Accept="application/pdf")
    assert content.content == PDF


async def test_size_and_hash_are_filled_in_a_simplified_publish(by: Clinic, record: str, hospital: Caller) -> None:
    described = document(record, by)
    for name in ("size", "hash"):
        del described["content"][0]["attachment"][name]
    stored = await deposited(hospital, described)
    assert stored["content"][0]["attachment"].items() >= {**attachment(), "url": bytes_of(stored)}.items()


async def test_raw_bytes_first_then_the_reference(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    headers = {"Content-Type": "application/pdf", "X-Security-Context": f"Patient/{record}"}
    posted = await hospital.ask("POST", "Binary", headers, content=PDF)
    assert posted.status_code == 201, posted.text
    described = document(record, by)
    described["content"][0]["attachment"]["url"] = f"Binary/{posted.json()['id']}"
    answer = await hospital.post("DocumentReference", described)
    assert answer.status_code == 201, answer.text
    again = await hospital.post("DocumentReference", {**described, "masterIdentifier": {"value": "urn:oid:1.2"}})
    assert again.status_code == 422, "one Binary cannot be the content of two documents"
    assert named(again) == ["DocumentReference.content"]


MANDATORY = [
    "masterIdentifier",
    "status",
    "type",
    "category",
    "subject",
    "date",
    "author",
    "custodian",
    "content.attachment.contentType",
    "content.attachment.language",
    "content.attachment.title",
    "content.attachment.size",
    "content.attachment.hash",
    "context.period",
    "context.period.start",
    "context.facilityType",
    "context.practiceSetting",
]


def without(described: Json, path: str) -> Json:
    spoilt = copy.deepcopy(described)
    element: Any = spoilt
    *parents, last = path.split(".")
    for parent in parents:
        element = element[parent]
        element = element[0] if isinstance(element, list) else element
    del element[last]
    return spoilt


def plain(expression: str | None) -> str:
    """Without the indexes."""
    return "".join(part.partition("[")[0] + "." for part in (expression or "").split(".")).rstrip(".")


async def test_what_is_missing_is_named(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    for path in MANDATORY:
        bundle = submission([document(record, by)])
        bundle["entry"][1]["resource"] = without(bundle["entry"][1]["resource"], path)
        answer = await hospital.post("", bundle)
        assert answer.status_code == 422, (path, answer.text)
        expected = "context.period.start" if path == "context.period" else path
        assert f"Bundle.entry.resource.{expected}" in [plain(e) for e in named(answer)], (path, named(answer))
    assert ids(await house.citizen(record).get("DocumentReference")) == []


WRONG: dict[str, tuple[str, Callable[[Json], Any]]] = {
    "a type that is not in JDV_J66": ("type", lambda d: d.update(type=coded(codes.LOINC, "8716-3"))),
    "a class that is not the type's": ("category", lambda d: d.update(category=[coded(codes.CLASS, "11")])),
    "a size that is not that of the bytes": (
        "content.attachment.size",
        lambda d: d["content"][0]["attachment"].update(size=len(PDF) + 1),
    ),
    "a hash that is not that of the bytes": (
        "content.attachment.hash",
        lambda d: d["content"][0]["attachment"].update(hash=attachment(b"other")["hash"]),
    ),
}


@pytest.mark.parametrize("how", ["submission", "simplified"])
async def test_what_is_wrong_is_named(by: Clinic, record: str, hospital: Caller, how: str) -> None:
    for name, (path, spoil) in WRONG.items():
        described = document(record, by)
        spoil(described)
        if how == "submission":
            answer = await hospital.post("", submission([described]))
        else:
            answer = await hospital.post("DocumentReference", inline(described))
        assert answer.status_code == 422, (name, answer.text)
        assert any((plain(e)).endswith(path) for e in named(answer)), (name, named(answer))


async def test_every_way_to_find_documents(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    other = await clinic(house, "Carpentier")
    lab = await deposited(hospital, document(record, by))
    imaging = document(
        record,
        other,
        type=coded(codes.LOINC, "18748-4"),
        category=[coded(codes.CLASS, "31")],
        date="2026-06-10T09:00:00+02:00",
        securityLabel=[label("N"), label("INVISIBLE_REPRESENTANTS_LEGAUX")],
        extension=[archived(yes=True)],
        context={
            "event": [coded("https://smt.esante.gouv.fr/terminologie-ccam", "QZQK005")],
            "period": {"start": "2026-06-09"},
            "facilityType": coded(codes.SECTOR, "SA07"),
            "practiceSetting": coded(codes.SETTING, "ETABLISSEMENT"),
        },
    )
    imaging["content"][0]["attachment"]["creation"] = "2026-06-09T18:00:00+02:00"
    scan = await deposited(hospital, imaging)
    both = {lab["id"], scan["id"]}
    me = f"patient=Patient/{record}"
    citizen = house.citizen(record)
    for query, expected in {
        "": both,
        me: both,
        f"patient={record}": both,
        f"subject=Patient/{record}": both,
        f"{me}&type=http://loinc.org|11502-2": {lab["id"]},
        f"{me}&type=11502-2,18748-4": both,
        f"{me}&type:not=11502-2": {scan["id"]},
        f"{me}&category={codes.CLASS}|31": {scan["id"]},
        f"{me}&period=ge2026-06": {scan["id"]},
        f"{me}&period=2026-04": {lab["id"]},
        f"{me}&period=lt2026-06-09": {lab["id"]},
        f"{me}&setting={codes.SETTING}|AMBULATOIRE": {lab["id"]},
        f"{me}&facility={codes.SECTOR}|SA07": {scan["id"]},
        f"{me}&event=https://smt.esante.gouv.fr/terminologie-ccam|ZCQJ004": {lab["id"]},
        f"{me}&status=current": both,
        f"{me}&status=superseded": set(),
        f"{me}&author=PractitionerRole/{by.role}": {lab["id"]},
        f"{me}&author:PractitionerRole.practitioner.family=Carp": {scan["id"]},
        f"{me}&author:PractitionerRole.practitioner=Practitioner/{by.practitioner}": {lab["id"]},
        f"{me}&author:PractitionerRole.organization=Organization/{other.organization}": {scan["id"]},
        f"{me}&security-label={codes.VISIBILITY}|INVISIBLE_REPRESENTANTS_LEGAUX": {scan["id"]},
        f"{me}&is-archived=true": {scan["id"]},
        f"{me}&date=ge2026-05-01": {scan["id"]},
        f"{me}&date=2026-04-29": {lab["id"]},
        f"{me}&creation=2026-06-09": {scan["id"]},
        f"{me}&identifier={lab['masterIdentifier']['system']}|{lab['masterIdentifier']['value']}": {lab["id"]},
        f"{me}&type=11502-2&category=31": set(),
    }.items():
        for caller in (citizen, hospital) if "patient=" in query or "subject=" in query else (citizen,):
            answer = await caller.get(f"DocumentReference?{query}", Prefer="handling=strict")
            assert set(ids(answer)) == expected, query
    sets = await hospital.post("", submission([document(record, by)]))
    assert sets.status_code == 200
    for query, count in {
        f"{me}&status=current": 1,
        f"{me}&code=submissionset": 1,
        f"{me}&date=2026-04-29": 1,
        f"{me}&date=2025": 0,
        f"{me}&source=PractitionerRole/{by.role}": 1,
        f"{me}&source:PractitionerRole.practitioner.family=Lemo": 1,
    }.items():
        assert len(ids(await citizen.get(f"List?{query}", Prefer="handling=strict"))) == count, query


async def test_a_contained_author_is_stored_and_not_followed(by: Clinic, record: str, hospital: Caller) -> None:
    described = document(record, by, author=[{"reference": "#a"}])
    described["contained"] = [
        {
            "resourceType": "PractitionerRole",
            "id": "a",
            "practitioner": {"reference": f"Practitioner/{by.practitioner}"},
        }
    ]
    stored = await deposited(hospital, described)
    query = f"DocumentReference?patient={record}&author:PractitionerRole.practitioner.family=Lemoine"
    assert ids(await hospital.get(query)) == []
    assert ids(await hospital.get(f"DocumentReference?patient={record}")) == [stored["id"]]


async def test_another_software_sees_nothing_of_it(house: House, by: Clinic, record: str, hospital: Caller) -> None:
    stored = await deposited(hospital, document(record, by))
    other = house.depositor("laboratory")
    assert ids(await other.get(f"DocumentReference?patient={record}")) == []
    for name in (f"DocumentReference/{stored['id']}", bytes_of(stored)):
        assert (await other.get(name, Accept="*/*")).status_code == 404


async def test_the_citizen_deposits_their_own(house: House, record: str) -> None:
    me = {"reference": f"Patient/{record}"}
    described = document(
        record,
        Clinic("", "", ""),
        type=coded(codes.TYPE, "EXPPAT_3"),
        category=[coded(codes.CLASS, "90")],
        author=[me],
    )
    del described["custodian"], described["context"]["event"]
    patient = coded(codes.PRODUCER, codes.PATIENT_PRODUCER)
    described["context"] |= {"facilityType": patient, "practiceSetting": patient}
    citizen = house.citizen(record)
    stored = await deposited(citizen, described)
    assert (await citizen.get(bytes_of(stored), Accept="*/*")).content == PDF
    described["type"] = coded(codes.LOINC, "11502-2")
    answer = await citizen.post("DocumentReference", inline(described))
    assert answer.status_code == 422
    assert "DocumentReference.type" in named(answer)
