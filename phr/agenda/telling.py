"""Telling what is due: one transaction for each record, whatever is killed in the middle, however many do it at once.

The rule: what is told, and when it is told next, commit together; what the person does not see any more is not told of,
and a reminder of what will not be ends.
"""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.scopes import Scope
from fhir.predicate import IdIn, KindIn
from fhir.search import one_of
from fhir.stored import Stored
from phr import notices, operated
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import SELF, Citizen, System
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.scope import READ
from phr.access.visit import Deed, Visit, asked_of
from phr.agenda import due
from phr.agenda.acting import seen
from phr.agenda.reminder import DONE, ENDED, RUNS, read
from phr.agenda.schedule import Settled, settle
from phr.core.errors import DomainError, Reason
from phr.documents import labels

log = logging.getLogger("carnet.agenda")

CLOSED = timedelta(days=1)
"""How long until a record that is closed is looked at again: it may be open then."""
_EVERYTHING = (Scope("patient", "*", frozenset("rs")),)
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


class _Taken(Exception):  # noqa: N818
    """Another process tells what was due here: nothing was done."""


async def tell_due(here: Installation, now: datetime) -> int:
    """Tell all that is due; how many reminders were told. Safe in any number of processes.

    A record that cannot be told of is logged, keeps no other waiting, and is tried again the next time.
    """
    told, known, after = 0, set[str](), (_LONG_AGO, "")
    while True:
        async with here.database.session() as session:
            page = await due.listed(session, now, after)
        for row in page:
            after = row["due"], row["record"]
            if row["record"] not in known:
                known.add(row["record"])
                told += await _told(here, row["record"], now)
        if not page:
            return told


async def _told(here: Installation, name: str, now: datetime) -> int:
    visit = Visit(here, System(SELF), (), (), now)
    try:
        async with visit.act(name, READ, Tag.AGENDA, asked_of(("Patient", name, "$tell-reminders"))) as deed:
            rows = await due.claim(deed.session, name, now)
            if not rows:
                raise _Taken
            through = await deed.through(Citizen(SELF, "", name), _EVERYTHING, READ)
            settled = [await _settled(deed, through, row) for row in rows]
            # The entry is one for all that is told: it is kept from whom one of them is.
            deed.visit = replace(visit, confidential=any(one.secret for one in settled))
            return sum(one.told for one in settled)
    except _Taken:
        return 0
    except DomainError as error:
        if error.reason is Reason.ABSENT:
            async with here.database.session() as session:
                await due.postpone(session, name, now, now + CLOSED)
            return 0
        log.warning("reminders of a record could not be told: %s", error.reason.name)
    except Exception as error:  # whatever it is, the others have their time too
        log.warning("reminders of a record could not be told: %s", type(error).__name__)
    return 0


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of one reminder. `secret`: it was told, and is kept from who represents the person."""

    told: bool = False
    secret: bool = False


async def _settled(deed: Deed, through: Deed, row: Any) -> _Told:
    """Settle one reminder. `through`: what its person sees."""
    name, own, now = row["record"], row["id"], deed.visit.now
    match = (KindIn(frozenset({"Task"})), IdIn(frozenset({own})))
    rows = await through.fetch(one_of(through.view.inside, match, gone=False, lock=True))
    task = Stored.from_row(rows[0]).json(through.view.keyring) if rows else {}
    one = read(task)
    if one is None or task["status"] != RUNS:
        await due.drop(deed.session, name, own)
        return _Told()
    about = (await seen(through, [one.about])).get(one.about)
    times = one.times_with(about)
    found = Settled(False, None, None) if times is None else settle(times, row["due"], row["snoozed"], now)
    secret = any(HIDDEN_FROM_PROXIES in labels(body) for body in (task, about) if body is not None)
    if found.told:
        deed.touched.append(f"Task/{own}")
        await notices.tell(deed, "agenda", about=f"Task/{own}", confidential=secret)
    if found.due is not None:
        await due.put(deed.session, name, own, row["about"], found.due, found.snoozed)
        return _Told(found.told, found.told and secret)
    await due.drop(deed.session, name, own)
    await operated.replace(deed, Stored.from_row(rows[0]), {**task, "status": ENDED if times is None else DONE})
    return _Told(found.told, secret)
