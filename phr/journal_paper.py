"""The journal on paper: A4, by day, with page numbers, in the core fonts every reader has.

Core fonts have no letter beyond Latin-1: others are written as their plain letter, or as a question mark.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fpdf import FPDF

from phr.journal_words import Told, day_of

_INK, _SOFT, _PROBLEM = (30, 42, 42), (86, 100, 99), (143, 29, 29)
_LEFT, _TOP, _FLOOR, _TIME, _LINE = 18.0, 18.0, 20.0, 15.0, 5.2
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "œ": "oe", "Œ": "OE", "…": "...", "–": "-", "—": "-"})
_TOTAL = "{nb}"
"""What fpdf replaces by the number of pages."""


class Paper(FPDF):
    """A journal being laid out, newest first. `entries`: how many it has so far."""

    def __init__(self, language: str, texts: Mapping[str, Any], heading: Sequence[str], now: datetime) -> None:
        super().__init__(format="A4")
        self.entries = 0
        self._language, self._texts, self._day = language, texts, ""
        self.set_margins(_LEFT, _TOP)
        self.set_auto_page_break(True, _FLOOR)
        self.set_lang(language)
        self.set_title(texts["title"])
        self.set_creation_date(now)
        self.set_creator("Carnet")
        self.add_page()
        self._write(texts["title"], 20, style="B", after=2)
        for line in heading:
            self._write(line, 10, ink=_SOFT)

    def footer(self) -> None:
        """The page's number, under each page."""
        self.set_y(-14)
        self._pen(9, "", _SOFT)
        self.cell(w=0, text=_latin(self._texts["page"].format(n=self.page_no(), total=_TOTAL)), align="C")

    def add(self, batch: Sequence[Told]) -> None:
        """Lay out the next entries, under their day."""
        for told in batch:
            if told.day != self._day:
                self._day = told.day
                self._keep_together(3)
                self.ln(3)
                self._write(day_of(told.day, self._language), 12, style="B", after=1)
            self._entry(told)
            self.entries += 1

    def say(self, text: str) -> None:
        """A paragraph of its own."""
        self.ln(4)
        self._write(text, 10, style="B")

    def finished(self) -> bytes:
        """The whole document."""
        if not self.entries:
            self.say(self._texts["none"])
        return bytes(self.output())

    def _entry(self, told: Told) -> None:
        self._keep_together(3 if told.motive else 2)
        self._pen(10, "", _SOFT)
        self.cell(w=_TIME, h=_LINE, text=told.time)
        margin = self.l_margin
        self.set_left_margin(margin + _TIME)
        refused = bool(told.reason)
        did = told.did[:1].upper() + told.did[1:]
        self._write(did, 10, style="B" if refused else "", ink=_PROBLEM if refused else _INK)
        if told.motive:
            self._write(self._texts["motive"].format(motive=told.motive), 9, style="I", ink=_SOFT)
        self.set_left_margin(margin)
        self.set_x(margin)
        self.ln(1)

    def _keep_together(self, lines: int) -> None:
        if self.will_page_break(lines * _LINE):
            self.add_page()

    def _pen(self, size: float, style: str, ink: tuple[int, int, int]) -> None:
        self.set_font("helvetica", style, size)
        self.set_text_color(*ink)

    def _write(
        self, text: str, size: float, *, style: str = "", ink: tuple[int, int, int] = _INK, after: float = 0
    ) -> None:
        self._pen(size, style, ink)
        self.multi_cell(w=0, h=_LINE * max(1.0, size / 11), text=_latin(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(after)


def _latin(text: str) -> str:
    """The text in Latin-1 printable letters."""
    plain = "".join(c if c.isprintable() else " " for c in text.translate(_PLAIN))
    if plain.isascii():
        return plain
    found = []
    for letter in plain:
        kept = letter if ord(letter) < 256 else unicodedata.normalize("NFKD", letter)
        found.append("".join(c for c in kept if ord(c) < 256 and not unicodedata.combining(c)) or "?")
    return "".join(found)
