"""What is done once, at each age, year, season or pregnancy, or again and again: the windows in which it is done."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.dates import EVER, NEVER, add
from phr.prevention.person import Event, Pregnancy
from phr.prevention.place import Case, ask, calling, done, not_yet, past
from phr.prevention.rule import Range, Season, Version
from phr.prevention.who import PREGNANT, ages, fact, term

Window = tuple[date, date]
"""[from, until)"""


def place(case: Case) -> Advice:
    """Shape `each`."""
    version, on, whole = case.version, case.on, ages(case.version.who, case.born)
    if version.schedule.each == "pregnancy":
        return _in_pregnancy(case, whole)
    before, here, after, later = around(version, case.born, whole, on)
    if here is not None:
        case.marks.append(here[1])
    if after is not None:
        case.marks.append(after[0])
    done_here = _counted(case, here)
    done_after = _counted(case, after)
    if here is not None and done_here is None:
        return _called(case, here)
    if after is not None:
        if done_after is not None:
            following = later[0] if later else None
            return done(case, done_after, following)
        soon = calling(case, *after)
        if soon is not None:
            return soon
    following = None if after is None else after[0]
    last = done_here or _counted(case, before)
    if last is not None:
        return done(case, last, following)
    if following is not None:
        return not_yet(case, following)
    if before is not None:
        return past(case, before[1])
    start, end = whole
    return past(case, start if end == NEVER or end <= start else end)


def place_once(case: Case) -> Advice:
    """Shape `once`."""
    start, end = ages(case.version.who, case.born)
    if end <= start:
        return past(case, start)
    if case.events and (event := _counted(case, (start, end))) is not None:
        return done(case, event, None)
    if case.on >= end:
        return past(case, end)
    return calling(case, start, end) or not_yet(case, start)


def _called(case: Case, window: Window) -> Advice:
    found = calling(case, *window)
    assert found is not None  # noqa: S101  the window began
    return found


def _counted(case: Case, window: Window | None) -> Event | None:
    """The last event on or before the day that counts for a window."""
    if window is None or not case.events:
        return None
    sets, on, start = case.version.schedule.sets, case.on, counts_from(case.version, window)
    last = None
    for event in case.events:
        if start <= event.on < window[1] and not sets.isdisjoint(event.sets):
            case.marks.append(event.on)
            if event.on <= on:
                last = event
    return last


def counts_from(version: Version, window: Window) -> date:
    """The first day on which what is done counts for a window."""
    early = version.schedule.early
    return EVER if early is None else early.before(window[0])


def around(version: Version, born: date, whole: Window, on: date) -> tuple[Window | None, ...]:
    """Of shape `each`: the last window before a day, the one it is in, the next, and the one after."""
    schedule, (first, last) = version.schedule, whole
    if schedule.each == "age":
        starts = [one.after(born) for one in schedule.ages]
        listed: Iterable[Window] = zip(starts, [*starts[1:], last], strict=True)
    else:
        near = max(first, min(on, last))
        listed = _years(born, near) if schedule.each == "year" else _seasons(version.who.season, near)
    before = here = after = None
    for start, end in listed:
        if end <= first or start >= last:
            continue
        window = start if start > first else first, end if end < last else last
        if window[0] >= window[1]:
            continue
        if window[1] <= on:
            before = window
        elif window[0] <= on:
            here = window
        elif after is None:
            after = window
        else:
            return before, here, after, window
    return before, here, after, None


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


def _in_pregnancy(case: Case, whole: Window) -> Advice:
    version, on, weeks = case.version, case.on, case.version.who.pregnancy or Range()
    current: Pregnancy | None = None
    for one in case.person.pregnancies:
        case.marks.extend((one.start, term(one)))
        if one.start <= on < term(one) and (current is None or current.start <= one.start):
            current = one
    if current is None:
        return _not_in_pregnancy(case, whole)
    over = term(current)
    start = max(weeks.start.after(current.start), whole[0])
    end = min(over if weeks.before is None else weeks.before.after(current.start), over, whole[1])
    if version.who.season is not None:
        cut = ((max(start, one[0]), min(end, one[1])) for one in _seasons(version.who.season, start))
        start, end = next((one for one in cut if one[0] < one[1]), (end, end))
    if start >= end:
        why = (Clause("not-this-time", (over,)),)
        return Advice(case.rule, version, Status.NOT_CONCERNED, why, until=over)
    event = _counted(case, (start, end))
    if event is not None:
        return done(case, event, None)
    if on >= end:
        return past(case, end)
    return calling(case, start, end) or not_yet(case, start)


def _not_in_pregnancy(case: Case, whole: Window) -> Advice:
    on, marks = case.on, case.marks
    marks += whole
    if on < whole[0]:
        return not_yet(case, whole[0])
    if on >= whole[1]:
        return past(case, whole[1])
    known = fact(case.person, PREGNANT, on, marks)
    if known is False:
        return Advice(case.rule, case.version, Status.NOT_CONCERNED, (Clause("not-pregnant"),))
    return ask(case.rule, case.version, "pregnancy-start" if known else PREGNANT)


def place_again(case: Case) -> Advice:
    """Shape `every`: due again when what was done no longer holds."""
    schedule, on, (start, end) = case.version.schedule, case.on, ages(case.version.who, case.born)
    case.marks.extend((start, end))
    held, last = EVER, None
    for event in case.events:
        for hold in schedule.holds:
            if hold.sets.isdisjoint(event.sets):
                continue
            case.marks.extend((event.on, until := hold.lasts.after(event.on)))
            if event.on <= on and until >= held:
                held, last = until, event
    due = max(start, held)
    if on >= end and (last is None or held <= on):
        return past(case, end)
    if last is not None and due >= end:
        return done(case, last, None)
    found = calling(case, due, end)
    if found is not None:
        return found
    return done(case, last, due) if last is not None and due > start else not_yet(case, due)
