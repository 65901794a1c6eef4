"""What is left of a prescription and what may be dispensed of it today, worked out of its lines and its dispenses.

The rule: computed each time from all of them, whatever the reader sees: a quantity is never dispensed twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from fhir.criteria import TokenAny
from fhir.search import all_of
from fhir.stored import Keyring, Stored
from phr.access.visit import Deed
from phr.operated import PRESCRIPTION, keys_of, mark
from phr.prescription import limits, supply
from phr.prescription.supply import Given, Line
from phr.prevention.dates import day
from phr.representation import PARIS

Json = dict[str, Any]
MOST = 2000
"""Resources of one prescription: thirty lines, dispensed weekly for a year."""


async def of(deed: Deed, number: str) -> tuple[list[Json], list[Json]]:
    """The lines of a prescription and all its dispenses, the oldest first: to decide with, never to answer with."""
    keys = keys_of(deed)
    belongs = TokenAny(frozenset({mark(keys, PRESCRIPTION, number)}))
    rows = await deed.fetch(all_of(deed.every("MedicationRequest", "MedicationDispense"), belongs, MOST))
    whole = [Stored.from_row(row).json(Keyring({keys.record: keys})) for row in rows]
    lines = [one for one in whole if one["resourceType"] == "MedicationRequest"]
    return lines, [one for one in whole if one["resourceType"] == "MedicationDispense"]


def supplied(lines: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The lines as quantities, each from the day it was written."""
    return [supply.line_of(dict(one), written(one), written(one) + limits.LONGEST) for one in lines]


def written(line: Mapping[str, Any]) -> date:
    """The day a line was written, in Paris: it may have been deposited later."""
    return day(datetime.fromisoformat(str(line["authoredOn"])))


def given(dispenses: Iterable[Mapping[str, Any]]) -> list[Given]:
    """The dispenses as quantities, but those where nothing was."""
    return [found for one in dispenses if (found := supply.given_of(dict(one))) is not None]


def expiry(lines: Sequence[Mapping[str, Any]], dispenses: Iterable[Mapping[str, Any]]) -> datetime:
    """The instant a prescription expires by itself: the end of its last day, in Paris."""
    return _end_of(limits.expiry(supplied(lines), given(dispenses), min(map(written, lines))))


def _end_of(last: date) -> datetime:
    after = last + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=PARIS)
