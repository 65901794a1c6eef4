"""Where a day falls in a schedule: before something is due, near it, on it, late, or after it was done."""

from datetime import date

from msgspec import Struct

from phr.prevention.advice import Clause, Status
from phr.prevention.dates import NEVER, Duration
from phr.prevention.person import Event
from phr.prevention.rule import Schedule
from phr.prevention.who import Marks

CALLING = frozenset({Status.SOON, Status.DUE, Status.OVERDUE})
"""Something is to be done."""


class Place(Struct, frozen=True):
    """A status, the clauses that give it, its dates, and what is missing; as in `Advice`."""

    status: Status
    why: tuple[Clause, ...]
    since: date | None = None
    until: date | None = None
    due: date | None = None
    step: int | None = None
    missing: tuple[str, ...] = ()


def calling(
    due: date,
    end: date,
    on: date,
    schedule: Schedule,
    marks: Marks,
    late: Duration | None = None,
    step: int | None = None,
) -> Place | None:
    """Soon, due or overdue, for something due on a day that can be done until `end`; None when it is too soon to say.

    `late`: when it is not the schedule's.
    """
    if on < due:
        soon = schedule.soon.before(due)
        if on < soon:
            marks.append(soon)
            return None
        marks.append(due)
        return Place(Status.SOON, (Clause("soon", (due,)),), soon, due, due, step)
    marks.append(end)
    late = schedule.late if late is None else late
    overdue = NEVER if late is None else late.after(due)
    if on < overdue:
        marks.append(overdue)
        return Place(Status.DUE, (Clause("due", (due,)),), due, ends(min(overdue, end)), due, step)
    return Place(Status.OVERDUE, (Clause("overdue", (due,)),), overdue, ends(end), due, step)


def not_yet(due: date, schedule: Schedule, marks: Marks, step: int | None = None) -> Place:
    """It is for later."""
    soon = schedule.soon.before(due)
    marks.append(soon)
    return Place(Status.NOT_CONCERNED, (Clause("not-yet", (due,)),), None, soon, due, step)


def ask(name: str) -> Place:
    """It cannot be said without this."""
    return Place(Status.ASK, (Clause("ask", (name,)),), missing=(name,))


def past(end: date, step: int | None = None) -> Place:
    """Its time is over."""
    return Place(Status.NOT_CONCERNED, (Clause("past", (end,)),), end, step=step)


def done(event: Event, due: date | None, schedule: Schedule, marks: Marks, step: int | None = None) -> Place:
    """What was due was done; `due`: when it is due again, or the next dose is."""
    soon = None if due is None else schedule.soon.before(due)
    if soon is not None:
        marks.append(soon)
    name = "declared" if event.declared else "done"
    return Place(Status.DONE, (Clause(name, (event.on,)),), event.on, soon, due, step)


def ends(day: date) -> date | None:
    """None for what has no end."""
    return None if day == NEVER else day
