"""Telling subscribers: the handshake, each event in order, the heartbeat; and again, later, what was not taken.

The rule: one process at a time tells a subscription, its first event not taken before any other, through its
subscriber's eyes at that instant. What is out of their sight is dropped: nothing is sent, no number is given.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from anyio import from_thread
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import grants
from auth.server import AuthServer
from phr.access.installation import Installation
from phr.access.visit import Visit
from phr.core import outbox
from phr.core.outbox import FIRST_WAIT, LONGEST_WAIT, Deliver
from phr.subscriptions import numbers, rows
from phr.subscriptions.held import Held
from phr.subscriptions.ledger import WAKE, Event
from phr.subscriptions.notification import Kind, Said, notification
from phr.subscriptions.sending import Outcome, send
from phr.subscriptions.subscriber import in_sight, stands

HANDSHAKES, TRIES = 3, 10
"""After so many failures in a row, to shake hands and to tell, a subscription is in error."""
AT_ONCE = 50
"""Notifications of one subscription in a row: others wait too."""


class BusyError(Exception):
    """Another process tells this subscription: come back."""


def deliverer(server: AuthServer, here: Installation) -> Deliver:
    """What tells a subscription all that waits for it. Called in a thread of the event loop's."""

    def deliver(message: dict[str, Any]) -> None:
        from_thread.run(Teller(server, here).tell, str(message["subscription"]))

    return deliver


@dataclass(frozen=True, slots=True)
class Teller:
    """What tells subscriptions, in one process."""

    server: AuthServer
    here: Installation

    async def tell(self, id: str) -> None:
        """Tell one subscription what waits for it. Raises BusyError.

        Whatever is left to do later has a message in the outbox, put there in the transaction that says so.
        """
        async with self.here.database.transaction() as held_open:
            if not await numbers.turn(held_open, id):
                raise BusyError
            for _ in range(AT_ONCE):
                if not await self._once(id):
                    return
        async with self.here.database.session() as session:
            await outbox.enqueue(session, self.here.system_keys, WAKE, {"subscription": id}, self.server.clock())

    async def _once(self, id: str) -> bool:
        """Tell the next thing; whether there may be more."""
        now = self.server.clock()
        async with self.here.database.session() as session:
            row = await rows.find(session, id)
        held = None if row is None else Held.of(self.here.system_keys, row)
        if held is None or held.status not in ("requested", "active") or (held.retry is not None and held.retry > now):
            return False
        visit = held.subscriber.visit(self.here, now)
        stood = await run_in_threadpool(self._granted, held, now) and await stands(visit, held.record)
        if held.status == "requested":
            return stood and await self._shake_hands(held, now)
        event, said = await self._next(held, visit, stood)
        if event is not None and said is not None:
            return await self._tell_event(held, event, said, now)
        if held.beat is not None and held.beat <= now:
            await self._beat(held, now, stood)
        return False

    def _granted(self, held: Held, now: datetime) -> bool:
        """Whether what was granted stands, and is what the service declares still."""
        if held.until <= now:
            return False
        if held.subscriber.grant is None:
            return True
        with Session(self.server.engine) as session, session.begin():
            grant = grants.find(session, self.server.keys, held.subscriber.grant)
        return grant is not None and not grant.outdated

    async def _next(self, held: Held, visit: Visit, stood: bool) -> tuple[Event | None, Said | None]:
        """The first event to tell, with its number; those out of sight before it are dropped."""
        while True:
            async with self.here.database.session() as session:
                event = await numbers.following(session, held.id)
            if event is None:
                return None, None
            wanted = {event.focus}
            seen = stood and wanted <= await in_sight(visit, event.record, wanted, quiet=event.entered)
            async with self.here.database.session() as session:
                if event.number is None and not seen:
                    await numbers.drop(session, event)
                    continue
                numbered = event if event.number is not None else await numbers.allot(session, event)
            if numbered is not None and numbered.number is not None:
                shown = seen and held.wish.content != "empty"
                return numbered, Said(numbered.number, event.at, event.focus if shown else None)

    async def _tell_event(self, held: Held, event: Event, said: Said, now: datetime) -> bool:
        outcome = await self._send(held, "event-notification", now, said)
        if outcome is not Outcome.TAKEN:
            return await self._fail(held, now, event if outcome is Outcome.UNSENT else None)
        async with self.here.database.transaction() as session:
            await numbers.took(session, event)
            if held.failures:
                await rows.stand(session, held.id, held.version, _state(held))
        return True

    async def _shake_hands(self, held: Held, now: datetime) -> bool:
        if await self._send(held, "handshake", now) is not Outcome.TAKEN:
            return await self._fail(held, now, None)
        await self._stand(held, _state(held, status="active", since=now, beat=_next_beat(held, now)))
        return True

    async def _beat(self, held: Held, now: datetime, stood: bool) -> None:
        """A heartbeat; none while the access it rests on is over, which may be opened again."""
        if stood and await self._send(held, "heartbeat", now) is not Outcome.TAKEN:
            await self._fail(held, now, None)
            return
        await self._stand(held, _state(held, beat=_next_beat(held, now)))

    async def _send(self, held: Held, kind: Kind, now: datetime, *said: Said) -> Outcome:
        settings = self.here.settings
        standing = held.standing(told=max((one.number for one in said), default=held.told))
        bundle = notification(standing, kind, f"{settings.issuer}/fhir", now, said)
        return await send(held, bundle, now, sandbox=settings.sandbox)

    async def _fail(self, held: Held, now: datetime, unsent: Event | None) -> bool:
        """Try again later, less and less often; in error after so many failures. `unsent`: its number is free again."""
        failures = held.failures + 1
        over = failures >= (HANDSHAKES if held.status == "requested" else TRIES)
        retry = None if over else now + min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
        state = _state(held, failures=failures, retry=retry)
        await self._stand(held, state | ({"status": "error", "since": now} if over else {}), unsent)
        return False

    async def _stand(self, held: Held, state: dict[str, Any], unsent: Event | None = None) -> None:
        """Write where it stands, and the message that wakes it for what it waits for, all or nothing."""
        waits: list[datetime] = [one for one in (state["retry"] or state["beat"],) if one is not None]
        async with self.here.database.transaction() as session:
            if unsent is not None:
                await numbers.give_back(session, unsent)
            if await rows.stand(session, held.id, held.version, state) and state["status"] != "error":
                for due in waits:
                    await outbox.enqueue(session, self.here.system_keys, WAKE, {"subscription": held.id}, due)


def _state(held: Held, **changed: Any) -> dict[str, Any]:
    """Where it stands when all goes well, but for what is said."""
    state = {"status": held.status, "since": held.since, "failures": 0, "retry": None, "beat": held.beat}
    return state | changed


def _next_beat(held: Held, now: datetime) -> datetime | None:
    period = held.wish.heartbeat
    return None if period is None else now + timedelta(seconds=period)
