"""The provider's tokens that ours were exchanged for: kept, sealed, to ask again whether they still hold.

The rule: an exchanged token is asked about every thirty minutes; told inactive it is revoked, and so it is when the
provider has not answered for thirty-five. Not verified: how Pro Santé Connect answers the introspection of an access
token whose two minutes are over. Its documentation asks for this recheck, so an answer must be meant to follow the
professional's session; should it follow the token's own two minutes, exchanged tokens last thirty minutes, not sixty.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from auth import grants
from auth.providers import Provider, ProviderError
from auth.tables import exchanged_token
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

if TYPE_CHECKING:
    from auth.server import AuthServer

EVERY = timedelta(minutes=30)
AT_MOST = timedelta(minutes=35)
AGAIN = timedelta(minutes=1)
"""After how long an unanswered question is asked again, by whichever process."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One token to ask about: the provider's tokens it stands on, and when they were last said to be active."""

    jti: UUID
    tokens: tuple[str, ...]
    answered: datetime
    until: datetime


def keep(session: Session, keys: SystemKeys, jti: UUID, tokens: Sequence[str], until: datetime, now: datetime) -> None:
    """Remember which tokens of the provider's this one stands on, all active now."""
    row = {"jti": jti, "sealed": _sealed(keys, jti, tokens, now), "checked": now, "until": until}
    session.execute(insert(exchanged_token).values(row))


def recheck(server: "AuthServer", provider: Provider, now: datetime) -> int:
    """Ask about every token that is due; how many were revoked. Several processes share the work.

    The question is asked outside of any transaction: a token is first put off by a minute, which is its lease.
    """
    revoked, answers = 0, True
    while (asked := _next(server, now)) is not None:
        active = _active(provider, asked) if answers else None
        answers = active is not None  # once silent, it is not waited for again in this round
        with Session(server.engine) as session, session.begin():
            mine = exchanged_token.c.jti == asked.jti
            if active:
                sealed = _sealed(server.keys, asked.jti, asked.tokens, now)
                session.execute(update(exchanged_token).where(mine).values(sealed=sealed, checked=now))
            elif active is False or now - asked.answered >= AT_MOST:
                grants.revoke_token(session, asked.jti, asked.until)
                session.execute(delete(exchanged_token).where(mine))
                revoked += 1
    return revoked


def _active(provider: Provider, asked: _Asked) -> bool | None:
    """Whether all still hold; None: no answer."""
    try:
        return all(provider.introspect(token)["active"] for token in asked.tokens)
    except ProviderError:
        return None


def _next(server: "AuthServer", now: datetime) -> _Asked | None:
    """The token that waits longest among those due, leased for a minute."""
    due = (
        select(exchanged_token.c.jti)
        .where(exchanged_token.c.checked <= now - EVERY, exchanged_token.c.until > now)
        .order_by(exchanged_token.c.checked)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    leased = (
        update(exchanged_token)
        .where(exchanged_token.c.jti == due)
        .values(checked=now - EVERY + AGAIN)
        .returning(exchanged_token)
    )
    with Session(server.engine) as session, session.begin():
        row = session.execute(leased).one_or_none()
    if row is None:
        return None
    said = json.loads(unseal(server.keys.get("accounts"), row.sealed, _context(row.jti)))
    return _Asked(row.jti, tuple(said["tokens"]), datetime.fromtimestamp(said["answered"], UTC), row.until)


def _sealed(keys: SystemKeys, jti: UUID, tokens: Sequence[str], answered: datetime) -> bytes:
    said = {"tokens": list(tokens), "answered": answered.timestamp()}
    return seal(keys.get("accounts"), json.dumps(said).encode(), _context(jti))


def _context(jti: UUID) -> bytes:
    return b"exchanged_token|" + jti.bytes
