"""A month of an agenda, as a grid of its weeks: what each day has, drawn and said.

The rule: the grid and the list beside it say the same; nobody has to read the one to know the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from phr.agenda.wall import instant_of, wall_of
from phr.web.agenda_reading import Agenda, Alarm, Visit
from phr.web.agenda_words import clock
from phr.web.words import TEXTS

_MOST = 100
"""Occurrences of one reminder that a month may show."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something of a day: an appointment or a reminder (`kind`), its hour in words, and where it is changed."""

    kind: str
    at: datetime
    hour: str
    title: str
    mark: str
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the grid. `here`: it is of this month."""

    day: date
    here: bool
    today: bool
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Month:
    """A month: its weeks, from Monday on, what it is called, and the months beside it (2026-12)."""

    name: str
    weeks: Sequence[Sequence[Day]]
    before: str
    after: str

    @property
    def days(self) -> list[Day]:
        """Its days that have something."""
        return [day for week in self.weeks for day in week if day.here and day.items]


def first_of(text: str, today: date) -> date:
    """The first day of the month an address asks (2026-12), or of this one."""
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return found if 2000 <= found.year < 2100 else today.replace(day=1)


def month_of(agenda: Agenda, first: date, today: date, language: str) -> Month:
    """The grid of a month."""
    after = (first + timedelta(days=32)).replace(day=1)
    start = first - timedelta(days=first.weekday())
    items: dict[date, list[Item]] = {}
    for one in (*(_visit(visit, language) for visit in agenda.visits), *_alarms(agenda, start, after, language)):
        items.setdefault(one.at.date(), []).append(one)
    weeks = []
    while start < after:
        days = [start + timedelta(days=n) for n in range(7)]
        weeks.append([_day(day, first, today, items) for day in days])
        start += timedelta(days=7)
    name = f"{TEXTS[language][f'agenda_month_{first.month}']} {first.year}"
    return Month(name, weeks, f"{first - timedelta(days=1):%Y-%m}", f"{after:%Y-%m}")


def _day(day: date, first: date, today: date, items: dict[date, list[Item]]) -> Day:
    here = (day.year, day.month) == (first.year, first.month)
    found = sorted(items.get(day, ()), key=lambda one: one.at) if here else []
    return Day(day, here, day == today, found)


def _visit(one: Visit, language: str) -> Item:
    title = one.title or TEXTS[language]["agenda_visit"]
    return Item("visit", one.start, clock(one.start, language), title, one.mark, one.cancelled)


def _alarms(agenda: Agenda, start: date, until: date, language: str) -> list[Item]:
    """Each time of each reminder that runs: what is past of it is not known to have been told."""
    since, end = (instant_of(datetime(one.year, one.month, one.day)) for one in (start, until))  # noqa: DTZ001
    return [_item(one, at, language) for one in agenda.alarms for at in _times(one, since, end)]


def _times(one: Alarm, since: datetime, end: datetime) -> list[datetime]:
    if one.due is None:
        return []
    times = one.said.times_with(one.about)
    found = set() if times is None else set(times.within(max(since, one.due), end)[:_MOST])
    return sorted(found | ({one.due} if since <= one.due < end else set()))


def _item(one: Alarm, at: datetime, language: str) -> Item:
    there = wall_of(at)
    return Item("alarm", there, clock(there, language), one.said.title, one.mark)
