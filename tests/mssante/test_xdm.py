"""XDM media: read whole when they are right, refused whole when anything in them is not."""

import io
import struct
import zipfile
from datetime import UTC, datetime

import pytest

from phr import codes
from phr.core.identifiers import ins_key
from phr.documents import check_content, check_reference, sha1
from phr.mssante import archive, filing, xdm
from phr.mssante.archive import ArchiveError, unpacked
from phr.mssante.ebrim import MetadataError
from phr.mssante.xdm import Document
from tests.deposit import PDF
from tests.mssante.medium import Report, cx, medium, metadata, packed

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
INS = "2850110000010" + ins_key("2850110000010")


def read(data: bytes) -> tuple[Document, ...]:
    return xdm.documents(unpacked(data))


def test_a_medium_gives_its_documents_with_their_metadata() -> None:
    text = b"Texte d'un compte rendu."
    first, second = read(medium(Report(), Report(text, "DOC0002.TXT", "text/plain", title="Suite")))
    assert (first.data, second.data) == (PDF, text)
    made = filing.reference(first, "001-x", NOW, "Binary/1")
    assert check_reference(made, new=True) == ()
    assert check_content(made, len(PDF), sha1(PDF)) == ()
    assert made["type"]["coding"][0]["system"] == codes.LOINC
    assert made["type"]["coding"][0]["code"] == "11502-2"
    assert made["category"][0]["coding"][0] == {"system": codes.CLASS, "code": "10", "display": "Compte rendu"}
    assert made["context"]["practiceSetting"]["coding"][0]["system"] == codes.SETTING
    assert made["context"]["period"] == {"start": "2026-04-28"}
    assert made["masterIdentifier"]["value"] == "urn:oid:1.2.250.1.999.1.1.42"
    [author] = made["author"]
    assert author == {
        "identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700000019"},
        "display": "Lou Petit",
    }
    assert made["custodian"]["identifier"]["value"] == "1690000013"
    assert made["content"][0]["attachment"]["title"] == "Compte rendu de biologie"
    assert made["content"][0]["attachment"]["creation"] == "2026-04-29T11:00:00Z"
    assert filing.refused(first) is None


def test_the_person_is_known_by_the_ins_of_the_metadata() -> None:
    [one] = read(medium(Report(patient=cx(INS))))
    assert one.ins == INS
    [local] = read(medium(Report(patient="4242^^^&1.2.3.4&ISO^PI")))
    assert local.ins is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Report(hash="0" * 40), "hash"),
        (Report(size="3"), "size"),
        (Report(hash="é" * 20), "hash"),
    ],
)
def test_bytes_that_are_not_those_described_are_refused(wrong: Report, why: str) -> None:
    with pytest.raises(MetadataError, match=why):
        read(medium(wrong))


def test_a_document_that_is_not_there_is_refused() -> None:
    files = {"IHE_XDM/SUBSET01/METADATA.XML": metadata(Report())}
    with pytest.raises(MetadataError, match="not in the archive"):
        read(packed(files))
    files["IHE_XDM/SUBSET02/DOC0001.PDF"] = PDF  # another set's
    with pytest.raises(MetadataError, match="not in the archive"):
        read(packed(files))


@pytest.mark.parametrize("uri", ["../SUBSET01/DOC0001.PDF", "/etc/passwd", "..", ""])
def test_a_uri_leads_nowhere_else(uri: str) -> None:
    described = metadata(Report()).replace(b"DOC0001.PDF", uri.encode())
    with pytest.raises(MetadataError):
        read(medium(Report(), described=described))


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "http://localhost/">]>',
    ],
)
def test_metadata_declares_nothing(prolog: str) -> None:
    with pytest.raises(MetadataError, match="document type"):
        read(medium(Report(), described=metadata(Report(), prolog=prolog)))


def test_metadata_of_nothing_and_of_too_much_is_refused() -> None:
    for described in (metadata(), metadata(*[Report()] * 51), b"<x", b""):
        with pytest.raises(MetadataError):
            read(medium(Report(), described=described))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (Report(type=("0-0", "2.16.840.1.113883.6.1")), "JDV_J66"),
        (Report(class_=("11", "1.2.250.1.213.1.1.4.1")), "class does not match"),
        (Report(title=""), "title"),
        (Report(creation="20260429", confidentiality=("SECRET",)), "JDV_J58"),
    ],
)
def test_what_no_deposit_may_be_is_refused(wrong: Report, why: str) -> None:
    [document] = read(medium(wrong))
    assert why in str(filing.refused(document))


def raw(name: str, data: bytes = b"x", **more: int) -> bytes:
    """A zip whose one name `zipfile` would not write."""
    made = packed({"A" * len(name.encode()): data})
    return made.replace(b"A" * len(name.encode()), name.encode())


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a\\..\\x", "C:x", "a//x", "./x", "a\0b", "\x1b[2J", "x" * 201]
)
def test_a_name_stays_inside(name: str) -> None:
    with pytest.raises(ArchiveError):
        unpacked(raw(name))


def test_names_come_once() -> None:
    made = packed({"AAA": b"1", "BBB": b"2"}).replace(b"BBB", b"aaa")
    with pytest.raises(ArchiveError, match="twice"):
        unpacked(made)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed({"zeros": bytes(archive.LARGEST + 1)})
    assert len(bomb) < 1 << 20
    with pytest.raises(ArchiveError, match="too many bytes"):
        unpacked(bomb)
    parts = packed({f"{n}": bytes(archive.LARGEST // 4) for n in range(5)})
    with pytest.raises(ArchiveError, match="too many bytes"):
        unpacked(parts)


def test_a_size_that_lies_is_not_believed() -> None:
    """The directory says one byte; what comes out is counted."""
    data = bytes(archive.LARGEST + 1)
    made = bytearray(packed({"zeros": data}))
    at = made.rfind(b"PK\x01\x02")
    struct.pack_into("<L", made, at + 24, 1)
    with pytest.raises(ArchiveError):
        unpacked(bytes(made))


def test_too_many_files_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    many = packed({f"{n}": b"" for n in range(archive.MOST_FILES + 1)})
    with pytest.raises(ArchiveError, match="too many files"):
        unpacked(many)
    flood = packed({f"{n:0100}": b"" for n in range(2000)})
    monkeypatch.setattr(archive, "ZipFile", None)  # never asked
    with pytest.raises(ArchiveError, match="too many files"):
        unpacked(flood)


def test_a_zip_in_a_zip_and_an_encrypted_one_are_refused() -> None:
    with pytest.raises(ArchiveError, match="another archive"):
        unpacked(packed({"inner": packed({"x": b"x"})}))
    made = bytearray(packed({"x": b"x"}))
    made[6] |= 1
    made[made.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        unpacked(bytes(made))


def test_a_link_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        target.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="not a file"):
        unpacked(made.getvalue())


@pytest.mark.parametrize("cut", [1, 10, 30, 60])
def test_a_zip_cut_short_is_refused(cut: int) -> None:
    whole = medium(Report())
    for broken in (whole[:-cut], whole[cut:], whole + b"\0" * cut, whole[:40] + b"\xff" * 20 + whole[60:]):
        with pytest.raises((ArchiveError, MetadataError)):
            read(broken)
