"""What the ways a line is dispensed as days go by have in common: bounds, ends, and parts of a quantity.

The rule: quantities are rounded down; days are of Paris, and the last is included.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Protocol

from phr.prescription.law import Limit, What
from phr.prescription.supply import Line

Bound = tuple[Decimal, Limit | None]
"""One dispensing has no more than this, by this rule; None: by the prescription itself."""
End = tuple[date, Limit | None]
DAY = timedelta(days=1)
NONE = Decimal(0)
_FINER = 3


class Course(Protocol):
    """A line on its way."""

    def bounds(self, on: date) -> Iterator[Bound]:
        """What bounds a dispensing on this day, of a line that has a quantity."""

    def ends(self) -> Iterator[End]:
        """The last day, by each rule."""

    def next(self, on: date) -> date:
        """The day from which the dispensing after the one of this day may begin."""


def part(whole: Decimal, days: int, of: int) -> Decimal:
    """So many days of what lasts `of` days: never more than the whole, rounded down 3 digits finer than it is."""
    if days >= of:
        return whole
    exponent = whole.as_tuple().exponent
    step = Decimal(1).scaleb(min(exponent, 0) - _FINER if isinstance(exponent, int) else -_FINER)
    return max(whole * days / of, NONE).quantize(step, ROUND_DOWN)


def ends(line: Line, law: Mapping[What, Limit], *, begun: bool) -> Iterator[End]:
    """The last days that every line has."""
    yield line.until, None
    yield law["all"].lasts.after(line.authored) - DAY, law["all"]
    if not begun:
        yield law["first"].lasts.after(line.authored) - DAY, law["first"]
