"""What an XDM document becomes in the record: a DocumentReference, judged by the rules of any deposit.

The rule: nothing is invented. A code is looked up in the tables by its scheme; what the metadata does not say is
missing, and `phr.documents` refuses it as it refuses a deposit.
"""

import re
from datetime import UTC, datetime
from typing import Any

from phr import codes
from phr.codes import Concept
from phr.core.identifiers import PS_ID_NAT_SYSTEM, STRUCT_ID_NAT_SYSTEM
from phr.documents import check_reference, sha1
from phr.mssante.ebrim import Author, Code
from phr.mssante.xdm import Document

Json = dict[str, Any]

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_DTM = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?(?:\.\d+)?(?:\+0000)?")


def refused(document: Document) -> str | None:
    """Why a document cannot be filed, in words that repeat nothing of it; None when it can."""
    issues = check_reference(reference(document, "0", datetime.min.replace(tzinfo=UTC), "Binary/0"), new=True)
    return issues[0].diagnostics if issues else None


def reference(document: Document, record: str, now: datetime, url: str) -> Json:
    """The DocumentReference of a document in this record; `url`: the Binary that holds its bytes."""
    entry = document.entry
    attachment = {
        "contentType": entry.mime,
        "language": entry.language,
        "title": entry.title,
        "creation": _moment(entry.creation),
        "size": len(document.data),
        "hash": sha1(document.data),
        "url": url,
    }
    context = {
        "event": [_as_is(one) for one in entry.events],
        "period": _told({"start": _moment(entry.start), "end": _moment(entry.stop)}),
        "facilityType": _concept("facility_types", entry.facility),
        "practiceSetting": _concept("practice_settings", entry.practice),
    }
    class_ = _concept("document_classes", entry.class_)
    made = {
        "resourceType": "DocumentReference",
        "masterIdentifier": _identifier(entry.unique_id),
        "status": "current",
        "type": _concept("document_types", entry.type),
        "category": [class_] if class_ else [],
        "subject": {"reference": f"Patient/{record}"},
        "date": now.isoformat(),
        "author": [one for author in entry.authors if (one := _person(author) or _institution(author))],
        "custodian": next((one for author in entry.authors if (one := _institution(author))), None),
        "securityLabel": [one for code in entry.confidentiality if (one := _label(code))],
        "content": [{"attachment": _told(attachment)}],
        "context": _told(context),
    }
    return _told(made)


def _told(made: Json) -> Json:
    return {name: value for name, value in made.items() if value}


def _concept(table: str, code: Code | None) -> Json | None:
    """A code as the tables spell it; one they do not know stays as it came, to be refused by its own rule."""
    if code is None:
        return None
    known = codes.table(table).concepts
    found = known.get((f"urn:oid:{code.scheme}", code.code)) or _alone(table, code.code)
    if found is None:
        return _as_is(code)
    return {"coding": [{"system": found.system, "code": found.code, "display": found.display}]}


def _alone(table: str, code: str) -> Concept | None:
    """The one concept of a table that has this code: some of its systems have no OID here."""
    found = {one for one in codes.table(table).concepts.values() if one.code == code}
    return found.pop() if len(found) == 1 else None


def _label(code: Code) -> Json:
    found = codes.confidentiality(code.code)
    return _as_is(code) if found is None else {"coding": [{"system": found.system, "code": found.code}]}


def _as_is(code: Code) -> Json:
    system = f"urn:oid:{code.scheme}" if _OID.fullmatch(code.scheme) else code.scheme
    return {"coding": [_told({"system": system, "code": code.code, "display": code.display})]}


def _identifier(unique_id: str) -> Json | None:
    if not unique_id:
        return None
    if _OID.fullmatch(unique_id):
        return {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{unique_id}"}
    return {"value": unique_id}


def _person(author: Author) -> Json | None:
    """An XCN: `id^family^given^^^^^^&oid&ISO^…`."""
    parts = author.person.split("^") + [""] * 9
    if not parts[0]:
        return None
    identifier = {"system": _authority(parts[8]) or PS_ID_NAT_SYSTEM, "value": parts[0]}
    return _told({"identifier": identifier, "display": f"{parts[2]} {parts[1]}".strip()})


def _institution(author: Author) -> Json | None:
    """An XON: `name^^^^^&oid&ISO^IDNST^^^id`."""
    parts = author.institution.split("^") + [""] * 10
    if not parts[9]:
        return None
    identifier = {"system": _authority(parts[5]) or STRUCT_ID_NAT_SYSTEM, "value": parts[9]}
    return _told({"identifier": identifier, "display": parts[0]})


def _authority(text: str) -> str:
    oid = text.partition("&")[2].partition("&")[0]
    return f"urn:oid:{oid}" if _OID.fullmatch(oid) else ""


def _moment(text: str) -> str | None:
    """A DTM in UTC as a FHIR dateTime, as precise as it came; None when it is not one."""
    matched = _DTM.fullmatch(text)
    if matched is None:
        return None
    year, month, day, hour, minute, second = matched.groups()
    date = "-".join(part for part in (year, month, day) if part)
    return date if hour is None else f"{date}T{hour}:{minute}:{second or '00'}Z"
