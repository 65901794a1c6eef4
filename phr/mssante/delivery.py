"""How each kind of message of the gateway that waits in the outbox is delivered.

The rule: the list of who is trusted is read again each time, so that who is taken off it is sent nothing more.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from anyio import from_thread

from phr.access.installation import Installation
from phr.core.outbox import Deliver
from phr.core.settings import Mssante
from phr.messages.telling import MSSANTE
from phr.mssante import arrivals, bounce, departures, peers, relay, undelivered
from phr.mssante.gateway import Gateway
from phr.mssante.server import ARRIVED, RETURNED

Work = Callable[[Gateway, dict[str, Any], datetime], Coroutine[Any, Any, None]]


def deliverers(here: Installation, clock: Callable[[], datetime]) -> dict[str, Deliver]:
    """By kind; none when there is no gateway. Each is called in a thread of the loop that the installation is of."""
    settings = here.settings.mssante
    if settings is None:
        return {}
    found: dict[str, Work] = {ARRIVED: arrivals.arrive, RETURNED: undelivered.returned}
    if settings.smtp is not None:
        found |= {MSSANTE: departures.depart, bounce.KIND: _bounce}
    return {kind: _deliver(work, here, settings, clock) for kind, work in found.items()}


def _deliver(work: Work, here: Installation, settings: Mssante, clock: Callable[[], datetime]) -> Deliver:
    def deliver(message: dict[str, Any]) -> None:
        gateway = Gateway(here, settings, peers.read(settings.peers))
        from_thread.run(work, gateway, message, clock())

    return deliver


async def _bounce(gateway: Gateway, message: dict[str, Any], now: datetime) -> None:
    notice = bounce.composed(gateway.settings, message["to"], message["failed"], message["id"], now)
    try:
        await relay.send(gateway.settings, "", message["to"], notice)
    except relay.RefusedError:
        return  # nobody is told that a notice was not delivered (RFC 5321 §6.1)
