"""RFC 8252, native apps: which redirect URIs are safe to register, and when an asked one is the registered one."""

import re
from urllib.parse import urlsplit

_LOOPBACK = re.compile(
    r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9][0-9]{0,4}))?([/?][\x21\x23-\x7e]*)?", re.ASCII
)
_URI = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,500}", re.ASCII)
_HTTP = ("http", "https")
_LAST_PORT = 65_535


def safe(uri: str) -> bool:
    """Whether a redirect URI may be registered: https, loopback http, or a private-use scheme.

    RFC 6749 §3.1.2: "The endpoint URI MUST NOT include a fragment component." A `;`, `,` or quote would not survive
    the headers and pages that name it.
    """
    if _URI.fullmatch(uri) is None or any(mark in uri for mark in "#;,'"):
        return False
    try:
        parts = urlsplit(uri)
        if parts.username is not None or parts.password is not None:
            return False
        if parts.scheme == "https":
            return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return loopback(uri) if parts.scheme in _HTTP else private_use(uri)


def private_use(uri: str) -> bool:
    """§7.1: "apps MUST use a URI scheme based on a domain name under their control, expressed in reverse order".

    §8.4: the server SHOULD reject those "that don't contain a period character".
    """
    scheme = uri.partition(":")[0]
    return "." in scheme.strip(".") and ":" in uri and urlsplit(uri).scheme == scheme.lower()


def loopback(uri: str) -> bool:
    """§7.3: http on a loopback address; `localhost` too, though §8.3 says "NOT RECOMMENDED"."""
    return _split(uri) is not None


def matches(asked: str, registered: str, native: bool) -> bool:
    """Whether `asked` is the registered redirect URI: the same string, or for a native app the same but for the port.

    §8.10: "exactly match the value of a registered redirect URI … except for the port URI component for localhost
    redirect URIs". §7.3: "The authorization server MUST allow any port to be specified at the time of the request for
    loopback IP redirect URIs, to accommodate clients that obtain an available ephemeral port".
    """
    if asked == registered:
        return True
    mine, theirs = _split(registered), _split(asked)
    return native and mine is not None and mine == theirs


def _split(uri: str) -> tuple[str, str] | None:
    """The host and what follows the port, of a loopback URI."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found[2] or 1) > _LAST_PORT:
        return None
    return found[1], found[3] or ""
