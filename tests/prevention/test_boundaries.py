"""Nothing is a day early nor a day late: every boundary of every rule, the day before it, on it and after it."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from msgspec import structs

from phr.prevention import engine
from phr.prevention.advice import Advice
from phr.prevention.dates import EVER, NEVER, Duration
from phr.prevention.person import Event, Person, Pregnancy
from phr.prevention.rule import Rule, Version
from phr.prevention.rulebook import RULES
from tests.prevention import boundaries, naive, people
from tests.prevention.test_naive import agree

SEED = 20261122
PEOPLE = 6
"""How many people each rule of the files is asked about, on all of their boundaries."""
RANDOM_RULES = 60
EVENTS = 8
"""Of the events that count or not by a day, how many are tried for each person."""
TRIED = 60
"""How many people are tried to find one for whom a bound of age changes something."""
TODAY = date(2026, 11, 22)
FIRST, LAST = date(1990, 1, 1), date(2110, 1, 1)
DAY = timedelta(days=1)
BY_ID = {rule.id: rule for rule in RULES.all}
BOUNDS = [
    pytest.param(rule, version, bound, id=f"{rule.id}-{version.in_force}-{bound.months}m{bound.days}d")
    for rule in RULES.all
    for version in rule.versions
    for bound in boundaries.ages(version)
]


def agree_about(rule: Rule, person: Person) -> int:
    """The day before, the day and the day after each boundary; how many of the boundaries were one."""
    real = 0
    days = [day for day in boundaries.edges(rule, person, TODAY) if FIRST < day < LAST]
    said = {day: agree(rule, person, day) for day in boundaries.about(days)}
    for day in days:
        real += differ(said[day - DAY], said[day])
    return real


def differ(one: Advice, other: Advice) -> bool:
    return structs.replace(one, next_change=None) != structs.replace(other, next_change=None)


@pytest.mark.parametrize("rule", BY_ID.values(), ids=BY_ID.keys())
def test_the_engine_agrees_about_every_boundary_of_a_file(rule: Rule) -> None:
    random = Random(f"{SEED} {rule.id}")
    real = 0
    for n in range(PEOPLE):
        person = people.person(random, [rule], TODAY)
        if n % 2:
            person = boundaries.suits(rule, rule.versions[0], person)
        real += agree_about(rule, person)
    assert real > 0, f"{rule.id}: none of these days is a boundary"


def test_the_engine_agrees_about_every_boundary_of_rules_at_random() -> None:
    random = Random(SEED)
    for n in range(RANDOM_RULES):
        rule = people.rule(random, f"random-{n}")
        agree_about(rule, boundaries.suits(rule, rule.versions[0], people.person(random, [rule], TODAY)))


def test_an_event_counts_from_its_day_and_not_the_day_before() -> None:
    """On each side of the minimal ages and intervals, of what counts before a window, and of the window's end."""
    random = Random(SEED + 1)
    real = 0
    for rule in [*RULES.all, *(people.rule(random, f"random-{n}") for n in range(RANDOM_RULES))]:
        version = random.choice(rule.versions)
        person = boundaries.suits(rule, version, people.person(random, [rule], TODAY))
        around = list(boundaries.moments(version, person))
        for first in random.sample(around[::3], min(EVENTS, len(around) // 3)):
            said = []
            for event in (Event(first.on + n * DAY, first.sets) for n in range(3)):
                given = replace(person, events=tuple(sorted([*person.events, event])))
                asked = [first.on + n * DAY for n in (0, 3, 40)]
                said.append([bare(agree(rule, given, on)) for on in asked if FIRST < on < LAST])
            real += said[0] != said[1] or said[1] != said[2]
    assert real > 100


def bare(advice: Advice) -> tuple[object, ...]:
    """What an event changes when its being counted does, whatever its date: no dates in it."""
    return advice.status, tuple(clause.name for clause in advice.why), advice.step


@pytest.mark.parametrize(("rule", "version", "bound"), BOUNDS)
def test_a_bound_of_age_is_one_for_somebody(rule: Rule, version: Version, bound: Duration) -> None:
    """On the day of that age something is answered that was not the day before: the generator is not vacuous."""
    random = Random(f"{SEED} {rule.id} {bound}")
    for n in range(TRIED):
        person, on = of_that_age(random, rule, version, bound, n)
        assert rule.at(on) is version
        assert rule.at(on - DAY) is version
        today, yesterday = agree(rule, person, on), agree(rule, person, on - DAY)
        agree(rule, person, on + DAY)
        if (today.status, today.why, today.step) != (yesterday.status, yesterday.why, yesterday.step):
            return
    pytest.fail(f"{rule.id}: {bound} changes nothing for anybody")


def of_that_age(random: Random, rule: Rule, version: Version, bound: Duration, nth: int) -> tuple[Person, date]:
    """Somebody this version is for, and the day of that age while in force: with a past, a first dose, or none."""
    first, last = version.in_force + 2 * DAY, min(boundaries.last_day(rule, version), LAST)
    for _ in range(1000):
        on = date.fromordinal(random.randint(first.toordinal(), last.toordinal()))
        born = naive.before(on, bound)
        on = naive.after(born, bound)
        who = version.who
        if not who.born_from <= born < who.born_before:
            low = max(who.born_from, date(1900, 1, 1))
            high = min(who.born_before, date(2050, 1, 1))
            born = date.fromordinal(random.randrange(low.toordinal(), high.toordinal()))
            on = naive.after(born, bound)
        if first <= on <= last:
            break
    else:
        pytest.fail(f"{rule.id}: nobody comes to {bound} while this version is in force")
    person = people.person(random, [rule], on) if nth % 3 == 0 else Person(born, who.sex)
    if nth % 3 == 1 and version.schedule.courses:
        course = random.choice(version.schedule.courses)
        opening = max(naive.after(born, course.start.start), naive.after(born, course.doses[0].min_age))
        person = replace(person, events=(Event(opening, course.sets | version.schedule.sets),))
    person = boundaries.suits(rule, version, replace(person, born=born, pregnancies=()))
    if who.pregnancy is not None:
        start = naive.before(on, who.pregnancy.start) - timedelta(days=random.randrange(30))
        person = replace(person, pregnancies=(Pregnancy(start),))
    return person, on


def test_a_cohort_is_of_its_first_day_and_not_of_its_last() -> None:
    random = Random(SEED + 2)
    found = 0
    rules = [*RULES.all, *(people.rule(random, f"random-{n}") for n in range(RANDOM_RULES * 2))]
    for rule, version in [(one, version) for one in rules for version in one.versions]:
        who = version.who
        edges = [edge for edge in (who.born_from, who.born_before) if edge not in (EVER, NEVER)]
        on = version.in_force
        for edge in edges:
            told = []
            for born in (edge - DAY, edge, edge + DAY):
                person = boundaries.suits(rule, version, Person(born, who.sex or "female"))
                advice = agree(rule, person, on)
                outside = not who.born_from <= born < who.born_before
                assert (advice.why[0].name == "cohort") is outside
                told.append(outside)
            assert told[0] != told[1]
            found += 1
    assert found > 5


def test_a_version_is_in_force_from_its_day() -> None:
    for rule in RULES.all:
        for version in rule.versions:
            on, before = (engine.advise(people.alone(rule), Person(None, None), day)[0] for day in at(version))
            assert on.version is version
            assert before.version is not version


def at(version: Version) -> tuple[date, date]:
    return version.in_force, version.in_force - DAY
