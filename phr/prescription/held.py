"""A prescription in hand: its Task as it stands, locked, with what its number knows; and the moves made on it.

The rule: one transaction for each move, the record's rights locked: of two at the same instant, one comes after the
other and finds what the first one did.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fhir.parameters import KINDS
from fhir.predicate import IdIn, KindIn
from fhir.search import one_of
from fhir.stored import Keyring, Stored
from phr import operated
from phr.access.journal import Tag
from phr.access.scope import UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import DomainError, Issue, Reason, absent
from phr.events import Topic, emit
from phr.prescription import ledger, task, waiting
from phr.prescription.ledger import Known
from phr.prescription.life import OVER, Move, State, after
from phr.reading import home_of

Json = dict[str, Any]
TASK = KINDS["Task"]


@dataclass(slots=True)
class Held:
    """A prescription under way. `known`: what its number knows of it."""

    deed: Deed
    stored: Stored
    task: Json = field(repr=False)
    known: Known

    @property
    def state(self) -> State:
        """Where it is: expired from the instant its time is over, whether or not its Task says so yet."""
        found = task.state(self.task)
        late = self.until <= self.deed.visit.now and found not in OVER
        return State.EXPIRED if late else found

    @property
    def until(self) -> datetime:
        """When it expires by itself: its Task says so, and `ledger` when that is to be written down."""
        return task.until(self.task)

    @property
    def number(self) -> str:
        """Its number."""
        return str(task.number(self.task))

    @property
    def reference(self) -> str:
        """Its Task."""
        return f"Task/{self.stored.id}"

    def legal(self, move: Move, *, finished: bool = False) -> State:
        """The state this move leads to. Raises GONE (410: cancelled or expired), CONFLICT (409), with the state."""
        found = after(self.state, move, dispensed=task.begun(self.task), finished=finished)
        if found is None:
            if self.state in (State.CANCELLED, State.EXPIRED):
                raise gone(self.state)
            told = f"This prescription is in the state {self.state.value}."
            raise DomainError(Reason.CONFLICT, Issue("conflict", told))
        return found

    async def become(self, state: State, body: Json, reason: str = "") -> Json:
        """Write the Task in its next state; the inboxes of the pharmacies it concerns, and who subscribed, are told."""
        before, pharmacy = task.pharmacy(self.task), task.pharmacy(body)
        made = await operated.replace(self.deed, self.stored, task.moved(body, state, self.deed.visit.now, reason))
        if before is not None and before != pharmacy:
            await waiting.take_out(self.deed, before, self.stored.id)
        if pharmacy is not None:
            await waiting.put(self.deed, pharmacy, self.stored.id, state)
        if state in OVER:
            await ledger.turn(self.deed.session, self.known, None)
        parties = [one.name for one in {before, pharmacy} if one is not None]
        await emit(self.deed, Topic.PRESCRIPTION, self.reference, *parties)
        self.task = made.json
        return made.json


@asynccontextmanager
async def holding(visit: Visit, id: str, move: Move, *, unseen: bool = False) -> AsyncIterator[Held]:
    """The prescription that this Task follows, to be moved. `unseen`: also by who does not see it (who prescribed).

    Raises ABSENT (no such prescription in sight).
    """
    record = await home_of(visit, TASK, id)
    asked = asked_of(("Task", id, f"${move.value}"))
    async with visit.act(record, UPDATE, Tag.PRESCRIPTION, asked, deciding=True) as deed:
        yield await find(deed, id, unseen=unseen)


async def find(deed: Deed, id: str, *, unseen: bool = False) -> Held:
    """The prescription of this Task, inside a transaction. Raises ABSENT."""
    keys = operated.keys_of(deed)
    lens = deed.every("Task") if unseen else deed.view.inside
    match = (KindIn(frozenset({"Task"})), IdIn(frozenset({id})))
    rows = await deed.fetch(one_of(lens, match, gone=False, lock=True))
    known = await ledger.of_task(deed.session, id) if rows else None
    if known is None:
        raise absent()
    stored = Stored.from_row(rows[0])
    deed.touched.append(f"Task/{id}")
    return Held(deed, stored, stored.json(Keyring({keys.record: keys})), known)


def gone(state: State) -> DomainError:
    """What is answered once nothing can be done with it."""
    return DomainError(Reason.GONE, Issue("deleted", f"This prescription is in the state {state.value}."))
