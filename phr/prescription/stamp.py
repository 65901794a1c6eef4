"""Prints the QR of a prescription and its code, as text, at the bottom right of every page of its PDF.

The rule: on white, over what is there, upright as the page is seen; large enough to be read, or refused.
"""

from io import BytesIO

from fpdf import FPDF
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import ArrayObject, FloatObject, NameObject, StreamObject

from phr import qr
from phr.core.errors import invalid
from phr.prescription.overlay import overlay, stream

_SIDE, _WIDTH, _HEIGHT, _MARGIN = 74.0, 112.0, 86.0, 14.0
"""Points: the QR's side (26 mm), the stamp, and what is left between it and the edges of the page."""
_SMALLEST = 0.7
"""A stamp made smaller than that to fit its page could not be read."""
_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
_UNITS = (0.1, 100.0)
"""What a page's UserUnit may be."""


def stamp(pdf: bytes, text: str, url: str) -> bytes:
    """The PDF with the QR of `url` and `text` on each page; the same bytes for the same three.

    Raises CONTENT (422): encrypted, broken, too long, or a page too small. CPU-bound, for seconds at worst
    (`phr.prescription.overlay.SECONDS`): to be called in a thread.
    """
    return overlay(pdf, lambda writer: _form(writer, text, url), _matrix)


def _form(writer: PdfWriter, text: str, url: str) -> StreamObject:
    """The stamp as a drawing of its own: white, the QR, the code under it."""
    paper = FPDF(unit="pt", format=(_WIDTH, _HEIGHT))
    paper.set_auto_page_break(False)
    paper.add_page()
    paper.set_fill_color(255)
    paper.rect(0, 0, _WIDTH, _HEIGHT, style="F")
    paper.image(BytesIO(qr.png(url)), _WIDTH - _SIDE, 0, _SIDE, _SIDE)
    paper.set_font("courier", size=min(7.0, _WIDTH / max(len(text), 1) / 0.6))
    paper.set_xy(0, _SIDE)
    paper.cell(_WIDTH, _HEIGHT - _SIDE, text, align="R")
    [page] = PdfReader(BytesIO(bytes(paper.output()))).pages
    drawn = page.get_contents()
    form = stream(b"" if drawn is None else drawn.get_data())
    form[NameObject("/Type")], form[NameObject("/Subtype")] = NameObject("/XObject"), NameObject("/Form")
    form[NameObject("/BBox")] = ArrayObject(FloatObject(one) for one in (0, 0, _WIDTH, _HEIGHT))
    form[NameObject("/Resources")] = page["/Resources"].clone(writer)
    return form


def _matrix(page: PageObject) -> str:
    """Where the stamp goes: the bottom right of what is seen of a page (its CropBox), as it is seen (its Rotate)."""
    box, unit = page.cropbox, float(page.get("/UserUnit", 1))
    left, bottom = max(box.left, page.mediabox.left), max(box.bottom, page.mediabox.bottom)
    right, top = min(box.right, page.mediabox.right), min(box.top, page.mediabox.top)
    turn = page.rotation % 360
    wide, high = (right - left, top - bottom) if turn in (0, 180) else (top - bottom, right - left)
    fits = min(1.0, float(wide) * unit / (_WIDTH + 2 * _MARGIN), float(high) * unit / (_HEIGHT + 2 * _MARGIN))
    if turn not in _TURNS or not _UNITS[0] <= unit <= _UNITS[1] or fits < _SMALLEST:
        raise invalid("A page of this PDF is too small, or has no such rotation.")
    scale = fits / unit
    width, margin = _WIDTH * scale, _MARGIN * scale
    x, y = {
        0: (float(right) - margin - width, float(bottom) + margin),
        90: (float(right) - margin, float(top) - margin - width),
        180: (float(left) + margin + width, float(top) - margin),
        270: (float(left) + margin, float(bottom) + margin + width),
    }[turn]
    return " ".join(f"{number:.4f}" for number in (*(scale * one for one in _TURNS[turn]), x, y))
