"""What bytes are, by their own magic number, judged as they arrive. A name or a declared type is never believed."""

import codecs
import re
from io import BytesIO
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser, iterparse

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
_UNREADABLE = (ParseError, DefusedXmlException, LookupError, ValueError)
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
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


class Judge:
    """Judges a document piece by piece: `feed` each, then `close`. Holds `HEAD` bytes at most.

    Both raise DomainError MEDIA_TYPE (415): not an accepted type, not what was declared, an XML that is not
    well-formed or declares a document type or entities, a text that is not UTF-8 or has control characters.
    `at` is the FHIRPath of what declared the type.
    """

    __slots__ = ("_at", "_check", "_declared", "_head")

    def __init__(self, declared: str, at: str) -> None:
        self._declared, self._at = declared, at
        self._head: bytes | None = b""
        self._check: _Xml | _Text | None = None

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes."""
        if self._head is not None:
            self._head += piece
            if len(self._head) < HEAD:
                return
            piece = self._settle(self._head)
        if self._check is not None:
            self._check.feed(piece)

    def close(self) -> None:
        """There are no more bytes."""
        if self._head is not None:
            piece = self._settle(self._head)
            if self._check is not None:
                self._check.feed(piece)
        if self._check is not None:
            self._check.close()

    def _settle(self, head: bytes) -> bytes:
        self._head = None
        found = sniff(head[:HEAD])
        if found is None:
            raise _refused("Accepted content: PDF, PNG, JPEG, plain UTF-8 text, CDA XML.")
        if not matches(self._declared, head[:HEAD]):
            raise _refused("The content is not of the type it is declared to be.", self._at)
        self._check = _Xml() if found == CDA else _Text() if found == TEXT else None
        return head


class _Xml:
    """A CDA document whole, without DTD, entities or outside references; nothing of it is kept."""

    def __init__(self) -> None:
        self._parser = XMLParser(target=_Root(), forbid_dtd=True)

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.feed(piece)
        except _UNREADABLE:
            raise _refused("The XML document is not well-formed, or declares a document type.") from None

    def close(self) -> None:
        try:
            root: object = self._parser.close()
        except _UNREADABLE:
            raise _refused("The XML document is not well-formed.") from None
        if root != _CLINICAL_DOCUMENT:
            raise _refused("The XML document is not a CDA ClinicalDocument.")


class _Root:
    """A parser's target that remembers the root's name only."""

    def __init__(self) -> None:
        self._tag: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._tag = self._tag or tag

    def close(self) -> str | None:
        return self._tag


class _Text:
    """A text whole, in UTF-8 without control characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")

    def feed(self, piece: bytes, *, final: bool = False) -> None:
        try:
            text = self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            text = "\0"
        if _CONTROL.search(text):
            raise _refused("The text is not UTF-8, or has control characters.")

    def close(self) -> None:
        self.feed(b"", final=True)


def _refused(diagnostics: str, at: str | None = None) -> DomainError:
    return DomainError(Reason.MEDIA_TYPE, Issue("not-supported", diagnostics, at))


def _is_clinical_document(head: bytes) -> bool:
    try:
        _, root = next(iter(iterparse(BytesIO(head), events=("start",), forbid_dtd=True)))
    except (*_UNREADABLE, StopIteration):
        return False
    return bool(root.tag == _CLINICAL_DOCUMENT)


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and not _CONTROL.search(text)
