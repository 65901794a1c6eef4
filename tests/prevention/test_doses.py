"""What counts as done: two doses are never on the same day, and what keeps a rule away does not satisfy it."""

from dataclasses import replace
from datetime import date

from phr.prevention.dates import NONE, Duration
from phr.prevention.engine import judge
from phr.prevention.person import Event, Person
from phr.prevention.rule import After
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


def test_what_excludes_does_not_count_as_done() -> None:
    """What keeps a rule away for a day is, the day over, nothing that satisfies it."""
    rule = next(one for one in RULES.all if one.versions[0].schedule.shape == "once")
    version = rule.versions[0]
    who = replace(version.who, sex=None, none=(), unless=(After(BY, Duration(days=1)),))
    kept_away = replace(rule, versions=(replace(version, who=who),))
    born = date(1990, 3, 1)
    on = version.who.age.start.after(born)
    told = judge(kept_away, Person(born, "male", (Event(on, BY),)), on + date.resolution)
    assert told.status in ("due", "overdue", "ask")


def test_the_first_dose_is_due_at_its_age_and_not_from_the_day_it_would_count() -> None:
    rule = RULES.get("vaccine-mmr-child")
    assert rule is not None
    version = rule.versions[0]
    [course] = version.schedule.courses
    doses = (replace(course.doses[0], min_age=Duration(6)), *course.doses[1:])
    schedule = replace(version.schedule, courses=(replace(course, doses=doses),))
    sooner = replace(rule, versions=(replace(version, schedule=schedule),))
    told = judge(sooner, Person(date(2026, 1, 10), None), date(2026, 2, 10))
    assert (told.status, told.due) == ("not-concerned", date(2027, 1, 10))
