"""What the French profile of MHD (PDSm) asks of a DocumentReference, as pure rules over its JSON.

Issues name what is missing or wrong, and never repeat a value. The submission (ITI-65) is in `phr.submission`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from phr import codes
from phr.core.errors import DomainError, Issue, Reason

Json = Mapping[str, Any]

ARCHIVED_URL = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
_STATUSES = ("current", "superseded", "entered-in-error")
_LABELS_MAX = 4


def check_reference(document: Json, *, by_citizen: bool = False, new: bool = False) -> tuple[Issue, ...]:
    """Everything PDSm makes mandatory in a DocumentReference, with the DMP's value sets. Empty: nothing wrong.

    by_citizen: deposited by the citizen's own application, as the patient's own expression; no custodian needed.
    new: a deposit, whose status can only be `current`.
    Source: PDSm 3.1.1, pdsm-comprehensive-document-reference; JDV_J57, J58, J61, J62, J66; ASS_X16.
    """
    return (
        *_identity(document, new),
        *_kind(document, by_citizen),
        *_people(document, by_citizen),
        *_labels(document, by_citizen),
        *_context(document, by_citizen),
        *_attachment(document),
        *check_replacement(document),
    )


def check_content(document: Json, data_size: int, sha1_digest_b64: str) -> tuple[Issue, ...]:
    """The declared size (bytes) and hash (base64 of the SHA-1 digest) are those of the bytes received."""
    attachment = _first(_first(document.get("content")).get("attachment"))
    at = "DocumentReference.content.attachment"
    issues = []
    if not _is_size(attachment.get("size")) or attachment["size"] != data_size:
        issues.append(Issue("business-rule", "The attachment's size is not that of the content.", f"{at}.size"))
    if attachment.get("hash") != sha1_digest_b64:
        issues.append(Issue("business-rule", "The attachment's hash is not that of the content.", f"{at}.hash"))
    return tuple(issues)


def check_replacement(document: Json) -> tuple[Issue, ...]:
    """At most one relatesTo, which replaces a document it refers to."""
    if "relatesTo" not in document:
        return ()
    at = "DocumentReference.relatesTo"
    related = document["relatesTo"]
    if not isinstance(related, list) or len(related) != 1:
        return (Issue("business-rule", "A document relates to one other document at most.", at),)
    issues = []
    if _first(related).get("code") != "replaces":
        issues.append(Issue("not-supported", "The only relation between documents is `replaces`.", f"{at}.code"))
    if not _refers(_first(related).get("target")):
        issues.append(Issue("required", "The document replaced is missing.", f"{at}.target"))
    return tuple(issues)


def replaced(document: Json) -> Json | None:
    """The Reference to the document this one replaces, if it replaces one."""
    for related in _objects(document.get("relatesTo")):
        if related.get("code") == "replaces" and _refers(related.get("target")):
            target: Json = related["target"]
            return target
    return None


def inline_attachment(document: Json) -> tuple[dict[str, Any], bytes | None]:
    """The document without its inline content (ITI-105), and that content, None when there is none.

    Size and hash are filled when absent; when given they must be those of the content. 422 DomainError when
    the content is not strict base64, is empty, is not alone, comes with a url, or is not what was declared.
    """
    contents = document.get("content")
    if not any("data" in a for c in _objects(contents) if isinstance(a := c.get("attachment"), dict)):
        return dict(document), None
    at = "DocumentReference.content"
    if not isinstance(contents, list) or len(contents) != 1:
        raise _invalid(Issue("business-rule", "A document has exactly one content.", at))
    attachment = dict(contents[0]["attachment"])
    if "url" in attachment:
        raise _invalid(Issue("business-rule", "Inline content excludes a url.", f"{at}.attachment.url"))
    data = decode(attachment.pop("data"), f"{at}.attachment.data")
    digest = sha1(data)
    attachment.setdefault("size", len(data))
    attachment.setdefault("hash", digest)
    bare = {**document, "content": [{**contents[0], "attachment": attachment}]}
    if issues := check_content(bare, len(data), digest):
        raise _invalid(*issues)
    return bare, data


def decode(data: object, expression: str) -> bytes:
    """The bytes of a base64Binary (RFC 4648 §4, white space allowed by FHIR). 422 DomainError otherwise."""
    try:
        decoded = base64.b64decode("".join(data.split()), validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded:
        raise _invalid(Issue("value", "The content is empty or not base64.", expression))
    return decoded


def sha1(data: bytes) -> str:
    """The hash of an attachment: base64 of the SHA-1 of its bytes (FHIR R4 Attachment.hash)."""
    return base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def labels(resource: Json) -> frozenset[str]:
    """The visibility codes (TRE_A07) on a resource, from its securityLabel and its meta.security.

    Whatever the system and the case: a misspelt label must hide, not reveal.
    """
    meta = _first(resource.get("meta"))
    found = [c.get("code") for label in _objects(resource.get("securityLabel")) for c in _codings(label)]
    found += [coding.get("code") for coding in _objects(meta.get("security"))]
    known = (codes.visibility(code.strip()) for code in found if isinstance(code, str))
    return frozenset(concept.code for concept in known if concept)


def with_labels(resource: Json, added: Iterable[str]) -> dict[str, Any]:
    """The resource with these visibility labels (TRE_A07) besides its own: a document's in securityLabel."""
    missing = [codes.visibility(code) for code in added if code not in labels(resource)]
    new = [{"system": one.system, "code": one.code, "display": one.display} for one in missing if one is not None]
    if not new:
        return dict(resource)
    if resource.get("resourceType") == "DocumentReference":
        given = resource.get("securityLabel", [])
        return {**resource, "securityLabel": [*given, *({"coding": [coding]} for coding in new)]}
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "security": [*meta.get("security", []), *new]}}


def is_archived(resource: Json) -> bool:
    """Whether the is-archived extension, under any of its published names, says so."""
    return any(e.get("valueBoolean") is True for e in _objects(resource.get("extension")) if _archives(e))


def only_labels_changed(before: Json, after: Json) -> bool:
    """Nothing differs but the labels (and what the server itself writes in meta)."""
    return _rest(before, labels=True) == _rest(after, labels=True)


def only_archive_changed(before: Json, after: Json) -> bool:
    """Nothing differs but the is-archived extension (and what the server itself writes in meta)."""
    return _rest(before, archive=True) == _rest(after, archive=True)


def only_visibility_changed(before: Json, after: Json) -> bool:
    """Nothing differs but the labels and the is-archived extension (and what the server writes in meta)."""
    return _rest(before, labels=True, archive=True) == _rest(after, labels=True, archive=True)


def _rest(resource: Json, *, labels: bool = False, archive: bool = False) -> bytes:
    """What remains of a resource, as canonical JSON: in Python `True == 1` and `1.10 == 1.1`."""
    rest = {k: v for k, v in resource.items() if not (labels and k == "securityLabel")}
    ignored = {"versionId", "lastUpdated"} | ({"security"} if labels else set())
    if isinstance(rest.get("meta"), dict):
        rest["meta"] = {k: v for k, v in rest["meta"].items() if k not in ignored}
        if not rest["meta"]:
            del rest["meta"]
    if archive and isinstance(rest.get("extension"), list):
        rest["extension"] = [e for e in rest["extension"] if not (isinstance(e, dict) and _archives(e))]
        if not rest["extension"]:
            del rest["extension"]
    return msgspec.json.Encoder(decimal_format="number", order="deterministic").encode(rest)


def _archives(extension: Json) -> bool:
    name = str(extension.get("url", "")).rsplit("/", 1)[-1].replace("-", "").replace("_", "").lower()
    return name.endswith("isarchived") and extension.keys() <= {"id", "url", "valueBoolean"}


def _identity(document: Json, new: bool) -> Iterator[Issue]:
    if not _first(document.get("masterIdentifier")).get("value"):
        yield _missing("The unique identifier of the document", "masterIdentifier")
    if not document.get("status"):
        yield _missing("The status", "status")
    elif document["status"] not in (("current",) if new else _STATUSES):
        text = "A document is deposited as `current`." if new else "The status is not one of R4's."
        yield Issue("code-invalid", text, "DocumentReference.status")
    if not document.get("date"):
        yield _missing("The date of the reference", "date")


def _kind(document: Json, by_citizen: bool) -> Iterator[Issue]:
    types = {t for s, c in _codes(document.get("type")) if (t := codes.document_type(s, c)) is not None}
    if not document.get("type"):
        yield _missing("The type", "type")
    elif len(types) != 1:
        yield _unknown("The type must be one code of JDV_J66-TypeCode-DMP.", "type")
    elif not _named_first(document["type"]):
        # What a document is, for the matrix and for masks, is its first coding (`fhir.index`): no other hides it.
        yield _unknown("The code of JDV_J66-TypeCode-DMP comes first in the type.", "type.coding[0]")
    elif by_citizen and not all(t.by_patient for t in types):
        yield Issue("business-rule", "Not a type that a citizen deposits.", "DocumentReference.type")
    categories = document.get("category")
    if not categories:
        yield _missing("The class (category)", "category")
        return
    classes = {k.code for s, c in _codes(categories) if (k := codes.document_class(s, c)) is not None}
    if not isinstance(categories, list) or len(categories) != 1 or len(classes) != 1:
        yield _unknown("The category must be one class of JDV_J57-ClassCode-DMP.", "category")
    elif len(types) == 1 and classes != {t.class_code for t in types}:
        text = "The class does not match the type (ASS_X16-CorrespondanceType-Classe-DMP)."
        yield Issue("business-rule", text, "DocumentReference.category")


def _named_first(concept: object) -> bool:
    first = _first(_codings(concept))
    return codes.document_type(str(first.get("system")), str(first.get("code"))) is not None


def _people(document: Json, by_citizen: bool) -> Iterator[Issue]:
    subject = document.get("subject")
    if not _refers(subject):
        yield _missing("The subject", "subject")
    authors = document.get("author")
    if not isinstance(authors, list) or not authors or not all(_refers(a) for a in authors):
        yield _missing("The author", "author")
    elif by_citizen and _refers(subject) and not all(same_reference(a, subject) for a in authors):
        text = "The author of what a citizen deposits is the citizen."
        yield Issue("business-rule", text, "DocumentReference.author")
    if not by_citizen and not _refers(document.get("custodian")):
        yield _missing("The custodian", "custodian")


def _labels(document: Json, by_citizen: bool) -> Iterator[Issue]:
    given = document.get("securityLabel", [])
    if not isinstance(given, list) or len(given) > _LABELS_MAX:
        yield Issue("business-rule", "A document has four labels at most.", "DocumentReference.securityLabel")
        return
    for n, label in enumerate(given):
        at = f"securityLabel[{n}]"
        found = [coding.get("code") for coding in _codings(label)]
        if not found or not all(isinstance(c, str) and codes.confidentiality(c) for c in found):
            yield _unknown("The label is not in JDV_J58-ConfidentialityCode-DMP.", at)
    if by_citizen and "INVISIBLE_PATIENT" in labels(document):
        text = "Only professionals deposit what the citizen cannot see yet."
        yield Issue("business-rule", text, "DocumentReference.securityLabel")


def _context(document: Json, by_citizen: bool) -> Iterator[Issue]:
    context = _first(document.get("context"))
    for name, text, table, lookup in (
        ("facilityType", "The facility type", "JDV_J61-HealthcareFacilityTypeCode-DMP", codes.facility_type),
        ("practiceSetting", "The practice setting", "JDV_J62-PracticeSettingCode-DMP", codes.practice_setting),
    ):
        at = f"context.{name}"
        found = next((k for s, c in _codes(context.get(name)) if (k := lookup(s, c)) is not None), None)
        if not context.get(name):
            yield _missing(text, at)
        elif found is None:
            yield _unknown(f"{text} is not in {table}.", at)
        elif by_citizen and found.code != codes.PATIENT_PRODUCER:
            yield Issue("business-rule", f"{text} of a citizen is EXP_PATIENT.", f"DocumentReference.{at}")
    if not _first(context.get("period")).get("start"):
        yield _missing("The start of the period", "context.period.start")


def _attachment(document: Json) -> Iterator[Issue]:
    contents = document.get("content")
    if not isinstance(contents, list) or len(contents) != 1:
        text = "A document has exactly one content."
        yield Issue("business-rule" if contents else "required", text, "DocumentReference.content")
        return
    attachment = _first(_first(contents).get("attachment"))
    at = "content.attachment"
    for name in ("contentType", "language", "title"):
        if not attachment.get(name):
            yield _missing(f"The attachment's {name}", f"{at}.{name}")
    if "size" not in attachment:
        yield _missing("The attachment's size", f"{at}.size")
    elif not _is_size(attachment["size"]):
        yield Issue("value", "The size is not a number of bytes.", f"DocumentReference.{at}.size")
    if not attachment.get("hash"):
        yield _missing("The attachment's hash", f"{at}.hash")
    elif not _is_sha1(attachment["hash"]):
        yield Issue("value", "The hash is not the base64 of a SHA-1.", f"DocumentReference.{at}.hash")


def same_reference(one: object, other: object) -> bool:
    """Whether two References name the same resource: by their last two path segments, or by identifier."""
    a, b = _first(one), _first(other)
    if a.get("reference") and b.get("reference"):
        return _tail(a["reference"]) == _tail(b["reference"])
    x, y = _first(a.get("identifier")), _first(b.get("identifier"))
    return bool(x.get("value")) and (x.get("system"), x["value"]) == (y.get("system"), y.get("value"))


def _tail(reference: object) -> str:
    return "/".join(str(reference).split("/_history/")[0].rsplit("/", 2)[-2:])


def _refers(reference: object) -> bool:
    found = _first(reference)
    return bool(found.get("reference") or _first(found.get("identifier")).get("value"))


def _first(value: object) -> Json:
    """The object itself, or the first of a list of them, or an empty one."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _codings(concept: object) -> list[dict[str, Any]]:
    return _objects(concept.get("coding")) if isinstance(concept, dict) else []


def _codes(concept: object) -> Iterator[tuple[str, str]]:
    for one in concept if isinstance(concept, list) else [concept]:
        for coding in _codings(one):
            system, code = coding.get("system"), coding.get("code")
            if isinstance(system, str) and isinstance(code, str):
                yield system, code


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size > 0


def _is_sha1(value: object) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) == 20
    except (binascii.Error, ValueError):
        return False


def _missing(what: str, path: str) -> Issue:
    return Issue("required", f"{what} is missing.", f"DocumentReference.{path}")


def _unknown(text: str, path: str) -> Issue:
    return Issue("code-invalid", text, f"DocumentReference.{path}")


def _invalid(*issues: Issue) -> DomainError:
    return DomainError(Reason.CONTENT, *issues)
