"""A narcotic: fractions that run one after the other from the day of writing, dispensed or not.

The rule: a fraction presented within the days the law gives is whole and runs from that day; later, what is left of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from phr.prescription.course import DAY, NONE, Bound, End, ends, part
from phr.prescription.law import Limit, What
from phr.prescription.supply import Given, Line, quantity_of


@dataclass(slots=True)
class _Fraction:
    """`before`: the first day after it. `budget`: what it allows once presented; None: it was not."""

    number: int
    start: date
    before: date
    budget: Decimal | None = None
    filled: Decimal = NONE


class Fractions:
    """`duration`: of one fraction, in days."""

    def __init__(self, line: Line, duration: int, law: Mapping[What, Limit], given: Sequence[Given]) -> None:
        """`given`: of this line, by day."""
        self.line, self.duration, self.law, self.given = line, duration, law, given
        self.now = self._fraction(0, line.authored)
        for one in given:
            self.now = found = self.on(one.on)
            if found.budget is None:
                found.budget = self._whole(found, one.on)
                if self._in_time(found, one.on):
                    found.before += max(one.on - found.start, timedelta())
            found.filled += quantity_of(line, one)

    def on(self, day: date) -> _Fraction:
        """The fraction that runs on a day, or may still be presented whole; else the last one."""
        found = self.now
        while day > self._last(found) and self._follows(found):
            found = self._fraction(found.number + 1, found.before)
        return found

    def next(self, on: date) -> date:
        """The day on which the fraction after this one begins."""
        return self.on(on).before

    def bounds(self, on: date) -> Iterator[Bound]:
        """What bounds a dispensing on this day, of a line that has a quantity."""
        whole, found = self.line.quantity or NONE, self.on(on)
        left = part(whole, (found.before - on).days, self.duration)
        yield part(whole, self.law["supply"].lasts.days, self.duration), self.law["supply"]
        if "treatment" in self.law:
            yield part(whole, self._length(found.number), self.duration), self.law["treatment"]
        if found.budget is None:
            yield self._whole(found, on), self.law["presentation"]
            return
        yield found.budget - found.filled, self.law["renewal" if self._follows(found) else "presentation"]
        yield left, self.law["presentation"]

    def ends(self) -> Iterator[End]:
        """The last day, by each rule."""
        yield from ends(self.line, self.law, begun=bool(self.given))
        found = self.now
        while self._follows(found):
            found = self._fraction(found.number + 1, found.before)
        yield self._last(found), self.law["presentation"]

    def _follows(self, found: _Fraction) -> bool:
        return found.number < self.line.repeats and self._length(found.number + 1) > 0

    def _last(self, found: _Fraction) -> date:
        """The last day of a fraction; one that is shorter than the days to present it in may be until they end."""
        late = found.start + timedelta(days=self.law["presentation"].lasts.days)
        return found.before - DAY if found.budget is not None else max(found.before - DAY, late)

    def _length(self, number: int) -> int:
        """The days of a fraction: its duration, or what the longest treatment leaves of it."""
        if "treatment" not in self.law:
            return self.duration
        return max(min(self.duration, self.law["treatment"].lasts.days - number * self.duration), 0)

    def _fraction(self, number: int, start: date) -> _Fraction:
        return _Fraction(number, start, start + timedelta(days=self._length(number)))

    def _in_time(self, found: _Fraction, on: date) -> bool:
        return on <= found.start + timedelta(days=self.law["presentation"].lasts.days)

    def _whole(self, found: _Fraction, on: date) -> Decimal:
        """What a fraction allows if it is presented on a day."""
        days = self._length(found.number) if self._in_time(found, on) else (found.before - on).days
        return part(self.line.quantity or NONE, days, self.duration)
