"""The days on which a version of a rule changes its mind about somebody, and whether its examples show them.

The rule: each bound that a file writes has an example on its day and one on the day before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from phr.prevention.dates import EVER, NEVER, NONE, Duration
from phr.prevention.form import Example
from phr.prevention.rule import Range, Version

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bound:
    """`told`: in words. `far`: for each day an example is about, how many days after the bound it is; 0 is on it."""

    told: str
    far: Callable[[Example], Iterator[int]]

    def on(self, days: int) -> Callable[[Example], bool]:
        """Whether an example is so many days after the bound."""
        return lambda example: days in self.far(example)


def bounds(version: Version) -> Iterator[Bound]:
    """Those of who (age, birth, season, weeks of pregnancy), of the windows and of the courses."""
    who, schedule = version.who, version.schedule
    yield from (_age(one) for one in (*_ends(who.age), *schedule.ages))
    for course in schedule.courses:
        yield from (_age(one, doses=True) for one in _ends(course.start))
        yield from [] if course.before is None else [_age(course.before, doses=True)]
    yield from (_birth(one) for one in (who.born_from, who.born_before) if one not in (EVER, NEVER))
    yield from () if who.season is None else map(_season, (who.season.start, who.season.before))
    yield from () if who.pregnancy is None else map(_week, _ends(who.pregnancy))


def told(lasts: Duration) -> str:
    """`1y6m`: as a file writes it."""
    years, months = divmod(lasts.months, 12)
    return "".join(f"{n}{unit}" for n, unit in ((years, "y"), (months, "m"), (lasts.days, "d")) if n) or "0d"


def _ends(range: Range) -> list[Duration]:
    return [one for one in (range.start, range.before) if one is not None and one != NONE]


def _age(lasts: Duration, *, doses: bool = False) -> Bound:
    """`doses`: what was done that day shows it too."""

    def far(example: Example) -> Iterator[int]:
        if example.born is not None:
            days = [example.on, *((event.on for event in example.events) if doses else ())]
            yield from ((day - lasts.after(example.born)).days for day in days)

    return Bound(told(lasts), far)


def _birth(bound: date) -> Bound:
    return Bound(f"birth {bound}", lambda example: iter([] if example.born is None else [(example.born - bound).days]))


def _season(bound: tuple[int, int]) -> Bound:
    def far(example: Example) -> Iterator[int]:
        yield from (days for days in (0, -1) if _day_of(example.on - days * DAY) == bound)

    return Bound(f"{bound[0]:02}-{bound[1]:02}", far)


def _week(lasts: Duration) -> Bound:
    def far(example: Example) -> Iterator[int]:
        if example.pregnancy is not None:
            yield (example.on - lasts.after(example.pregnancy)).days

    return Bound(f"week {lasts.days // 7} of pregnancy", far)


def _day_of(day: date) -> tuple[int, int]:
    return day.month, day.day
