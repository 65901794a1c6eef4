"""Papers as they are filed in a record: DocumentReference and Binary in the French profile of MHD (PDSm)."""

import base64
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from phr import codes
from phr.demo.clinic import Professional, local_id
from phr.demo.dossier import Dossier, Json
from phr.demo.moments import instant
from phr.demo.paper import Letter, print_letter
from phr.demo.people import contained_patient
from phr.demo.vocabulary import (
    CLASS,
    LOINC,
    PDSM,
    PRODUCER,
    SECTOR,
    SETTING,
    TYPE_MORE,
    VISIBILITY,
    coding,
    concept,
    nos,
)
from phr.documents import sha1
from phr.submission import LIST_TYPES

URI = "urn:ietf:rfc:3986"
ANY_FORMAT = coding(
    "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "urn:ihe:iti:xds:2017:mimeTypeSufficient",
    "mimeType Sufficient",
)
SUMMARY = coding(nos("TRE_A06-FormatCodeComplementaire"), "urn:asip:ci-sis:vsm:2012", "Synthèse médicale (VSM)")
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
SOURCE = f"urn:oid:2.25.{UUID(local_id('Device', 'source')).int}"


@dataclass(frozen=True, slots=True)
class Paper:
    """Bytes and what they are. `by` is None when the citizen files it; `kind`: a code of JDV_J66-TypeCode-DMP."""

    slug: str
    title: str
    kind: str
    by: Professional | None
    day: date
    data: bytes
    media: str = "application/pdf"
    labels: tuple[str, ...] = ()
    event: Json | None = None
    until: date | None = None


def letter_paper(
    slug: str, kind: str, letter: Letter, labels: tuple[str, ...] = (), until: date | None = None
) -> Paper:
    """A letter printed as PDF, ready to file under its own title."""
    data = print_letter(letter)
    return Paper(slug, letter.title, kind, letter.author, letter.day, data, labels=labels, until=until)


def visibility(code: str) -> Json:
    """The coding of a visibility label (TRE_A07)."""
    found = codes.visibility(code)
    if found is None:
        raise ValueError("not a visibility code")
    return coding(VISIBILITY, found.code, found.display)


def file(dossier: Dossier, paper: Paper, encounter: Json | None = None) -> Json:
    """Add the document and its bytes to the dossier; a reference to the document."""
    own, bytes_name = dossier.name("DocumentReference", paper.slug), dossier.name("Binary", paper.slug)
    found = codes.document_type(TYPE_MORE if paper.by is None else LOINC, paper.kind)
    if found is None:
        raise ValueError("not a document type")
    family = codes.document_class(CLASS, found.class_code)
    text = family.display if family else ""
    context: Json = {
        "period": {"start": instant(paper.day, 9), "end": instant(paper.until or paper.day, 17)},
        **_place(paper),
        "sourcePatientInfo": {"reference": "#patient"},
    }
    if paper.event:
        context["event"] = [paper.event]
    if encounter:
        context["encounter"] = [encounter]
    made: Json = {
        "resourceType": "DocumentReference",
        "meta": {"profile": [f"{PDSM}/pdsm-comprehensive-document-reference"]},
        "contained": [{**contained_patient(dossier.who), "id": "patient"}],
        "masterIdentifier": {"system": URI, "value": dossier.name("masterIdentifier", paper.slug)},
        "identifier": [{"system": URI, "value": own}],
        "status": "current",
        "type": concept(found.system, found.code, found.display),
        "category": [concept(CLASS, found.class_code, text)],
        "subject": dossier.subject,
        "date": instant(paper.until or paper.day, 18),
        **_signed(dossier, paper),
        "description": paper.title,
        "securityLabel": [
            concept(codes.CONFIDENTIALITY, "N", "Normal"),
            *({"coding": [visibility(code)]} for code in paper.labels),
        ],
        "content": [
            {
                "attachment": {
                    "contentType": paper.media,
                    "language": "fr-FR",
                    "url": bytes_name,
                    "size": len(paper.data),
                    "hash": sha1(paper.data),
                    "title": paper.title,
                    "creation": instant(paper.until or paper.day, 17),
                },
                "format": SUMMARY if paper.media == "text/xml" else ANY_FORMAT,
            }
        ],
        "context": context,
    }
    dossier.add(made, own)
    text = base64.b64encode(paper.data).decode("ascii")
    security = {"reference": own}
    dossier.add(
        {"resourceType": "Binary", "contentType": paper.media, "securityContext": security, "data": text}, bytes_name
    )
    return {"reference": own}


def submit(dossier: Dossier, documents: list[Json], by: Professional, day: date, why: str) -> Json:
    """The SubmissionSet that lists all the documents of the dossier (ITI-65)."""
    name = dossier.name("List", "submission")
    designation = concept(LOINC, "11488-4", "Consult note", "CR ou fiche de consultation ou de visite")
    return dossier.add(
        {
            "resourceType": "List",
            "meta": {"profile": [f"{PDSM}/pdsm-submission-set-comprehensive"]},
            "extension": [
                {"url": f"{MHD}/ihe-sourceId", "valueIdentifier": {"system": URI, "value": SOURCE}},
                {"url": f"{MHD}/ihe-designationType", "valueCodeableConcept": designation},
            ],
            "identifier": [
                {"use": "usual", "system": URI, "value": dossier.name("uniqueId", "submission")},
                {"use": "official", "system": URI, "value": name},
            ],
            "status": "current",
            "mode": "working",
            "title": why,
            "code": concept(LIST_TYPES, "submissionset", "SubmissionSet as a FHIR List"),
            "subject": dossier.subject,
            "date": instant(day, 18),
            "source": _role(by),
            "entry": [{"item": document} for document in documents],
        },
        name,
    )


def _role(who: Professional) -> Json:
    own = f"urn:uuid:{local_id('PractitionerRole', who.slug)}"
    return {"reference": f"PractitionerRole?identifier={URI}|{own}", "display": who.name}


def _signed(dossier: Dossier, paper: Paper) -> Json:
    if paper.by is None:
        return {"author": [dossier.subject]}
    return {
        "author": [_role(paper.by)],
        "authenticator": paper.by.reference,
        "custodian": paper.by.structure.reference,
    }


def _place(paper: Paper) -> Json:
    if paper.by is None:
        own = concept(PRODUCER, codes.PATIENT_PRODUCER, "Expression personnelle du patient")
        return {"facilityType": own, "practiceSetting": own}
    place = paper.by.structure
    setting = codes.practice_setting(SETTING, place.setting)
    return {
        "facilityType": concept(SECTOR, place.sector, place.sector_label),
        "practiceSetting": concept(SETTING, place.setting, setting.display if setting else place.setting),
    }
