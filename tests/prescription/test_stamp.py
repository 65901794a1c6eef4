"""The stamp on a prescription's PDF, looked at as people and cameras do: the rendered page."""

import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pypdfium2
import pytest
import zxingcpp
from fpdf import FPDF
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, RectangleObject, StreamObject

from phr import qr
from phr.core.errors import DomainError, Reason
from phr.prescription import overlay
from phr.prescription.stamp import stamp

CODE = "4T7Q-9KXM-2B8D-HV3N-5RWP"
URL = "https://carnet.example/p#4T7Q9KXM2B8DHV3N5RWP"
TEXT = "Paracetamol 1 g, trois fois par jour"
DPI = 150
A5 = (420.0, 595.0)


def paper(size: str | tuple[float, float] = "A4", pages: int = 1, orientation: str = "P") -> bytes:
    """A prescription that covers its pages with words on grey."""
    made = FPDF(format=size, unit="pt", orientation=orientation)
    made.set_auto_page_break(False)
    for _ in range(pages):
        made.add_page()
        made.set_fill_color(200)
        made.rect(0, 0, made.w, made.h, style="F")
        made.set_font("helvetica", size=11)
        for y in range(20, int(made.h), 14):
            made.text(20, y, " ".join([TEXT] * 3))
    return bytes(made.output())


def changed(pdf: bytes, change: Callable[[PdfWriter], None]) -> bytes:
    writer = PdfWriter(clone_from=BytesIO(pdf))
    change(writer)
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def rendered(pdf: bytes) -> list[Image.Image]:
    file = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=DPI / 72).to_pil().convert("RGB") for page in file]
    finally:
        file.close()


def check(pdf: bytes, pages: int = 1) -> list[Image.Image]:
    """Every page shows the QR, upright, at its bottom right, and has the code as text."""
    images, reader = rendered(pdf), PdfReader(BytesIO(pdf))
    assert len(images) == len(reader.pages) == pages
    for image, page in zip(images, reader.pages, strict=True):
        [found] = zxingcpp.read_barcodes(image)
        assert found.text == URL
        assert found.format == zxingcpp.BarcodeFormat.QRCode
        assert abs(found.orientation) <= 2
        at = found.position
        middle = (at.top_left.x + at.bottom_right.x) / 2, (at.top_left.y + at.bottom_right.y) / 2
        assert image.width - 100 * DPI / 72 < middle[0] < image.width
        assert image.height - 110 * DPI / 72 < middle[1] < image.height
        assert CODE in page.extract_text()
    return images


@pytest.mark.parametrize("orientation", ["P", "L"])
@pytest.mark.parametrize("size", ["A4", A5, "letter", (283, 200)])
def test_it_is_read_on_every_size_of_page(size: str | tuple[float, float], orientation: str) -> None:
    check(stamp(paper(size, orientation=orientation), CODE, URL))


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90, 450])
def test_it_is_upright_on_a_turned_page(turn: int) -> None:
    def change(writer: PdfWriter) -> None:
        writer.pages[0][NameObject("/Rotate")] = FloatObject(turn)

    [image] = check(stamp(changed(paper(), change), CODE, URL))
    for inside, outside in ((16, 12), (97, 103)):  # white between 14 and 100 points from the bottom
        white, grey = (image.height - n * DPI // 72 for n in (inside, outside))
        assert image.getpixel((image.width - 16 * DPI // 72, white)) == (255, 255, 255)
        assert image.getpixel((image.width - 12 * DPI // 72, white)) != (255, 255, 255)
        assert image.getpixel((image.width - 16 * DPI // 72, grey)) != (255, 255, 255)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_it_is_in_what_is_seen_of_a_cropped_page(turn: int) -> None:
    def change(writer: PdfWriter) -> None:
        page = writer.pages[0]
        page.mediabox = RectangleObject((-100, -50, 700, 900))
        page.cropbox = RectangleObject((30, 200, 330, 500))
        page[NameObject("/Rotate")] = FloatObject(turn)

    [image] = check(stamp(changed(paper(), change), CODE, URL))
    assert image.width == image.height == 300 * DPI // 72


@pytest.mark.parametrize("turn", [0, 180])
def test_a_crop_beyond_the_paper_is_not_seen(turn: int) -> None:
    def change(writer: PdfWriter) -> None:
        writer.pages[0][NameObject("/Rotate")] = FloatObject(turn)
        writer.pages[0].cropbox = RectangleObject((-500, -500, 2000, 2000))

    check(stamp(changed(paper(), change), CODE, URL))


def test_what_pages_inherit_counts() -> None:
    def change(writer: PdfWriter) -> None:
        tree = writer.pages[0]["/Parent"].get_object()
        assert isinstance(tree, DictionaryObject)
        tree[NameObject("/Rotate")] = FloatObject(90)
        tree[NameObject("/MediaBox")] = RectangleObject((0, 0, 420, 595))
        for page in writer.pages:
            tree[NameObject("/Resources")] = page.pop("/Resources")
            page.pop("/MediaBox", None)

    made = stamp(changed(paper(A5, pages=2), change), CODE, URL)
    images = check(made, 2)
    assert images[0].width > images[0].height
    assert TEXT in PdfReader(BytesIO(made)).pages[1].extract_text()


def test_a_page_in_larger_units_has_a_stamp_of_the_same_size() -> None:
    def change(writer: PdfWriter) -> None:
        writer.pages[0][NameObject("/UserUnit")] = FloatObject(2)

    made = stamp(changed(paper((200, 300)), change), CODE, URL)
    assert b" 0.0000 0.5000 " in b"".join(_drawn(made))


def _drawn(pdf: bytes) -> list[bytes]:
    contents = PdfReader(BytesIO(pdf)).pages[0]["/Contents"]
    assert isinstance(contents, ArrayObject)
    return [one.get_object().get_data() for one in contents]


def test_it_stands_on_white_and_the_rest_is_as_it_was() -> None:
    before, after = rendered(paper())[0], rendered(stamp(paper(), CODE, URL))[0]
    edge = 14 * DPI // 72
    corner = (after.width - edge - 4, after.height - edge - 4)
    assert before.getpixel(corner) != (255, 255, 255) == after.getpixel(corner)
    box = (0, 0, after.width - 128 * DPI // 72, after.height)
    assert before.crop(box).tobytes() == after.crop(box).tobytes()
    assert TEXT in PdfReader(BytesIO(stamp(paper(), CODE, URL))).pages[0].extract_text()


def test_what_a_page_leaves_behind_does_not_move_it() -> None:
    def change(writer: PdfWriter) -> None:
        page, more = writer.pages[0], StreamObject()
        more.set_data(b"0.5 0 0 0.5 100 100 cm 0 0 10 10 re W n 1 0 0 rg 3 Tr")
        page[NameObject("/Contents")] = ArrayObject([page.raw_get("/Contents"), writer._add_object(more)])

    check(stamp(changed(paper(), change), CODE, URL))


def test_an_empty_page_is_stamped_and_every_page_is() -> None:
    def change(writer: PdfWriter) -> None:
        writer.add_blank_page(595, 842)
        writer.pages[1].pop("/Contents", None)
        writer.pages[1].pop("/Resources", None)

    check(stamp(changed(paper(pages=1), change), CODE, URL), 2)
    check(stamp(paper(pages=3), CODE, URL), 3)


def test_a_page_that_appears_twice_is_stamped_once() -> None:
    def change(writer: PdfWriter) -> None:
        writer.add_page(writer.pages[0])

    check(stamp(changed(paper(), change), CODE, URL), 2)


def test_it_is_stamped_over_an_older_stamp() -> None:
    old = stamp(paper(), "0000-0000-0000-0000-0000", "https://carnet.example/p#00000000000000000000")
    check(stamp(old, CODE, URL))


def test_the_same_gives_the_same() -> None:
    pdf = paper()
    assert stamp(pdf, CODE, URL) == stamp(pdf, CODE, URL)


def test_nothing_that_acts_is_added() -> None:
    made = stamp(paper(), CODE, URL)
    for name in (b"/JavaScript", b"/JS", b"/AA", b"/Launch", b"/EmbeddedFile", b"/URI", b"/Annots"):
        assert name not in made, name


def refused(pdf: bytes) -> str:
    with pytest.raises(DomainError) as caught:
        stamp(pdf, CODE, URL)
    assert caught.value.reason is Reason.CONTENT
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.issues[0].diagnostics


@pytest.mark.parametrize("password", ["", "secret"])
def test_an_encrypted_file_is_refused(password: str) -> None:
    def change(writer: PdfWriter) -> None:
        writer.encrypt(password, "owner", algorithm="AES-256")

    assert "encrypted" in refused(changed(paper(), change))


@pytest.mark.parametrize(
    "pdf",
    [
        b"",
        b"%PDF-1.7",
        b"%PDF-1.7\n" + b"\0" * 1000,
        b"not a PDF",
        paper()[:400],
        paper().replace(b"/Kids", b"/Kid5"),
        paper().replace(b"/Type /Page\n", b"/Type /Pages\n"),
        b"%PDF-1.4\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type /Pages /Kids [2 0 R] /Count 1>>"
        b"\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF",
        b"%PDF-1.4\n" + b"1 0 obj\n" + b"[" * 100_000,
        b"%PDF-1.4\n1 0 obj\n<</A " + b"<</A " * 20_000,
    ],
    ids=range(10),
)
def test_a_broken_file_is_refused_soon(pdf: bytes) -> None:
    start = time.monotonic()
    refused(pdf)
    assert time.monotonic() - start < overlay.SECONDS + 3


def test_every_truncation_is_refused_or_stamped() -> None:
    whole = paper(A5)
    for end in range(0, len(whole), 97):
        with suppress(DomainError):
            assert CODE in PdfReader(BytesIO(stamp(whole[:end], CODE, URL))).pages[0].extract_text()


def test_a_file_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "SECONDS", -1.0)
    assert "cannot be read" in refused(paper())


def test_a_long_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "50 pages" in refused(paper((200, 200), pages=overlay.PAGES + 1))
    check(stamp(paper((200, 200), pages=2), CODE, URL), 2)
    assert "MiB" in refused(b"%PDF-1.7\n" + b" " * overlay.BYTES)


def test_a_page_too_small_to_be_stamped_is_refused() -> None:
    assert "small" in refused(paper((60, 842)))
    assert "small" in refused(paper((842, 60)))
    check(stamp(paper((120, 120)), CODE, URL))


@pytest.mark.parametrize(("name", "value"), [("/Rotate", 45), ("/UserUnit", 0), ("/UserUnit", -1), ("/UserUnit", 1e30)])
def test_a_page_that_cannot_be_laid_out_is_refused(name: str, value: float) -> None:
    def change(writer: PdfWriter) -> None:
        writer.pages[0][NameObject(name)] = FloatObject(value)

    assert refused(changed(paper(), change))


def test_what_a_file_says_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with suppress(DomainError):
        stamp(paper().replace(b"/Type /Catalog", b"/Type /Catalog /Dupont 1 /Dupont 2"), CODE, URL)
    assert caplog.records == []


def test_the_drawings_of_an_address_are_decoded() -> None:
    with Image.open(BytesIO(qr.png(URL, scale=4))) as image:
        [found] = zxingcpp.read_barcodes(image.convert("L"))
        assert found.text == URL
        assert image.width == image.height == 37 * 4 + 32 - 16
    drawn = qr.svg(URL)
    assert drawn.startswith("<svg")
    assert 'class="qr"' in drawn
    assert "style=" not in drawn
    assert "<script" not in qr.svg("</svg><script>alert(1)</script>")
