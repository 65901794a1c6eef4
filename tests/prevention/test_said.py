"""What is said of one recommendation holds for that one alone."""

from datetime import date

from phr.prevention.engine import judge
from phr.prevention.person import Person, Statement
from phr.prevention.rulebook import RULES

ON = date(2026, 11, 22)


def test_what_is_said_of_one_rule_is_said_of_no_other() -> None:
    one, other = RULES.get("vaccine-zoster-65"), RULES.get("vaccine-pneumococcal-65")
    assert one is not None
    assert other is not None
    declined = Person(date(1955, 1, 1), "male", statements=(Statement(other.id, "declined", date(2026, 1, 1)),))
    assert judge(other, declined, ON).why[0].name == "declined"
    assert judge(one, declined, ON) == judge(one, Person(date(1955, 1, 1), "male"), ON)
