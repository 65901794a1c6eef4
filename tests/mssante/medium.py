"""XDM media and mails as professionals' software makes them, right or wrong in one place."""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from io import BytesIO
from xml.sax.saxutils import escape, quoteattr

from tests.deposit import PDF

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
DOCTOR = "dr.petit@cabinet.test"
PHARMACY = "pharmacie@cabinet.test"
PATIENTS = "patient.test"
INS_TEST_OID = "1.2.250.1.213.1.4.10"


def slot(name: str, value: str) -> str:
    return f'<Slot name="{name}"><ValueList><Value>{escape(value)}</Value></ValueList></Slot>' if value else ""


def coded(scheme: str, code: str, of: str, display: str = "") -> str:
    name = f'<Name><LocalizedString value="{display}"/></Name>' if display else ""
    head = f'<Classification classificationScheme="{scheme}" nodeRepresentation="{code}">'
    return f"{head}{slot('codingScheme', of)}{name}</Classification>"


@dataclass
class Report:
    """One document of a medium: a laboratory report, with whatever a test says of it."""

    data: bytes = PDF
    uri: str = "DOC0001.PDF"
    mime: str = "application/pdf"
    title: str = "Compte rendu de biologie"
    patient: str = ""
    hash: str = ""
    size: str = ""
    type: tuple[str, str] = ("11502-2", "2.16.840.1.113883.6.1")
    class_: tuple[str, str] = ("10", "1.2.250.1.213.1.1.4.1")
    confidentiality: Sequence[str] = ("N",)
    creation: str = "20260429110000"
    more: str = ""

    def xml(self) -> str:
        """Its ExtrinsicObject."""
        digest = self.hash or hashlib.sha1(self.data, usedforsecurity=False).hexdigest()
        author = coded("urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "", "").replace(
            "</Classification>",
            slot("authorPerson", "899700000019^Petit^Lou^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS")
            + slot("authorInstitution", "Cabinet des Lilas^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1690000013")
            + "</Classification>",
        )
        labels = "".join(
            coded("urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f", one, "1.2.250.1.213.1.1.4.13")
            for one in self.confidentiality
        )
        scheme = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
        identifier = f'<ExternalIdentifier identificationScheme="{scheme}" value={quoteattr(self.patient)}/>'
        return (
            f'<ExtrinsicObject mimeType="{self.mime}">'
            + slot("creationTime", self.creation)
            + slot("hash", digest)
            + slot("size", self.size or str(len(self.data)))
            + slot("URI", self.uri)
            + slot("languageCode", "fr-FR")
            + slot("serviceStartTime", "20260428")
            + f'<Name><LocalizedString value="{self.title}"/></Name>'
            + author
            + coded("urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", *self.class_)
            + coded("urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", *self.type)
            + coded("urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "SA07", "1.2.250.1.71.4.2.4")
            + coded("urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead", "AMBULATOIRE", "1.2.250.1.213.1.1.4.9")
            + labels
            + '<ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" '
            + 'value="1.2.250.1.999.1.1.42"/>'
            + identifier
            + self.more
            + "</ExtrinsicObject>"
        )


def cx(ins: str) -> str:
    """An INS as metadata writes it."""
    return f"{ins}^^^&{INS_TEST_OID}&ISO^NH"


def metadata(*reports: Report, prolog: str = "") -> bytes:
    """A METADATA.XML."""
    listed = "".join(one.xml() for one in reports)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
        '<SubmitObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0">'
        f'<RegistryObjectList xmlns="{RIM}">{listed}</RegistryObjectList></SubmitObjectsRequest>'
    ).encode()


def medium(*reports: Report, described: bytes | None = None) -> bytes:
    """An IHE_XDM.ZIP of these documents."""
    files = {
        "INDEX.HTM": b"<html><body>IHE XDM</body></html>",
        "README.TXT": b"XDM",
        "IHE_XDM/SUBSET01/METADATA.XML": metadata(*reports) if described is None else described,
        **{f"IHE_XDM/SUBSET01/{one.uri}": one.data for one in reports},
    }
    return packed(files)


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


@dataclass
class Mail:
    """A mail to one person, ready to send."""

    to: str
    sender: str = DOCTOR
    subject: str = "Vos résultats"
    text: str = "Bonjour,\n\nVoici vos résultats.\nCordialement"
    html: str = ""
    files: Sequence[tuple[str, str, bytes]] = ()
    id: str = field(default_factory=lambda: make_msgid(domain="cabinet.test"))
    answers: str = ""

    def message(self) -> EmailMessage:
        """The message itself."""
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = f"Dr Petit <{self.sender}>", self.to, self.subject
        made["Date"] = format_datetime(datetime(2026, 4, 29, 12, tzinfo=UTC))
        if self.id:
            made["Message-ID"] = self.id
        if self.answers:
            made["In-Reply-To"] = made["References"] = self.answers
        if self.html:
            made.set_content(self.html, subtype="html")
        else:
            made.set_content(self.text)
        for name, kind, data in self.files:
            main, _, sub = kind.partition("/")
            made.add_attachment(data, maintype=main, subtype=sub, filename=name)
        return made

    def bytes(self) -> bytes:
        """The message as it travels."""
        return self.message().as_bytes()


def xdm_file(*reports: Report, **more: bytes) -> tuple[str, str, bytes]:
    """A medium as an attachment."""
    return "IHE_XDM.ZIP", "application/zip", medium(*reports, **more)
