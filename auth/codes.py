"""Authorization codes: single use, sixty seconds, sealed. A code used twice revokes the grant it stands for."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from auth import grants
from auth.tables import authorization_code
from phr.core.keys import SystemKeys
from phr.core.vault import fingerprint, seal, unseal

LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for. Its methods are those of Authlib's `AuthorizationCodeMixin` (OAuth and OpenID).

    `jkt`: the key the client said it would prove (RFC 9449 §10), None when it did not say. `app_context`: what the
    launch says to the app (`auth.launches`).
    """

    client: str
    redirect_uri: str
    scope: str
    code_challenge: str
    nonce: str | None
    grant: str
    auth_time: int
    acr: str
    amr: tuple[str, ...]
    jkt: str | None = None
    app_context: str = ""

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What was granted, which may be less than what was asked."""
        return self.scope

    def get_nonce(self) -> str | None:
        """OpenID Connect Core §3.1.2.1."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person proved who they are, in seconds since 1970."""
        return self.auth_time

    def get_acr(self) -> str:
        """How well (OpenID Connect Core §2)."""
        return self.acr

    def get_amr(self) -> list[str]:
        """By what means (RFC 8176)."""
        return list(self.amr)


def save(session: Session, keys: SystemKeys, secret: str, code: Code, now: datetime) -> None:
    """Keep a code."""
    mark = fingerprint(secret)
    row = {
        "fingerprint": mark,
        "sealed": seal(keys.get("accounts"), json.dumps(asdict(code)).encode(), _context(mark)),
        "jti": UUID(code.grant),
        "expires": now + LIFETIME,
        "used": None,
    }
    session.execute(insert(authorization_code).values(row))


def redeem(session: Session, keys: SystemKeys, secret: str, client: str, now: datetime) -> Code | None:
    """Use a code up, whatever comes after. None: unknown, expired, another client's, or used before.

    RFC 6749 §4.1.2: "If an authorization code is used more than once, the authorization server MUST deny the
    request and SHOULD revoke (when possible) all tokens previously issued based on that authorization code."
    The row is locked: of parallel uses, one wins, and the next revokes what the first one got.
    """
    mark = fingerprint(secret)
    mine = authorization_code.c.fingerprint == mark
    row = session.execute(select(authorization_code).where(mine).with_for_update()).one_or_none()
    if row is None:
        return None
    try:
        code = Code(**json.loads(unseal(keys.get("accounts"), row.sealed, _context(mark))))
    except TypeError:
        return None  # made by the release before this one, less than a minute ago: the person starts again
    if code.client != client:
        return None
    if row.used is not None:
        grants.revoke(session, UUID(code.grant), now)
        return None
    session.execute(update(authorization_code).where(mine).values(used=now))
    return None if row.expires <= now else replace(code, amr=tuple(code.amr))


def new_jti() -> str:
    """A token id."""
    return str(uuid4())


def _context(mark: bytes) -> bytes:
    return b"authorization_code|" + mark
