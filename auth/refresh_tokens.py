"""Refresh tokens: each is used once and replaced (RFC 9700 §4.14.2); one used twice revokes its whole family.

Only their fingerprints are kept. The family is the grant: it dies, with every token it gave, at the first replay.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from auth import grants
from auth.clients import Client
from auth.grants import Grant
from auth.tables import refresh_token
from phr.core.keys import SystemKeys
from phr.core.vault import fingerprint


def issue(session: Session, grant: UUID, expires: datetime) -> str:
    """A new refresh token of a grant, good until the grant ends."""
    secret = secrets.token_urlsafe(32)
    row = {"fingerprint": fingerprint(secret), "grant": grant, "expires": expires, "used": None}
    session.execute(insert(refresh_token).values(row))
    return secret


@dataclass(frozen=True, slots=True)
class Held:
    """A refresh token presented by its client, its row locked. Its methods are those Authlib asks of a credential."""

    fingerprint: bytes
    grant: Grant

    def check_client(self, client: Client) -> bool:
        """RFC 6749 §6: "the refresh token is bound to the client to which it was issued"."""
        return self.grant.client == client.id

    def get_scope(self) -> str:
        """What was granted: a refresh may ask for less, never for more."""
        return " ".join(self.grant.scopes)


def hold(session: Session, keys: SystemKeys, secret: str, client: str, now: datetime) -> Held | None:
    """The token and its grant, or None when unknown, expired, another client's, revoked, or used before.

    The row stays locked until the transaction ends: of parallel uses one wins, the others find the token spent, which
    is a replay: RFC 9700 §4.14.2, the family is revoked.
    """
    mine = refresh_token.c.fingerprint == fingerprint(secret)
    row = session.execute(select(refresh_token).where(mine).with_for_update()).one_or_none()
    grant = None if row is None else grants.find(session, keys, row.grant)
    if row is None or grant is None or grant.client != client or row.expires <= now:
        return None
    if row.used is not None:
        grants.revoke(session, grant.id, now)
        return None
    return Held(row.fingerprint, grant)


def spend(session: Session, held: Held, now: datetime) -> None:
    """Mark the token as used: it was exchanged for the next one."""
    session.execute(update(refresh_token).where(refresh_token.c.fingerprint == held.fingerprint).values(used=now))


def peek(session: Session, keys: SystemKeys, secret: str, now: datetime) -> Grant | None:
    """The grant of a token that would still work, without using it (RFC 7662, RFC 7009)."""
    row = session.execute(select(refresh_token).where(refresh_token.c.fingerprint == fingerprint(secret))).one_or_none()
    if row is None or row.used is not None or row.expires <= now:
        return None
    return grants.find(session, keys, row.grant)
