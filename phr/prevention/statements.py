"""What was said of rules, in the Tasks of a record.

The rule: what a professional says only a professional can have written, and what the person says only they, or who acts
for them; who speaks again of a rule takes back what they had said.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import cast, get_args

from phr.prevention.canonical import ANSWER, rule_of
from phr.prevention.dates import NEVER
from phr.prevention.elements import Json, by_person, codings, when
from phr.prevention.known import ending
from phr.prevention.person import Event, Said, Statement
from phr.prevention.rule import Rule
from phr.prevention.rulebook import RULES

DONE = "done"
BY_PROFESSIONAL = frozenset({"contraindicated", "indicated"})
BY_PERSON = frozenset({*get_args(Said), DONE}) - BY_PROFESSIONAL


def heard(tasks: Iterable[Json], born: date | None) -> tuple[list[Event], tuple[Statement, ...]]:
    """What the person says they did, and what stands of what was said, in the order it was written."""
    done, said = list[Event](), list[Statement]()
    for task in tasks:
        found, on = _said(task), when(task, "executionPeriod", "authoredOn", born=born)
        if found is None or on is None:
            continue
        rule, word = found
        again = (when(task, "authoredOn") or on) if word == DONE else on
        said = [_until(one, again) if _same(one, rule, word) else one for one in said]
        if word == DONE:
            done.append(Event(on, _satisfies(rule, on), declared=True))
        else:
            said.append(Statement(rule.id, cast(Said, word), on, ending(task.get("executionPeriod"))))
    return done, tuple(sorted((one for one in said if one.until is None or one.on < one.until), key=lambda one: one.on))


def _said(task: Json) -> tuple[Rule, str] | None:
    """The rule and the word of a Task; None when it is no answer, or of somebody who may not give it."""
    rule = RULES.get(rule_of(task.get("instantiatesCanonical")) or "")
    words = {code for system, code in codings(task.get("businessStatus")) if system == ANSWER}
    if rule is None or len(words) != 1 or task.get("status") == "entered-in-error":
        return None
    [word] = words
    return (rule, word) if word in (BY_PERSON if by_person(task) else BY_PROFESSIONAL) else None


def _same(before: Statement, rule: Rule, word: str) -> bool:
    """Whether it was said of the same rule from the same side: the person's, or the professionals'."""
    return before.rule == rule.id and (before.said in BY_PROFESSIONAL) is (word in BY_PROFESSIONAL)


def _until(said: Statement, day: date) -> Statement:
    return replace(said, until=min(said.until or NEVER, day))


def _satisfies(rule: Rule, on: date) -> frozenset[str]:
    """What somebody who only says that it was done did: what satisfies the rule, for the shortest it could hold.

    The sets as the rule names them, and none that they count as: what names none of them is not answered by it.
    """
    schedule = (rule.at(on) or rule.versions[0]).schedule
    if schedule.holds:
        return min(schedule.holds, key=lambda hold: (hold.lasts.after(on), sorted(hold.sets))).sets
    return schedule.sets
