"""The days on which a rule's answer may change for somebody: computed from each word of its file that says a date.

The rule: more days than needed, never fewer; which of them are real is for the tests to say.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from phr.prevention.dates import EVER, NEVER, NONE, Duration
from phr.prevention.person import Answer, Event, Person
from phr.prevention.rule import Range, Rule, Version
from tests.prevention import naive

YEARS_OF_WINDOWS = 4
"""Of each year of age and of each season, how many are looked at on either side of a day."""


def ages(version: Version) -> list[Duration]:
    """The bounds of who's age."""
    return ends(version.who.age)


def ends(range: Range) -> list[Duration]:
    """The ends of a range that are said."""
    return [one for one in (range.start, range.before) if one is not None and one != NONE]


def edges(rule: Rule, person: Person, on: date) -> list[date]:
    """Every boundary of this rule for this person, in order; of those that come back yearly, the ones about `on`."""
    found = {version.in_force for version in rule.versions}
    for version in rule.versions:
        for day in (*of_ages(version, person, on), *of_events(version, person), *of_pregnancies(version, person)):
            found.update(with_soon_and_late(version, day))
    found.update(of_what_is_known(rule, person))
    return sorted(day for day in found if EVER < day < NEVER)


def with_soon_and_late(version: Version, due: date) -> Iterator[date]:
    """The day itself, when it is soon to come, and when it is overdue."""
    schedule = version.schedule
    yield due
    yield naive.before(due, schedule.soon)
    lates = [schedule.late, *(dose.late for course in schedule.courses for dose in course.doses)]
    yield from (naive.after(due, late) for late in lates if late is not None)


def of_ages(version: Version, person: Person, on: date) -> Iterator[date]:
    """What comes at an age, and with the seasons."""
    if person.born is None:
        return
    schedule, season = version.schedule, version.who.season
    lengths = [NONE, *ages(version), *schedule.ages]
    for course in schedule.courses:
        lengths += [*ends(course.start), *([course.before] if course.before else [])]
        lengths += [length for dose in course.doses for length in (dose.age, dose.min_age) if length is not None]
    yield from (naive.after(person.born, length) for length in lengths)
    about = range(on.year - YEARS_OF_WINDOWS, on.year + YEARS_OF_WINDOWS)
    if schedule.each == "year":
        yield from (naive.moved(person.born, 12 * (year - person.born.year), 0) for year in about)
    if season is not None:
        yield from (date(year, *edge) for year in about for edge in (season.start, season.before))


def of_events(version: Version, person: Person) -> Iterator[date]:
    """The day of each event, and until when it holds, excludes, counts, or keeps the next dose waiting."""
    schedule = version.schedule
    lengths = [NONE, *(one.within for one in version.who.unless), *(one.lasts for one in schedule.holds)]
    lengths += [schedule.early]
    for course in schedule.courses:
        lengths += [length for dose in course.doses for length in (dose.after, dose.min_after)]
    for event in person.events:
        yield from (naive.after(event.on, length) for length in lengths if length is not None)


def of_pregnancies(version: Version, person: Person) -> Iterator[date]:
    """The beginning and the end of each, and its weeks."""
    weeks = [] if version.who.pregnancy is None else ends(version.who.pregnancy)
    for one in person.pregnancies:
        yield from (one.start, naive.lasts_until(one))
        yield from (naive.after(one.start, length) for length in weeks)


def of_what_is_known(rule: Rule, person: Person) -> Iterator[date]:
    """From when, and until when, answers and statements stand."""
    for answers in person.answers.values():
        yield from (edge for one in answers for edge in (one.since, one.until))
    for said in person.statements:
        if said.rule == rule.id:
            yield from (said.on, *([said.until] if said.until else []))


def about(days: list[date]) -> list[date]:
    """Each of these days, the day before and the day after."""
    return sorted({day + timedelta(days=n) for day in days for n in (-1, 0, 1)})


# --- Somebody a rule is for: all of `who` holds but perhaps the age.


def suits(rule: Rule, version: Version, person: Person) -> Person:
    """This person, made to be of whom this version is for, but for their birth: sex and facts; nothing was said."""
    who = version.who
    answers = {fact: (Answer(True),) for fact in (*who.all, *who.any)} | {fact: (Answer(False),) for fact in who.none}
    unless = frozenset[str]().union(*(one.sets for one in who.unless))
    given = tuple(one for one in person.events if not one.sets & unless)
    said = tuple(one for one in person.statements if one.rule != rule.id)
    return replace(person, sex=who.sex or person.sex, answers=answers, events=given, statements=said)


def last_day(rule: Rule, version: Version) -> date:
    """The last day on which this version is in force."""
    later = [one.in_force for one in rule.versions if one.in_force > version.in_force]
    return min(later) - timedelta(days=1) if later else NEVER


def moments(version: Version, person: Person) -> Iterator[Event]:
    """Events on the earliest days that count, and the days before: the edges that are not days of the answer."""
    if person.born is None:
        return
    schedule = version.schedule
    plain = schedule.shape in ("once", "each") and schedule.each != "pregnancy"
    windows = naive.windows_of(version, person.born) if plain else []
    for one in windows:
        if schedule.early is not None and schedule.sets:
            yield from _around(naive.before(one.start, schedule.early), schedule.sets)
        if one.end != NEVER:
            yield from _around(one.end, schedule.sets)
    for course in schedule.courses:
        lengths = [*ends(course.start), *(dose.min_age for dose in course.doses)]
        for length in lengths:
            yield from _around(naive.after(person.born, length), course.sets & schedule.sets or course.sets)
        for event in person.events:
            for dose in course.doses:
                yield from _around(naive.after(event.on, dose.min_after), course.sets & schedule.sets or course.sets)


def _around(day: date, sets: frozenset[str]) -> Iterator[Event]:
    return (Event(day + timedelta(days=n), sets) for n in (-1, 0, 1))
