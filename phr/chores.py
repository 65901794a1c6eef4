"""What each process does now and then, beside answering: forget what expired, send what waits, ask providers again.

The rule: a chore is safe in any number of processes at once, and one that fails is logged by name and tried again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from anyio import from_thread
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import exchanged_tokens
from auth.providers import Provider
from auth.server import AuthServer
from auth.sweep import sweep
from phr import delegation_invitations, destruction, idempotence, sharing
from phr.access.installation import Installation
from phr.agenda.telling import tell_due
from phr.core import outbox
from phr.deliveries import deliverers
from phr.messages import pace, retention
from phr.notifications import device
from phr.prescription import expiring
from phr.subscriptions import rows

log = logging.getLogger("carnet.chores")


@dataclass(frozen=True, slots=True)
class Chore:
    """What to do, and how often (seconds). `run` is called in a thread; it returns whether there is more to do now."""

    name: str
    every: float
    run: Callable[[], bool]


def chores(server: AuthServer, installation: Installation, professionals: Provider | None) -> Sequence[Chore]:
    """The chores of an installation."""
    known = deliverers(server, installation)

    def forget() -> bool:
        with Session(server.engine) as session, session.begin():
            sweep(session, datetime.now(UTC))
            sharing.forget(session, datetime.now(UTC))
            idempotence.forget(session, datetime.now(UTC))
            rows.forget(session, datetime.now(UTC))
            device.forget(session, datetime.now(UTC))
            pace.forget(session, datetime.now(UTC))
        return False

    def send(kind: str) -> bool:
        return outbox.send_one(server.engine, server.keys, {kind: known[kind]}, datetime.now(UTC))

    def keys() -> bool:
        server.signing.load(server.clock())
        return False

    def expire() -> bool:
        return from_thread.run(delegation_invitations.expire, installation, datetime.now(UTC)) > 0

    def remind() -> bool:
        from_thread.run(tell_due, installation, server.clock())
        return False

    def lapse() -> bool:
        return from_thread.run(expiring.expire, installation, datetime.now(UTC)) > 0

    def destroy() -> bool:
        from_thread.run(_destroy, installation)
        return False

    found = [
        Chore("forget what expired", 600, forget),
        # Each kind in its turn of its own: an address that answers slowly keeps no mail waiting.
        *(Chore(f"send what waits ({kind})", 1, partial(send, kind)) for kind in known),
        Chore("tell the reminders that are due", 20, remind),
        Chore("end invitations nobody answered", 600, expire),
        Chore("end prescriptions whose time is over", 600, lapse),
        Chore("destroy the records that are due", 86_400, destroy),
        Chore("read the signing keys again", 60, keys),
    ]
    years = installation.settings.message_years
    if years:

        def retire() -> bool:
            from_thread.run(_retire, installation, years)
            return False

        found.append(Chore("delete the threads past their time", 86_400, retire))
    if professionals is not None:
        provider = professionals
        found.append(
            Chore(
                "ask the provider again",
                30,
                lambda: exchanged_tokens.recheck(server, provider, datetime.now(UTC)) > 0,
            )
        )
    return found


async def _retire(installation: Installation, years: int) -> None:
    async for _ in retention.delete_due(installation, datetime.now(UTC), years):
        pass


async def _destroy(installation: Installation) -> None:
    async for _ in destruction.destroy_due(installation, datetime.now(UTC)):
        pass


async def repeat(chore: Chore) -> None:
    """Do it for ever."""
    while True:
        more = False
        try:
            more = await run_in_threadpool(chore.run)
        except Exception as error:  # the next round may go better; the process answers meanwhile
            log.warning("could not %s: %s", chore.name, type(error).__name__)
        if not more:
            await asyncio.sleep(chore.every)
