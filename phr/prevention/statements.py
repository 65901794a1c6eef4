"""What was said of rules, in the Tasks of a record.

The rule: what a professional says only a professional can have written, and what the person says only they, or who acts
for them; who speaks again of a rule takes back what they had said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, cast, get_args

from phr.prevention.canonical import ANSWER, rule_of
from phr.prevention.dates import NEVER
from phr.prevention.elements import Json, by_person, codings, objects, when
from phr.prevention.known import ending
from phr.prevention.person import Event, Said, Statement
from phr.prevention.rule import Rule
from phr.prevention.rulebook import RULES

DONE, LATER = "done", "later"
BY_PROFESSIONAL = frozenset({"contraindicated", "indicated"})
BY_PERSON = frozenset({*get_args(Said), DONE}) - BY_PROFESSIONAL


By = Literal["person", "delegate", "professional"]
"""In which capacity somebody speaks."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What stands of what was said of a rule, in [on, until). `name`: of a professional, as the Task says it."""

    rule: Rule
    word: str
    on: date
    until: date | None
    by: By
    name: str = field(default="", repr=False)
    reason: str = field(default="", repr=False)


def heard(tasks: Iterable[Json], born: date | None) -> tuple[list[Event], tuple[Statement, ...]]:
    """What the person says they did, and what stands of what was said, in the order of its days."""
    found = spoken(tasks, born)
    done = [Event(one.on, _satisfies(one.rule, one.on), declared=True) for one in found if one.word == DONE]
    said = (Statement(one.rule.id, cast(Said, one.word), one.on, one.until) for one in found if one.word != DONE)
    return done, tuple(said)


def spoken(tasks: Iterable[Json], born: date | None) -> tuple[Spoken, ...]:
    """What stands of what was said, in the order of its days. `tasks`: in the order they were written."""
    said = list[Spoken]()
    for task in tasks:
        found, on = _said(task), when(task, "executionPeriod", "authoredOn", born=born)
        if found is None or on is None:
            continue
        rule, word = found
        again = (when(task, "authoredOn") or on) if word == DONE else on
        new = _spoken(task, rule, word, on)
        if word == LATER and new.until is None:
            continue  # that is no refusal: until when is to be said
        said = [*(_until(one, again) if _same(one, rule, word) else one for one in said), new]
    return tuple(sorted((one for one in said if one.until is None or one.on < one.until), key=lambda one: one.on))


def _said(task: Json) -> tuple[Rule, str] | None:
    """The rule and the word of a Task; None when it is no answer, or of somebody who may not give it."""
    rule = RULES.get(rule_of(task.get("instantiatesCanonical")) or "")
    words = {code for system, code in codings(task.get("businessStatus")) if system == ANSWER}
    if rule is None or len(words) != 1 or task.get("status") == "entered-in-error":
        return None
    [word] = words
    return (rule, word) if word in (BY_PERSON if by_person(task) else BY_PROFESSIONAL) else None


def _spoken(task: Json, rule: Rule, word: str, on: date) -> Spoken:
    """Who acts for the person is not named (`answers`): the journal says who it was."""
    requester = next(objects(task.get("requester")), {})
    by: By = "delegate" if requester.get("type") == "RelatedPerson" else "person"
    by = "professional" if word in BY_PROFESSIONAL else by
    name = requester.get("display") if by == "professional" else None
    reason = next(objects(task.get("statusReason")), {}).get("text")
    until = None if word == DONE else ending(task.get("executionPeriod"))
    return Spoken(rule, word, on, until, by, *(text if isinstance(text, str) else "" for text in (name, reason)))


def _same(before: Spoken, rule: Rule, word: str) -> bool:
    """Whether it was said of the same rule from the same side, the person's or the professionals'; a deed stays."""
    same = before.rule.id == rule.id and before.word != DONE
    return same and (before.word in BY_PROFESSIONAL) is (word in BY_PROFESSIONAL)


def _until(said: Spoken, day: date) -> Spoken:
    return replace(said, until=min(said.until or NEVER, day))


def _satisfies(rule: Rule, on: date) -> frozenset[str]:
    """What somebody who only says that it was done did: what satisfies the rule, for the shortest it could hold.

    The sets as the rule names them, and none that they count as: what names none of them is not answered by it.
    """
    schedule = (rule.at(on) or rule.versions[0]).schedule
    if schedule.holds:
        return min(schedule.holds, key=lambda hold: (hold.lasts.after(on), sorted(hold.sets))).sets
    return schedule.sets
