"""What may be dispensed, evaluated as naively as can be from docs/dispensing-limits.md: day after day, in fractions.

It shares nothing with the code but the shape of a line: not the data, not the calendar, not the rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

TREATMENT = {"narcotic": 28, "narcotic-14": 14, "narcotic-7": 7, "hypnotic": 28, "anxiolytic": 84, "isotretinoin": 31}
NARCOTIC = {"narcotic", "narcotic-14", "narcotic-7"}


@dataclass(frozen=True)
class Plain:
    """A line in hundredths and days; `milli`: a thousandth of the last digit of its quantity."""

    quantity: Fraction | None
    milli: Fraction
    repeats: int
    duration: int | None
    authored: date
    until: date
    regulations: frozenset[str]


@dataclass(frozen=True)
class Taken:
    quantity: Fraction
    on: date
    days: int | None


@dataclass
class Answer:
    """`quantity` None: not counted. `rules`: all that bound it so tightly; None: the prescription itself."""

    quantity: Fraction | None
    rules: set[str | None] = field(default_factory=set)


def months_later(day: date, months: int) -> date:
    """Counted on the fingers."""
    year, month = day.year, day.month
    for _ in range(months):
        month += 1
        if month == 13:
            year, month = year + 1, 1
    while True:
        try:
            return date(year, month, day.day)
        except ValueError:
            return date(year, month + 1, 1)


def days_of(line: Plain, whole: Fraction, days: int, of: int) -> Fraction:
    if days >= of:
        return whole
    exact = whole * max(days, 0) / of
    return exact // line.milli * line.milli


def may(line: Plain, taken: Sequence[Taken], on: date) -> Answer:
    """What may be dispensed on a day; all that was taken is on this day or before."""
    if on < line.authored:
        return Answer(Fraction(0), {None})
    first, rules = closing(line, taken)
    if on >= first:
        return Answer(Fraction(0), rules)
    return _open(line, taken, on)


def last(line: Plain, taken: Sequence[Taken], on: date) -> date | None:
    """The last day from `on` on which something may be: all of them are tried, from the end."""
    day = closing(line, taken)[0] - timedelta(days=1)
    while day >= on:
        if day >= line.authored and _open(line, taken, day).quantity != 0:
            return day
        day -= timedelta(days=1)
    return None


def closing(line: Plain, taken: Sequence[Taken]) -> tuple[date, set[str | None]]:
    """The first day of writing or after on which nothing may be, whatever is left, and what closes it."""
    day = line.authored
    while True:
        rules = set(_closed(line, taken, day))
        if rules:
            return day, rules
        day += timedelta(days=1)


def _open(line: Plain, taken: Sequence[Taken], on: date) -> Answer:
    if line.quantity is None:
        return Answer(None, {None})
    left = line.quantity * (1 + line.repeats) - sum(one.quantity for one in taken)
    bounds: list[tuple[Fraction, str | None]] = [(min(line.quantity, left), None)]
    if line.duration is not None:
        bounds.append((days_of(line, line.quantity, 92, line.duration), "supply-at-once"))
    narcotic = NARCOTIC & line.regulations and line.duration is not None
    bounds += (_narcotic if narcotic else _ordinary)(line, taken, on)
    never_negative = [(max(bound, Fraction(0)), rule) for bound, rule in bounds]
    least = min(bound for bound, _ in never_negative)
    return Answer(least, {rule for bound, rule in never_negative if bound == least})


def longest(line: Plain) -> tuple[int, set[str]] | None:
    found = {name: TREATMENT[name] for name in line.regulations if name in TREATMENT}
    if NARCOTIC & line.regulations:
        found["narcotic"] = 28
    if not found:
        return None
    shortest = min(found.values())
    named = {name if name not in ("narcotic",) else "narcotic-28" for name, days in found.items() if days == shortest}
    return shortest, named


def _closed(line: Plain, taken: Sequence[Taken], on: date) -> Iterator[str | None]:
    if on > line.until:
        yield None
    if on >= months_later(line.authored, 12):
        yield "twelve-months"
    if not taken and on >= months_later(line.authored, 3):
        yield "first-dispensing"
    treatment = longest(line)
    if NARCOTIC & line.regulations and line.duration is not None:
        if _fraction(line, taken, on) is None:
            yield "narcotic-presentation"
        return
    if treatment is not None and taken:
        days, names = treatment
        if on >= min(one.on for one in taken) + timedelta(days=days):
            yield from names
    if NARCOTIC & line.regulations and not taken and on > line.authored + timedelta(days=3):
        yield "narcotic-presentation"


def _ordinary(line: Plain, taken: Sequence[Taken], on: date) -> Iterator[tuple[Fraction, str]]:
    assert line.quantity is not None
    once = line.quantity
    if line.duration is not None:
        once = days_of(line, line.quantity, 92, line.duration)
        treatment = longest(line)
        if treatment is not None:
            times = 1 + line.repeats
            cap = days_of(line, line.quantity * times, treatment[0], line.duration * times)
            for name in treatment[1]:
                yield cap - sum(one.quantity for one in taken), name
    if not taken:
        return
    # One day at a time: how much the dispensing that has begun holds, and the first day without supply.
    held, supplied_before, opening, day = Fraction(0), line.authored, line.authored, line.authored
    latest: date | None = None
    while day <= on:
        for one in taken:
            if one.on == day:
                if latest is not None and latest < day and opening <= day:
                    held = Fraction(0)
                held += one.quantity
                lasts = one.days
                if lasts is None:
                    exact = Fraction(0) if line.duration is None else one.quantity * line.duration / line.quantity
                    lasts = int(exact) if exact == int(exact) else int(exact) + 1
                if supplied_before < day:
                    supplied_before = day
                supplied_before += timedelta(days=lasts)
                quarter = (lasts if line.duration is None else line.duration) // 4
                opening = supplied_before - timedelta(days=quarter if quarter < 7 else 7)
                latest = day
        day += timedelta(days=1)
    assert latest is not None
    if not (opening <= on and latest < on):
        yield once - held, "renewal"


@dataclass
class _Running:
    """A fraction on some day: how many days old it is, and how many are left, this day included."""

    number: int
    age: int
    left: int
    length: int
    allows: Fraction | None = None
    taken: Fraction = Fraction(0)


def _lengths(line: Plain) -> list[int]:
    assert line.duration is not None
    treatment = longest(line)
    assert treatment is not None
    budget, found = treatment[0], []
    for _ in range(1 + line.repeats):
        found.append(min(line.duration, budget))
        budget -= found[-1]
    return [one for one in found if one > 0]


def _fraction(line: Plain, taken: Sequence[Taken], on: date) -> _Running | None:
    """The fraction of a day; None: all have ended."""
    lengths = _lengths(line)
    now: _Running | None = _Running(0, 0, lengths[0], lengths[0])
    day = line.authored
    while True:
        while now is not None and now.left <= 0 and not (now.allows is None and now.age <= 3):
            number = now.number + 1
            if number == len(lengths):
                now = None
            else:
                now = _Running(number, -now.left, lengths[number] + now.left, lengths[number])
        if now is None:
            return None
        for one in taken:
            if one.on == day:
                if now.allows is None:
                    now.allows = _presented(line, now)
                    if now.age <= 3:
                        now.left = now.length
                now.taken += one.quantity
        if day == on:
            return now
        day += timedelta(days=1)
        now.age += 1
        now.left -= 1


def _presented(line: Plain, now: _Running) -> Fraction:
    assert line.duration is not None
    return days_of(line, line.quantity or Fraction(0), now.length if now.age <= 3 else now.left, line.duration)


def _narcotic(line: Plain, taken: Sequence[Taken], on: date) -> Iterator[tuple[Fraction, str]]:
    now = _fraction(line, taken, on)
    assert now is not None
    assert line.quantity is not None
    assert line.duration is not None
    treatment = longest(line)
    assert treatment is not None
    for name in treatment[1]:
        yield days_of(line, line.quantity, now.length, line.duration), name
    if now.allows is None:
        yield _presented(line, now), "narcotic-presentation"
        return
    following = now.number + 1 < len(_lengths(line))
    yield now.allows - now.taken, "narcotic-next" if following else "narcotic-presentation"
    yield days_of(line, line.quantity, now.left, line.duration), "narcotic-presentation"
