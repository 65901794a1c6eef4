"""Content is known by its magic number, and dangerous XML is refused."""

import codecs

import pytest

from phr.content import HEAD, Judge, matches, sniff
from phr.core.errors import DomainError, Reason

CDA = '<?xml version="1.0"?><!-- c --><?xml-stylesheet href="a"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
PREFIXED = '<h:ClinicalDocument xmlns:h="urn:hl7-org:v3"><h:title>é</h:title></h:ClinicalDocument>'


def judge(data: bytes, declared: str, step: int = 1000) -> None:
    judging = Judge(declared, "Binary.contentType")
    for start in range(0, len(data), step):
        judging.feed(data[start : start + step])
    judging.close()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        ("Résultat : 5 g/L\r\n\tnormal\f".encode(), "text/plain"),
        (codecs.BOM_UTF8 + "été".encode(), "text/plain"),
        (CDA.encode(), "text/xml"),
        (codecs.BOM_UTF8 + CDA.encode(), "text/xml"),
        (PREFIXED.encode(), "text/xml"),
        (PREFIXED.encode("utf-16"), "text/xml"),
        (codecs.BOM_UTF16_BE + PREFIXED.encode("utf-16-be"), "text/xml"),
        (b"\n  " + PREFIXED.encode(), "text/xml"),
        (b"", None),
        (codecs.BOM_UTF8, None),
        (b"PK\x03\x04 a zip", None),
        (b"MZ\x90\x00", None),
        (b"GIF89a\x01\x00", None),
        (b"text with a NUL \x00", None),
        (b"text with escape \x1b[2J", None),
        ("c1 control \x85".encode(), None),
        (b"latin \xe9t\xe9", None),
        (b"<html><script>alert(1)</script></html>", None),
        (b"<!doctype html><p>", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"<ClinicalDocument/>", None),
        (b"<ClinicalDocument xmlns='urn:other'/>", None),
        (b"<x xmlns='urn:hl7-org:v3'><ClinicalDocument/></x>", None),
        (b"<!DOCTYPE ClinicalDocument><ClinicalDocument xmlns='urn:hl7-org:v3'/>", None),
        (b"<?xml version='1.0' encoding='no-such'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>", None),
        ("texte en utf-16".encode("utf-16"), None),
        (b"<", None),
    ],
)
def test_sniff(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_head_cut_inside_a_character_is_still_text(character: str) -> None:
    text = (character * HEAD).encode()
    for length in range(40, 48):
        assert sniff(text[:length]) == "text/plain"
    assert sniff(text[1:40]) is None
    judge(text, "text/plain", 999)
    with pytest.raises(DomainError):
        judge(text[:-1], "text/plain")


def test_a_long_cda_is_known_by_its_head() -> None:
    document = PREFIXED.replace("é", "é" * HEAD).encode()
    assert sniff(document[:HEAD]) == "text/xml"
    judge(document, "text/xml")
    with pytest.raises(DomainError):
        judge(document[:-1], "text/xml")
    with pytest.raises(DomainError):
        judge(document.replace(b"</h:title>", b"&x;</h:title>"), "text/xml")


@pytest.mark.parametrize(
    ("declared", "head", "ok"),
    [
        ("application/pdf", b"%PDF-1.4", True),
        ("Application/PDF; version=1", b"%PDF-1.4", True),
        ("text/plain", b"%PDF-1.4", False),
        ("image/png", b"\xff\xd8\xff", False),
        ("text/plain; charset=UTF-8", "é".encode(), True),
        ('text/plain;charset="utf-8"', b"a", True),
        ("text/plain; charset=iso-8859-1", b"a", False),
        ("text/html", b"a", False),
        ("text/xml", CDA.encode(), True),
        ("application/xml", CDA.encode(), True),
        ("application/hl7-v3+xml", CDA.encode(), True),
        ("text/plain", CDA.encode(), False),
        ("text/xml", b"<html/>", False),
        ("application/octet-stream", b"\x00", False),
        ("", b"%PDF-", False),
    ],
)
def test_a_declared_type_must_be_what_the_bytes_are(declared: str, head: bytes, ok: bool) -> None:
    assert matches(declared, head) is ok


@pytest.mark.parametrize(
    "document",
    [
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><ClinicalDocument xmlns='urn:hl7-org:v3'>&x;</ClinicalDocument>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'>",
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'>&nbsp;</ClinicalDocument>",
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'/><a/>",
        b"<?xml version='1.0' encoding='no-such'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
        b"<a/>",
        b"",
    ],
)
def test_bad_xml_is_refused(document: bytes) -> None:
    with pytest.raises(DomainError) as caught:
        judge(document, "text/xml")
    assert caught.value.reason is Reason.MEDIA_TYPE
    assert caught.value.issues


def test_control_characters_after_the_head_are_refused() -> None:
    with pytest.raises(DomainError) as caught:
        judge(b"a" * HEAD + b"\x00", "text/plain")
    assert caught.value.reason is Reason.MEDIA_TYPE


def test_a_type_declared_wrongly_is_named_where_it_stands() -> None:
    for data, declared in ((b"%PDF-1.4", "image/png"), (b"%PDF-1.4" * HEAD, "text/plain")):
        with pytest.raises(DomainError) as caught:
            judge(data, declared)
        assert caught.value.issues[0].expression == "Binary.contentType"


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_the_size_of_the_pieces_does_not_matter(step: int) -> None:
    for data, declared in (
        (CDA.encode(), "text/xml"),
        ("é€😀".encode() * 3000, "text/plain"),
        (b"%PDF-", "application/pdf"),
    ):
        judge(data, declared, step)
