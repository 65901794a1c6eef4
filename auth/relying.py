"""Signing in at a provider and coming back: the authorization request, and judging what the browser brings home.

The rule: an answer is believed by the browser that asked, once, from the provider that was asked (RFC 9207, mix-up).
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from sqlalchemy.orm import Session

from auth import tickets
from auth.providers import Failure, Provider, ProviderError
from auth.rfc7519 import instant

if TYPE_CHECKING:
    from auth.server import AuthServer

LIFETIME = timedelta(minutes=10)
_PURPOSE = "provider"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who came back: verified id_token claims, userinfo of the same `sub`, and what was kept on leaving."""

    issuer: str
    claims: Mapping[str, Any]
    userinfo: Mapping[str, Any]
    kept: Mapping[str, Any]
    at: datetime
    """When the person proved themself; when the id_token was made if the provider does not say. Never in the future."""

    @property
    def amr(self) -> tuple[str, ...]:
        """The methods they used (RFC 8176), as far as the provider says."""
        named = self.claims.get("amr") or ()
        return tuple(name for name in named if isinstance(name, str))

    @property
    def acr(self) -> str:
        """The class of the proof, as the provider signed it; empty when it says nothing."""
        said = self.claims.get("acr")
        return said if isinstance(said, str) else ""


def begin(
    server: "AuthServer", provider: Provider, redirect_uri: str, extra: Mapping[str, str], kept: Mapping[str, Any]
) -> tuple[str, str]:
    """Where to send the browser (OpenID Connect Core §3.1.2.1), and the secret for its cookie. Raises ProviderError.

    `extra`: `scope` and whatever else this provider wants. state, nonce and PKCE S256 are always sent.
    """
    metadata = provider.metadata()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **extra,
    }
    values = {
        "issuer": metadata["issuer"],
        "redirect_uri": redirect_uri,
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "kept": dict(kept),
    }
    with Session(server.engine) as session, session.begin():
        secret = tickets.issue(session, server.keys, _PURPOSE, values, LIFETIME, server.clock())
    address = str(metadata["authorization_endpoint"])
    joint = "&" if urlsplit(address).query else "?"
    return f"{address}{joint}{urlencode(asked)}", secret


def finish(server: "AuthServer", provider: Provider, secret: str, answer: Sequence[tuple[str, str]]) -> Arrived:
    """Judge the answer a browser brings, redeem its code, and learn who they are. Raises ProviderError.

    A state that is not this browser's leaves its ticket alone; the right one uses it up, whatever comes after.
    """
    given = dict(answer)
    now = server.clock()
    with Session(server.engine) as session, session.begin():
        asked = tickets.read(session, server.keys, _PURPOSE, secret, now) if secret else None
        state = given.get("state", "").encode(errors="replace")
        if asked is None or len(given) != len(answer) or not hmac.compare_digest(asked["state"].encode(), state):
            raise ProviderError(Failure.STATE)
        if tickets.take(session, server.keys, _PURPOSE, secret, now) is None:
            raise ProviderError(Failure.STATE)
    metadata = provider.metadata()
    # RFC 9207 §2.4: compared when present, and required of a provider that says it sends it.
    promised = metadata.get("authorization_response_iss_parameter_supported") is True
    if (
        asked["issuer"] != metadata["issuer"]
        or given.get("iss", None if promised else asked["issuer"]) != asked["issuer"]
    ):
        raise ProviderError(Failure.ISSUER)
    if "error" in given or not given.get("code"):
        raise ProviderError(Failure.DENIED)
    tokens = provider.redeem(given["code"], asked["redirect_uri"], asked["verifier"])
    claims = provider.id_token(tokens["id_token"], tokens["access_token"], asked["nonce"])
    userinfo = provider.userinfo(tokens["access_token"], claims["sub"])
    at = instant(claims.get("auth_time") or claims["iat"])
    if at is None:
        raise ProviderError(Failure.TOKEN)
    return Arrived(asked["issuer"], claims, userinfo, asked["kept"], min(at, now))
