"""Signing out: OpenID Connect RP-Initiated Logout 1.0, and Back-Channel Logout 1.0 towards the apps of the session.

The rule: signing out ends the browser session and what was granted in it without `offline_access`; every app of the
session that gave an address for it is told, at least once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
from authlib.oidc.rpinitiated import EndSessionEndpoint
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy.orm import Session

from auth import clients, grants, scopes
from auth.sessions import Visitor
from auth.signing import ALGORITHM, SigningKeys
from phr.core import outbox

if TYPE_CHECKING:
    from auth.exchange import Exchange
    from auth.server import AuthServer

KIND = "logout"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPE = "logout+jwt"
TOKEN_LIFETIME = timedelta(minutes=2)
"""Back-Channel §2.4: "preferably at most two minutes in the future"; each try mints another."""

TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Logout:
    """A valid logout request. `redirect_uri`: where to go afterwards, if anywhere; `confirm`: ask the person first."""

    redirect_uri: str | None
    app: str | None
    confirm: bool


class EndSession(EndSessionEndpoint):  # type: ignore[misc]
    """The end-session endpoint. It judges the request; the page asks, and `end` ends."""

    def get_server_jwks(self) -> KeySet:
        """RP-Initiated §2: "the OP MUST validate that it was the issuer of the ID Token"."""
        exchange: Exchange = self.server
        return KeySet.import_key_set({"keys": exchange.signing.jwks(exchange.now)["keys"]})

    def get_algorithms(self) -> list[str]:
        """Ours, never the header's word."""
        return [ALGORITHM]

    def _is_valid_post_logout_redirect_uri(self, client: clients.Client, post_logout_redirect_uri: str) -> bool:
        """§3: "exactly match one of the previously registered post_logout_redirect_uris values"."""
        return post_logout_redirect_uri in client.post_logout_redirect_uris


def considered(exchange: "Exchange", request: Any, visitor: Visitor | None) -> Logout:
    """Judge a logout request. Raises InvalidRequestError."""
    asked = exchange.validate_endpoint_request(EndSession.ENDPOINT_NAME, request)
    claims = asked.id_token_claims or {}
    # §2: a hint of this very session needs no question; anybody else's page can send a person here.
    confirm = visitor is not None and claims.get("sid") != str(visitor.id)
    return Logout(asked.redirect_uri, None if asked.client is None else asked.client.name, confirm)


def end(server: "AuthServer", session: Session, visitor: Visitor, now: datetime) -> None:
    """End what hangs on a browser session: its grants without `offline_access`; tell its apps."""
    for grant in grants.of_account(session, server.keys, visitor.subject, now):
        if grant.session != visitor.id:
            continue
        client = clients.find(session, grant.client)
        if client is not None and client.backchannel_logout_uri is not None:
            notice = {
                "uri": client.backchannel_logout_uri,
                "aud": client.id,
                "sub": server.subjects.of(grant.account, client.sector),
                "sid": str(visitor.id),
                "jti": str(uuid4()),
            }
            outbox.put(session, server.keys, KIND, notice, now)
        # Back-Channel §2.7: "Refresh tokens issued with the offline_access property normally SHOULD NOT be revoked."
        if scopes.OFFLINE not in grant.scopes:
            grants.revoke(session, grant.id, now)


def deliverer(issuer: str, signing: SigningKeys) -> Callable[[dict[str, Any]], None]:
    """Sends one notice as Back-Channel §2.5 says; raises when the app did not take it (§2.8: 200 or 204)."""

    def deliver(notice: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        kid, key = signing.signer(now)
        claims = {
            "iss": issuer,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
            "events": {EVENT: {}},
            **{name: notice[name] for name in ("aud", "sub", "sid", "jti")},
        }
        token = jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": kid}, claims, key, algorithms=[ALGORITHM])
        httpx.post(notice["uri"], data={"logout_token": token}, timeout=TIMEOUT).raise_for_status()

    return deliver
