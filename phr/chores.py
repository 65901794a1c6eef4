"""What each process does now and then, beside answering: forget what expired, send what waits, ask providers again.

The rule: a chore is safe in any number of processes at once, and one that fails is logged by name and tried again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from anyio import from_thread
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import exchanged_tokens
from auth.providers import Provider
from auth.server import AuthServer
from auth.sweep import sweep
from phr import delegation_invitations, destruction, sharing
from phr.access.installation import Installation
from phr.core import outbox
from phr.deliveries import deliverers

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
        return False

    def send() -> bool:
        return outbox.send_one(server.engine, server.keys, known, datetime.now(UTC))

    def keys() -> bool:
        server.signing.load(server.clock())
        return False

    def expire() -> bool:
        return from_thread.run(delegation_invitations.expire, installation, datetime.now(UTC)) > 0

    def destroy() -> bool:
        from_thread.run(_destroy, installation)
        return False

    found = [
        Chore("forget what expired", 600, forget),
        Chore("send what waits", 1, send),
        Chore("end invitations nobody answered", 600, expire),
        Chore("destroy the records that are due", 86_400, destroy),
        Chore("read the signing keys again", 60, keys),
    ]
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
