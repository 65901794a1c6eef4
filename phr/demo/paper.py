"""French letters as PDF: letterhead, patient block with INS, tables, signature. One page, the same bytes each time.

Core fonts only, so the text must fit in Latin-1: an apostrophe is straight, and there is no oe ligature or euro.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from fpdf import FPDF

from phr.demo.clinic import Professional, Structure
from phr.demo.moments import french
from phr.demo.people import Identity

INK = (33, 37, 41)
GREY = (108, 117, 125)
LEFT, WIDTH, FLOOR = 18.0, 174.0, 262.0


@dataclass(frozen=True, slots=True)
class Heading:
    """A section title."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Numbered lines, each a bold title and a detail under it: medicines of a prescription."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under column titles; widths in millimetres, summing to at most 174. `marked` rows are bold."""

    titles: tuple[str, ...]
    widths: tuple[float, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()


Block = Heading | Paragraph | Lines | Table


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written, by whom, from where, about whom and when."""

    author: Professional
    about: Identity
    day: date
    title: str
    blocks: tuple[Block, ...]
    barcode: bool = False


def spaced_ins(ins: str) -> str:
    """The matricule as it is printed: `2 88 05 35 238 412 61`."""
    return " ".join((ins[0], ins[1:3], ins[3:5], ins[5:7], ins[7:10], ins[10:13], ins[13:]))


def print_letter(letter: Letter) -> bytes:
    """The PDF of a letter. ValueError when it does not fit on a page; UnicodeEncodeError outside Latin-1."""
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_creation_date(datetime.combine(letter.day, time(9), UTC))
    pdf.set_title(letter.title)
    pdf.set_author(letter.author.name)
    pdf.set_lang("fr-FR")
    pdf.set_auto_page_break(False)
    pdf.set_margins(LEFT, 16, 18)
    pdf.add_page()
    pdf.set_line_width(0.25)
    _letterhead(pdf, letter.author)
    _patient_block(pdf, letter)
    _title(pdf, letter)
    for block in letter.blocks:
        match block:
            case Heading(text):
                _heading(pdf, text, letter.author.structure)
            case Paragraph(text):
                _paragraph(pdf, text)
            case Lines(items):
                _lines(pdf, items, letter.author.structure)
            case Table():
                _table(pdf, block, letter.author.structure)
    if pdf.get_y() > FLOOR - 22:
        raise ValueError("the letter does not fit on one page")
    _signature(pdf, letter)
    _footer(pdf, letter)
    return bytes(pdf.output())


def _write(pdf: FPDF, x: float, y: float, text: str, size: float, style: str = "", width: float = 0,
           align: str = "L", colour: tuple[int, int, int] = INK) -> None:  # fmt: skip
    text.encode("latin-1")
    pdf.set_font("Helvetica", style, size)
    pdf.set_text_color(*colour)
    pdf.set_xy(x, y)
    pdf.cell(width or WIDTH, size * 0.45, text, align=align)


def _letterhead(pdf: FPDF, author: Professional) -> None:
    place = author.structure
    pdf.set_fill_color(*place.colour)
    pdf.rect(0, 0, 210, 4, style="F")
    pdf.rect(LEFT, 13, 15, 15, style="F", round_corners=True, corner_radius=3)
    pdf.set_fill_color(255, 255, 255)
    pdf.rect(LEFT + 6, 15.5, 3, 10, style="F")
    pdf.rect(LEFT + 2.5, 19, 10, 3, style="F")
    _write(pdf, LEFT + 19, 13.5, place.name, 15, "B", 105, colour=place.colour)
    _write(pdf, LEFT + 19, 20.5, f"{place.street}, {place.postcode} {place.city}", 9, width=105, colour=GREY)
    contact = f"Tél. {place.phone}   -   FINESS {place.finess}"
    _write(pdf, LEFT + 19, 25, contact, 9, width=105, colour=GREY)
    _write(pdf, 130, 14, author.name, 11, "B", 62, "R")
    _write(pdf, 130, 20, author.specialty_label, 9, "", 62, "R", GREY)
    _write(pdf, 130, 25, f"RPPS {author.rpps}", 9, "", 62, "R", GREY)
    pdf.set_draw_color(*place.colour)
    pdf.line(LEFT, 33, LEFT + WIDTH, 33)


def _patient_block(pdf: FPDF, letter: Letter) -> None:
    who, female = letter.about, letter.about.gender == "female"
    pdf.set_fill_color(246, 247, 249)
    pdf.set_draw_color(222, 226, 230)
    pdf.rect(LEFT, 38, 104, 30, style="DF", round_corners=True, corner_radius=2)
    _write(pdf, LEFT + 4, 41, f"{'Mme' if female else 'M.'} {who.given[0]} {who.used_name}", 11.5, "B", 96)
    born = f"Nom de naissance : {who.birth_name}   Prénoms : {', '.join(who.given)}"
    _write(pdf, LEFT + 4, 47.5, born, 8.5, width=96)
    birth = f"Né{'e' if female else ''} le {french(who.birth)} à {who.birth_city} ({who.commune})"
    _write(pdf, LEFT + 4, 52.3, f"{birth}   Sexe : {'F' if female else 'M'}", 8.5, width=96)
    _write(pdf, LEFT + 4, 58.5, f"INS : {spaced_ins(who.ins)}", 10, "B", 96)
    _write(pdf, LEFT + 4, 63.3, "INS-NIR de test, OID 1.2.250.1.213.1.4.10", 7, "", 96, colour=GREY)
    _write(pdf, 130, 41, f"{letter.author.structure.city}, le {french(letter.day)}", 10, "", 62, "R")
    if letter.barcode:
        pdf.set_fill_color(*INK)
        pdf.code39(f"*{letter.author.rpps}*", x=132, y=51, w=0.8, h=9)
        _write(pdf, 130, 62, letter.author.rpps, 7.5, "", 62, "R", GREY)


def _title(pdf: FPDF, letter: Letter) -> None:
    _write(pdf, LEFT, 77, letter.title, 14.5, "B", WIDTH, "C", letter.author.structure.colour)
    pdf.set_y(89)


def _heading(pdf: FPDF, text: str, place: Structure) -> None:
    y = pdf.get_y() + 2.5
    pdf.set_fill_color(*place.colour)
    pdf.rect(LEFT, y, 1.2, 5, style="F")
    _write(pdf, LEFT + 3, y + 0.2, text, 10.5, "B", colour=place.colour)
    pdf.set_y(y + 7)


def _paragraph(pdf: FPDF, text: str) -> None:
    text.encode("latin-1")
    pdf.set_font("Helvetica", "", 10)
    pdf.set_text_color(*INK)
    pdf.set_x(LEFT)
    pdf.multi_cell(WIDTH, 5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_y(pdf.get_y() + 2)


def _lines(pdf: FPDF, items: tuple[tuple[str, str], ...], place: Structure) -> None:
    for number, (title, detail) in enumerate(items, start=1):
        y = pdf.get_y() + 1.5
        _write(pdf, LEFT, y, f"{number}.", 11, "B", 8, colour=place.colour)
        _write(pdf, LEFT + 8, y, title, 11, "B", WIDTH - 8)
        _write(pdf, LEFT + 8, y + 6, detail, 10, width=WIDTH - 8)
        pdf.set_y(y + 14)


def _table(pdf: FPDF, table: Table, place: Structure) -> None:
    y, total = pdf.get_y(), sum(table.widths)
    pdf.set_fill_color(*place.colour)
    pdf.rect(LEFT, y, total, 6.5, style="F")
    _row(pdf, y, table.titles, table.widths, "B", (255, 255, 255))
    for index, row in enumerate(table.rows):
        y += 6.5
        if index % 2:
            pdf.set_fill_color(246, 247, 249)
            pdf.rect(LEFT, y, total, 6.5, style="F")
        _row(pdf, y, row, table.widths, "B" if index in table.marked else "", INK)
    pdf.set_draw_color(222, 226, 230)
    pdf.line(LEFT, y + 6.5, LEFT + total, y + 6.5)
    pdf.set_y(y + 9.5)


def _row(pdf: FPDF, y: float, cells: tuple[str, ...], widths: tuple[float, ...], style: str,
         colour: tuple[int, int, int]) -> None:  # fmt: skip
    x = LEFT
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        _write(pdf, x + 1.5, y + 1.2, cell, 9, style, width - 3, "R" if index else "L", colour)
        x += width


def _signature(pdf: FPDF, letter: Letter) -> None:
    y = pdf.get_y() + 5
    author = letter.author
    _write(pdf, 120, y, author.name, 10, "B", 72, "C")
    _write(pdf, 120, y + 5, author.specialty_label, 8.5, "", 72, "C", GREY)
    strokes = hashlib.sha256(author.slug.encode()).digest()
    pdf.set_draw_color(28, 50, 120)
    pdf.set_line_width(0.45)
    x, base = 138.0, y + 16
    for left, right in zip(strokes[:10:2], strokes[1:10:2], strict=True):
        swing, drop = 4 + left % 6, 2 + right % 4
        pdf.bezier([(x, base), (x + 2, base - swing), (x + 6, base + drop), (x + 8, base - 1)])
        x += 7
    pdf.line(136, base + 3.5, x + 2, base + 1.5)


def _footer(pdf: FPDF, letter: Letter) -> None:
    place = letter.author.structure
    pdf.set_draw_color(222, 226, 230)
    pdf.set_line_width(0.25)
    pdf.line(LEFT, 281, LEFT + WIDTH, 281)
    _write(pdf, LEFT, 283, f"{place.name} - FINESS {place.finess}", 7.5, width=90, colour=GREY)
    _write(pdf, 102, 283, "Document de démonstration : personnes et faits inventés - page 1/1", 7.5, "", 90,
           "R", GREY)  # fmt: skip
