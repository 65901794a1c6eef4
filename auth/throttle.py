"""How many times a name or an address may be tried. Counted in the database, before the password is looked at.

Names are counted as typed, whether an account has them or not: being refused tells nothing. The counts are rows, so
they survive a restart and hold across processes.
"""

import ipaddress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth.tables import attempt
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

WINDOW = timedelta(minutes=15)
NAME_TRIES = 10
ADDRESS_TRIES = 100
SECOND_TRIES = 10
"""Answers to the second factor, for one account whatever the way: a million codes are not worth that many days."""
MAIL_TRIES = 5
"""Mails somebody not signed in may cause, for one mailbox."""


def knock(session: Session, keys: SystemKeys, name: str, address: str, now: datetime) -> bool:
    """Count one try of this name from this address; False when either has had too many in its window."""
    tries = (
        (_count(session, _hash(keys, "name", _spelling(name)), now), NAME_TRIES),
        (_count(session, _hash(keys, "address", _network(address)), now), ADDRESS_TRIES),
    )
    return all(count <= most for count, most in tries)


def count(session: Session, keys: SystemKeys, kind: str, value: str, now: datetime) -> int:
    """Count one try of another kind (an account's second factor, mails to one mailbox): how many in this window."""
    return _count(session, _hash(keys, kind, _spelling(value)), now)


def allow(session: Session, keys: SystemKeys, kind: str, address: str, most: int, now: datetime) -> bool:
    """Count one try of a kind by a network address; False once it had more than `most` in this window."""
    return _count(session, _hash(keys, kind, _network(address)), now) <= most


def forget(session: Session, keys: SystemKeys, kind: str, value: str) -> None:
    """After a success: forget the tries counted by `count`."""
    session.execute(delete(attempt).where(attempt.c.hash == _hash(keys, kind, _spelling(value))))


def forgive(session: Session, keys: SystemKeys, name: str, address: str) -> None:
    """After a success: forget the tries of the name, and this one of the address."""
    session.execute(delete(attempt).where(attempt.c.hash == _hash(keys, "name", _spelling(name))))
    session.execute(
        update(attempt)
        .where(attempt.c.hash == _hash(keys, "address", _network(address)), attempt.c.tries > 0)
        .values(tries=attempt.c.tries - 1)
    )


def _count(session: Session, hash: UUID, now: datetime) -> int:
    stale = attempt.c.opened <= now - WINDOW
    statement = insert(attempt).values(hash=hash, opened=now, tries=1)
    statement = statement.on_conflict_do_update(
        index_elements=[attempt.c.hash],
        set_={
            "tries": case((stale, 1), else_=func.least(attempt.c.tries, 1_000_000) + 1),
            "opened": case((stale, now), else_=attempt.c.opened),
        },
    )
    tries: int = session.execute(statement.returning(attempt.c.tries)).scalar_one()
    return tries


def _hash(keys: SystemKeys, kind: str, value: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), f"attempt {kind}"), value)


def _spelling(name: str) -> str:
    return name.strip().casefold()[:1000].encode(errors="replace").decode()


def _network(address: str) -> str:
    """One IPv4 address, or the /64 a subscriber gets in IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
