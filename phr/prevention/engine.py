"""Where a person stands with each recommendation on a day: pure, from the rules and what is known of them.

The rule: docs/prevention.md, sentence by sentence. A clause decides, and is given with the answer; what is not known is
asked; `next_change` is found by asking again on each date on which something could differ.
"""

from datetime import date

from msgspec.structs import replace

from phr.prevention import series, who, windows
from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.person import Event, Person, Statement
from phr.prevention.place import CALLING, Case, ask
from phr.prevention.rule import Rule, Rules, Version
from phr.prevention.who import PREGNANT, Marks

_SETTLED = {"contraindicated": "contraindicated", "not-concerned": "said-not-concerned", "declined": "declined"}
_SHAPES = {"once": windows.place_once, "each": windows.place, "every": windows.place_again, "series": series.place}


def advise(rules: Rules, person: Person, on: date) -> list[Advice]:
    """One advice for each rule, in the order of the rules."""
    return [judge(rule, person, on) for rule in rules.all]


def judge(rule: Rule, person: Person, on: date) -> Advice:
    """Where a person stands with one rule that day, and the first date on which they would stand elsewhere."""
    if not person.statements and (far := _far(rule, person, on)) is not None:
        return far
    marks: Marks = []
    now = stand(rule, person, on, marks)
    if marks and (change := _change(now, person, on, marks)) is not None:
        return replace(now, next_change=change)
    return now


def _far(rule: Rule, person: Person, on: date) -> Advice | None:
    """For whom it never is, or who is far too young or old and did nothing of it: most rules, so said at once."""
    version, born = rule.versions[0], person.born
    whose = version.who
    if born is None or version.in_force > on:
        return None
    if (never := who.stranger(whose, person)) is not None:
        return Advice(rule, version, Status.NOT_CONCERNED, (never,))
    if not version.named.isdisjoint(person.named):
        return None
    if whose.facts and (person.answers or person.pregnancies or PREGNANT in whose.facts):
        return None
    if version.over is not None and on >= (end := version.over[0].after(born)):
        why = (Clause("past", (end,)),)
        return Advice(rule, version, Status.NOT_CONCERNED, why, end, None, None, version.over[1])
    if version.first is not None:
        due = version.first[0].after(born)
        if on < due and on < (soon := version.schedule.soon.before(due)):
            why = (Clause("not-yet", (due,)),)
            return Advice(rule, version, Status.NOT_CONCERNED, why, None, soon, due, version.first[1], (), soon)
    return None


def _change(now: Advice, person: Person, on: date, marks: Marks) -> date | None:
    """Every date on which anything is read otherwise was left in the marks: the first that matters."""
    day = on
    while coming := [mark for mark in marks if mark > day]:
        day, marks = min(coming), []
        if day == date.max:
            return None
        if day == now.until and _passes(now):
            return day
        if stand(now.rule, person, day, marks) != now:
            return day
    return None


def _passes(now: Advice) -> bool:
    """Whether `until` is surely the end of it: what an answer says on a day has no `until` on that day or before."""
    return now.status is not Status.DONE and (now.version is None or now.version.schedule.each != "pregnancy")


def stand(rule: Rule, person: Person, on: date, marks: Marks) -> Advice:
    """Where a person stands that day, and not when they would stand elsewhere: `marks`, for whoever looks for it."""
    version = rule.at(on)
    if version is not rule.versions[0]:
        marks += [one.in_force for one in rule.versions]
    if version is None:
        first = rule.versions[-1].in_force
        return Advice(rule, None, Status.NOT_CONCERNED, (Clause("not-in-force", (first,)),), until=first)
    events = () if version.named.isdisjoint(person.named) else _read(version, person)
    said = _standing(rule, person, on, marks) if person.statements else None
    if said is not None and (settled := _settled(said, rule, version, events, on, marks)) is not None:
        return settled
    if (false := who.outside(version.who, person, on, events, marks)) is not None:
        return Advice(rule, version, Status.NOT_CONCERNED, (false[0],), until=false[1])
    if person.born is None:
        found = ask(rule, version, "born")
    else:
        found = _SHAPES[version.schedule.shape](Case(rule, version, person, person.born, on, events, marks))
    if found.status in CALLING and (missing := who.unknown(version.who, person, on, marks)):
        found = replace(found, status=Status.ASK, why=(Clause("ask", missing), *found.why[1:]), missing=missing)
    if said is not None and said.said == "later" and (found.status in CALLING or found.status is Status.ASK):
        later = Clause("later", () if said.until is None else (said.until,))
        found = replace(found, status=Status.SOON, why=(later, *found.why), until=said.until)
    return found


def _read(version: Version, person: Person) -> tuple[Event, ...]:
    """The events that a version reads."""
    named = version.named & person.named
    if len(named) == 1:
        events = person.by_set[next(iter(named))]
    else:
        events = tuple([one for one in person.events if not named.isdisjoint(one.sets)])
    return events if version.schedule.declared else tuple([one for one in events if not one.declared])


def _standing(rule: Rule, person: Person, on: date, marks: Marks) -> Statement | None:
    """The last thing said of this rule that stands that day."""
    last: Statement | None = None
    for one in person.statements:
        if one.rule != rule.id:
            continue
        marks.append(one.on)
        if one.until is not None:
            marks.append(one.until)
        if one.on <= on and (one.until is None or on < one.until) and (last is None or last.on <= one.on):
            last = one
    return last


def _settled(
    said: Statement, rule: Rule, version: Version, events: tuple[Event, ...], on: date, marks: Marks
) -> Advice | None:
    """Where somebody stands by what was said alone; None when the rule itself decides."""
    name = _SETTLED.get(said.said)
    if name is not None:
        return Advice(rule, version, Status.NOT_CONCERNED, (Clause(name, (said.on,)),), said.on, said.until)
    if said.said != "indicated":
        return None
    for event in events:
        if event.on >= said.on and not version.satisfying.isdisjoint(event.sets):
            marks.append(event.on)
            if event.on <= on:
                return None
    return Advice(rule, version, Status.DUE, (Clause("indicated", (said.on,)),), said.on, said.until, said.on)
