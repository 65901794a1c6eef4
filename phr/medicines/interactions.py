"""The file of interactions that the operator supplies: which substances, or classes of them, do not go together.

The rule: Carnet has no interactions of its own. The file is semicolon-separated, its first line `a;b;level;text`
(docs/medicines.md); the levels are the four of the ANSM's thesaurus; a line that is not so is an error that names it.
"""

import csv
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy import Table

from phr.medicines import tables
from phr.medicines.bdpm import LONGEST
from phr.medicines.source import Source
from phr.prevention.codes import folded

HEADER = ["a", "b", "level", "text"]
CLASS = "class"
"""The level of a line that is no interaction: it says that the substance `b` is of the class `a`."""


class Level(StrEnum):
    """The levels of the ANSM's thesaurus, worst first."""

    CONTRAINDICATED = "contraindicated"
    DISCOURAGED = "discouraged"
    PRECAUTION = "precaution"
    NOTED = "noted"


LEVELS = {
    "contre indication": Level.CONTRAINDICATED,
    "association deconseillee": Level.DISCOURAGED,
    "precaution d emploi": Level.PRECAUTION,
    "a prendre en compte": Level.NOTED,
}
"""By the words of the file, folded."""


def rows(source: Source) -> Iterator[tuple[int, Table, dict[str, Any]]]:
    """The line, the table and the row of all that the file says. Raises FileError."""
    classes: set[str] = set()
    members: dict[str, int] = {}
    lines = iter(source)
    number, first = next(lines, (1, ""))
    if [part.strip().lower() for part in first.split(";")] != HEADER:
        raise source.fault(number, f"the first line is {';'.join(HEADER)}")
    for number, line in lines:
        try:
            [columns] = csv.reader([line], delimiter=";", strict=True)
        except (csv.Error, ValueError):
            raise source.fault(number, "the quotes do not match") from None
        if len(columns) != len(HEADER):
            raise source.fault(number, f"{len(HEADER)} columns are expected, there are {len(columns)}")
        a, b, level = (folded(one) for one in columns[:3])
        if not a or not b or len(a + b) > LONGEST:
            raise source.fault(number, "a and b are the names of substances or classes")
        if level == CLASS:
            classes.add(a)
            members.setdefault(b, number)
            yield number, tables.member, {"member": b, "name": a}
        elif level in LEVELS:
            row = {"position": number, "a": a, "b": b, "level": LEVELS[level].value, "text": columns[3].strip()}
            yield number, tables.interaction, row
        else:
            raise source.fault(number, "the level is class, or one of the four of the ANSM")
    for name in classes & members.keys():
        raise source.fault(members[name], "a class is made of substances, not of classes")
