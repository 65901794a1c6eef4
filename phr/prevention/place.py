"""Where a day falls in a schedule: before something is due, near it, on it, late, or after it was done."""

from datetime import date

from msgspec import Struct

from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.dates import NEVER, Duration
from phr.prevention.person import Event, Person
from phr.prevention.rule import Rule, Version
from phr.prevention.who import Marks

CALLING = frozenset({Status.SOON, Status.DUE, Status.OVERDUE})
"""Something is to be done."""


class Case(Struct, frozen=True, gc=False):
    """One version asked of one person on a day. `events`: those it reads, on or before that day or not."""

    rule: Rule
    version: Version
    person: Person
    born: date
    on: date
    events: tuple[Event, ...]
    marks: Marks


def calling(case: Case, due: date, end: date, late: Duration | None = None, step: int | None = None) -> Advice | None:
    """Soon, due or overdue, for something due on a day that can be done until `end`; None when it is too soon to say.

    `late`: when it is not the schedule's.
    """
    on, version = case.on, case.version
    if on < due:
        soon = version.schedule.soon.before(due)
        if on < soon:
            case.marks.append(soon)
            return None
        case.marks.append(due)
        return Advice(case.rule, version, Status.SOON, (Clause("soon", (due,)),), soon, due, due, step)
    case.marks.append(end)
    late = version.schedule.late if late is None else late
    overdue = NEVER if late is None else late.after(due)
    if on < overdue:
        case.marks.append(overdue)
        until = ends(min(overdue, end))
        return Advice(case.rule, version, Status.DUE, (Clause("due", (due,)),), due, until, due, step)
    return Advice(case.rule, version, Status.OVERDUE, (Clause("overdue", (due,)),), overdue, ends(end), due, step)


def not_yet(case: Case, due: date, step: int | None = None) -> Advice:
    """It is for later."""
    soon = case.version.schedule.soon.before(due)
    case.marks.append(soon)
    return Advice(case.rule, case.version, Status.NOT_CONCERNED, (Clause("not-yet", (due,)),), None, soon, due, step)


def past(case: Case, end: date, step: int | None = None) -> Advice:
    """Its time is over."""
    return Advice(case.rule, case.version, Status.NOT_CONCERNED, (Clause("past", (end,)),), end, None, None, step)


def done(case: Case, event: Event, due: date | None, step: int | None = None) -> Advice:
    """What was due was done; `due`: when it is due again, or the next dose is."""
    schedule = case.version.schedule
    soon = None if due is None else schedule.soon.before(due)
    if soon is not None:
        case.marks.append(soon)
    name = "declared" if event.declared else "done"
    return Advice(case.rule, case.version, Status.DONE, (Clause(name, (event.on,)),), event.on, soon, due, step)


def ask(rule: Rule, version: Version, name: str) -> Advice:
    """It cannot be said without this."""
    return Advice(rule, version, Status.ASK, (Clause("ask", (name,)),), missing=(name,))


def ends(day: date) -> date | None:
    """None for what has no end."""
    return None if day == NEVER else day
