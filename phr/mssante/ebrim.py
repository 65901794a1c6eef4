"""The metadata of an IHE submission as ebRIM writes it (METADATA.XML): read into plain values, nothing judged.

Source: IHE ITI Technical Framework, volume 3, §4.2. The rule: no DTD, no entity, nothing read from elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

LARGEST = 2 << 20
"""Bytes of a METADATA.XML."""
MOST_DOCUMENTS = 50

_RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
_CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
_TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
_FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
_PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
_EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"


class MetadataError(Exception):
    """Metadata that cannot be used; the message says why, and repeats no value."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code and its scheme: an OID, or a name."""

    scheme: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a document: an XCN for the person, an XON for the institution (HL7 v2.5, §2.A), as they came."""

    person: str = ""
    institution: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One DocumentEntry. Times are HL7 DTM (`YYYYMMDDhhmmss`, UTC); `hash` is hexadecimal SHA-1; empty: not said."""

    uri: str
    mime: str
    title: str
    unique_id: str
    patient: str
    source_patient: str
    creation: str
    start: str
    stop: str
    language: str
    hash: str
    size: str
    class_: Code | None
    type: Code | None
    facility: Code | None
    practice: Code | None
    confidentiality: tuple[Code, ...]
    events: tuple[Code, ...]
    authors: tuple[Author, ...]


def entries(metadata: bytes) -> tuple[Entry, ...]:
    """The documents that a METADATA.XML describes. Raises MetadataError."""
    if len(metadata) > LARGEST:
        raise MetadataError("The metadata is too large.")
    try:
        root: Any = fromstring(metadata, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        raise MetadataError("The metadata is not well-formed XML, or declares a document type.") from None
    found = tuple(_entry(one) for one in root.iter(f"{_RIM}ExtrinsicObject"))
    if not 0 < len(found) <= MOST_DOCUMENTS:
        raise MetadataError("The metadata describes no document, or too many.")
    return found


def _entry(node: Element) -> Entry:
    return Entry(
        uri=_slot(node, "URI"),
        mime=node.get("mimeType", ""),
        title=_name(node),
        unique_id=_identifier(node, _UNIQUE_ID),
        patient=_identifier(node, _PATIENT_ID),
        source_patient=_slot(node, "sourcePatientId"),
        creation=_slot(node, "creationTime"),
        start=_slot(node, "serviceStartTime"),
        stop=_slot(node, "serviceStopTime"),
        language=_slot(node, "languageCode"),
        hash=_slot(node, "hash"),
        size=_slot(node, "size"),
        class_=next(_codes(node, _CLASS), None),
        type=next(_codes(node, _TYPE), None),
        facility=next(_codes(node, _FACILITY), None),
        practice=next(_codes(node, _PRACTICE), None),
        confidentiality=tuple(_codes(node, _CONFIDENTIALITY)),
        events=tuple(_codes(node, _EVENT)),
        authors=tuple(
            Author(_slot(one, "authorPerson"), _slot(one, "authorInstitution")) for one in _classified(node, _AUTHOR)
        ),
    )


def _classified(node: Element, scheme: str) -> Iterator[Element]:
    return (one for one in node.findall(f"{_RIM}Classification") if one.get("classificationScheme") == scheme)


def _codes(node: Element, scheme: str) -> Iterator[Code]:
    for one in _classified(node, scheme):
        yield Code(_slot(one, "codingScheme"), one.get("nodeRepresentation", ""), _name(one))


def _slot(node: Element, name: str) -> str:
    """The first value of a slot."""
    for slot in node.findall(f"{_RIM}Slot"):
        if slot.get("name") == name:
            return (slot.findtext(f"{_RIM}ValueList/{_RIM}Value") or "").strip()
    return ""


def _name(node: Element) -> str:
    localized = node.find(f"{_RIM}Name/{_RIM}LocalizedString")
    return "" if localized is None else localized.get("value", "").strip()


def _identifier(node: Element, scheme: str) -> str:
    for one in node.findall(f"{_RIM}ExternalIdentifier"):
        if one.get("identificationScheme") == scheme:
            return one.get("value", "").strip()
    return ""
