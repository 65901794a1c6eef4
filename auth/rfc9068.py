"""RFC 9068, JWT access tokens: made here, verified here, without a database round trip.

The rule: the algorithm is ours, the type is at+jwt, issuer and audience are exact, and deny on doubt.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError
from sqlalchemy.exc import SQLAlchemyError

from auth.claims import Claims
from auth.professionals import Professional
from auth.signing import ALGORITHM, SigningKeys
from auth.subjects import Subjects
from phr.core.errors import DomainError, Issue, Reason

TYPE = "at+jwt"
CITIZEN = "citizen-app"
SKEW = timedelta(seconds=5)
LARGEST = 8192
REMEMBERED = 4096
RELOAD_EVERY = timedelta(seconds=10)


def audience(issuer: str) -> str:
    """The resource server of this installation: its FHIR base."""
    return f"{issuer}/fhir"


def mint(issuer: str, signing: SigningKeys, subjects: Subjects, claims: Claims, sector: str, now: datetime) -> str:
    """Sign an access token (RFC 9068 §2.2). `sector`: of the client, for its pairwise `sub`."""
    kid, key = signing.signer(now)
    said = {**payload(issuer, subjects, claims, sector), "iat": int(now.timestamp())}
    return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": kid}, said, key, algorithms=[ALGORITHM])


def payload(issuer: str, subjects: Subjects, claims: Claims, sector: str) -> dict[str, Any]:
    """What a token says of itself, also to who introspects it (RFC 7662 §2.2).

    `kind`, `patient`, `grant`, `professional` and `assistant` are private claims.
    """
    citizen = claims.kind == CITIZEN
    said: dict[str, Any] = {
        "iss": issuer,
        "aud": audience(issuer),
        "sub": subjects.of(UUID(claims.subject), sector) if citizen else claims.subject,
        "client_id": claims.client,
        "scope": " ".join(claims.scopes),
        "jti": claims.jti,
        "exp": int(claims.expires.timestamp()),
        "kind": claims.kind,
    }
    confirmation = {"jkt": claims.jkt, "x5t#S256": claims.x5t}
    optional: dict[str, Any] = {
        "patient": claims.record,
        "grant": claims.grant,
        "acr": claims.acr,
        "auth_time": claims.auth_time,
        "cnf": {name: value for name, value in confirmation.items() if value is not None} or None,
        "professional": None if claims.professional is None else claims.professional.claim(),
        "assistant": None if claims.assistant is None else claims.assistant.claim(),
    }
    if claims.actor is not None:
        # RFC 8693 §4.1: who acts, beside whom they act for.
        optional["act"] = {"sub": subjects.of(UUID(claims.actor), sector) if citizen else claims.actor}
    return said | {name: value for name, value in optional.items() if value is not None}


class Verifier:
    """Verifies bearer tokens. Remembers the last few thousand by SHA-256; expiry is checked at every use."""

    __slots__ = ("_issuer", "_lock", "_reload_after", "_remembered", "_signing", "_subjects")

    def __init__(self, issuer: str, signing: SigningKeys, subjects: Subjects) -> None:
        self._issuer = issuer
        self._signing = signing
        self._subjects = subjects
        self._remembered: OrderedDict[bytes, tuple[Claims, str]] = OrderedDict()
        self._reload_after = datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def verify(self, bearer: str, now: datetime) -> Claims:
        """The claims of a token (RFC 9068 §4). Raises DomainError(UNAUTHENTICATED), always the same one.

        Whether the token was revoked is for the caller to check, with `auth.tables.revoked_token`.
        """
        if len(bearer) > LARGEST:
            raise _refused()
        digest = hashlib.sha256(bearer.encode(errors="replace")).digest()
        with self._lock:
            known = self._remembered.get(digest)
            if known is not None:
                self._remembered.move_to_end(digest)
        if known is None:
            try:
                known = self._judge(bearer, now)
            except SQLAlchemyError as error:
                raise DomainError(Reason.UNAVAILABLE) from error
            except (JoseError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                raise _refused() from error
            with self._lock:
                self._remembered[digest] = known
                if len(self._remembered) > REMEMBERED:
                    self._remembered.popitem(last=False)
        claims, kid = known
        # A key may have lost its trust since the token was first seen.
        if claims.expires <= now or self._signing.verifier(kid, now) is None:
            raise _refused()
        return claims

    def _judge(self, bearer: str, now: datetime) -> tuple[Claims, str]:
        encoded = bearer.encode("ascii")
        kid = jws.extract_compact(encoded).headers().get("kid")
        key = self._signing.verifier(kid, now)
        if key is None and self._may_reload(now):
            self._signing.load(now)
            key = self._signing.verifier(kid, now)
        if key is None:
            raise ValueError("unknown key")
        token = jws.deserialize_compact(encoded, key, algorithms=[ALGORITHM])
        # RFC 9068 §4: "MUST verify that the 'typ' header value is 'at+jwt' or 'application/at+jwt'".
        if str(token.headers().get("typ")).lower().removeprefix("application/") != TYPE:
            raise ValueError("typ")
        return self._claims(json.loads(token.payload or b""), now), _text(kid)

    def _claims(self, payload: Mapping[str, Any], now: datetime) -> Claims:
        issued = datetime.fromtimestamp(payload["iat"], UTC)
        begins = datetime.fromtimestamp(payload.get("nbf", payload["iat"]), UTC)
        if max(issued, begins) > now + SKEW:
            raise ValueError("from the future")
        if payload["iss"] != self._issuer or payload["aud"] != audience(self._issuer):
            raise ValueError("iss or aud")
        kind, grant = _text(payload["kind"]), payload.get("grant")
        confirmation = payload.get("cnf", {})
        if not isinstance(confirmation, dict) or not confirmation.keys() <= {"jkt", "x5t#S256"}:
            raise ValueError("cnf")  # bound to something we cannot check
        professional, assistant = payload.get("professional"), payload.get("assistant")
        auth_time = payload.get("auth_time")
        return Claims(
            client=_text(payload["client_id"]),
            kind=kind,
            subject=self._person(kind, payload["sub"]),
            record=_optional(payload.get("patient")),
            scopes=tuple(_text(payload["scope"]).split()),
            jti=str(UUID(payload["jti"])),
            grant=None if grant is None else str(UUID(grant)),
            expires=datetime.fromtimestamp(payload["exp"], UTC),
            actor=self._person(kind, payload["act"]["sub"]) if "act" in payload else None,
            jkt=_optional(confirmation.get("jkt")),
            x5t=_optional(confirmation.get("x5t#S256")),
            acr=_optional(payload.get("acr")),
            auth_time=None if auth_time is None else int(auth_time),
            professional=None if professional is None else Professional.of_claim(professional),
            assistant=None if assistant is None else Professional.of_claim(assistant),
        )

    def _person(self, kind: str, subject: object) -> str:
        """A citizen's account behind their pairwise subject; anybody else's subject is their name."""
        return str(self._subjects.account(_text(subject))) if kind == CITIZEN else _text(subject)

    def _may_reload(self, now: datetime) -> bool:
        """A forged kid costs one query every RELOAD_EVERY, not one each."""
        with self._lock:
            if now < self._reload_after:
                return False
            self._reload_after = now + RELOAD_EVERY
            return True


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _refused() -> DomainError:
    return DomainError(Reason.UNAUTHENTICATED, Issue("login", "The access token is missing, invalid or expired."))
