"""What may be dispensed of a line on a day, until when, and which rule says so: the prescription's, or the law's.

The rule: pure; never more than what is left, never negative; of several bounds the tightest speaks, and the
prescription itself before the law.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from phr.prescription.course import Course, End
from phr.prescription.fractions import Fractions
from phr.prescription.law import LAW, Limit, What, governing
from phr.prescription.renewals import Renewals
from phr.prescription.supply import Given, Line, remaining
from phr.prevention.rule import Words
from phr.prevention.words import day_told

LONGEST = timedelta(days=366)
"""No prescription lasts longer than that after it was written: the `until` of a line that says no end itself."""
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`quantity`: the most of one dispensing, 0: nothing, None: any, as the line is not counted.

    `until`: the last day on which something still may be, if nothing else is dispensed; None: never more.
    `rule`: a `phr.prescription.law.Limit` by its id; None: only the prescription itself limits.
    """

    quantity: Decimal | None
    until: date | None
    rule: str | None
    why: Words


def allowed(line: Line, given: Iterable[Given], on: date) -> Allowance:
    """What may be dispensed of a line on a day in Paris, after what was `given` (other lines' are left out)."""
    law, mine = governing(line), _of(line, given)
    course = _course(line, law, mine)
    last, closing = _end(course)
    quantity, limit = _most(line, course, mine, on)
    until = last if on <= last and _most(line, course, mine, last)[0] != 0 else None
    if on < line.authored:
        return Allowance(_NONE, until, None, LAW.say["unwritten"])
    if on > last:
        rule, why = (None, LAW.say["ended"]) if closing is None else (closing.id, closing.words)
        return Allowance(_NONE, None, rule, why)
    if limit is not None:
        return Allowance(quantity, until, limit.id, _told(limit.words, course.next(on)))
    name = "uncounted" if quantity is None else "prescribed" if quantity else "spent"
    return Allowance(quantity, until, None, LAW.say[name])


def expiry(lines: Sequence[Line], given: Iterable[Given], authored: date) -> date:
    """The last day of a prescription, included: the last on which something of a line still may be dispensed.

    Nothing may any more: the day of the last dispensing, or else the one it was written on.
    """
    every = list(given)
    known = [allowed(line, every, authored).until for line in lines]
    found = [day for day in known if day is not None]
    return max(found or [one.on for one in every], default=authored)


def _course(line: Line, law: Mapping[What, Limit], given: Sequence[Given]) -> Course:
    if "presentation" in law and line.duration is not None:
        return Fractions(line, line.duration, law, given)
    return Renewals(line, law, given)


def _end(course: Course) -> End:
    """The earliest of its ends; the prescription's own before the law's."""
    return min(course.ends(), key=lambda one: one[0])


def _most(line: Line, course: Course, given: Sequence[Given], on: date) -> tuple[Decimal | None, Limit | None]:
    """The tightest bound of one dispensing on a day that is not after the last."""
    left = remaining(line, given)
    if line.quantity is None or left is None:
        return None, None
    bounds = [(min(line.quantity, left), None), *course.bounds(on)]
    return min(((max(bound, _NONE), limit) for bound, limit in bounds), key=lambda one: one[0])


def _of(line: Line, given: Iterable[Given]) -> list[Given]:
    return sorted((one for one in given if one.line == line.id), key=lambda one: one.on)


def _told(words: Words, day: date) -> Words:
    return Words(words.fr.replace("{day}", day_told(day, "fr")), words.en.replace("{day}", day_told(day, "en")))
