"""What every mutant of the engine must fail: the examples of the rules, and the page written a second time."""

from collections.abc import Callable
from random import Random

from phr.prevention.person import Person
from tests.prevention import people, test_crowd, test_doses, test_naive, test_said
from tests.prevention.test_naive import TODAY, agree, days
from tests.prevention.test_rule_examples import EXAMPLES, test_an_example_holds

RULES_DRAWN = 150


def check_examples() -> None:
    """Every example of every rule."""
    for rule, example in EXAMPLES:
        test_an_example_holds(rule, example)


def check_random_rules() -> None:
    """Rules and people at random, near the days that matter."""
    random = Random(7)
    for n in range(RULES_DRAWN):
        rule = people.rule(random, f"random-{n}")
        for _ in range(3):
            person = people.person(random, [rule], TODAY)
            for on in days(random, rule, person):
                agree(rule, person, on)
                agree(rule, Person(person.born, person.sex), on)


CHECKS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("doses", test_doses.test_two_on_one_day_are_one),
    ("first dose", test_doses.test_the_first_dose_is_due_at_its_age_and_not_from_the_day_it_would_count),
    ("excluding", test_doses.test_what_excludes_does_not_count_as_done),
    ("said", test_said.test_what_is_said_of_one_rule_is_said_of_no_other),
    ("examples", check_examples),
    ("random rules", check_random_rules),
    ("who did nothing", test_naive.test_the_engine_agrees_on_who_did_nothing_at_any_age),
    ("done early", test_naive.test_what_was_done_long_before_is_not_changed_by_being_soon_again),
    ("crowd at random", test_crowd.test_a_crowd_is_answered_as_each_alone_on_rules_at_random),
    ("out of reach", test_crowd.test_what_an_event_out_of_reach_changes_is_nothing),
    ("next change", test_naive.test_the_next_change_is_the_first_day_that_differs),
)
