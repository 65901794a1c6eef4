"""The files of the « base de données publique des médicaments », read as rows of our tables.

The rule: tab-separated, no header, a fixed order of columns (docs/medicines.md); a line that is not so is an error that
names it. A line about a medicine that CIS_bdpm.txt does not have is left out: the files are not all of one day.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from phr.medicines import tables
from phr.medicines.source import Source
from phr.prevention.codes import folded

Row = dict[str, Any]
LONGEST = 1000
"""Characters of a name: what PostgreSQL keeps in an index is bounded."""
_CIS, _CIP13 = re.compile(r"[0-9]{8}"), re.compile(r"[0-9]{13}")
_NATURES = {"SA": True, "FT": False, "ST": False}


@dataclass(frozen=True, slots=True)
class Layout:
    """One file: how many columns it has (the last ones may be left out when empty), and what its lines say.

    `cis`: which column names the medicine. `rows`: of one line's columns and its number, what is stored, by table.
    """

    name: str
    least: int
    most: int
    required: bool
    cis: int
    rows: Callable[[Source, int, Sequence[str]], Iterator[tuple[Table, Row]]]


def rows(layout: Layout, source: Source, known: set[str]) -> Iterator[tuple[int, Table | None, Row]]:
    """The line, the table and the row of all that a file says; no table: the line is left out. Raises FileError.

    `known`: the CIS of CIS_bdpm.txt, which reading it fills.
    """
    for number, line in source:
        columns = [one.strip() for one in line.split("\t")]
        while len(columns) > layout.most and not columns[-1]:
            columns.pop()
        if not layout.least <= len(columns) <= layout.most:
            raise source.fault(number, f"{layout.most} columns are expected, there are {len(columns)}")
        columns += [""] * (layout.most - len(columns))
        cis = columns[layout.cis]
        if not _CIS.fullmatch(cis):
            raise source.fault(number, "a CIS code of 8 digits is expected")
        if layout is MEDICINES:
            if cis in known:
                raise source.fault(number, "this CIS code is on a line before")
            known.add(cis)
        if cis not in known:
            yield number, None, {}
            continue
        for table, row in layout.rows(source, number, columns):
            yield number, table, {"cis": cis, **row}


def _medicine(source: Source, number: int, columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    name, words = columns[1], set(folded(columns[1]).split())
    if not words or len(name) > LONGEST:
        raise source.fault(number, "the name is missing, or too long")
    authorised, marketed = folded(columns[4]) == "autorisation active", folded(columns[6]) == "commercialisee"
    row = {"name": name, "form": columns[2], "routes": _parts(columns[3]), "holder": "; ".join(_parts(columns[10]))}
    yield tables.medicine, {**row, "authorised": authorised, "marketed": marketed}
    for word in sorted(words):
        yield tables.word, {"word": word}


def _presentation(source: Source, number: int, columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    if not _CIP13.fullmatch(columns[6]):
        raise source.fault(number, "a CIP13 code of 13 digits is expected")
    marketed = folded(columns[4]) == "declaration de commercialisation"
    yield tables.presentation, {"cip13": columns[6], "label": columns[2], "marketed": marketed}


def _ingredient(source: Source, number: int, columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    name, nature = folded(columns[3]), columns[6]
    if not columns[2] or not name or len(name) > LONGEST:
        raise source.fault(number, "the substance is missing, or too long")
    if nature not in _NATURES:
        raise source.fault(number, "SA, FT or ST is expected in column 7")
    row = {"position": number, "code": columns[2], "name": columns[3], "folded": name, "link": columns[7]}
    yield tables.ingredient, {**row, "strength": columns[4], "per": columns[5], "active": _NATURES[nature]}


def _condition(source: Source, number: int, columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    if columns[1]:
        yield tables.condition, {"position": number, "text": columns[1]}


def _generic(source: Source, number: int, columns: Sequence[str]) -> Iterator[tuple[Table, Row]]:
    yield tables.generic, {"group": columns[0], "label": columns[1], "type": columns[3]}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


MEDICINES = Layout("CIS_bdpm.txt", 11, 12, True, 0, _medicine)
LAYOUTS = (
    MEDICINES,
    Layout("CIS_CIP_bdpm.txt", 7, 13, True, 0, _presentation),
    Layout("CIS_COMPO_bdpm.txt", 7, 8, True, 0, _ingredient),
    Layout("CIS_CPD_bdpm.txt", 2, 2, False, 0, _condition),
    Layout("CIS_GENER_bdpm.txt", 4, 5, False, 2, _generic),
)
"""The files that are read, in this order. Required ones must all be there."""
