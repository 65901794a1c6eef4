"""A line dispensed once and then renewed: the next dispensing begins when the supply given is nearly used.

The rule: what is given before then belongs to the dispensing that has begun, so that dividing it gains nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import ceil

from phr.prescription.course import DAY, NONE, Bound, End, ends, part
from phr.prescription.law import Limit, What
from phr.prescription.supply import Given, Line, dispensed, quantity_of


class Renewals:
    """A dispensing of unknown length lasts no day."""

    def __init__(self, line: Line, law: Mapping[What, Limit], given: Sequence[Given]) -> None:
        """`given`: of this line, by day."""
        self.line, self.law, self.given = line, law, given
        self.filled, self.opens, covered = NONE, line.authored, line.authored
        for at, one in enumerate(given):
            if at and self.begins(one.on, given[at - 1].on):
                self.filled = NONE
            quantity = quantity_of(line, one)
            self.filled += quantity
            days = one.days or _lasting(line, quantity)
            covered = max(covered, one.on) + timedelta(days=days)
            early = min(law["renewal"].lasts.days, (line.duration or days) // 4)
            self.opens = covered - timedelta(days=early)

    def begins(self, on: date, last: date) -> bool:
        """Whether a new dispensing begins on a day; never twice on one."""
        return on > last and on >= self.opens

    def next(self, on: date) -> date:
        """The day from which the dispensing after this one may begin."""
        return self.opens

    def bounds(self, on: date) -> Iterator[Bound]:
        """What bounds a dispensing on this day, of a line that has a quantity."""
        whole, duration = self.line.quantity or NONE, self.line.duration
        once = whole
        if duration is not None:
            once = part(whole, self.law["supply"].lasts.days, duration)
            yield once, self.law["supply"]
            if "treatment" in self.law:
                limit = self.law["treatment"]
                prescribed = whole * (1 + self.line.repeats)
                most = part(prescribed, limit.lasts.days, duration * (1 + self.line.repeats))
                yield most - dispensed(self.line, self.given), limit
        if self.given and not self.begins(on, self.given[-1].on):
            yield once - self.filled, self.law["renewal"]

    def ends(self) -> Iterator[End]:
        """The last day, by each rule."""
        yield from ends(self.line, self.law, begun=bool(self.given))
        if self.given and "treatment" in self.law:
            limit = self.law["treatment"]
            yield self.given[0].on + timedelta(days=limit.lasts.days) - DAY, limit
        if not self.given and "presentation" in self.law:
            yield self.line.authored + timedelta(days=self.law["presentation"].lasts.days), self.law["presentation"]


def _lasting(line: Line, quantity: Decimal) -> int:
    """How many days a quantity lasts, rounded up; 0: not known."""
    if line.duration is None:
        return 0
    if line.quantity is None:
        return line.duration
    return ceil(quantity * line.duration / line.quantity)
