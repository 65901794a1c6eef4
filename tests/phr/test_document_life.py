"""What becomes of a document after its deposit: replaced, archived, withdrawn, masked, and its bytes with it."""

from typing import Any

import pytest

from phr import codes
from phr.documents import ARCHIVED_URL
from tests.deposit import (
    PDF,
    Clinic,
    archived,
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
from tests.house import Caller, House

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


@pytest.fixture
async def report(by: Clinic, record: str, hospital: Caller) -> Json:
    return await deposited(hospital, document(record, by))


def replacing(old: Json) -> list[Json]:
    return [{"code": "replaces", "target": {"reference": f"DocumentReference/{old['id']}"}}]


def labelled(*names: str) -> list[Json]:
    return [{"op": "replace", "path": "/securityLabel", "value": [label(name) for name in names]}]


async def seen(caller: Caller, stored: Json) -> tuple[bool, bool, bool]:
    """Whether the document is read, found by a search, and its bytes retrieved."""
    read = await caller.get(f"DocumentReference/{stored['id']}")
    found = await caller.get(f"DocumentReference?patient={stored['subject']['reference']}")
    content = await caller.get(bytes_of(stored), Accept="*/*")
    assert {read.status_code, content.status_code} <= {200, 404}
    return read.status_code == 200, stored["id"] in ids(found), content.status_code == 200


ALL, NOTHING = (True, True, True), (False, False, False)


@pytest.mark.parametrize("how", ["submission", "simplified"])
async def test_the_document_replaced_is_superseded(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json, how: str
) -> None:
    new = document(record, by, relatesTo=replacing(report))
    answer = (
        await hospital.post("", submission([new]))
        if how == "submission"
        else await hospital.post("DocumentReference", inline(new))
    )
    assert answer.is_success, answer.text
    old = (await hospital.get(f"DocumentReference/{report['id']}")).json()
    assert (old["status"], old["meta"]["versionId"]) == ("superseded", "2")
    citizen = house.citizen(record)
    assert ids(await citizen.get("DocumentReference?status=superseded")) == [report["id"]]
    assert len(ids(await citizen.get("DocumentReference?status=current"))) == 1
    assert (await citizen.get(bytes_of(report), Accept="*/*")).content == PDF
    again = await hospital.post("DocumentReference", inline(document(record, by, relatesTo=replacing(report))))
    assert again.status_code == 422, "only a current document is replaced"


async def test_only_its_author_replaces_a_document(house: House, by: Clinic, record: str, report: Json) -> None:
    other = house.depositor("laboratory")
    answer = await other.post("", submission([document(record, by, relatesTo=replacing(report))]))
    assert answer.status_code == 422, "to another software, it does not exist"
    me = [{"reference": f"Patient/{record}"}]
    patient = coded(codes.PRODUCER, codes.PATIENT_PRODUCER)
    own = document(record, by, author=me, type=coded(codes.TYPE, "EXPPAT_2"), category=[coded(codes.CLASS, "90")])
    own["context"] |= {"facilityType": patient, "practiceSetting": patient}
    citizen = house.citizen(record)
    answer = await citizen.post("DocumentReference", inline(own | {"relatesTo": replacing(report)}))
    assert answer.status_code == 403, answer.text
    found = await citizen.get("DocumentReference")
    assert [entry["resource"]["status"] for entry in found.json()["entry"]] == ["current"], "nothing was half done"


async def test_a_document_of_another_record_is_not_replaced(
    house: House, by: Clinic, hospital: Caller, report: Json
) -> None:
    other = await house.open_record()
    answer = await hospital.post("DocumentReference", inline(document(other, by, relatesTo=replacing(report))))
    assert answer.status_code == 422
    assert (await hospital.get(f"DocumentReference/{report['id']}")).json()["status"] == "current"


async def test_archiving(house: House, record: str, hospital: Caller, report: Json) -> None:
    for caller in (hospital, house.citizen(record)):
        for yes in (True, False):
            operation = {"op": "add", "path": "/extension", "value": [archived(yes=yes)]}
            answer = await caller.patch(f"DocumentReference/{report['id']}", [operation])
            assert answer.status_code == 200, answer.text
            assert answer.json()["extension"] == [{"url": ARCHIVED_URL, "valueBoolean": yes}]
            found = await house.citizen(record).get(f"DocumentReference?is-archived={str(yes).lower()}")
            assert ids(found) == [report["id"]]


async def test_only_its_author_withdraws_a_document(house: House, record: str, hospital: Caller, report: Json) -> None:
    withdraw = [{"op": "replace", "path": "/status", "value": "entered-in-error"}]
    name = f"DocumentReference/{report['id']}"
    assert (await house.citizen(record).patch(name, withdraw)).status_code == 403
    assert (await house.depositor("laboratory").patch(name, withdraw)).status_code == 404
    answer = await hospital.patch(name, withdraw)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "entered-in-error"


async def test_software_never_deletes(house: House, record: str, hospital: Caller, report: Json) -> None:
    for name in (f"DocumentReference/{report['id']}", bytes_of(report)):
        assert (await hospital.delete(name)).status_code == 403
        assert (await house.citizen(record).delete(name)).status_code == 403, "nor a citizen what is not theirs"
        assert (await house.depositor("laboratory").delete(name)).status_code == 404
    assert await seen(house.citizen(record), report) == ALL
    for method in ("delete", "delete?"):
        entry = {"method": "DELETE", "url": f"DocumentReference/{report['id']}"}
        if method == "delete?":
            identifier = report["masterIdentifier"]
            entry["url"] = f"DocumentReference?patient={record}&identifier={identifier['system']}|{identifier['value']}"
        answer = await hospital.post(
            "", {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": entry}]}
        )
        assert answer.status_code in (403, 422), answer.text
    assert await seen(hospital, report) == ALL


async def test_a_citizen_deletes_their_own_document_with_its_bytes(house: House, record: str) -> None:
    patient = coded(codes.PRODUCER, codes.PATIENT_PRODUCER)
    own = document(record, Clinic("", "", ""), type=coded(codes.TYPE, "EXPPAT_2"), category=[coded(codes.CLASS, "90")])
    own |= {"author": [own["subject"]]}
    del own["custodian"]
    own["context"] |= {"facilityType": patient, "practiceSetting": patient}
    citizen = house.citizen(record)
    stored = await deposited(citizen, own)
    assert (await citizen.delete(bytes_of(stored))).status_code == 409, "bytes go with their document"
    assert (await citizen.delete(f"DocumentReference/{stored['id']}")).status_code == 204
    assert (await citizen.get(f"DocumentReference/{stored['id']}")).status_code == 410
    assert (await citizen.get(bytes_of(stored), Accept="*/*")).status_code == 410
    assert ids(await citizen.get("DocumentReference")) == []


async def test_bytes_of_a_document_are_never_changed(house: House, hospital: Caller, report: Json) -> None:
    name = bytes_of(report)
    held = (await hospital.get(name)).json()
    answer = await hospital.put(name, held)
    assert answer.status_code == 409, answer.text
    assert (await hospital.get(name)).json()["meta"]["versionId"] == "1"


async def test_the_citizen_masks_and_unmasks_anyones_document(
    house: House, record: str, hospital: Caller, report: Json
) -> None:
    citizen, name = house.citizen(record), f"DocumentReference/{report['id']}"
    for codes_ in (["MASQUE_PS"], ["N"], ["N", "MASQUE_PS"], ["N"]):
        answer = await citizen.patch(name, labelled(*codes_))
        assert answer.status_code == 200, answer.text
        assert await seen(citizen, report) == ALL
        assert await seen(hospital, report) == ALL, "an author still sees their own (R1111-49)"
    assert (await citizen.patch(name, labelled("N", "INVISIBLE_PATIENT"))).status_code in (403, 422)
    assert (await citizen.patch(name, labelled("N", "INVISIBLE_REPRESENTANTS_LEGAUX"))).status_code == 200
    assert await seen(hospital, report) == ALL
    assert (await citizen.patch(name, labelled("N"))).status_code == 200
    assert await seen(citizen, report) == ALL


async def test_software_cannot_lift_the_citizens_mask(
    house: House, record: str, hospital: Caller, report: Json
) -> None:
    citizen, name = house.citizen(record), f"DocumentReference/{report['id']}"
    assert (await citizen.patch(name, labelled("MASQUE_PS"))).status_code == 200
    masked = (await hospital.get(name)).json()
    for attempt in (
        await hospital.patch(name, labelled("N")),
        await hospital.patch(name, [{"op": "remove", "path": "/securityLabel"}]),
        await hospital.put(name, {**masked, "securityLabel": [label("N")]}),
    ):
        assert attempt.status_code == 403, attempt.text
    assert (await hospital.get(name)).json()["securityLabel"] == [label("MASQUE_PS")]
    bundle = submission([document(record, Clinic("", "", ""))])
    bundle["entry"] = [
        {"resource": {**masked, "securityLabel": [label("N")]}, "request": {"method": "PUT", "url": name}}
    ]
    assert (await hospital.post("", bundle)).status_code == 403


async def test_bytes_follow_their_document_at_once_in_every_direction(
    house: House, by: Clinic, record: str, hospital: Caller
) -> None:
    citizen = house.citizen(record)
    hidden = await deposited(hospital, document(record, by, securityLabel=[label("INVISIBLE_PATIENT")]))
    name = f"DocumentReference/{hidden['id']}"
    assert await seen(citizen, hidden) == NOTHING
    assert (await citizen.patch(name, labelled("N"))).status_code == 404, "what is not seen is not touched"
    for code, expected in (("N", ALL), ("INVISIBLE_PATIENT", NOTHING), ("INVISIBLE_REPRESENTANTS_LEGAUX", ALL)):
        assert (await hospital.patch(name, labelled(code))).status_code == 200
        assert await seen(citizen, hidden) == expected
        assert await seen(hospital, hidden) == ALL
    assert (await hospital.put(name, {**hidden, "securityLabel": [label("INVISIBLE_PATIENT")]})).status_code == 200
    assert await seen(citizen, hidden) == NOTHING


async def test_bytes_a_document_no_longer_names_stay_under_it(
    house: House, by: Clinic, record: str, hospital: Caller, report: Json
) -> None:
    headers = {"Content-Type": "application/pdf", "X-Security-Context": f"Patient/{record}"}
    posted = await hospital.ask("POST", "Binary", headers, content=PDF)
    moved = [{"op": "replace", "path": "/content/0/attachment/url", "value": f"Binary/{posted.json()['id']}"}]
    name = f"DocumentReference/{report['id']}"
    answer = await hospital.patch(name, moved)
    assert answer.status_code == 200, answer.text
    assert (await hospital.patch(name, labelled("INVISIBLE_PATIENT"))).status_code == 200
    citizen = house.citizen(record)
    for stored in (report, answer.json()):
        assert (await citizen.get(bytes_of(stored), Accept="*/*")).status_code == 404
        assert (await citizen.get(bytes_of(stored))).status_code == 404
        assert (await citizen.get(f"{bytes_of(stored)}/_history")).status_code == 404


async def test_bytes_of_another_record_are_nobodys_content(
    house: House, by: Clinic, hospital: Caller, report: Json
) -> None:
    other = await house.open_record()
    described = document(other, by)
    described["content"][0]["attachment"]["url"] = bytes_of(report)
    assert (await hospital.post("DocumentReference", described)).status_code == 422


async def test_visibility_by_conditional_patch(house: House, record: str, hospital: Caller, report: Json) -> None:
    """TD3.3a and b: the document is named by its unique identifier, the label replaced, then restored."""
    identifier = report["masterIdentifier"]
    address = f"DocumentReference?identifier={identifier['system']}|{identifier['value']}"
    citizen = house.citizen(record)
    for code in ("MASQUE_PS", "N"):
        operations = [{"op": "replace", "path": "/securityLabel/0", "value": label(code)}]
        answer = await citizen.patch(address, operations)
        assert answer.status_code == 200, answer.text
        assert answer.json()["securityLabel"] == [label(code)]
    operations = [{"op": "replace", "path": "/securityLabel/0", "value": label("INVISIBLE_PATIENT")}]
    answer = await hospital.patch(f"{address}&patient=Patient/{record}", operations)
    assert answer.status_code == 200, answer.text
    assert await seen(citizen, report) == NOTHING
    assert (await citizen.patch(address, operations)).status_code == 404
    assert (await hospital.patch(f"{address}0&patient=Patient/{record}", operations)).status_code == 404
    wrong = [{"op": "replace", "path": "/securityLabel/0", "value": label("SECRET")}]
    assert (await hospital.patch(f"{address}&patient=Patient/{record}", wrong)).status_code == 422


async def test_bytes_presented_by_a_report_take_its_visibility(record: str, hospital: Caller, house: House) -> None:
    raw = {"Content-Type": "application/pdf", "X-Security-Context": f"Patient/{record}"}
    made = await hospital.ask("POST", "Binary", raw, content=PDF)
    assert made.status_code == 201, made.text
    binary = f"Binary/{made.json()['id']}"
    report = {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [label("INVISIBLE_PATIENT")["coding"][0]]},
        "status": "final",
        "code": {"text": "Scanner"},
        "subject": {"reference": f"Patient/{record}"},
        "presentedForm": [{"contentType": "application/pdf", "url": binary}],
    }
    person = house.citizen(record)
    assert (await person.get(binary)).status_code == 200
    shown = await hospital.post("DiagnosticReport", report)
    assert shown.status_code == 201, shown.text
    assert (await person.get(binary)).status_code == 404
    assert (await hospital.get(binary)).status_code == 200
    lifted = [{"op": "remove", "path": "/meta/security"}]
    assert (await hospital.patch(f"DiagnosticReport/{shown.json()['id']}", lifted)).status_code == 200
    assert (await person.get(binary)).status_code == 200
    gone = await hospital.delete(f"DiagnosticReport/{shown.json()['id']}")
    assert gone.status_code == 204, gone.text
    assert (await person.get(binary)).status_code == 410
