"""The picture of a life: what was done, what is due and what comes, by age, one lane for each theme.

The rule: it shows what the lists say and nothing else; the same moments are given as a list, for who reads rather than
looks. Units are those of the picture's viewBox.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from math import sqrt
from typing import Literal

from phr.web.prevention_plan import THEMES, Plan, named_day
from phr.web.words import TEXTS

WIDTH = 360.0
_EDGE, _TOP, _LABEL, _ROW, _APART, _GAP = 14.0, 24.0, 24.0, 13.0, 12.0, 10.0
_YEAR = 365.2425
_GROWN, _CENTURY = 18.0, 100.0
_CHILD = (0, 0.5, 2, 4, 6, 8, 11, 14, 18)
_ADULT = (0, 20, 40, 60, 80, 100)

State = Literal["done", "due", "coming"]
STATES: tuple[State, ...] = ("done", "due", "coming")


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened, is due, or comes on a day, of one theme. `when`: the day, `age`: how old, in words."""

    on: date
    theme: str
    state: State
    titles: tuple[str, ...]
    when: str
    age: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A moment, drawn."""

    x: float
    y: float
    moment: Moment


@dataclass(frozen=True, slots=True)
class Lane:
    """One theme: where its name stands, and its dots."""

    theme: str
    y: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """The whole picture. `now`: where today is; `ticks`: the ages written below, and where."""

    height: float
    now: float
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    moments: tuple[Moment, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many things are in each state."""
        return {state: sum(len(one.titles) for one in self.moments if one.state == state) for state in STATES}


def life_of(plan: Plan, born: date | None, language: str) -> Life | None:
    """The picture of a plan, up to eighteen for a child; None without a birth date, or with nothing to draw."""
    if born is None:
        return None
    age = _age(born, plan.day)
    grown = age >= _GROWN
    end = max(_CENTURY, age + 5) if grown else _GROWN
    moments = [one for one in _moments(plan, born, language) if _age(born, one.on) < end]
    if not moments:
        return None
    lanes, y = [], _TOP
    for theme in THEMES:
        mine = [one for one in moments if one.theme == theme]
        if mine:
            dots, rows = _swarm([(_place(_age(born, one.on), end, grown), one) for one in mine], y + _LABEL)
            lanes.append(Lane(theme, y + _GAP, dots))
            y += _LABEL + rows * _ROW + _GAP
    ticks = tuple((_place(tick, end, grown), _tick(tick, language)) for tick in (_ADULT if grown else _CHILD))
    return Life(y + 2 * _GAP, _place(age, end, grown), tuple(lanes), ticks, tuple(moments))


def age_words(born: date, on: date, language: str) -> str:
    """How old somebody is: « à 2 mois », « à 52 ans »."""
    texts = TEXTS[language]
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    if months < 1:
        days = max((on - born).days, 0)
        return texts["prevention_at_birth"] if not days else texts["prevention_at_days"].format(n=days)
    if months < 24:
        return texts["prevention_at_months"].format(n=months)
    return texts["prevention_at_years"].format(n=months // 12)


def _moments(plan: Plan, born: date, language: str) -> list[Moment]:
    """In the order of their dates. What is due is due now, whenever it began to be."""
    found: set[tuple[date, State, str, str]] = set()
    for one in plan.all:
        found |= {(done.on, "done", one.theme, one.title) for done in one.done if done.on >= born}
        if one.status in ("due", "overdue"):
            found.add((plan.day, "due", one.theme, one.title))
        elif one.coming is not None and one.coming > plan.day:
            found.add((one.coming, "coming", one.theme, one.title))
    return [
        Moment(
            on,
            theme,
            state,
            tuple(title for *_, title in alike),
            "" if state == "due" else named_day(on, language),
            "" if state == "due" else age_words(born, on, language),
        )
        for (on, state, theme, _), alike in groupby(sorted(found), key=_alike)
    ]


def _alike(one: tuple[date, State, str, str]) -> tuple[date, State, str, str]:
    """What makes one moment: a day, a state and a theme; what is due is shown each by itself."""
    on, state, theme, title = one
    return on, state, theme, title if state == "due" else ""


def _swarm(placed: Iterable[tuple[float, Moment]], top: float) -> tuple[tuple[Dot, ...], int]:
    """Dots that do not cover one another: each on the first row where there is room; and how many rows."""
    ends: list[float] = []
    dots = []
    for x, moment in sorted(placed, key=lambda one: (one[0], one[1].state)):
        row = next((n for n, last in enumerate(ends) if last + _APART <= x), len(ends))
        ends[row : row + 1] = [x]
        dots.append(Dot(round(x, 1), top + row * _ROW, moment))
    return tuple(dots), len(ends)


def _place(age: float, end: float, grown: bool) -> float:
    """Where an age is. A child's first months take more room than the years after: the root of the age."""
    share = min(max(age / end, 0.0), 1.0)
    return round(_EDGE + (share if grown else sqrt(share)) * (WIDTH - 2 * _EDGE), 1)


def _age(born: date, on: date) -> float:
    return (on - born).days / _YEAR


def _tick(age: float, language: str) -> str:
    texts = TEXTS[language]
    if not age:
        return texts["prevention_tick_birth"]
    return texts["prevention_tick_months"].format(n=round(age * 12)) if age < 1 else str(round(age))
