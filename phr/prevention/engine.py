"""Where a person stands with each recommendation on a day: pure, from the rules and what is known of them.

The rule: docs/prevention.md, sentence by sentence. A clause decides, and is given with the answer; what is not known is
asked; `next_change` is found by asking again on each date on which something could differ.
"""

from datetime import date

from msgspec.structs import replace

from phr.prevention import series, who, windows
from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.person import Event, Person, Statement
from phr.prevention.place import CALLING, Place, ask
from phr.prevention.rule import Rule, Rules, Version
from phr.prevention.who import Marks

_SETTLED = {"contraindicated": "contraindicated", "not-concerned": "said-not-concerned", "declined": "declined"}
_SHAPES = {"once": windows.place_once, "each": windows.place, "every": windows.place_again, "series": series.place}


def advise(rules: Rules, person: Person, on: date) -> list[Advice]:
    """One advice for each rule, in the order of the rules."""
    return [judge(rule, person, on) for rule in rules.all]


def judge(rule: Rule, person: Person, on: date) -> Advice:
    """Where a person stands with one rule that day, and the first date on which they would stand elsewhere."""
    marks: Marks = []
    version, now = stand(rule, person, on, marks)
    change = _change(rule, person, on, (version, now), marks) if marks else None
    return Advice(rule, version, now.status, now.why, now.since, now.until, now.due, now.step, now.missing, change)


def _change(rule: Rule, person: Person, on: date, now: tuple[Version | None, Place], marks: Marks) -> date | None:
    """Every date on which anything is read otherwise was left in the marks: the first that matters."""
    day = on
    while coming := [mark for mark in marks if mark > day]:
        day, marks = min(coming), []
        if day == date.max:
            return None
        if day == now[1].until and now[1].status is not Status.DONE and not _of_pregnancy(now[0]):
            return day  # an answer's `until` is after its day: on that day the answer is another
        if stand(rule, person, day, marks) != now:
            return day
    return None


def _of_pregnancy(version: Version | None) -> bool:
    return version is not None and version.schedule.each == "pregnancy"


def stand(rule: Rule, person: Person, on: date, marks: Marks) -> tuple[Version | None, Place]:
    """Where a person stands that day. `marks`: what it leaves for whoever looks for the next change."""
    version = rule.at(on)
    if version is not rule.versions[0]:
        marks += [one.in_force for one in rule.versions]
    if version is None:
        first = rule.versions[-1].in_force
        return None, Place(Status.NOT_CONCERNED, (Clause("not-in-force", (first,)),), until=first)
    events = () if version.named.isdisjoint(person.named) else _read(version, person)
    said = _standing(rule, person, on, marks) if person.statements else None
    if said is not None and (settled := _settled(said, version, events, on, marks)) is not None:
        return version, settled
    if (false := who.outside(version.who, person, on, events, marks)) is not None:
        clause, until = false
        return version, Place(Status.NOT_CONCERNED, (clause,), until=until)
    if person.born is None:
        place = ask("born")
    else:
        place = _SHAPES[version.schedule.shape](version, person, person.born, on, events, marks)
    if place.status in CALLING:
        missing = who.unknown(version.who, person, on, marks)
        if missing:
            why = Clause("ask", missing), *place.why[1:]
            place = replace(place, status=Status.ASK, why=why, missing=missing)
    if said is not None and said.said == "later" and (place.status in CALLING or place.status is Status.ASK):
        later = Clause("later", () if said.until is None else (said.until,))
        place = replace(place, status=Status.SOON, why=(later, *place.why), until=said.until)
    return version, place


def _read(version: Version, person: Person) -> tuple[Event, ...]:
    """The events that a version reads."""
    counts = person.events if version.schedule.declared else [one for one in person.events if not one.declared]
    return tuple(one for one in counts if not version.named.isdisjoint(one.sets))


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


def _settled(said: Statement, version: Version, events: tuple[Event, ...], on: date, marks: Marks) -> Place | None:
    """Where somebody stands by what was said alone; None when the rule itself decides."""
    name = _SETTLED.get(said.said)
    if name is not None:
        return Place(Status.NOT_CONCERNED, (Clause(name, (said.on,)),), said.on, said.until)
    if said.said != "indicated":
        return None
    for event in events:
        if event.on >= said.on and not version.satisfying.isdisjoint(event.sets):
            marks.append(event.on)
            if event.on <= on:
                return None
    return Place(Status.DUE, (Clause("indicated", (said.on,)),), said.on, said.until, said.on)


def satisfying(version: Version) -> frozenset[str]:
    """Every set that may satisfy a version, of all its shapes."""
    return version.satisfying
