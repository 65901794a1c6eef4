"""What bytes are, by their own magic number. A name or a declared type is never believed alone."""

import codecs
from io import BytesIO
from unicodedata import category
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # no stubs
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]  # no stubs

from phr.core.errors import DomainError, Issue, Reason

HEAD = 8192
PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
TEXT = "text/plain"
CDA = "text/xml"
CDA_TYPES = frozenset({CDA, "application/xml", "application/hl7-v3+xml", "application/cda+xml"})
_CLINICAL_DOCUMENT = "{urn:hl7-org:v3}ClinicalDocument"
_MAGIC = ((b"%PDF-", PDF), (b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG))
_MARKUP = (b"<", codecs.BOM_UTF8 + b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def sniff(head: bytes) -> str | None:
    """The media type of a document from its first bytes (`HEAD` of them, or all); None when not accepted.

    PDF, PNG, JPEG, CDA R2 (`text/xml`) or plain UTF-8 text. Other markup, HTML included, is not text.
    """
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head.lstrip(b" \t\r\n").startswith(_MARKUP):
        return CDA if _is_clinical_document(head) else None
    return TEXT if _is_text(head) else None


def matches(declared: str, head: bytes) -> bool:
    """Whether the declared media type (parameters allowed) is what the first bytes are."""
    essence, *parameters = (part.strip().lower() for part in declared.split(";"))
    found = sniff(head)
    if found is None:
        return False
    if found == CDA:
        return essence in CDA_TYPES
    if found == TEXT:
        charsets = [p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")]
        return essence == TEXT and all(c in ("utf-8", "utf8", "us-ascii") for c in charsets)
    return essence == found


def check_xml(data: bytes) -> None:
    """Parse a whole CDA document, without DTD, entities or outside references (415 DomainError otherwise)."""
    try:
        root = None
        for _, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            root = element.tag if root is None else root
            element.clear()
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise _refused("The XML document is not well-formed, or declares a document type.") from error
    if root != _CLINICAL_DOCUMENT:
        raise _refused("The XML document is not a CDA ClinicalDocument.")


def check_text(data: bytes) -> None:
    """A whole text is UTF-8 without control characters (415 DomainError otherwise)."""
    if not _is_text(data, final=True):
        raise _refused("The text is not UTF-8, or has control characters.")


def _refused(diagnostics: str) -> DomainError:
    return DomainError(Reason.MEDIA_TYPE, Issue("not-supported", diagnostics))


def _is_clinical_document(head: bytes) -> bool:
    try:
        _, root = next(iter(iterparse(BytesIO(head), events=("start",), forbid_dtd=True)))
    except (ParseError, DefusedXmlException, LookupError, ValueError, StopIteration):
        return False
    return bool(root.tag == _CLINICAL_DOCUMENT)


def _is_text(data: bytes, final: bool = False) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")("strict").decode(data, final)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c in "\t\n\r\f" or category(c) != "Cc" for c in text)
