"""An entry of the centre: that something of a kind happened in a record, told to one account. Where entries are kept.

The rule: what it says (its kind, what it is about, when) is sealed under the key of the record it is about: once that
record is closed or destroyed, its entries are noise.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
    and_,
    bindparam,
    delete,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from fhir.predicate import equals_any
from fhir.record import RecordKeys, bucket_of
from fhir.tables import ID
from phr.core.database import Session, compile_query, metadata

Kind = Literal[
    "access", "emergency", "document", "delegation", "application", "prescription", "message", "agenda", "prevention"
]
"""What happened. Closed."""
KINDS: tuple[str, ...] = get_args(Kind)
KEPT = timedelta(days=365)
"""How long an entry stays in the centre."""
Place = tuple[datetime, UUID]
LATEST: Place = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
"""Before the newest: where a list begins."""

_INSTANT = DateTime(timezone=True)
notification = Table(
    "notification",
    metadata,
    Column("recipient", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("record", ID, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("read", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""Keyed by the account that receives, which distributes it."""
Index("notification_recipient_at_idx", notification.c.recipient, notification.c.record, notification.c.at)
Index("notification_record_idx", notification.c.bucket, notification.c.record)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, opened. `about`: the resource, `Type/id`, or nothing. `announced`: by mail or by push too."""

    id: UUID
    kind: str
    about: str
    at: datetime
    read: bool
    announced: bool


_OF = and_(
    notification.c.recipient == bindparam("recipient", type_=Uuid()),
    notification.c.record == bindparam("record", type_=ID),
)
_ORDER = (notification.c.at, notification.c.id)
_KEPT = notification.c.at > bindparam("oldest", type_=_INSTANT)
_PUT = compile_query(
    insert(notification).values({one.name: bindparam(one.name, type_=one.type) for one in notification.c})
)
_FORGET = compile_query(delete(notification).where(_OF, not_(_KEPT)))
_AFTER = compile_query(
    select(notification)
    .where(
        _OF,
        _KEPT,
        or_(not_(bindparam("unread", type_=Boolean())), not_(notification.c.read)),
        tuple_(*_ORDER) < tuple_(bindparam("at", type_=_INSTANT), bindparam("id", type_=Uuid())),
    )
    .order_by(*(column.desc() for column in _ORDER))
    .limit(bindparam("most", type_=Integer()))
)
_CHOSEN = and_(_OF, equals_any(notification.c.id, bindparam("ids", type_=ARRAY(Uuid))))
_THESE = compile_query(select(notification).where(_CHOSEN, _KEPT))
_MARK = compile_query(update(notification).where(_CHOSEN).values(read=bindparam("seen", type_=Boolean())))
_DROP = compile_query(delete(notification).where(_CHOSEN))


async def put(
    session: Session, keys: RecordKeys, recipient: UUID, kind: Kind, about: str, at: datetime, *, announced: bool
) -> UUID:
    """Leave an entry for an account, and forget its oldest ones; the id of the new one."""
    made, own = uuid4(), {"recipient": recipient, "record": keys.record}
    said = json.dumps({"kind": kind, "about": about, "at": at.isoformat(), "announced": announced}).encode()
    more = {"id": made, "bucket": bucket_of(keys.record), "at": at, "read": False}
    await session.fetch(_PUT, {**own, **more, "sealed": keys.seal(said, _context(made))})
    await session.fetch(_FORGET, {**own, "oldest": at - KEPT})
    return made


async def after(
    session: Session, keys: RecordKeys, recipient: UUID, place: Place, now: datetime, most: int, *, unread: bool
) -> list[Entry]:
    """At most `most` entries of an account about this record, newest first, from a place on."""
    own = {"recipient": recipient, "record": keys.record, "oldest": now - KEPT}
    asked = {"at": place[0], "id": place[1], "unread": unread, "most": most}
    return [_opened(keys, row) for row in await session.fetch(_AFTER, {**own, **asked})]


async def these(session: Session, keys: RecordKeys, recipient: UUID, ids: Sequence[UUID], now: datetime) -> list[Entry]:
    """The entries of these ids that are the account's, about this record."""
    own = {"recipient": recipient, "record": keys.record, "oldest": now - KEPT}
    return [_opened(keys, row) for row in await session.fetch(_THESE, {**own, "ids": list(ids)})]


async def mark(session: Session, keys: RecordKeys, recipient: UUID, ids: Iterable[UUID], *, read: bool) -> None:
    """Say that entries were read, or were not."""
    await session.fetch(_MARK, {"recipient": recipient, "record": keys.record, "ids": list(ids), "seen": read})


async def drop(session: Session, keys: RecordKeys, recipient: UUID, ids: Iterable[UUID]) -> None:
    """Take entries out of the centre."""
    await session.fetch(_DROP, {"recipient": recipient, "record": keys.record, "ids": list(ids)})


def _opened(keys: RecordKeys, row: Any) -> Entry:
    said = json.loads(keys.unseal(row["sealed"], _context(row["id"])))
    at, announced = datetime.fromisoformat(said["at"]), said.get("announced", False)
    return Entry(row["id"], said["kind"], said["about"], at, row["read"], announced)


def _context(id: UUID) -> str:
    return f"notification|{id.hex}"
