"""The one way to POST to an address that a stranger gave: a browser's push service, a subscriber's hook.

The rule: the address is resolved once, refused unless it is public, and connected to as it was checked, so that no name
that changes its mind (DNS rebinding) leads inside. HTTPS, no redirect, no proxy, one deadline, a short answer.
"""

import hashlib
import hmac
import http
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from urllib.parse import SplitResult

import httptools

from phr.core.addresses import Address, RefusedError, check, is_public

SECONDS = 10.0
"""For all of it but the resolution of the name, whose time is the system resolver's."""
LARGEST_BODY = 1 << 20
LARGEST_ANSWER = 1 << 14
"""How much is read, in bytes, to find the status: what comes after is not."""

Resolve = Callable[[str, int], Sequence[str]]
"""The numeric addresses of a host name, for a port. Raises OSError."""


class TransportError(Exception):
    """No answer: no name, no connection, no valid certificate, too late, or not HTTP. The message never quotes it."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    sandbox: bool,
    resolve: Resolve | None = None,
    trusted: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> int:
    """POST, and the status of the answer, whatever it is (a redirect is not followed).

    `sandbox`: loopback and plain HTTP are allowed, so that one can try. Blocks: call it in a thread. `trusted`: whose
    certificates are believed, the system's authorities by default. Raises RefusedError, TransportError.
    """
    parts = check(url, sandbox=sandbox)
    if len(body) > LARGEST_BODY:
        raise RefusedError("the body is too large")
    request, host = _request(parts, body, headers), parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    deadline = time.monotonic() + seconds
    try:
        found = [ipaddress.ip_address(one) for one in (resolve or _resolve)(host, port)]
        if not found or not all(is_public(one) or (sandbox and one.is_loopback) for one in found):
            raise RefusedError("the name leads to an address that is not public")
        with _connected(found, port, deadline) as plain:
            if parts.scheme == "http":
                return _asked(plain, request, deadline)
            context = trusted or authorities()
            plain.settimeout(_left(deadline))
            with context.wrap_socket(plain, server_hostname=host) as encrypted:
                return _asked(encrypted, request, deadline)
    except (OSError, ValueError, httptools.HttpParserError) as error:
        raise TransportError(type(error).__name__) from None


def signature(secret: bytes, body: bytes, at: datetime) -> str:
    """`t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>">`: who receives checks both, and how old it is."""
    moment = int(at.timestamp())
    digest = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@cache
def authorities() -> ssl.SSLContext:
    """The system's, read once: it takes longer than a connection."""
    return ssl.create_default_context()


def _resolve(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def _request(parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    """An HTTP/1.1 request (RFC 9112). Raises RefusedError for a header that would hold a line break."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise RefusedError("a header is not printable")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(addresses: Sequence[Address], port: int, deadline: float) -> socket.socket:
    """A connection to the first of the checked addresses that takes one, each given its share of the time."""
    for n, address in enumerate(addresses, start=1):
        try:
            return socket.create_connection((str(address), port), _left(deadline) / (len(addresses) - n + 1))
        except OSError:
            if n == len(addresses):
                raise
    raise OSError


class _Answer:
    """What the parser tells: the status of the final answer (RFC 9110 §15.2: those of 1xx come before it)."""

    def __init__(self) -> None:
        self.status = 0
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= http.HTTPStatus.OK and not self.status:
            self.status = status


def _asked(connection: socket.socket, request: bytes, deadline: float) -> int:
    """Send, and read as far as the status."""
    sent = read = 0
    while sent < len(request):
        connection.settimeout(_left(deadline))
        sent += connection.send(request[sent : sent + LARGEST_ANSWER])
    answer = _Answer()
    while not answer.status and read < LARGEST_ANSWER:
        connection.settimeout(_left(deadline))
        piece = connection.recv(4096)
        if not piece:
            break
        read += len(piece)
        answer.parser.feed_data(piece)
    if not answer.status:
        raise ValueError("no answer")
    return answer.status


__all__ = ["RefusedError", "TransportError", "authorities", "check", "post", "signature"]
