"""What a trusted proxy says of a request: the real address, https, and the client's TLS certificate.

The rule: only the networks named in PHR_TRUSTED_PROXIES are believed, and nobody's certificate header goes further.
"""

import base64
import binascii
import logging
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

log = logging.getLogger("carnet.proxy")

STATE = "client_certificate"
LARGEST = 16_384
"""Characters of a header."""


class Proxied:
    """Before everything else, on the connection's own peer: serve with uvicorn's `proxy_headers` off.

    `scope["state"]["client_certificate"]` is the certificate in DER, or None.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[str], header: str | None) -> None:
        self._app = ProxyHeadersMiddleware(app, trusted_hosts=list(networks))  # type: ignore[arg-type]  # same protocol
        self._networks = [ip_network(one) for one in networks]
        self._header = None if header is None else header.lower().encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] in ("http", "websocket"):
            passed = [value for name, value in scope["headers"] if name.lower() == self._header]
            believed = passed if passed and self._trusts(scope.get("client")) else []
            scope = {
                **scope,
                "headers": [(name, value) for name, value in scope["headers"] if name.lower() != self._header],
                "state": {**(scope.get("state") or {}), STATE: _one(believed)},
            }
        await self._app(scope, receive, send)  # type: ignore[arg-type]  # same protocol, other names

    def _trusts(self, peer: tuple[str, int] | None) -> bool:
        try:
            return peer is not None and any(ip_address(peer[0]) in network for network in self._networks)
        except ValueError:
            return False


def certificate(value: bytes) -> bytes | None:
    """The certificate in one header, in DER: RFC 9440 §2.1 (`:base64:`), or PEM escaped as in a URL (nginx)."""
    try:
        if len(value) > LARGEST:
            return None
        if value.startswith(b":") and value.endswith(b":"):
            found = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        else:
            (found,) = x509.load_pem_x509_certificates(unquote_to_bytes(value))
    except (ValueError, binascii.Error):
        return None
    return found.public_bytes(Encoding.DER)


def _one(passed: Sequence[bytes]) -> bytes | None:
    """RFC 9440 §2.2: "Client-Cert … MUST NOT" come twice; of two, neither can be believed."""
    said = [value.strip() for value in passed]
    if not any(said):
        return None
    found = certificate(said[0]) if len(said) == 1 else None
    if found is None:
        log.warning("a trusted proxy passed a client certificate that cannot be read")
    return found
