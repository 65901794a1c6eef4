"""OpenID Connect Back-Channel Logout 1.0, received: the provider tells that somebody's session there is over.

The rule: a logout token is believed clause by clause (§2.6) and once; it can end things, and open nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import provider_sessions
from auth.providers import SKEW, Provider
from auth.rfc7519 import instant
from auth.tables import seen_assertion
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

if TYPE_CHECKING:
    from auth.server import AuthServer

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FRESH = timedelta(minutes=5)
_TYPES = ("logout+jwt", "jwt")


class LogoutRefused(Exception):  # noqa: N818
    """The token is not a logout token for us now. The message says which clause, and holds no value."""


def receive(server: "AuthServer", provider: Provider, token: str) -> int:
    """End what a logout token names; how many things ended. Raises LogoutRefused, ProviderError (its signature)."""
    header, claims = provider.signed(token)
    now = server.clock()
    _judge(header, claims, provider.issuer, provider.client_id, now)
    with Session(server.engine) as session, session.begin():
        _use_once(session, server.keys, claims, now)
        named = provider_sessions.ended(server.keys, claims["iss"], claims)
        return provider_sessions.end(session, named, now)


def _judge(header: Mapping[str, Any], claims: Mapping[str, Any], issuer: str, client_id: str, now: datetime) -> None:
    """§2.6. The signature and its algorithm were judged before."""
    # §2.4: "explicitly typed … logout+jwt" is recommended; another explicit type is another kind of token.
    if str(header.get("typ", "jwt")).lower().removeprefix("application/") not in _TYPES:
        raise LogoutRefused("typ is another's")
    if claims.get("iss") != issuer:
        raise LogoutRefused("iss is not the provider")
    if claims.get("aud") not in (client_id, [client_id]):
        raise LogoutRefused("aud is not this client")
    issued, expires = instant(claims.get("iat")), instant(claims.get("exp"))
    skew = timedelta(seconds=SKEW)
    if issued is None or not now - FRESH <= issued <= now + skew:
        raise LogoutRefused("iat is missing, old or in the future")
    if expires is None or expires <= now - skew:
        raise LogoutRefused("exp is missing or past")
    # Clause 4: "contains a sub Claim, a sid Claim, or both".
    present = [claims[name] for name in ("sub", "sid") if name in claims]
    if not present or not all(isinstance(one, str) and one for one in present):
        raise LogoutRefused("sub or sid is missing")
    # Clause 5: "an events Claim whose value is JSON object containing the member name" above, itself an object.
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise LogoutRefused("events does not name a logout")
    # Clause 6: "does not contain a nonce Claim": it would be an id_token.
    if "nonce" in claims:
        raise LogoutRefused("nonce is forbidden")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 255:
        raise LogoutRefused("jti is missing")


def _use_once(session: Session, keys: SystemKeys, claims: Mapping[str, Any], now: datetime) -> None:
    """Clause 7: another token with the same jti was not received lately. Its primary key decides between two."""
    mark = keyed_uuid(subkey(keys.get("lookup"), "logout jti"), f"{claims['iss']}\n{claims['jti']}")
    row = {"hash": mark, "until": now + 2 * FRESH}
    fresh = insert(seen_assertion).values(row).on_conflict_do_nothing().returning(seen_assertion.c.hash)
    if session.execute(fresh).one_or_none() is None:
        raise LogoutRefused("jti was used before")
