"""What is done once, at each age, year, season or pregnancy, or again and again: the windows in which it is done."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from phr.prevention.advice import Clause, Status
from phr.prevention.dates import EVER, NEVER, add
from phr.prevention.person import Event, Person, Pregnancy
from phr.prevention.place import Place, ask, calling, done, not_yet, past
from phr.prevention.rule import Range, Schedule, Season, Version
from phr.prevention.who import PREGNANT, Marks, ages, fact, term

Window = tuple[date, date]
"""[from, until)"""


def place(version: Version, person: Person, born: date, on: date, events: tuple[Event, ...], marks: Marks) -> Place:
    """Shape `each`."""
    schedule, whole = version.schedule, ages(version.who, born)
    if schedule.each == "pregnancy":
        return _in_pregnancy(version, person, whole, on, events, marks)
    before = here = after = later = None
    for window in windows(version, born, whole, on):
        if window[1] <= on:
            before = window
        elif window[0] <= on:
            here = window
            marks.append(window[1])
        elif after is None:
            after = window
            marks.append(window[0])
        else:
            later = window
            break
    done_here = _counted(here, schedule, events, on, marks)
    done_after = _counted(after, schedule, events, on, marks)
    if here is not None and done_here is None:
        return _called(here, on, schedule, marks)
    if after is not None:
        if done_after is not None:
            following = later[0] if later else None
            return done(done_after, following, schedule, marks)
        soon = calling(*after, on, schedule, marks)
        if soon is not None:
            return soon
    following = None if after is None else after[0]
    last = done_here or _counted(before, schedule, events, on, marks)
    if last is not None:
        return done(last, following, schedule, marks)
    if following is not None:
        return not_yet(following, schedule, marks)
    if before is not None:
        return past(before[1])
    start, end = whole
    return past(start if end == NEVER or end <= start else end)


def place_once(
    version: Version, person: Person, born: date, on: date, events: tuple[Event, ...], marks: Marks
) -> Place:
    """Shape `once`."""
    schedule, (start, end) = version.schedule, ages(version.who, born)
    if end <= start:
        return past(start)
    event = _counted((start, end), schedule, events, on, marks) if events else None
    if event is not None:
        return done(event, None, schedule, marks)
    if on >= end:
        return past(end)
    return calling(start, end, on, schedule, marks) or not_yet(start, schedule, marks)


def _called(window: Window, on: date, schedule: Schedule, marks: Marks) -> Place:
    found = calling(*window, on, schedule, marks)
    assert found is not None  # noqa: S101  the window began
    return found


def _counted(
    window: Window | None, schedule: Schedule, events: tuple[Event, ...], on: date, marks: Marks
) -> Event | None:
    """The last event on or before a day that counts for a window."""
    if window is None or not events:
        return None
    start = EVER if schedule.early is None else schedule.early.before(window[0])
    last = None
    for event in events:
        if start <= event.on < window[1] and not schedule.sets.isdisjoint(event.sets):
            marks.append(event.on)
            if event.on <= on:
                last = event
    return last


def windows(version: Version, born: date, whole: Window, on: date) -> Iterator[Window]:
    """Those of shape `each` that matter on a day, in order: for what comes back every year, two years around it."""
    schedule = version.schedule
    if schedule.each == "age":
        starts = [one.after(born) for one in schedule.ages]
        listed: Iterable[Window] = zip(starts, [*starts[1:], whole[1]], strict=True)
    else:
        near = max(whole[0], min(on, whole[1]))
        listed = _years(born, near) if schedule.each == "year" else _seasons(version.who.season, near)
    for start, end in listed:
        if end <= whole[0]:
            continue
        cut = start if start > whole[0] else whole[0], end if end < whole[1] else whole[1]
        if cut[0] < cut[1]:
            yield cut


def _years(born: date, near: date) -> Iterator[Window]:
    age = near.year - born.year
    for n in range(max(age - 2, 0), age + 3):
        yield add(born, 12 * n), add(born, 12 * (n + 1))


def _seasons(season: Season | None, near: date) -> Sequence[Window]:
    return () if season is None else _seasons_about(season, near.year)


@lru_cache(maxsize=4096)
def _seasons_about(season: Season, year: int) -> Sequence[Window]:
    wraps = season.before <= season.start
    near = range(max(year - 2, 1), min(year + 3, 9998))
    return tuple((date(year, *season.start), date(year + wraps, *season.before)) for year in near)


def _in_pregnancy(
    version: Version, person: Person, whole: Window, on: date, events: tuple[Event, ...], marks: Marks
) -> Place:
    schedule, weeks = version.schedule, version.who.pregnancy or Range()
    current: Pregnancy | None = None
    for one in person.pregnancies:
        marks += (one.start, term(one))
        if one.start <= on < term(one) and (current is None or current.start <= one.start):
            current = one
    if current is None:
        return _not_in_pregnancy(person, whole, on, schedule, marks)
    over = term(current)
    start = max(weeks.start.after(current.start), whole[0])
    end = min(over if weeks.before is None else weeks.before.after(current.start), over, whole[1])
    if version.who.season is not None:
        cut = ((max(start, one[0]), min(end, one[1])) for one in _seasons(version.who.season, start))
        start, end = next((one for one in cut if one[0] < one[1]), (end, end))
    if start >= end:
        return Place(Status.NOT_CONCERNED, (Clause("not-this-time", (over,)),), until=over)
    event = _counted((start, end), schedule, events, on, marks)
    if event is not None:
        return done(event, None, schedule, marks)
    if on >= end:
        return past(end)
    return calling(start, end, on, schedule, marks) or not_yet(start, schedule, marks)


def _not_in_pregnancy(person: Person, whole: Window, on: date, schedule: Schedule, marks: Marks) -> Place:
    marks += whole
    if on < whole[0]:
        return not_yet(whole[0], schedule, marks)
    if on >= whole[1]:
        return past(whole[1])
    known = fact(person, PREGNANT, on, marks)
    if known is False:
        return Place(Status.NOT_CONCERNED, (Clause("not-pregnant"),))
    return ask("pregnancy-start" if known else PREGNANT)


def place_again(
    version: Version, person: Person, born: date, on: date, events: tuple[Event, ...], marks: Marks
) -> Place:
    """Shape `every`: due again when what was done no longer holds."""
    schedule, (start, end) = version.schedule, ages(version.who, born)
    marks += (start, end)
    held, last = EVER, None
    for event in events:
        for hold in schedule.holds:
            if hold.sets.isdisjoint(event.sets):
                continue
            marks += (event.on, until := hold.lasts.after(event.on))
            if event.on <= on and until >= held:
                held, last = until, event
    due = max(start, held)
    if on >= end and (last is None or held <= on):
        return past(end)
    if last is not None and due >= end:
        return done(last, None, schedule, marks)
    found = calling(due, end, on, schedule, marks)
    if found is not None:
        return found
    return done(last, due, schedule, marks) if last is not None and due > start else not_yet(due, schedule, marks)
