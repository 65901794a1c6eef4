"""Where a subscriber is told, and with which headers: secrets, told once by who set them and never shown back whole.

The rule: nothing is sent to an address inside the network, nor under a name that leads there: refused when it is given,
and again at each delivery (`phr.core.egress`).
"""

import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool

from phr.core.addresses import RefusedError, check, is_public
from phr.core.errors import DomainError, invalid

Json = dict[str, Any]

MOST_HEADERS, LONGEST = 10, 2000
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}): ?(?P<value>[\x20-\x7e]{1,1000})")
_OURS = frozenset(
    {"carnet-signature", "connection", "content-length", "content-type", "expect", "host", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
ENDPOINT = "Subscription.channel.endpoint"


def headers(said: Sequence[str]) -> Mapping[str, str]:
    """The headers asked, by name. Raises CONTENT (422)."""
    found = [_HEADER.fullmatch(one) for one in said]
    pairs = {one["name"]: one["value"].strip() for one in found if one is not None}
    known = all(one is not None for one in found) and _OURS.isdisjoint(map(str.lower, pairs))
    if not known or len(said) > MOST_HEADERS:
        raise invalid("A header is `Name: value`, and none that the server sets.", "Subscription.channel.header")
    return pairs


async def admit(endpoint: Any, *, sandbox: bool) -> str:
    """The endpoint, if it is the address of a public server now. Raises CONTENT (422), whatever is wrong with it."""
    if isinstance(endpoint, str) and len(endpoint) <= LONGEST and await run_in_threadpool(_public, endpoint, sandbox):
        return endpoint
    raise _refused()


def hidden(channel: Json) -> Json:
    """A channel as it is shown."""
    parts = urlsplit(channel["endpoint"])
    shown = {**channel, "endpoint": f"{parts.scheme}://{parts.netloc}/***"}
    if "header" in channel:
        shown["header"] = [f"{one.partition(':')[0]}: ***" for one in channel["header"]]
    return shown


def restored(body: Json, before: Json) -> Json:
    """A body whose secrets are as they were shown, with those it had: who changes one thing sends back the rest."""
    given, kept = body.get("channel"), before["channel"]
    if not isinstance(given, dict):
        return body
    masked = hidden(kept)
    back = {name: kept[name] for name in ("endpoint", "header") if name in kept and given.get(name) == masked[name]}
    return {**body, "channel": {**given, **back}}


def _public(url: str, sandbox: bool) -> bool:
    try:
        parts = check(url, sandbox=sandbox)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (RefusedError, OSError, UnicodeError):
        return False
    addresses = [ipaddress.ip_address(str(one[4][0])) for one in found]
    return bool(addresses) and all(is_public(one) or (sandbox and one.is_loopback) for one in addresses)


def _refused() -> DomainError:
    return invalid("The endpoint is the https address of a public server.", ENDPOINT)
