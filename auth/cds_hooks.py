"""CDS Hooks 2.0, "Trusting CDS Clients": which software calls a service, by the JWT it signs for each call.

The rule: registered professional software, its registered keys, an algorithm of our list, this very service, once.
No key is ever fetched: a client registers keys, not their address, so a `jku` is never the registered one.
"""

import json
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError
from joserfc import jws, jwt
from joserfc.errors import JoseError
from sqlalchemy.orm import Session

from auth import clients
from auth.clients import Client, Kind
from auth.rfc7523 import SignedAssertion
from auth.server import AuthServer
from phr.core.errors import DomainError, Issue, Reason

ALGORITHMS = ("ES384", "RS384", "ES256")
"""The specification recommends the first two; the third is that of the other assertions our clients sign."""
LARGEST = 8192
_KINDS = frozenset({Kind.PROFESSIONAL, Kind.PHARMACY})


def client_of(server: AuthServer, authorization: str | None, service: str) -> Client:
    """The client that signed an Authorization header for the service at this URL. Synchronous: run it in a thread.

    Raises DomainError UNAUTHENTICATED, always the same one.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > LARGEST:
        raise _refused()
    try:
        with Session(server.engine) as session, session.begin():
            return _judge(server, session, token.strip(), service)
    except (InvalidClientError, JoseError, ValueError, TypeError, RecursionError):
        raise _refused() from None


def _judge(server: AuthServer, session: Session, token: str, service: str) -> Client:
    """Raises InvalidClientError, JoseError, ValueError, TypeError."""
    shown = jws.extract_compact(token.encode("ascii"))
    header = shown.headers()
    # "typ: REQUIRED. Fixed value: JWT"; "kid: REQUIRED".
    if header.get("typ") != "JWT" or not isinstance(header.get("kid"), str) or "jku" in header:
        raise ValueError("header")
    said: Any = json.loads(shown.payload or b"")
    client = clients.find(session, said["iss"]) if isinstance(said, dict) and "iss" in said else None
    if client is None or client.kind not in _KINDS or client.jwks is None:
        raise ValueError("iss")
    claims = jwt.decode(token, clients.keys(client.jwks), algorithms=list(ALGORITHMS)).claims
    for name in ("iat", "exp", "jti"):
        if name not in claims:
            raise ValueError(name)
    # What RFC 7523 asks of aud, exp, iat and jti is what is asked here; that there is a subject is not.
    judge = SignedAssertion(session, server.keys, (service,), server.clock())
    judge.verify_claims({**claims, "sub": claims["iss"]})
    return client


def _refused() -> DomainError:
    return DomainError(Reason.UNAUTHENTICATED, Issue("login", "A JWT signed by registered software is required."))
