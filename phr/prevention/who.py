"""Whom a recommendation is for: what is known to be false, what is not known.

The rule: three answers, never two. Who is not surely outside may be inside; who is not surely inside is asked.
"""

from datetime import date

from phr.prevention.advice import Clause
from phr.prevention.dates import EVER, NEVER, Duration
from phr.prevention.person import Event, Person, Pregnancy
from phr.prevention.rule import Who

Marks = list[date]
"""The dates on which what was just read would be read otherwise."""

PREGNANT = "pregnant"
LONGEST_PREGNANCY = Duration(days=45 * 7)
"""From its start: one that is not known to be over is over then."""


def term(pregnancy: Pregnancy) -> date:
    """When a pregnancy is over: 45 weeks from its start at the latest."""
    latest = LONGEST_PREGNANCY.after(pregnancy.start)
    return latest if pregnancy.end is None or pregnancy.end > latest else pregnancy.end


def fact(person: Person, name: str, on: date, marks: Marks) -> bool | None:
    """Whether a fact holds that day; None when that is not known."""
    if name == PREGNANT:
        if person.sex == "male":
            return False
        for one in person.pregnancies:
            marks += (one.start, term(one))
            if one.start <= on < term(one):
                return True
    found = None
    for answer in person.answers.get(name, ()):
        marks += (answer.since, answer.until)
        if answer.since <= on < answer.until:
            found = answer.value
    return found


def stranger(who: Who, person: Person) -> Clause | None:
    """The clause that no day and no event changes, of one for whom it never is."""
    if who.sex is not None and person.sex is not None and person.sex != who.sex:
        return Clause("sex", (who.sex,))
    if who.cohort and person.born is not None and not who.born_from <= person.born < who.born_before:
        return Clause("cohort", (who.born_from, who.born_before))
    return None


def outside(
    who: Who, person: Person, on: date, events: tuple[Event, ...], marks: Marks
) -> tuple[Clause, date | None] | None:
    """The first clause known to be false, and until when it is, if that is known; None when there is none.

    `events`: those that may be counted, on or before that day or not.
    """
    if (never := stranger(who, person)) is not None:
        return never, None
    if not who.facts and not events:
        return None
    for name in who.none:
        if fact(person, name, on, marks):
            return Clause("excluded", (name,)), None
    if who.unless and (last := _excluding(who, on, events, marks)) is not None:
        until, since = last
        return Clause("after", (since, until)), None if until == NEVER else until
    for name in who.all:
        if fact(person, name, on, marks) is False:
            return Clause("lacks", (name,)), None
    if who.any and all(fact(person, name, on, marks) is False for name in who.any):
        return Clause("lacks", who.any), None
    return None


def _excluding(who: Who, on: date, events: tuple[Event, ...], marks: Marks) -> tuple[date, date] | None:
    """(until, since) of the exclusion that ends last."""
    last = EVER, EVER
    for one in who.unless:
        for event in events:
            if one.sets.isdisjoint(event.sets):
                continue
            until = NEVER if one.within is None else one.within.after(event.on)
            marks += (event.on, until)
            if event.on <= on < until:
                last = max(last, (until, event.on))
    return None if last[0] == EVER else last


def unknown(who: Who, person: Person, on: date, marks: Marks) -> tuple[str, ...]:
    """What is to be asked to know whether somebody who is not surely outside is inside: the sex, then facts."""
    missing = ["sex"] if who.sex is not None and person.sex is None else []
    missing += [name for name in (*who.none, *who.all) if fact(person, name, on, marks) is None]
    if who.any:
        known = {name: fact(person, name, on, marks) for name in who.any}
        if True not in known.values():
            missing += [name for name, value in known.items() if value is None]
    return tuple(dict.fromkeys(missing))


def concerns(who: Who, person: Person, on: date) -> bool | None:
    """Whether somebody is among those a text or a rule is for, that day: None when that is not known."""
    marks: Marks = []
    if outside(who, person, on, person.events, marks) is not None:
        return False
    if person.born is None:
        return None
    start, before = ages(who, person.born)
    if not start <= on < before:
        return False
    return None if unknown(who, person, on, marks) else True


def ages(who: Who, born: date) -> tuple[date, date]:
    """[from, before) of the age it is for, as dates; NEVER when it has no end."""
    before = who.age.before
    return who.age.start.after(born), NEVER if before is None else before.after(born)
