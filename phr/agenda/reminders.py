"""Making, changing, putting off and ending reminders, and the list of them.

The rule: a reminder and the row that says when it is due are written in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fhir import tokens
from fhir.criteria import TokenAny
from fhir.predicate import And, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr import operated, provenance
from phr.access.journal import Tag
from phr.access.scope import CREATE, SEARCH, UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.agenda import due
from phr.agenda.acting import Json, held, home, refused, seen
from phr.agenda.reminder import ENDED, REMINDER, RUNS, SYSTEM, TASK, Reminder, at, read, task_of
from phr.core.errors import DomainError, Issue, Reason, forbidden, invalid
from phr.writing import Written, written

MOST = 200
"""Reminders that run at once in one record."""
MOST_LISTED = 1000
LONGEST_SNOOZE = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Listed:
    """A reminder and when it is told next; None: it is over. `about`: what it is about, if the reader sees it."""

    task: Json
    due: datetime | None
    about: Json | None


async def remind(visit: Visit, record: str, wish: Reminder) -> Written:
    """`Patient/{id}/$remind`: a new reminder. Raises CONTENT, FORBIDDEN, ABSENT, TOO_MANY."""
    name = home(visit, CREATE, TASK, record)
    async with visit.act(name, CREATE, Tag.AGENDA, asked_of(("Patient", name, "$remind"))) as deed:
        refusal = refused(deed)
        if refusal is None:
            if await due.count(deed.session, name) >= MOST:
                raise DomainError(Reason.TOO_MANY, Issue("too-costly", f"At most {MOST} reminders run at once."))
            about = await _about(deed, wish)
            when = _next(wish, about, visit.now)
            body = operated.labelled(deed, task_of(wish, name, visit.now), about)
            made = await operated.create(deed, TASK, body, own=True)
            if not deed.viewing(CREATE).inside.sight.holds(made.row()):
                raise forbidden("The result would be out of your own sight.")
            await due.put(deed.session, name, made.id, _target(wish), when)
            return written(made, created=True)
    raise refusal


async def change(visit: Visit, id: str, wish: Reminder) -> Written:
    """`Task/{id}/$change-reminder`: what it says from now on, all of it. One that was over runs again."""
    name = home(visit, UPDATE, TASK)
    async with visit.act(name, UPDATE, Tag.AGENDA, asked_of(("Task", id, "$change-reminder"))) as deed:
        refusal = refused(deed)
        if refusal is None:
            stored, task, _ = await _held(deed, id)
            about = await _about(deed, wish)
            when = _next(wish, about, visit.now)
            body = operated.labelled(deed, task_of(wish, name, visit.now, task), about)
            made = await operated.replace(deed, stored, provenance.stamped(visit.reader, body, task))
            await due.put(deed.session, name, id, _target(wish), when)
            return written(made, created=False)
    raise refusal


async def end(visit: Visit, id: str) -> Written:
    """`Task/{id}/$end-reminder`: it is told no more. Ending twice is ending once."""
    name = home(visit, UPDATE, TASK)
    async with visit.act(name, UPDATE, Tag.AGENDA, asked_of(("Task", id, "$end-reminder"))) as deed:
        refusal = refused(deed)
        if refusal is None:
            stored, task, _ = await _held(deed, id)
            await due.drop(deed.session, name, id)
            if task["status"] != RUNS:
                return Written(TASK, id, stored.version, False, stored=stored, keyring=deed.view.keyring)
            return written(await operated.replace(deed, stored, {**task, "status": ENDED}), created=False)
    raise refusal


async def snooze(visit: Visit, id: str, until: datetime) -> Written:
    """`Task/{id}/$snooze-reminder`: tell it again then, whatever its other times; one that was told out, once more."""
    name = home(visit, UPDATE, TASK)
    if not visit.now < until <= visit.now + LONGEST_SNOOZE:
        raise invalid(f"Until when is to come, within {LONGEST_SNOOZE.days} days.", at("until"))
    async with visit.act(name, UPDATE, Tag.AGENDA, asked_of(("Task", id, "$snooze-reminder"))) as deed:
        refusal = refused(deed)
        if refusal is None:
            stored, task, one = await _held(deed, id)
            if task["status"] == ENDED:
                raise DomainError(Reason.CONFLICT, Issue("conflict", "This reminder was ended."))
            row = await due.hold(deed.session, name, id)
            times = one.times_with((await seen(deed, [one.about])).get(one.about))
            coming, target = None if times is None else times.after(visit.now), _target(one)
            # What is due now and was not told yet still is: it waits for nobody.
            waits = [one for one in (until, coming, row["due"] if row is not None else None) if one is not None]
            await due.put(deed.session, name, id, target, min(waits), until)
            if task["status"] == RUNS:
                deed.touched.append(f"Task/{id}")
                return Written(TASK, id, stored.version, False, stored=stored, keyring=deed.view.keyring)
            return written(await operated.replace(deed, stored, {**task, "status": RUNS}), created=False)
    raise refusal


async def listed(visit: Visit, record: str) -> list[Listed]:
    """`Patient/{id}/$reminders`: those the reader sees, what is due first on top, what is over last."""
    name = home(visit, SEARCH, TASK, record)
    async with visit.act(name, SEARCH, Tag.AGENDA, asked_of(("Patient", name, "$reminders"))) as deed:
        return await reminders(deed)


async def reminders(deed: Deed) -> list[Listed]:
    """The same, inside a transaction under way."""
    keys, now = operated.keys_of(deed), deed.visit.now
    code = TokenAny(frozenset({keys.hashed(tokens.coded("code", SYSTEM, REMINDER))}))
    rows = await deed.fetch(all_of(deed.view.inside, And((KindIn(frozenset({"Task"})), code)), MOST_LISTED))
    tasks = [Stored.from_row(row).json(deed.view.keyring) for row in rows]
    read_ones = [(task, one) for task in tasks if (one := read(task)) is not None]
    targets = await seen(deed, [one.about for _, one in read_ones])
    waiting = await due.of(deed.session, keys.record)
    found = []
    for task, one in read_ones:
        about, row = targets.get(one.about), waiting.get(task["id"])
        times = None if row is None else one.times_with(about)
        coming = [] if row is None or times is None else [times.after(now), row["snoozed"]]
        when = min((at for at in coming if at is not None and at > now), default=None)
        found.append(Listed(task, when, about))
    deed.touched += [f"Task/{task['id']}" for task, _ in read_ones] + list(targets)
    return sorted(found, key=lambda one: (one.due is None, one.due or now))


async def _held(deed: Deed, id: str) -> tuple[Stored, Json, Reminder]:
    """The reminder to change: its row locked, then its Task. Raises ABSENT, GONE, and CONTENT when it is none."""
    await due.hold(deed.session, operated.keys_of(deed).record, id)
    stored, task = await held(deed, UPDATE, TASK, id)
    one = read(task)
    if one is None:
        raise invalid("This Task is not a reminder.", "Task.code")
    return stored, task, one


async def _about(deed: Deed, wish: Reminder) -> Json | None:
    """What a reminder is about, if it says so. Raises CONTENT when the reader does not see it."""
    if not wish.about:
        return None
    found = (await seen(deed, [wish.about])).get(wish.about)
    if found is None:
        raise invalid("It is about an appointment or a document of this record.", at("about"), "not-found")
    if wish.before is not None and (found["resourceType"] != "Appointment" or "start" not in found):
        raise invalid("Only an appointment with a start is reminded of before it.", at("before"))
    return found


def _next(wish: Reminder, about: Json | None, now: datetime) -> datetime:
    """When it is told first. Raises CONTENT when it never is."""
    times = wish.times_with(about)
    when = None if times is None else times.after(now)
    if when is None:
        raise invalid("It would never be told: its time has gone by.", at("before" if wish.before else "at"))
    return when


def _target(one: Reminder) -> str | None:
    return one.about.partition("/")[2] or None
