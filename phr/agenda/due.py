"""When each reminder is due next: one row for each that still runs, and nothing of what it says.

The rule: a row moves in the transaction that tells; a process that is killed, or several at once, tell nobody twice.
Who changes a reminder holds its row first, then its Task, as who tells it does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir.record import bucket_of
from fhir.tables import ID
from phr.core.database import Session, compile_query, metadata

reminder = Table(
    "reminder",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("about", ID),
    Column("due", DateTime(timezone=True), nullable=False),
    Column("snoozed", DateTime(timezone=True)),
)
"""`id`: its Task's; `about`: the appointment or the document it is about; `snoozed`: until when it was put off."""
Index("reminder_due_idx", reminder.c.due)

PAGE = 500
_instant = DateTime(timezone=True)
_row = reminder.c
_now, _due = bindparam("now", type_=_instant), bindparam("due", type_=_instant)
_record = (
    _row.bucket == bindparam("bucket", type_=SmallInteger()),
    _row.record == bindparam("record", type_=ID),
)
_mine = (*_record, _row.id == bindparam("id", type_=ID))
_PUT = insert(reminder).values({one.name: bindparam(one.name, type_=one.type) for one in _row})
_PUTTING = compile_query(
    _PUT.on_conflict_do_update(
        index_elements=[_row.bucket, _row.record, _row.id],
        set_={name: _PUT.excluded[name] for name in ("about", "due", "snoozed")},
    )
)
_DROP = compile_query(delete(reminder).where(*_mine))
_HOLD = compile_query(select(reminder).where(*_mine).with_for_update())
_OF = compile_query(select(reminder).where(*_record))
_CLAIM = compile_query(
    select(reminder).where(*_record, _row.due <= _now).order_by(_row.id).with_for_update(skip_locked=True)
)
_COUNT = compile_query(select(func.count().label("n")).where(*_record).select_from(reminder))
_LOOK_AGAIN = compile_query(
    update(reminder).where(*_record, _row.about == bindparam("about", type_=ID), _row.due > _now).values(due=_now)
)
_POSTPONE = compile_query(update(reminder).where(*_record, _row.due <= _now).values(due=_due))
_LISTED = compile_query(
    select(_row.due, _row.record)
    .where(_row.due <= _now, tuple_(_row.due, _row.record) > tuple_(_due, bindparam("record", type_=ID)))
    .order_by(_row.due, _row.record)
    .limit(bindparam("page", type_=Integer()))
)


async def put(
    session: Session, record: str, id: str, about: str | None, due: datetime, snoozed: datetime | None = None
) -> None:
    """Wait for the next time of a reminder."""
    values = {**_place(record), "id": id, "about": about, "due": due, "snoozed": snoozed}
    await session.fetch(_PUTTING, values)


async def drop(session: Session, record: str, id: str) -> None:
    """It is over."""
    await session.fetch(_DROP, {**_place(record), "id": id})


async def hold(session: Session, record: str, id: str) -> Any | None:
    """The row of a reminder, locked; None when it is over."""
    return await session.one(_HOLD, {**_place(record), "id": id})


async def of(session: Session, record: str) -> dict[str, Any]:
    """The rows of a record, by the id of their Task."""
    return {row["id"]: row for row in await session.fetch(_OF, _place(record))}


async def count(session: Session, record: str) -> int:
    """How many reminders run in a record."""
    row = await session.one(_COUNT, _place(record))
    return 0 if row is None else int(row["n"])


async def claim(session: Session, record: str, now: datetime) -> Sequence[Any]:
    """What is due in a record and nobody else is telling: theirs until this transaction ends."""
    return await session.fetch(_CLAIM, {**_place(record), "now": now})


async def look_again(session: Session, record: str, about: str, now: datetime) -> None:
    """An appointment changed: its reminders are looked at again at once, and told when they must be."""
    await session.fetch(_LOOK_AGAIN, {**_place(record), "about": about, "now": now})


async def postpone(session: Session, record: str, now: datetime, until: datetime) -> None:
    """Nothing can be told of this record now: all that is due waits."""
    await session.fetch(_POSTPONE, {**_place(record), "now": now, "due": until})


async def listed(session: Session, now: datetime, after: tuple[datetime, str]) -> Sequence[Any]:
    """A page of what is due, oldest first: its instant and its record."""
    return await session.fetch(_LISTED, {"now": now, "due": after[0], "record": after[1], "page": PAGE})


def _place(record: str) -> dict[str, object]:
    return {"bucket": bucket_of(record), "record": record}
