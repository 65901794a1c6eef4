"""The engine says what the page says: it agrees with an evaluator written from the page alone, on people at random."""

from collections import Counter
from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from phr.prevention import engine
from phr.prevention.advice import Advice
from phr.prevention.dates import Duration
from phr.prevention.person import Event, Person
from phr.prevention.rule import Rule, Rules, Schedule, Source, Version, Who, Words
from phr.prevention.rulebook import RULES, person_of, read_all
from tests.prevention import boundaries, naive, people

SEED = 20261122
PEOPLE_OF_THE_FILES = 80
"""How many people each rule of the files is asked about."""
RANDOM_RULES = 1500
PEOPLE_OF_A_RANDOM_RULE = 3
DAYS_OF_A_PERSON = 4
SCANNED = 400
"""How many times the next change is looked for a day at a time, half of them in the files…"""
HORIZON = 500
"""… so many days ahead."""
TODAY = date(2026, 11, 22)
FIRST, LAST = date(1990, 1, 1), date(2110, 1, 1)
"""The days that are asked about."""


def told(rule: Rule, person: Person, on: date, *said: object) -> str:
    """What a failure says: the rule, the person, the day, and the answers without the rule in them."""
    answers = [astuple(replace(one, rule=rule, version=None))[2:] if isinstance(one, Advice) else one for one in said]
    return "\n".join(map(str, ["", rule.id, rule.versions, person, on, *answers]))


def agree(rule: Rule, person: Person, on: date) -> Advice:
    """The engine's answer, which must be the page's."""
    (answered,) = engine.advise(people.alone(rule), person, on)
    expected = naive.judge(rule, person, on)
    assert replace(answered, next_change=None) == expected, told(rule, person, on, answered, expected)
    assert answered.next_change is None or answered.next_change > on
    return answered


def days(random: Random, rule: Rule, person: Person) -> list[date]:
    """Some days near the boundaries that this rule has for this person, and today."""
    near = [day for day in boundaries.about(boundaries.edges(rule, person, TODAY)) if FIRST < day < LAST]
    return [TODAY, *random.sample(near, min(len(near), DAYS_OF_A_PERSON - 1))]


def any_case(random: Random, rule: Rule, id: int) -> tuple[Rule, Person]:
    rule = rule if random.random() < 0.5 else people.rule(random, f"random-{id}")
    return rule, people.person(random, [rule], TODAY)


def test_the_engine_agrees_on_every_rule_of_the_files() -> None:
    random = Random(SEED)
    seen: Counter[str] = Counter()
    for rule in RULES.all:
        for _ in range(PEOPLE_OF_THE_FILES):
            person = people.person(random, [rule], TODAY)
            seen.update(agree(rule, person, on).status for on in days(random, rule, person))
    assert set(seen) == {"overdue", "due", "soon", "done", "not-concerned", "ask"}, seen


def test_the_engine_agrees_on_rules_at_random() -> None:
    random = Random(SEED + 1)
    clauses: Counter[str] = Counter()
    for n in range(RANDOM_RULES):
        rule = people.rule(random, f"random-{n}")
        for _ in range(PEOPLE_OF_A_RANDOM_RULE):
            person = people.person(random, [rule], TODAY)
            for on in days(random, rule, person):
                clauses.update(clause.name for clause in agree(rule, person, on).why)
                agree(rule, Person(person.born, person.sex), on)
    of_the_page = {"not-in-force", "contraindicated", "said-not-concerned", "declined", "indicated", "later", "sex"}
    of_the_page |= {"cohort", "excluded", "after", "lacks", "ask", "not-yet", "past", "soon", "due", "overdue"}
    of_the_page |= {"done", "declared", "too-early", "not-pregnant", "not-this-time"}
    assert set(clauses) == of_the_page


def test_the_engine_agrees_on_who_did_nothing_at_any_age() -> None:
    """Most people, for most rules: far too young, near, far too old."""
    random = Random(SEED + 6)
    for rule in (*RULES.all, *(people.rule(random, f"random-{n}") for n in range(300))):
        born = date(2021, 1, 1) + timedelta(random.randrange(365))
        nobody = Person(born, random.choice(("female", "male")))
        lengths = random.sample(listed := people.durations_of(rule), min(len(listed), 4))
        for on in {born, *(one.after(born) + timedelta(days) for one in lengths for days in (-40, -1, 0))}:
            agree(rule, nobody, on)


def test_the_next_change_is_the_first_day_that_differs() -> None:
    random = Random(SEED + 2)
    found = 0
    for n in range(SCANNED):
        rule, person = any_case(random, random.choice(RULES.all), n)
        on = random.choice(days(random, rule, person))
        said = agree(rule, person, on).next_change
        expected = naive.next_change(rule, person, on, HORIZON)
        within = said if said is not None and (said - on).days <= HORIZON else None
        assert within == expected, told(rule, person, on, said, expected)
        found += expected is not None
    assert found > SCANNED / 4


def test_what_was_done_long_before_is_not_changed_by_being_soon_again() -> None:
    """The first of two windows is done, early: that the second would be told of soon changes nothing until then."""
    schedule = Schedule("each", frozenset({"oak"}), None, (Duration(10), Duration(11)), "age", soon=Duration(2, 3))
    source, words = Source("", "", "", date(2020, 1, 1), False), Words("", "")
    version = Version(date(2020, 1, 1), "recommended", Who(), schedule, words, "read", ("inbox",), None, source)
    rule = Rule("twice", words, "screening", (version,))
    born = date(2026, 1, 15)
    person = Person(born, "female", (Event(date(2026, 2, 1), frozenset({"oak"})),))
    on = date(2026, 9, 20)
    told = agree(rule, person, on)
    assert told.status == "done"
    assert told.until is not None
    assert on < told.until
    assert told.next_change == naive.next_change(rule, person, on, HORIZON) != told.until
    within = agree(rule, person, date(2026, 11, 25))
    assert (within.status, within.due) == ("done", None), "the window it is in, and the one to come, are both done"


def test_nothing_changes_before_the_next_change_however_far() -> None:
    """Jumping from change to change to the end of a life gives, at any day on the way, what was last said."""
    random = Random(SEED + 3)
    for n in range(SCANNED // 3):
        rule, person = any_case(random, random.choice(RULES.all), n)
        on = (person.born or date(2000, 1, 1)) + timedelta(days=random.randrange(1000))
        for _ in range(12):
            advice = agree(rule, person, on)
            upcoming = advice.next_change
            last = on + timedelta(days=20_000) if upcoming is None else upcoming - timedelta(days=1)
            between = date.fromordinal(random.randint(on.toordinal(), last.toordinal()))
            for day in (between, last):
                assert naive.judge(rule, person, day) == replace(advice, next_change=None), told(
                    rule, person, day, advice
                )
            if upcoming is None:
                break
            assert naive.judge(rule, person, upcoming) != replace(advice, next_change=None), told(
                rule, person, on, advice
            )
            on = upcoming


def test_the_page_says_what_the_examples_say() -> None:
    """What was worked out by hand, in the files, is what the evaluator answers: not both are wrong alike."""
    for read in read_all():
        for example in read.examples:
            found = naive.judge(read.rule, person_of(example, read.rule.id), example.on)
            said = (read.rule.id, example.name, found.status, found.why, found.due, found.missing, found.step)
            assert found.status == example.status, said
            assert example.due is None or found.due == example.due, said
            assert example.why is None or found.why[0].name == example.why, said
            assert example.missing is None or list(found.missing) == example.missing, said
            assert example.step is None or found.step == example.step, said


def test_one_advice_for_each_rule_in_the_order_of_the_ids() -> None:
    random = Random(SEED + 4)
    for _ in range(5):
        person = people.person(random, random.sample(RULES.all, 3), TODAY)
        answered = engine.advise(RULES, person, TODAY)
        assert [one.rule.id for one in answered] == sorted(rule.id for rule in RULES.all)
        assert [replace(one, next_change=None) for one in answered] == naive.advise(RULES, person, TODAY)


def test_the_answer_does_not_depend_on_the_rules_around() -> None:
    random = Random(SEED + 5)
    rules = Rules("some", tuple(people.rule(random, f"r{n:02}") for n in range(20)))
    person = people.person(random, rules.all, TODAY)
    assert engine.advise(rules, person, TODAY) == [
        one for rule in rules.all for one in engine.advise(people.alone(rule), person, TODAY)
    ]


@settings(max_examples=100, deadline=None)
@given(people.all_rules(), st.data())
def test_the_engine_agrees_where_hypothesis_looks(rule: Rule, data: st.DataObject) -> None:
    person = data.draw(people.people([rule], TODAY))
    near = boundaries.about(boundaries.edges(rule, person, TODAY))
    agree(rule, person, data.draw(st.sampled_from([TODAY, *near])))
