"""When each record is to be looked at again for what prevention is due, and what was sent already.

The rule: this table alone says who is to be looked at, and an evaluation moves its row in the transaction that tells:
whatever a queue or a process loses, nobody is forgotten. What was sent is a keyed hash, written with the message.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fhir.record import BUCKETS, bucket_of
from fhir.tables import ID, record
from phr.access.journal import Tag, journal
from phr.core.database import Database, Session, compile_query, metadata
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey
from phr.prevention.dates import day

prevention_watch = Table(
    "prevention_watch",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("next_change", Date),
    Column("looked", DateTime(timezone=True), nullable=False),
)
"""One row for each record known here. `next_change`: when it is to be looked at; null when nothing changes by itself.

A row named `rules …` is no record's: it says until when the journal was read under these rules and campaigns."""
Index("prevention_watch_next_change_idx", prevention_watch.c.next_change)

prevention_message = Table(
    "prevention_message",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("mark", Uuid, primary_key=True),
    Column("recipient", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""`mark`: which campaign said what, of which occasion, to whom; `recipient`: whom. Hashed under the record's key.

A row whose record is `ACCOUNTS` is of none: it says that an account was reached that day, by a mail or a push that says
nothing, about whichever records; `mark` and `recipient` are hashed under the installation's key."""
ACCOUNTS = "accounts"

WRITING = (
    Tag.OPEN,
    Tag.CREATE,
    Tag.UPDATE,
    Tag.DELETE,
    Tag.TRANSACTION,
    Tag.IMPORT,
    Tag.SHARE,
    Tag.DELEGATE,
    Tag.CLOSE,
)
"""What changes a record, or who sees what of it. An evaluation is none of them, else it would cause the next one."""
_REMEMBERED = timedelta(days=2)
COMMITTED = timedelta(minutes=10)
"""An entry is in the journal, and seen, at most this long after the instant it bears."""
PAGE = 500
_BUCKETS_AT_ONCE = 16
_ONE_READER = literal(0x43_41_52_57, BigInteger())
"""An advisory lock: the journal is read by one process at a time."""
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)

_instant = DateTime(timezone=True)
_watch, _told = prevention_watch.c, prevention_message.c
_place = {"bucket": bindparam("bucket", type_=SmallInteger()), "record": bindparam("record", type_=ID)}
_mine = and_(_watch.bucket == _place["bucket"], _watch.record == _place["record"])
_today, _now = bindparam("today", type_=Date()), bindparam("now", type_=_instant)
_ONE_AT_A_TIME = compile_query(select(func.pg_advisory_xact_lock(_ONE_READER)))
_READ_UNTIL = compile_query(select(_watch.looked).where(_mine))
_CLAIM = upsert(prevention_watch).values(**_place, looked=_now)
_CLAIMED = compile_query(
    _CLAIM.on_conflict_do_update(
        index_elements=[_watch.bucket, _watch.record],
        set_={"looked": func.greatest(_watch.looked, _CLAIM.excluded.looked)},
    )
)
_AGAIN = upsert(prevention_watch).values(**_place, looked=literal(_LONG_AGO, _instant), next_change=_today)
_LOOK_AGAIN = compile_query(
    _AGAIN.on_conflict_do_update(
        index_elements=[_watch.bucket, _watch.record], set_={"next_change": _AGAIN.excluded.next_change}
    )
)
_SETTLE = compile_query(update(prevention_watch).where(_mine).values(next_change=bindparam("next", type_=Date())))
_DROP = compile_query(delete(prevention_watch).where(_mine))
_everyone = select(record.c.bucket, record.c.id, _today, literal(_LONG_AGO, _instant)).where(
    record.c.closed.is_(None),
    record.c.bucket >= bindparam("first", type_=Integer()),
    record.c.bucket < bindparam("last", type_=Integer()),
)
_COLUMNS = ["bucket", "record", "next_change", "looked"]
_ALL = compile_query(
    upsert(prevention_watch)
    .from_select(_COLUMNS, _everyone.order_by(record.c.bucket, record.c.id))
    .on_conflict_do_update(index_elements=[_watch.bucket, _watch.record], set_={"next_change": _today})
)
_written = (
    select(journal.c.bucket, journal.c.chain, _today, func.max(journal.c.at))
    .join(record, and_(record.c.bucket == journal.c.bucket, record.c.id == journal.c.chain))
    .where(
        journal.c.at > bindparam("since", type_=_instant),
        journal.c.tag == any_(bindparam("tags", type_=ARRAY(String))),
        record.c.closed.is_(None),
    )
    .group_by(journal.c.bucket, journal.c.chain)
    .order_by(journal.c.bucket, journal.c.chain)
)
_CHANGED = upsert(prevention_watch).from_select(_COLUMNS, _written)
_CHANGED_SINCE = compile_query(
    _CHANGED.on_conflict_do_update(
        index_elements=[_watch.bucket, _watch.record],
        set_={"next_change": _today},
        where=_CHANGED.excluded.looked > _watch.looked - literal(COMMITTED),
    )
)
_DUE = compile_query(
    select(_watch.next_change, _watch.record)
    .where(
        _watch.next_change <= _today,
        tuple_(_watch.next_change, _watch.record) > tuple_(bindparam("after", type_=Date()), _place["record"]),
    )
    .order_by(_watch.next_change, _watch.record)
    .limit(PAGE)
)
_message = {one.name: bindparam(one.name, type_=one.type) for one in prevention_message.c}
_FIRST = compile_query(upsert(prevention_message).values(_message).on_conflict_do_nothing().returning(_told.at))
_FORGET = compile_query(
    delete(prevention_message).where(
        _told.bucket == _place["bucket"],
        _told.record == _place["record"],
        _told.recipient == bindparam("recipient", type_=Uuid()),
        _told.at < bindparam("before", type_=_instant),
    )
)
_OPEN = compile_query(
    select(record.c.bucket, record.c.id)
    .where(record.c.closed.is_(None), tuple_(record.c.bucket, record.c.id) > tuple_(*_place.values()))
    .order_by(record.c.bucket, record.c.id)
    .limit(PAGE)
)
_TOLD = compile_query(
    select(_told.mark, _told.at).where(
        _told.bucket == _place["bucket"],
        _told.record == _place["record"],
        _told.recipient == bindparam("recipient", type_=Uuid()),
    )
)
_TELL = compile_query(insert(prevention_message).values(_message))


async def read_journal(database: Database, rules: str, now: datetime) -> None:
    """Mark as due what was written since the journal was last read; everybody when these rules are new here."""
    marker = {"bucket": 0, "record": f"rules {rules}"}
    async with database.session() as session:
        known = await session.one(_READ_UNTIL, marker)
        if known is None:
            for first in range(0, BUCKETS, _BUCKETS_AT_ONCE):  # each a transaction: killed, it begins again
                await session.fetch(_ALL, {"today": day(now), "first": first, "last": first + _BUCKETS_AT_ONCE})
    async with database.transaction() as session:
        await session.fetch(_ONE_AT_A_TIME)
        since = (now if known is None else known["looked"]) - COMMITTED
        await session.fetch(_CHANGED_SINCE, {"today": day(now), "since": since, "tags": [tag.value for tag in WRITING]})
        await session.fetch(_CLAIMED, {**marker, "now": now})


async def due(database: Database, today: date) -> AsyncIterator[Sequence[str]]:
    """The records to look at, some hundreds at a time."""
    after, name = date.min, ""
    while True:
        async with database.session() as session:
            rows = await session.fetch(_DUE, {"today": today, "after": after, "record": name})
        if rows:
            yield [row["record"] for row in rows]
        if len(rows) < PAGE:
            return
        after, name = rows[-1]["next_change"], rows[-1]["record"]


async def everybody(database: Database) -> AsyncIterator[Sequence[str]]:
    """Every open record, some hundreds at a time."""
    bucket, name = 0, ""
    while True:
        async with database.session() as session:
            rows = await session.fetch(_OPEN, {"bucket": bucket, "record": name})
        if rows:
            yield [row["id"] for row in rows]
        if len(rows) < PAGE:
            return
        bucket, name = rows[-1]["bucket"], rows[-1]["id"]


async def claim(session: Session, name: str, now: datetime) -> None:
    """Say that a record is looked at; until the transaction ends no other evaluation of it goes on."""
    await session.fetch(_CLAIMED, {**_of(name), "now": now})


async def settle(session: Session, name: str, next_change: date | None) -> None:
    """Say when a record is looked at again."""
    await session.fetch(_SETTLE, {**_of(name), "next": next_change})


async def look_again(session: Session, name: str, now: datetime) -> None:
    """Say that a record changed, for what writes in it under a tag that is not of WRITING."""
    await session.fetch(_LOOK_AGAIN, {**_of(name), "today": day(now)})


async def drop(session: Session, name: str) -> None:
    """Watch a record no more: it is closed. What opens it again is in its journal."""
    await session.fetch(_DROP, _of(name))


async def told(session: Session, name: str, recipient: UUID) -> dict[UUID, datetime]:
    """What this recipient was told in this record, and when."""
    rows: Sequence[Any] = await session.fetch(_TOLD, {**_of(name), "recipient": recipient})
    return {row["mark"]: row["at"] for row in rows}


async def tell(session: Session, name: str, recipient: UUID, marks: Sequence[UUID], at: datetime) -> None:
    """Keep what one message says. Told already: raises asyncpg.UniqueViolationError, and nothing is sent."""
    rows = [{**_of(name), "mark": mark, "recipient": recipient, "at": at} for mark in marks]
    await session.execute_many(_TELL, rows)


async def first_of_day(session: Session, keys: SystemKeys, account: UUID, way: str, at: datetime) -> bool:
    """Whether an account was not reached yet that day (Paris) by this way; it is then, once this commits.

    Two transactions that ask at once wait for each other: one of them is the first.
    """
    key = subkey(keys.get("lookup"), "prevention reached")
    whom = keyed_uuid(key, str(account))
    place = {"bucket": whom.int % BUCKETS, "record": ACCOUNTS, "recipient": whom}
    mark = keyed_uuid(key, f"{account}|{way}|{day(at)}")
    if await session.one(_FIRST, {**place, "mark": mark, "at": at}) is None:
        return False
    await session.fetch(_FORGET, {**place, "before": at - _REMEMBERED})
    return True


def _of(name: str) -> dict[str, object]:
    return {"bucket": bucket_of(name), "record": name}
