"""A rule as the engine reads it: the shape of `rules/*.toml` once checked, durations read, names resolved.

The rule: a closed vocabulary, described in docs/prevention.md; `phr.prevention.rulebook` alone makes these.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from msgspec import Struct

from phr.prevention.dates import EVER, NEVER, NONE, Duration, longest, shortest
from phr.prevention.person import Sex

Theme = Literal["vaccination", "screening", "child-health", "check-up", "dental", "campaign"]
Requirement = Literal["mandatory", "recommended", "targeted", "proposed", "information"]
Todo = Literal["book", "ask-pharmacist", "order-kit", "ask-doctor", "ask-midwife", "ask-dentist", "read"]
Channel = Literal["inbox", "email", "push"]
Shape = Literal["once", "each", "every", "series"]
A_MONTH = Duration(months=1)


@dataclass(frozen=True, slots=True)
class Words:
    """The same thing said in French and in English."""

    fr: str
    en: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where it is said. `verified`: read at the issuing authority; else our source is secondary."""

    title: str
    link: str
    quote: str
    checked: date
    verified: bool


class Season(Struct, frozen=True):
    """[from, before) of every year, as (month, day); it may run over the new year."""

    start: tuple[int, int]
    before: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Range:
    """[start, before) counted from a day; before None: no end."""

    start: Duration = NONE
    before: Duration | None = None


ALWAYS = Range()
"""From birth, without end."""


@dataclass(frozen=True, slots=True)
class After:
    """An exclusion: for so long after an event of one of these sets."""

    sets: frozenset[str]
    within: Duration | None


@dataclass(frozen=True, slots=True)
class Who:
    """Whom it is for. `pregnancy`: weeks counted from the first day of the last period; `facts`: all those it
    reads; `cohort`: whether it looks at the birth date.
    """

    sex: Sex | None = None
    age: Range = ALWAYS
    born_from: date = EVER
    born_before: date = NEVER
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    unless: tuple[After, ...] = ()
    season: Season | None = None
    pregnancy: Range | None = None
    facts: frozenset[str] = field(init=False)
    cohort: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cohort", (self.born_from, self.born_before) != (EVER, NEVER))
        object.__setattr__(self, "facts", frozenset((*self.all, *self.any, *self.none)))


@dataclass(frozen=True, slots=True)
class Hold:
    """What satisfies it, and for how long it holds."""

    sets: frozenset[str]
    lasts: Duration


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of a course. `age`, `after`: recommended; `min_age`, `min_after`: earlier, it does not count."""

    age: Duration | None = None
    after: Duration | None = None
    min_age: Duration = NONE
    min_after: Duration = NONE
    late: Duration | None = None
    label: Words | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A way to give a series, by the age at its first dose, and the product; `before`: the age at which it stops."""

    doses: tuple[Dose, ...]
    start: Range
    sets: frozenset[str]
    before: Duration | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When, and what satisfies it. Which fields matter depends on the shape; docs/prevention.md.

    `begun`: the ages of which the latest is the last at which a series is begun; None when it may be at any.
    """

    shape: Shape
    sets: frozenset[str] = frozenset()
    early: Duration | None = NONE
    ages: tuple[Duration, ...] = ()
    each: Literal["age", "year", "season", "pregnancy"] | None = None
    holds: tuple[Hold, ...] = ()
    courses: tuple[Course, ...] = ()
    soon: Duration = A_MONTH
    late: Duration | None = None
    declared: bool = True
    begun: tuple[Duration, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        ends = [one.start.before for one in self.courses if one.start.before is not None]
        last = [one for one in ends if not any(one.within(other) for other in ends)]
        object.__setattr__(self, "begun", None if len(ends) < len(self.courses) else tuple(dict.fromkeys(last)))


@dataclass(frozen=True, slots=True)
class Version:
    """What a rule says from a date on.

    `satisfying`: every set that may satisfy it. `named`: every set it reads. For who did nothing of it, `first`: the
    age at which it is due first, and `over`: from which its time is past; each with its dose, and None when that is
    not one age for everybody.
    """

    in_force: date
    requirement: Requirement
    who: Who
    schedule: Schedule
    say: Words
    todo: Todo
    channels: tuple[Channel, ...]
    remind: Duration | None
    source: Source
    satisfying: frozenset[str] = field(init=False)
    named: frozenset[str] = field(init=False)
    first: tuple[Duration, int | None] | None = field(init=False)
    over: tuple[Duration, int | None] | None = field(init=False)

    def __post_init__(self) -> None:
        schedule = self.schedule
        groups = (schedule.sets, *(one.sets for one in schedule.holds), *(one.sets for one in schedule.courses))
        satisfying = frozenset().union(*groups)
        object.__setattr__(self, "satisfying", satisfying)
        object.__setattr__(self, "named", satisfying.union(*(one.sets for one in self.who.unless)))
        object.__setattr__(self, "first", _first(self.who.age, schedule))
        object.__setattr__(self, "over", _over(self.who.age, schedule))


def _first(age: Range, schedule: Schedule) -> tuple[Duration, int | None] | None:
    if schedule.shape in ("once", "every"):
        return (age.start, None) if age.before is None or age.start.within(age.before) else None
    if schedule.shape != "series" or len(schedule.courses) > 1:
        return None
    (course,) = schedule.courses
    dose = course.doses[0]
    due = longest([age.start, course.start.start, dose.min_age, dose.age or NONE])
    ends = [one for one in (age.before, course.before, course.start.before) if one is not None]
    return (due, 1) if due is not None and all(due.within(one) for one in ends) else None


def _over(age: Range, schedule: Schedule) -> tuple[Duration, int | None] | None:
    if schedule.shape == "once" and age.before is not None and age.start.within(age.before):
        return age.before, None
    if schedule.shape != "series":
        return None
    if schedule.begun is not None:
        return (schedule.begun[0], None) if len(schedule.begun) == 1 else None
    open_ended = next(one for one in schedule.courses if one.start.before is None)
    ends = [one for one in (age.before, open_ended.before) if one is not None]
    end = shortest(ends)
    begins = [age.start, open_ended.start.start, *(one.start.before for one in schedule.courses if one.start.before)]
    return (end, 1) if end is not None and all(one.within(end) for one in begins) else None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One recommendation. `versions`: newest first. `journey`: the path of the official service it belongs to."""

    id: str
    title: Words
    theme: Theme
    versions: tuple[Version, ...]
    journey: str | None = None

    def at(self, on: date) -> Version | None:
        """The newest version in force that day; None before the first."""
        return next((one for one in self.versions if one.in_force <= on), None)


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A rule set, in the order of its ids. `version`: its date and a mark of its content."""

    version: str
    all: tuple[Rule, ...]

    def get(self, id: str) -> Rule | None:
        """The rule of this id."""
        return next((one for one in self.all if one.id == id), None)
