"""A PDF as it is filed in a record: its DocumentReference, the content inline (ITI-105), in the shape PDSm asks.

The rule: every PDF that Carnet files is described here, so that all of them are found, masked and replaced alike.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from phr import codes
from phr.access.consent import URI
from phr.documents import sha1

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paper:
    """What is filed: `type` a LOINC code of JDV_J66, `family` its class (JDV_J57); `facility` and `practice`
    where it was made (JDV_J61, JDV_J62).

    `author`: a reference, or an identifier of who wrote it. `custodian`: the address of who keeps it.
    """

    data: bytes = field(repr=False)
    title: str
    type: str
    family: str
    subject: Mapping[str, Any]
    author: Mapping[str, Any]
    at: datetime
    facility: tuple[str, str] = (codes.PRODUCER, codes.PATIENT_PRODUCER)
    practice: tuple[str, str] = (codes.PRODUCER, codes.PATIENT_PRODUCER)
    custodian: str = ""
    related: Sequence[Mapping[str, Any]] = ()


def document(paper: Paper) -> Json:
    """Its DocumentReference. Raises KeyError: a code that no table knows."""
    at = paper.at.isoformat(timespec="seconds")
    facility, practice = codes.facility_type(*paper.facility), codes.practice_setting(*paper.practice)
    attachment = {
        "contentType": "application/pdf",
        "language": "fr-FR",
        "title": paper.title,
        "creation": at,
        "size": len(paper.data),
        "hash": sha1(paper.data),
        "data": base64.b64encode(paper.data).decode("ascii"),
    }
    keeper = {"identifier": {"system": URI, "value": paper.custodian}, "display": "Carnet"}
    related = {"related": [dict(one) for one in paper.related]} if paper.related else {}
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": URI, "value": f"urn:uuid:{uuid4()}"},
        "status": "current",
        "type": _concept(codes.document_type(codes.LOINC, paper.type)),
        "category": [_concept(codes.document_class(codes.CLASS, paper.family))],
        "subject": dict(paper.subject),
        "date": at,
        "author": [dict(paper.author)],
        **({"custodian": keeper} if paper.custodian else {}),
        "description": paper.title,
        "securityLabel": [{"coding": [{"system": codes.CONFIDENTIALITY, "code": "N"}]}],
        "content": [{"attachment": attachment}],
        "context": {
            "period": {"start": at},
            "facilityType": _concept(facility),
            "practiceSetting": _concept(practice),
            **related,
        },
    }


def _concept(one: codes.Concept | None) -> Json:
    if one is None:
        raise KeyError("code of a document")
    return {"coding": [{"system": one.system, "code": one.code, "display": one.display}], "text": one.display}
