"""Which mails a record has had, in and out, and the thread each belongs to: by a keyed hash of their Message-ID.

The rule: a mail is its author's: whoever copies the Message-ID of another neither hides it nor joins its thread.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
    bindparam,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from fhir.predicate import equals_any
from fhir.record import RecordKeys, bucket_of
from fhir.tables import ID
from phr.core.database import Session, compile_query, metadata

mssante_mail = Table(
    "mssante_mail",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("hash", Uuid, primary_key=True),
    Column("thread", ID, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""`sealed`: the Message-ID itself, for an answer to refer to."""

_PLACE = (
    mssante_mail.c.bucket == bindparam("bucket", type_=SmallInteger()),
    mssante_mail.c.record == bindparam("record", type_=ID),
)
_FIND = compile_query(
    select(mssante_mail.c.hash, mssante_mail.c.thread).where(
        *_PLACE, equals_any(mssante_mail.c.hash, bindparam("hashes", type_=ARRAY(Uuid)))
    )
)
_LAST = compile_query(
    select(mssante_mail.c.hash, mssante_mail.c.sealed)
    .where(*_PLACE, mssante_mail.c.thread == bindparam("thread", type_=ID))
    .order_by(mssante_mail.c.at.desc())
    .limit(bindparam("most", type_=Integer()))
)
_PUT = compile_query(
    insert(mssante_mail)
    .values({column.name: bindparam(column.name, type_=column.type) for column in mssante_mail.c})
    .on_conflict_do_nothing()
)


def mark(keys: RecordKeys, author: str, name: str) -> UUID:
    """What stands for a mail: its author's address and its name (the Message-ID), under the record's key."""
    return keys.hashed(f"mssante|{author.lower()}|{name}")


async def thread_of(session: Session, keys: RecordKeys, marks: Sequence[UUID]) -> str | None:
    """The thread of the first of these mails that the record has had; None when it had none of them."""
    rows = await session.fetch(_FIND, {**_place(keys), "hashes": list(marks)})
    found = {row["hash"]: str(row["thread"]) for row in rows}
    return next((found[one] for one in marks if one in found), None)


async def last(session: Session, keys: RecordKeys, thread: str, most: int) -> list[str]:
    """The Message-IDs of a thread's latest mails, oldest first."""
    rows = await session.fetch(_LAST, {**_place(keys), "thread": thread, "most": most})
    return [keys.unseal(row["sealed"], _context(row["hash"])).decode() for row in reversed(rows)]


async def put(session: Session, keys: RecordKeys, author: str, name: str, thread: str, now: datetime) -> None:
    """Keep that the record has had this mail; twice is once."""
    hashed = mark(keys, author, name)
    values = {"hash": hashed, "thread": thread, "sealed": keys.seal(name.encode(), _context(hashed)), "at": now}
    await session.fetch(_PUT, {**_place(keys), **values})


def _context(hashed: UUID) -> str:
    return f"mssante/{hashed}"


def _place(keys: RecordKeys) -> dict[str, object]:
    return {"bucket": bucket_of(keys.record), "record": keys.record}
