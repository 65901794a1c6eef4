"""RFC 6750, how a token is presented at a resource, and what a refusal says; with the keys it may be bound to.

The rule: a token bound to a key (RFC 9449) or a certificate (RFC 8705) is nothing without it, and every refusal of a
token looks the same whatever was wrong with it.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from auth import rfc8705, rfc9449, rfc9728
from auth.claims import Claims
from phr.core.errors import DomainError, Issue, Reason

if TYPE_CHECKING:
    from auth.server import AuthServer


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows: its method and path, the Authorization header, DPoP headers, the TLS certificate in DER."""

    method: str
    path: str
    authorization: str | None
    proofs: tuple[str, ...] = ()
    certificate: bytes | None = None


class ChallengeError(DomainError):
    """A refusal with the headers that say what would be accepted (RFC 9110 §11.6.1)."""

    def __init__(self, headers: tuple[tuple[str, str], ...], why: str) -> None:
        super().__init__(Reason.UNAUTHENTICATED, Issue("login", why))
        self.headers = headers


class Gate:
    """Verifies presented tokens for one process. Costs no database round trip."""

    __slots__ = ("_issuer", "_metadata", "_nonces", "_seen", "_verifier")

    def __init__(self, server: "AuthServer") -> None:
        self._issuer = server.issuer
        self._verifier = server.verifier
        self._nonces = server.nonces
        self._seen = rfc9449.Seen()
        self._metadata = rfc9728.location(server.issuer)

    def claims(self, shown: Presented, now: datetime) -> Claims:
        """The claims of the token. Raises ChallengeError; whether it was revoked is for the caller to check."""
        scheme, _, token = (shown.authorization or "").partition(" ")
        scheme, token = scheme.lower(), token.strip()
        if scheme not in ("bearer", "dpop") or not token:
            # §3.1: no error code for a request that brought no token.
            raise self._challenge(None, "A bearer token is required.")
        try:
            claims = self._verifier.verify(token, now)
        except DomainError as error:
            if error.reason is not Reason.UNAUTHENTICATED:
                raise
            raise self._challenge("invalid_token", _INVALID) from None
        if (claims.jkt is not None) != (scheme == "dpop"):
            # RFC 9449 §7.2: a bound token used as a bearer token is refused, and the other way round.
            raise self._challenge("invalid_token", _INVALID)
        if claims.jkt is not None:
            self._prove(shown, token, claims.jkt, now)
        if claims.x5t is not None and not (shown.certificate and rfc8705.same(claims.x5t, shown.certificate)):
            # RFC 8705 §3: "the resource server MUST … reject … with 401 … invalid_token".
            raise self._challenge("invalid_token", _INVALID)
        return claims

    def _prove(self, shown: Presented, token: str, jkt: str, now: datetime) -> None:
        url = self._issuer + shown.path
        try:
            proof = rfc9449.check(
                rfc9449.one(shown.proofs),
                method=shown.method,
                url=url,
                nonces=self._nonces,
                now=now,
                access_token=token,
            )
        except rfc9449.NonceNeeded:
            raise self._dpop(rfc9449.USE_NONCE, now) from None
        except rfc9449.InvalidProof:
            raise self._dpop(rfc9449.INVALID_PROOF, now) from None
        if not hmac.compare_digest(proof.jkt, jkt) or not self._seen.once(proof, now):
            raise self._dpop("invalid_token", now)

    def _dpop(self, error: str, now: datetime) -> ChallengeError:
        headers = (
            ("WWW-Authenticate", rfc9449.challenge(error, self._metadata)),
            ("DPoP-Nonce", self._nonces.current(now)),
        )
        return ChallengeError(headers, "The DPoP proof is missing, invalid, or without the current nonce.")

    def _challenge(self, error: str | None, why: str) -> ChallengeError:
        told = "" if error is None else f', error="{error}"'
        bearer = f'Bearer realm="carnet"{told}, resource_metadata="{self._metadata}"'
        return ChallengeError((("WWW-Authenticate", bearer),), why)


_INVALID = "The access token is missing, invalid or expired."
