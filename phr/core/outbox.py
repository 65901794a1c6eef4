"""What must be sent to the world outside: mails, logout notices. Written with what causes it, sent after it commits.

The rule: a message is stored, sealed, in the transaction that causes it, so it is neither lost by a crash nor sent for
something undone; it is sent at least once, by whichever process is first, and tried again, less and less often. What
is given up is kept, for `python -m phr outbox` to list, retry or drop.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    Uuid,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from phr.core import database
from phr.core.database import metadata
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

log = logging.getLogger("carnet.outbox")

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("due", DateTime(timezone=True), nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("error", String),
    Column("dead", DateTime(timezone=True)),
)
"""`error`: the type of what its last try raised, which alone is kept of it; `dead`: given up since."""

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP = timedelta(days=3)

Deliver = Callable[[dict[str, Any]], None]
"""Sends one message; any exception means it was not sent."""


class NotNowError(Exception):
    """A message that keeps quiet hours is sent from `until` on: no failure, and no try."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


_WRITTEN = ("id", "kind", "sealed", "created", "due", "tries")
_INSERT = database.compile_query(
    insert(outbox).values({name: bindparam(name, type_=outbox.c[name].type) for name in _WRITTEN})
)


def put(session: Session, keys: SystemKeys, kind: str, message: dict[str, Any], now: datetime) -> UUID:
    """Store a JSON `message` to be sent once the caller's transaction commits."""
    row = _row(keys, kind, message, now)
    session.execute(insert(outbox).values(row))
    return UUID(str(row["id"]))


async def enqueue(
    session: database.Session, keys: SystemKeys, kind: str, message: dict[str, Any], now: datetime
) -> UUID:
    """`put`, in a transaction of the API's."""
    row = _row(keys, kind, message, now)
    await session.fetch(_INSERT, row)
    return UUID(str(row["id"]))


def send_one(engine: Engine, keys: SystemKeys, deliverers: Mapping[str, Deliver], now: datetime) -> bool:
    """Send the message that waits longest among those due, if any of our kinds is. False when there is none.

    Its row stays locked while it is sent: another process takes the next one.
    """
    with Session(engine) as session, session.begin():
        row = session.execute(
            select(outbox)
            .where(outbox.c.due <= now, outbox.c.dead.is_(None), outbox.c.kind.in_(list(deliverers)))
            .order_by(outbox.c.due)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return False
        mine = outbox.c.id == row.id
        try:
            deliverers[row.kind](json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.id))))
        except NotNowError as held:
            session.execute(update(outbox).where(mine).values(due=held.until))
            return True
        except Exception as error:  # whatever the server or the network does: the message waits, and we say so
            dead = now if row.created <= now - GIVEN_UP else None
            log.warning("%s not sent, %s: %s", row.kind, "given up" if dead else "later", type(error).__name__)
            wait = min(FIRST_WAIT * 2 ** min(row.tries, 20), LONGEST_WAIT)
            tried = {"due": now + wait, "tries": row.tries + 1, "error": type(error).__name__, "dead": dead}
            session.execute(update(outbox).where(mine).values(tried))
            return True
        session.execute(delete(outbox).where(mine))
    return True


def waiting(session: Session, keys: SystemKeys, kind: str) -> list[dict[str, Any]]:
    """The messages of one kind not sent yet, oldest first: what a sandbox without a mail server shows instead."""
    rows = session.execute(select(outbox).where(outbox.c.kind == kind).order_by(outbox.c.created)).all()
    return [json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.id))) for row in rows]


@dataclass(frozen=True, slots=True)
class Message:
    """What is known of a message that waits, without opening it. `error`: the type of what its last try raised."""

    id: UUID
    kind: str
    created: datetime
    due: datetime
    tries: int
    error: str | None
    dead: datetime | None


def listed(session: Session, *, dead: bool) -> list[Message]:
    """The messages that wait, or those that were given up, oldest first."""
    columns = [outbox.c[field.name] for field in fields(Message)]
    chosen = outbox.c.dead.is_not(None) if dead else outbox.c.dead.is_(None)
    rows = session.execute(select(*columns).where(chosen).order_by(outbox.c.created, outbox.c.id)).all()
    return [Message(*row) for row in rows]


def retry(session: Session, ids: Collection[UUID], now: datetime) -> int:
    """Try messages again, at once and for as long as new ones; how many."""
    again = {"due": now, "created": now, "tries": 0, "dead": None}
    return len(session.execute(update(outbox).where(outbox.c.id.in_(ids)).values(again).returning(outbox.c.id)).all())


def drop(session: Session, ids: Collection[UUID]) -> int:
    """Send messages never; how many."""
    return len(session.execute(delete(outbox).where(outbox.c.id.in_(ids)).returning(outbox.c.id)).all())


def _row(keys: SystemKeys, kind: str, message: dict[str, Any], now: datetime) -> dict[str, Any]:
    made = uuid4()
    sealed = seal(keys.get("accounts"), json.dumps(message).encode(), _context(made))
    return {"id": made, "kind": kind, "sealed": sealed, "created": now, "due": now, "tries": 0}


def _context(id: UUID) -> bytes:
    return b"outbox|" + id.bytes
