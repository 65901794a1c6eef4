"""Random people, and random rules: near the boundaries, where an engine is wrong when it is.

The rule: all of it comes from one `random.Random`, so that a seed is a case; Hypothesis plays the same generator.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Literal, get_args

from hypothesis import strategies as st

from phr.prevention.dates import EVER, NEVER, NONE, Duration
from phr.prevention.person import Answer, Event, Person, Pregnancy, Said, Sex, Statement
from phr.prevention.rule import (
    After,
    Course,
    Dose,
    Hold,
    Range,
    Rule,
    Rules,
    Schedule,
    Season,
    Shape,
    Source,
    Version,
    Who,
    Words,
)
from tests.prevention import naive

Each = Literal["age", "year", "season", "pregnancy"]
SETS = ("ash", "beech", "cedar", "oak")
FACTS = ("pregnant", "smoker", "frail", "abroad")
DAY = timedelta(days=1)
YEARS = range(1940, 2027)
SEXES: tuple[Sex | None, ...] = ("female", "female", "male", "male", None)
AWKWARD = (
    date(2012, 2, 29),
    date(2016, 2, 29),
    date(2011, 2, 28),
    date(2013, 3, 1),
    date(2015, 1, 31),
    date(2014, 8, 31),
    date(2010, 12, 31),
    date(1960, 2, 29),
    date(1976, 1, 30),
)


# --- What a rule speaks of.


def sets_of(rules: Sequence[Rule]) -> list[str]:
    """Every value set that these rules name, in order."""
    found: set[str] = set()
    for _, version in _versions(rules):
        schedule = version.schedule
        found.update(schedule.sets, *(hold.sets for hold in schedule.holds), *(one.sets for one in schedule.courses))
        found.update(*(one.sets for one in version.who.unless))
    return sorted(found)


def facts_of(rules: Sequence[Rule]) -> list[str]:
    """Every fact that these rules name, and `pregnant`."""
    found = {"pregnant"}
    for _, version in _versions(rules):
        found.update(version.who.all, version.who.any, version.who.none)
    return sorted(found)


def durations_of(rule: Rule) -> list[Duration]:
    """Every length of time that this rule speaks of, once."""
    found: list[Duration | None] = []
    for _, version in _versions([rule]):
        who, schedule = version.who, version.schedule
        found += [*_ends(who.age), *(one.within for one in who.unless)]
        found += [] if who.pregnancy is None else _ends(who.pregnancy)
        found += [schedule.early, schedule.soon, schedule.late, *schedule.ages, *(one.lasts for one in schedule.holds)]
        for course in schedule.courses:
            found += [*_ends(course.start), course.before]
            for dose in course.doses:
                found += [dose.age, dose.after, dose.min_age, dose.min_after, dose.late]
    return list(dict.fromkeys(one for one in found if one is not None and one != NONE))


def _ends(range: Range) -> list[Duration | None]:
    return [range.start, range.before]


def _versions(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Version]]:
    return ((rule, version) for rule in rules for version in rule.versions)


# --- People.


def person(random: Random, rules: Sequence[Rule], on: date) -> Person:
    """Somebody whom these rules have something to say to, about that day."""
    lengths = [length for rule in rules for length in durations_of(rule)] or [NONE]
    born = _born(random, rules, lengths, on)
    given = _events(random, sets_of(rules), lengths, born, on)
    return Person(
        None if random.random() < 0.03 else born,
        random.choice(SEXES),
        tuple(given),
        {fact: _answers(random, on) for fact in facts_of(rules) if random.random() < 0.7},
        tuple(_pregnancies(random, rules, on)),
        tuple(_statements(random, rules, given, on)),
    )


def _born(random: Random, rules: Sequence[Rule], lengths: Sequence[Duration], on: date) -> date:
    chance = random.random()
    edges = [edge for _, one in _versions(rules) for edge in (one.who.born_from, one.who.born_before)]
    edges = [edge for edge in edges if edge not in (EVER, NEVER)]
    if chance < 0.1:
        return random.choice(AWKWARD)
    if chance < 0.2 and edges:
        return _about(random, random.choice(edges))
    if chance < 0.8:  # of an age that the rules speak of, now or lately
        return _about(random, naive.before(on, random.choice(lengths)) - timedelta(days=random.choice((0, 0, 40, 400))))
    return date(random.choice(YEARS), 1, 1) + timedelta(days=random.randrange(366))


def _events(random: Random, sets: Sequence[str], lengths: Sequence[Duration], born: date, on: date) -> list[Event]:
    found: list[Event] = []
    for _ in range(random.choice((0, 0, 1, 1, 2, 2, 3, 4, 5, 8, 12)) if sets else 0):
        chance = random.random()
        length = random.choice(lengths)
        if chance < 0.3:
            day = naive.after(born, length)
        elif chance < 0.4:  # what lasts from then ends at an age
            day = naive.before(naive.after(born, length), random.choice(lengths))
        elif chance < 0.7 and found:
            day = naive.after(found[-1].on, length)
        elif chance < 0.9:
            day = naive.before(on, length)
        else:
            day = on - timedelta(days=random.randrange(4000))
        named = frozenset(random.sample(sets, min(len(sets), random.choice((1, 1, 2, 3)))))
        found.append(Event(_about(random, day), named, random.random() < 0.3))
        if random.random() < 0.05:
            found.append(Event(found[-1].on, frozenset([random.choice(sets)]), random.random() < 0.5))
    return sorted(found)


def _about(random: Random, day: date) -> date:
    return day + timedelta(days=random.choice((-31, -8, -2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 8, 31)))


def _answers(random: Random, on: date) -> tuple[Answer, ...]:
    value = random.random() < 0.5
    if random.random() < 0.6:
        return (Answer(value),)
    edge = _about(random, on)
    found = [Answer(value, EVER, edge)] if random.random() < 0.5 else []
    if random.random() < 0.8:
        found.append(Answer(not value, edge, random.choice((NEVER, edge + timedelta(days=random.randrange(1, 400))))))
    if random.random() < 0.2:
        found.append(Answer(random.random() < 0.5, _about(random, edge)))
    return tuple(found)


def _pregnancies(random: Random, rules: Sequence[Rule], on: date) -> Iterator[Pregnancy]:
    weeks = [one.who.pregnancy for _, one in _versions(rules) if one.who.pregnancy is not None]
    for _ in range(random.choice((0, 0, 1, 1, 2, 3)) if weeks else random.choice((0, 0, 0, 0, 1))):
        lengths = [end for one in weeks for end in (one.start, one.before) if end is not None] + [Duration(0, 315)]
        start = _about(random, naive.before(on, random.choice(lengths)))
        lasted = timedelta(days=random.choice((50, 150, 250, 280, 314, 315, 316, 400)))
        yield Pregnancy(start, start + lasted if random.random() < 0.5 else None)


def _statements(random: Random, rules: Sequence[Rule], given: Sequence[Event], on: date) -> Iterator[Statement]:
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 3))):
        near = [on - timedelta(days=random.randrange(500)), on, *(event.on for event in given[-2:])]
        day = _about(random, random.choice(near))
        said: Said = random.choice(get_args(Said))
        for_ever = said != "later" and random.random() < 0.5
        until = None if for_ever else max(_about(random, random.choice((day, on, on))), day + DAY)
        yield Statement(random.choice(rules).id, said, day, until)


# --- Rules.


def rule(random: Random, id: str) -> Rule:
    """Any rule that the values can say, of short ages, so that much happens in few years."""
    first = date(2020, 1, 1) + timedelta(days=random.randrange(366))
    dates = [first + timedelta(days=n * random.randrange(60, 1200)) for n in range(random.choice((1, 1, 1, 2, 3)))]
    versions = tuple(_version(random, one) for one in sorted(dates, reverse=True))
    return Rule(id, Words(id, id), "screening", versions)


def _version(random: Random, in_force: date) -> Version:
    schedule = _schedule(random)
    words = Words("", "")
    source = Source("", "", "", in_force, False)
    return Version(in_force, "recommended", _who(random, schedule), schedule, words, "read", ("inbox",), None, source)


def _schedule(random: Random) -> Schedule:
    shape: Shape = random.choice(("once", "every", "every", "series", "series", "series", "each", "each", "each"))
    late = _length(random) if random.random() < 0.6 else None
    soon = random.choice((Duration(1), Duration(1), Duration(2, 3), Duration(0, 10), NONE))
    early = random.choice((NONE, NONE, Duration(0, 20), _length(random), _length(random), None))
    declared = random.random() < 0.6
    sets = _some(random)
    if shape == "every":
        holds = tuple(Hold(_some(random), _length(random)) for _ in range(random.choice((1, 2, 3))))
        return Schedule("every", holds=holds, soon=soon, late=late, declared=declared)
    if shape == "series":
        courses = tuple(_course(random, sets) for _ in range(random.choice((1, 2, 3))))
        return Schedule("series", sets, courses=courses, soon=soon, late=late, declared=declared)
    if shape == "once":
        return Schedule("once", sets, early, soon=soon, late=late, declared=declared)
    each: Each = random.choice(("age", "year", "season", "pregnancy"))
    ages = _ages(random, random.choice((1, 2, 4))) if each == "age" else ()
    return Schedule("each", sets, early, ages, each, soon=soon, late=late, declared=declared)


def _course(random: Random, sets: frozenset[str]) -> Course:
    doses: list[Dose] = []
    ages = _ages(random, 4)
    for n in range(random.choice((1, 2, 3, 4))):
        age = ages[n] if random.random() < 0.7 else None
        min_age = ages[n] if age is None else random.choice((age, Duration(max(age.months - 1, 0), age.days), NONE))
        wait = _length(random) if n and random.random() < 0.6 else None
        min_wait = Duration(wait.months // 2, wait.days // 2) if wait is not None else NONE
        if n and wait is None and random.random() < 0.5:
            min_wait = _length(random)
        late = _length(random) if random.random() < 0.3 else None
        doses.append(Dose(age, wait, min_age if random.random() < 0.6 else NONE, min_wait, late))
    before = _ages(random, 4)[-1] if random.random() < 0.3 else None
    products = sets if random.random() < 0.6 else _some(random)
    return Course(tuple(doses), _range(random), products, before)


def _who(random: Random, schedule: Schedule) -> Who:
    born = sorted(date(2012, 1, 1) + timedelta(days=random.randrange(5000)) for _ in range(2))
    weeks = Range(Duration(days=7 * random.randrange(0, 30)), Duration(days=7 * random.randrange(31, 48)))
    every, some, none = (tuple(random.sample(FACTS, random.choice((0, 0, 0, 1, 1, 2)))) for _ in range(3))
    return Who(
        random.choice((None, None, "female", "male")),
        _range(random),
        born[0] if random.random() < 0.1 else EVER,
        born[1] + DAY if random.random() < 0.1 else NEVER,
        every,
        some,
        none,
        tuple(After(_some(random), random.choice((None, _length(random), _length(random)))) for _ in range(2))
        if random.random() < 0.3
        else (),
        _season(random)
        if schedule.each == "season" or (schedule.each == "pregnancy" and random.random() < 0.5)
        else None,
        (weeks if random.random() < 0.8 else Range(weeks.start)) if schedule.each == "pregnancy" else None,
    )


def _season(random: Random) -> Season:
    start, before = random.sample([(month, day) for month in range(1, 13) for day in (1, 15, 28)], 2)
    return Season(start, before)


def _range(random: Random) -> Range:
    start, before = _ages(random, 2)
    return Range(start if random.random() < 0.7 else NONE, before if random.random() < 0.6 else None)


def _ages(random: Random, count: int) -> tuple[Duration, ...]:
    """Distinct ages, in order, at least a month apart."""
    months = sorted(random.sample(range(1, random.choice((12, 40, 150))), count))
    return tuple(Duration(one, random.choice((0, 0, 0, 5))) for one in months)


def _length(random: Random) -> Duration:
    return random.choice((Duration(0, 1), Duration(0, 42), Duration(1), Duration(2), Duration(6), Duration(13, 2)))


def _some(random: Random) -> frozenset[str]:
    return frozenset(random.sample(SETS, random.choice((1, 1, 2))))


# --- The same, for Hypothesis.


def people(rules: Sequence[Rule], on: date) -> st.SearchStrategy[Person]:
    """People about these rules."""
    return st.randoms(use_true_random=False).map(lambda random: person(random, rules, on))


def all_rules() -> st.SearchStrategy[Rule]:
    """Any rule."""
    return st.randoms(use_true_random=False).map(lambda random: rule(random, "any"))


def alone(one: Rule) -> Rules:
    """A rule set of one rule."""
    return Rules("one", (one,))
