"""How long threads live: the instant of the last message of each, so that who keeps the time need open no record.

The rule: the row says that a thread had a message then, and nothing of who wrote or read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Integer, SmallInteger, Table, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.visit import Deed
from phr.core.database import Session, compile_query, metadata
from phr.operated import keys_of

message_thread = Table(
    "message_thread",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("thread", ID, primary_key=True),
    Column("last", DateTime(timezone=True), nullable=False, index=True),
)

_ROW = {column.name: bindparam(column.name, type_=column.type) for column in message_thread.c}
_PUT = insert(message_thread).values(_ROW)
_KEEP = compile_query(
    _PUT.on_conflict_do_update(index_elements=list(message_thread.primary_key), set_={"last": _PUT.excluded.last})
)
_QUIET = compile_query(
    select(message_thread.c.record, message_thread.c.thread)
    .where(message_thread.c.last <= _ROW["last"])
    .order_by(message_thread.c.last)
    .limit(bindparam("most", type_=Integer()))
)
_END = compile_query(
    delete(message_thread)
    .where(*(message_thread.c[name] == _ROW[name] for name in ("bucket", "record", "thread")))
    .where(message_thread.c.last <= _ROW["last"])
    .returning(message_thread.c.thread)
)


async def lives(deed: Deed, thread: str) -> None:
    """A message is written in it now."""
    record = keys_of(deed).record
    await deed.session.fetch(_KEEP, {**_place(record, thread), "last": deed.visit.now})


async def quiet(session: Session, since: datetime, most: int) -> Sequence[Any]:
    """Threads without a message since then, oldest first: rows of record and thread."""
    return await session.fetch(_QUIET, {"last": since, "most": most})


async def ends(deed: Deed, thread: str, since: datetime) -> bool:
    """Forget a thread that is quiet still; False when somebody wrote, or another process was first."""
    record = keys_of(deed).record
    return await deed.session.one(_END, {**_place(record, thread), "last": since}) is not None


def _place(record: str, thread: str) -> dict[str, object]:
    return {"bucket": bucket_of(record), "record": record, "thread": thread}
