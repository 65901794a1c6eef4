"""Very many people asked at once are answered as each would be alone: a rule is never skipped that matters to them."""

from datetime import timedelta
from random import Random

from phr.prevention.crowd import SEXES, Crowd
from phr.prevention.engine import advise, judge
from phr.prevention.person import Person
from phr.prevention.reach import reach
from phr.prevention.rule import Rules
from phr.prevention.rulebook import RULES
from tests.prevention import boundaries, people
from tests.prevention.test_naive import FIRST, LAST, SEED, TODAY

CROWDS, RULES_OF_A_CROWD, PEOPLE_OF_A_CROWD = 60, 12, 10


def test_a_crowd_is_answered_as_each_alone_on_rules_at_random() -> None:
    random = Random(SEED + 6)
    touched = 0
    for n in range(CROWDS):
        rules = Rules("some", tuple(people.rule(random, f"random-{n}-{m:02}") for m in range(RULES_OF_A_CROWD)))
        crowd, drawn = Crowd(rules, TODAY), []
        for _ in range(PEOPLE_OF_A_CROWD):
            one = people.person(random, list(rules.all), TODAY)
            drawn += [one, Person(one.born, one.sex), replace_events(one, random)]
            drawn += [Person(one.born, sex) for sex in SEXES]
        for one in drawn:
            answered = crowd.advise(one)
            assert answered == advise(rules, one, TODAY)
            touched += answered != advise(rules, Person(one.born, one.sex), TODAY)
    assert touched > CROWDS * PEOPLE_OF_A_CROWD


def replace_events(one: Person, random: Random) -> Person:
    """Somebody of the same birth who did only some of it, and of whom nothing else is known."""
    return Person(one.born, one.sex, tuple(sorted(random.sample(one.events, len(one.events) // 2))))


def test_a_crowd_is_answered_as_each_alone_on_the_rules_of_the_files() -> None:
    random = Random(SEED + 7)
    crowd = Crowd(RULES, TODAY)
    for _ in range(60):
        one = people.person(random, random.sample(RULES.all, 4), TODAY)
        for alike in (one, replace_events(one, random)):
            assert crowd.advise(alike) == advise(RULES, alike, TODAY)


def test_more_births_than_are_kept_change_nothing() -> None:
    crowd = Crowd(RULES, TODAY)
    first = Person(TODAY - timedelta(days=20_000), "female")
    answered = crowd.advise(first)
    for n in range(600):
        crowd.advise(Person(TODAY - timedelta(days=n), "male"))
    assert crowd.advise(first) == answered


def test_what_an_event_out_of_reach_changes_is_nothing() -> None:
    """One event on any day near the boundaries, of any set of the rule: out of reach, the advice is another's."""
    random = Random(SEED + 8)
    skipped = 0
    for n in range(400):
        rule = random.choice(RULES.all) if n % 2 else people.rule(random, f"random-{n}")
        one = people.person(random, [rule], TODAY)
        if one.born is None:
            continue
        nobody = Person(one.born, one.sex)
        near = [day for day in boundaries.about(boundaries.edges(rule, nobody, TODAY)) if FIRST < day < LAST]
        on = random.choice([TODAY, *near])
        alike = judge(rule, nobody, on)
        first, before = reach(alike, one.born, on)
        for event in one.events:
            if not first <= event.on < before:
                assert judge(rule, Person(one.born, one.sex, (event,)), on) == alike
                skipped += 1
    assert skipped > 200
