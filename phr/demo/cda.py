"""A medical summary (VSM) as a CDA R2 document: a French header, and sections whose narrative people can read."""

from dataclasses import dataclass
from datetime import date
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from phr.core.identifiers import INS_NIR_TEST, PS_ID_NAT_SYSTEM, STRUCT_ID_NAT_SYSTEM
from phr.demo.clinic import Professional, urn
from phr.demo.people import Identity

LOINC_OID = "2.16.840.1.113883.6.1"
CONFIDENTIALITY_OID = "2.16.840.1.113883.5.25"
GENDER_OID = "2.16.840.1.113883.5.1"
CI_SIS_TEMPLATE = "1.2.250.1.213.1.1.1.1"


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the body: its LOINC code, that code's display, its French title, and its lines."""

    code: str
    display: str
    title: str
    lines: tuple[str, ...]


def summary(who: Identity, author: Professional, day: date, title: str, sections: tuple[Section, ...]) -> bytes:
    """The CDA document in UTF-8, the same bytes each time."""
    # Elements are built without a namespace and the root declares it: ElementTree would prefix every tag.
    root = Element("ClinicalDocument", {"xmlns": "urn:hl7-org:v3", "classCode": "DOCCLIN", "moodCode": "EVN"})
    SubElement(root, "realmCode", code="FR")
    SubElement(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    SubElement(root, "templateId", root="2.16.840.1.113883.2.8.2.1")
    SubElement(root, "templateId", root=CI_SIS_TEMPLATE)
    own = urn(who.login, "cda", title).removeprefix("urn:uuid:")
    SubElement(root, "id", root=f"2.25.{int(own.replace('-', ''), 16)}")
    _coded(root, "60591-5", "Patient Summary Document")
    SubElement(root, "title").text = title
    SubElement(root, "effectiveTime", value=f"{day:%Y%m%d}")
    SubElement(root, "confidentialityCode", code="N", codeSystem=CONFIDENTIALITY_OID, displayName="Normal")
    SubElement(root, "languageCode", code="fr-FR")
    _record_target(root, who)
    _author(root, author, day)
    custodian = SubElement(SubElement(root, "custodian"), "assignedCustodian")
    _organization(SubElement(custodian, "representedCustodianOrganization"), author)
    body = SubElement(SubElement(root, "component"), "structuredBody")
    for section in sections:
        _section(SubElement(SubElement(body, "component"), "section"), section)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text + b"\n"


def _coded(parent: Element, code: str, display: str) -> None:
    SubElement(parent, "code", code=code, codeSystem=LOINC_OID, codeSystemName="LOINC", displayName=display)


def _record_target(root: Element, who: Identity) -> None:
    role = SubElement(SubElement(root, "recordTarget"), "patientRole", classCode="PAT")
    SubElement(role, "id", root=INS_NIR_TEST, extension=who.ins)
    address = SubElement(role, "addr", use="HP")
    for tag, text in (("streetAddressLine", who.street), ("postalCode", who.postcode), ("city", who.city)):
        SubElement(address, tag).text = text
    if who.phone:
        SubElement(role, "telecom", value=f"tel:{who.phone}", use="MC")
    person = SubElement(role, "patient", classCode="PSN")
    name = SubElement(person, "name")
    SubElement(name, "given").text = who.given[0]
    SubElement(name, "family", qualifier="BR").text = who.birth_name
    if who.used_name != who.birth_name:
        SubElement(name, "family", qualifier="SP").text = who.used_name
    SubElement(person, "administrativeGenderCode", code="F" if who.gender == "female" else "M", codeSystem=GENDER_OID)
    SubElement(person, "birthTime", value=f"{who.birth:%Y%m%d}")


def _author(root: Element, author: Professional, day: date) -> None:
    node = SubElement(root, "author")
    SubElement(node, "time", value=f"{day:%Y%m%d}")
    assigned = SubElement(node, "assignedAuthor")
    SubElement(assigned, "id", root=PS_ID_NAT_SYSTEM.removeprefix("urn:oid:"), extension=f"8{author.rpps}")
    name = SubElement(SubElement(assigned, "assignedPerson"), "name")
    for tag, text in (("prefix", author.title), ("given", author.given), ("family", author.family)):
        SubElement(name, tag).text = text
    _organization(SubElement(assigned, "representedOrganization"), author)


def _organization(node: Element, author: Professional) -> None:
    place = author.structure
    SubElement(node, "id", root=STRUCT_ID_NAT_SYSTEM.removeprefix("urn:oid:"), extension=f"1{place.finess}")
    SubElement(node, "name").text = place.name


def _section(node: Element, section: Section) -> None:
    _coded(node, section.code, section.display)
    SubElement(node, "title").text = section.title
    listed = SubElement(SubElement(node, "text"), "list")
    for line in section.lines:
        SubElement(listed, "item").text = line
