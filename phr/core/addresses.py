"""Which addresses on the network a stranger may have us talk to: those out in the world, and no other.

The rule: what is inside (private, loopback, link-local, shared, multicast, reserved, a cloud's metadata) is refused,
whichever way it is spelled: it is judged once resolved, as a number.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_INSIDE = tuple(
    ipaddress.ip_network(one)
    for one in (
        "168.63.129.16/32",  # Azure's metadata and DNS, on a public address
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890), Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "2002::/16",  # 6to4: an IPv4 address inside, whichever it is (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 within a network (RFC 8215)
        "fec0::/10",  # site-local (RFC 3879)
    )
)
"""What `ipaddress` takes for global and is not. IPv4-mapped, IPv4-compatible and NAT64 are reserved in its eyes."""


class RefusedError(Exception):
    """An address that nothing is sent to. The message never quotes it."""


def check(url: str, *, sandbox: bool) -> SplitResult:
    """The address, if its spelling is that of one to post to: refuse it when it is given. Raises RefusedError."""
    try:
        parts = urlsplit(url)
        well = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        raise RefusedError("this is not a URL") from None
    if not well or parts.username is not None or parts.password is not None:
        raise RefusedError("this is not the URL of a public server")
    if parts.scheme not in (("https", "http") if sandbox else ("https",)):
        raise RefusedError("the URL must be https")
    return parts


def is_public(address: Address) -> bool:
    """Whether an address is out in the world: not private, loopback, link-local, shared, multicast, reserved."""
    inside = address.is_multicast or address.is_reserved or not address.is_global
    return not inside and not any(address in network for network in _INSIDE)
