"""What waits a few minutes for one browser or one client to come back: sealed, unguessable, used once.

A sign-in half done, a code sent by e-mail, a pushed request, a launch context: each is a ticket of its own purpose.
The rule: whoever holds the secret holds the ticket, `take` gives it to one of any number of parallel callers, and a
ticket of one purpose is nothing under another.
"""

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from auth.tables import ticket
from phr.core.keys import SystemKeys
from phr.core.vault import fingerprint, seal, unseal

Values = dict[str, Any]


def issue(session: Session, keys: SystemKeys, purpose: str, values: Values, lifetime: timedelta, now: datetime) -> str:
    """Keep JSON `values` for `lifetime`; the secret that finds them."""
    secret = secrets.token_urlsafe(32)
    mark = fingerprint(secret)
    sealed = _sealed(keys, purpose, mark, values)
    row = {"fingerprint": mark, "purpose": purpose, "sealed": sealed, "tries": 0, "expires": now + lifetime}
    session.execute(insert(ticket).values(row))
    return secret


def read(session: Session, keys: SystemKeys, purpose: str, secret: str, now: datetime) -> Values | None:
    """The values, left where they are. None: unknown, another purpose's, expired or taken."""
    mark = fingerprint(secret)
    row = session.execute(select(ticket).where(*_is(mark, purpose, now))).one_or_none()
    return None if row is None else _opened(keys, purpose, mark, row.sealed)


def take(session: Session, keys: SystemKeys, purpose: str, secret: str, now: datetime) -> Values | None:
    """The values, once: of parallel callers one gets them, the others None."""
    mark = fingerprint(secret)
    row = session.execute(delete(ticket).where(*_is(mark, purpose, now)).returning(ticket.c.sealed)).one_or_none()
    return None if row is None else _opened(keys, purpose, mark, row.sealed)


def replace(session: Session, keys: SystemKeys, purpose: str, secret: str, values: Values, now: datetime) -> bool:
    """Write other values under the same secret and end; whether the ticket was still there."""
    mark = fingerprint(secret)
    sealed = _sealed(keys, purpose, mark, values)
    changed = update(ticket).where(*_is(mark, purpose, now)).values(sealed=sealed).returning(ticket.c.tries)
    return session.execute(changed).one_or_none() is not None


def tried(session: Session, purpose: str, secret: str, now: datetime) -> int | None:
    """Count one try against the ticket, before looking at what was tried: how many there were. None: no ticket."""
    mark = fingerprint(secret)
    counted = update(ticket).where(*_is(mark, purpose, now)).values(tries=ticket.c.tries + 1).returning(ticket.c.tries)
    found: int | None = session.execute(counted).scalar_one_or_none()
    return found


def _is(mark: bytes, purpose: str, now: datetime) -> tuple[Any, ...]:
    return ticket.c.fingerprint == mark, ticket.c.purpose == purpose, ticket.c.expires > now


def _sealed(keys: SystemKeys, purpose: str, mark: bytes, values: Values) -> bytes:
    return seal(keys.get("accounts"), json.dumps(values).encode(), _context(purpose, mark))


def _opened(keys: SystemKeys, purpose: str, mark: bytes, sealed: bytes) -> Values:
    opened: Values = json.loads(unseal(keys.get("accounts"), sealed, _context(purpose, mark)))
    return opened


def _context(purpose: str, mark: bytes) -> bytes:
    return f"ticket|{purpose}|".encode() + mark
