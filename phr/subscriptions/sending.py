"""One signed POST to a subscriber's endpoint, and what became of it."""

from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool

from fhir import wire
from phr.core import egress
from phr.subscriptions.channel import headers
from phr.subscriptions.held import Held

SIGNATURE = "Carnet-Signature"
_UNSENT = frozenset({"ConnectionRefusedError", "SSLCertVerificationError", "gaierror"})
"""What `egress.TransportError` says when it failed before anything was sent."""


class Outcome(Enum):
    """Whether the subscriber took it (2xx), did not, or may have without saying so; or nothing left this server."""

    TAKEN = auto()
    FAILED = auto()
    UNSENT = auto()


async def send(held: Held, bundle: dict[str, Any], now: datetime, *, sandbox: bool) -> Outcome:
    """Send a notification. Never raises for what the other side does."""
    channel, body = held.resource["channel"], wire.encode(bundle)
    signed = egress.signature(bytes.fromhex(held.secret), body, now)
    told = {**headers(channel.get("header", ())), "Content-Type": channel["payload"], SIGNATURE: signed}
    seconds = float(held.wish.timeout)
    post = partial(egress.post, channel["endpoint"], body, told, sandbox=sandbox, seconds=seconds)
    try:
        status = await run_in_threadpool(post)
    except egress.RefusedError:
        return Outcome.UNSENT
    except egress.TransportError as error:
        return Outcome.UNSENT if str(error) in _UNSENT else Outcome.FAILED
    return Outcome.TAKEN if 200 <= status < 300 else Outcome.FAILED
