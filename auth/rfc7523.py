"""RFC 7523, clients that prove who they are by signing (private_key_jwt). There is no client secret anywhere."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import clients
from auth.rfc7519 import instant
from auth.tables import seen_assertion
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

METHOD = "private_key_jwt"
ALGORITHMS = ("ES256", "ES384", "RS256", "PS256")
LIFETIME = timedelta(minutes=5)
SKEW = timedelta(seconds=5)


class SignedAssertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """Authenticates one request. `audiences`: the token endpoint and the issuer, and where RFC 9126 §2 asks for it the
    pushed authorization request endpoint."""

    CLIENT_AUTH_METHOD = METHOD

    def __init__(self, session: Session, keys: SystemKeys, audiences: tuple[str, ...], now: datetime) -> None:
        super().__init__()
        self._session = session
        self._keys = keys
        self._audiences = audiences
        self._now = now

    def __call__(self, query_client: Any, request: Any) -> Any:
        """The client, or None when there is no assertion. Raises InvalidClientError."""
        client = super().__call__(query_client, request)
        # RFC 7521 §4.2: client_id, if present, "MUST identify the same client as … the client assertion".
        if client is not None and request.payload.client_id not in (None, client.id):
            raise InvalidClientError("client_id is not the subject of the assertion.")
        return client

    def resolve_client_public_key(self, client: clients.Client) -> Any:
        """The registered keys."""
        if client.jwks is None:
            raise InvalidClientError("This client has no registered key.")
        return clients.keys(client.jwks)

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> Mapping[str, Any]:
        """§3: signature by an algorithm of our list (never the header's word), then the claims."""
        try:
            token = _decoded(assertion, resolve_key)
        except (JoseError, ValueError) as error:
            raise InvalidClientError("The assertion's signature does not verify.") from error
        self.verify_claims(token.claims)
        return token.claims

    def verify_claims(self, claims: Mapping[str, Any]) -> None:
        """§3, clauses 1 to 7."""
        if claims.get("iss") != claims.get("sub"):
            raise InvalidClientError("iss and sub must both be the client_id.")
        audience = claims.get("aud")
        named = [audience] if isinstance(audience, str) else audience
        if not isinstance(named, list) or not named or any(one not in self._audiences for one in named):
            raise InvalidClientError("aud must be the token endpoint or the issuer.")
        expires = instant(claims.get("exp"))
        if expires is None or expires <= self._now:
            raise InvalidClientError("exp is missing or past.")
        # SMART App Launch 2.2, client-confidential-asymmetric: "no more than five minutes in the future".
        if expires > self._now + LIFETIME + SKEW:
            raise InvalidClientError("exp must be at most five minutes ahead.")
        for name in ("nbf", "iat"):
            if name in claims:
                begins = instant(claims[name])
                if begins is None or begins > self._now + SKEW:
                    raise InvalidClientError("iat or nbf is in the future.")
        self._use_once(claims, expires)

    def _use_once(self, claims: Mapping[str, Any], expires: datetime) -> None:
        """§3 clause 7: a jti is seen once, by whichever process; its primary key decides between two."""
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti or len(jti) > 255 or not jti.isascii():
            raise InvalidClientError("jti must be 1 to 255 ASCII characters.")
        mark = keyed_uuid(subkey(self._keys.get("lookup"), "assertion jti"), f"{claims['sub']}\n{jti}")
        row = {"hash": mark, "until": expires}
        fresh = insert(seen_assertion).values(row).on_conflict_do_nothing().returning(seen_assertion.c.hash)
        if self._session.execute(fresh).one_or_none() is None:
            raise InvalidClientError("This jti was used before.")


def _decoded(assertion: str, registered: KeySet) -> jwt.Token:
    """By the key that `kid` names; without one by any, so that a client of one key may be given a second."""
    if "kid" in jws.extract_compact(assertion.encode()).headers():
        return jwt.decode(assertion, registered, algorithms=list(ALGORITHMS))
    for key in registered.keys[:-1]:
        with suppress(JoseError):
            return jwt.decode(assertion, KeySet([key]), algorithms=list(ALGORITHMS))
    return jwt.decode(assertion, KeySet(registered.keys[-1:]), algorithms=list(ALGORITHMS))
