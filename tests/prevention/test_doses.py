"""Two doses are never on the same day, whatever the interval a course allows."""

from dataclasses import replace
from datetime import date

from phr.prevention.dates import NONE
from phr.prevention.engine import judge
from phr.prevention.person import Event, Person
from phr.prevention.rulebook import RULES

BY = frozenset({"zoster-recombinant"})


def test_two_on_one_day_are_one() -> None:
    rule = RULES.get("vaccine-zoster-65")
    assert rule is not None
    version = rule.versions[0]
    doses = tuple(replace(dose, min_after=NONE, after=None) for dose in version.schedule.courses[0].doses)
    courses = (replace(version.schedule.courses[0], doses=doses),)
    hasty = replace(rule, versions=(replace(version, schedule=replace(version.schedule, courses=courses)),))
    given = (Event(date(2026, 3, 1), BY), Event(date(2026, 3, 1), BY))
    assert judge(hasty, Person(date(1955, 1, 1), "male", given), date(2026, 4, 1)).step == 2
