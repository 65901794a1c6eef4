"""Prevention on paper: A4, in the core fonts every reader has, to hand to a doctor or to put on the fridge.

The rule: it says what the page says; each sheet says what it is and what it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fpdf import FPDF

from phr.attestation import latin

_INK, _SOFT, _ACCENT, _RULE = (30, 42, 42), (86, 100, 99), (23, 86, 77), (223, 227, 221)
_LEFT, _TOP, _FLOOR, _LINE = 20.0, 20.0, 26.0, 5.4
_TOTAL = "{nb}"
"""What fpdf replaces by the number of pages."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing: its name, and what is said of it."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines; `none`: what is said when there are none."""

    title: str
    lines: Sequence[Line]
    none: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is printed. `footer`: under each page; `page`: its number, as « Page {n} sur {total} »."""

    language: str
    title: str
    subtitle: str
    sections: Sequence[Section]
    footer: str
    page: str


class _Paper(FPDF):
    """A sheet being laid out."""

    def __init__(self, sheet: Sheet, now: datetime) -> None:
        super().__init__(format="A4", unit="mm")
        self._sheet = sheet
        self.set_margins(_LEFT, _TOP, _LEFT)
        self.set_auto_page_break(True, _FLOOR)
        self.set_lang(sheet.language)
        self.set_title(latin(sheet.title))
        self.set_creation_date(now)
        self.set_creator("Carnet")
        self.add_page()

    def footer(self) -> None:
        """What the sheet is and is not, and its number."""
        self.set_y(2 - _FLOOR)
        self._write(self._sheet.footer, 8.5, ink=_SOFT)
        self._write(self._sheet.page.format(n=self.page_no(), total=_TOTAL), 8.5, ink=_SOFT)

    def lay_out(self) -> None:
        """Everything, in order."""
        self._write(self._sheet.title, 19, style="B", ink=_ACCENT, after=1)
        self._write(self._sheet.subtitle, 10, ink=_SOFT)
        for section in self._sheet.sections:
            self._room(4)
            self.ln(5)
            self._write(section.title, 13, style="B", ink=_ACCENT, after=1)
            self.set_draw_color(*_RULE)
            self.line(_LEFT, self.get_y(), self.w - _LEFT, self.get_y())
            self.ln(2)
            for line in section.lines:
                self._room(2)
                self._write(line.title, 10.5, style="B")
                if line.text:
                    self._write(line.text, 10)
                self.ln(1.6)
            if not section.lines:
                self._write(section.none, 10, ink=_SOFT)

    def _room(self, lines: int) -> None:
        if self.will_page_break(lines * _LINE):
            self.add_page()

    def _write(
        self, text: str, size: float, *, style: str = "", ink: tuple[int, int, int] = _INK, after: float = 0
    ) -> None:
        self.set_font("helvetica", style, size)
        self.set_text_color(*ink)
        height = _LINE * max(0.8, size / 11)
        self.multi_cell(w=0, h=height, text=latin(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(after)


def printed(sheet: Sheet, now: datetime) -> bytes:
    """The PDF."""
    paper = _Paper(sheet, now)
    paper.lay_out()
    return bytes(paper.output())
