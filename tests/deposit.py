"""Documents as an integrator deposits them: PDSm metadata around real bytes, alone (ITI-105) or in a submission."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from phr import codes
from phr.documents import ARCHIVED_URL, sha1
from phr.submission import LIST_TYPES
from tests.house import Caller, House

Json = dict[str, Any]
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"


def coded(system: str, code: str) -> Json:
    """A CodeableConcept of one code."""
    return {"coding": [{"system": system, "code": code}]}


def label(code: str) -> Json:
    """A security label: `N`, or one of the visibility codes."""
    return coded(codes.CONFIDENTIALITY if code == "N" else codes.VISIBILITY, code)


def archived(*, yes: bool) -> Json:
    """The is-archived extension."""
    return {"url": ARCHIVED_URL, "valueBoolean": yes}


@dataclass(frozen=True, slots=True)
class Clinic:
    """Who deposits: ids, in the commons, of a professional's role, the professional and the structure."""

    role: str
    practitioner: str
    organization: str


async def clinic(house: House, family: str = "Lemoine") -> Clinic:
    """A new professional in a new structure, made by the operator."""
    operator = house.operator()
    practitioner = await _made(operator, {"resourceType": "Practitioner", "name": [{"family": family}]})
    organization = await _made(operator, {"resourceType": "Organization", "name": "Clinique du Pont"})
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": f"Practitioner/{practitioner}"},
        "organization": {"reference": f"Organization/{organization}"},
    }
    return Clinic(await _made(operator, role), practitioner, organization)


async def _made(caller: Caller, resource: Json) -> str:
    answer = await caller.post(resource["resourceType"], resource)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def attachment(data: bytes = PDF, kind: str = "application/pdf", **more: Any) -> Json:
    """The attachment that describes these bytes."""
    described = {"contentType": kind, "language": "fr-FR", "title": "Compte rendu", "creation": "2026-04-29T11:00:00Z"}
    return {**described, "size": len(data), "hash": sha1(data), **more}


def document(record: str, by: Clinic, data: bytes = PDF, kind: str = "application/pdf", **more: Any) -> Json:
    """A laboratory report from a professional; its bytes are not in it."""
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid4()}"},
        "status": "current",
        "type": coded(codes.LOINC, "11502-2"),
        "category": [coded(codes.CLASS, "10")],
        "subject": {"reference": f"Patient/{record}"},
        "date": "2026-04-29T12:00:00+02:00",
        "author": [{"reference": f"PractitionerRole/{by.role}"}],
        "custodian": {"reference": f"Organization/{by.organization}"},
        "securityLabel": [label("N")],
        "content": [{"attachment": attachment(data, kind)}],
        "context": {
            "event": [coded("https://smt.esante.gouv.fr/terminologie-ccam", "ZCQJ004")],
            "period": {"start": "2026-04-28", "end": "2026-04-29"},
            "facilityType": coded(codes.SECTOR, "SA25"),
            "practiceSetting": coded(codes.SETTING, "AMBULATOIRE"),
        },
        **more,
    }


def inline(described: Json, data: bytes = PDF) -> Json:
    """The same document with its bytes in it (ITI-105)."""
    content = {"attachment": {**described["content"][0]["attachment"], "data": base64.b64encode(data).decode()}}
    return {**described, "content": [content]}


def submission(documents: Sequence[Json], data: Sequence[bytes] = (), **more: Any) -> Json:
    """An ITI-65 transaction: the SubmissionSet, the documents, their Binaries."""
    entries, listed = [], []
    for n, described in enumerate(documents):
        name, bytes_name = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
        payload = data[n] if n < len(data) else PDF
        found = described["content"][0]["attachment"]
        whole = {**described, "content": [{"attachment": {**found, "url": bytes_name}}]}
        text = base64.b64encode(payload).decode()
        held = {"resourceType": "Binary", "contentType": found.get("contentType", ""), "data": text}
        entries += [_entry(name, whole), _entry(bytes_name, held)]
        listed.append({"item": {"reference": name}})
    first = documents[0]
    held_set = {
        "resourceType": "List",
        "meta": {"profile": [f"{PDSM}/pdsm-submission-set-comprehensive"]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid4()}"}],
        "status": "current",
        "mode": "working",
        "code": coded(LIST_TYPES, "submissionset"),
        "subject": first["subject"],
        "date": "2026-04-29T12:00:00+02:00",
        "source": first["author"][0],
        "entry": listed,
        **more,
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(f"urn:uuid:{uuid4()}", held_set), *entries],
    }


def _entry(name: str, resource: Json) -> Json:
    return {"fullUrl": name, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


async def deposited(caller: Caller, described: Json, data: bytes = PDF) -> Json:
    """Deposit one document by ITI-105; what the server stored."""
    answer = await caller.post("DocumentReference", inline(described, data))
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def bytes_of(stored: Json) -> str:
    """`Binary/id` of a stored document."""
    return str(stored["content"][0]["attachment"]["url"])


def ids(answer: Any) -> list[str]:
    """The ids of what a search matched."""
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", ())
    return [e["resource"]["id"] for e in entries if e["search"]["mode"] == "match"]
