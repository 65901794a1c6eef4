"""What each party keeps for itself of a thread: up to where it read, whether it is put away, whether it wants news.

The rule: a mark is of who reads, and nobody else is told of it: that a letter was opened is not the sender's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Column, DateTime, SmallInteger, String, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from fhir.predicate import equals_any
from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.visit import Deed
from phr.core.database import compile_query, metadata
from phr.operated import keys_of

_INSTANT = DateTime(timezone=True)
message_mark = Table(
    "message_mark",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("thread", ID, primary_key=True),
    Column("party", Uuid, primary_key=True),
    Column("read", _INSTANT),
    Column("archived", _INSTANT),
    Column("unsubscribed", Boolean, nullable=False),
)
"""`party`: the keyed hash of who reads, under the record's key; `read`: the instant of the last message they read."""

_ROW = {column.name: bindparam(column.name, type_=column.type) for column in message_mark.c}
_PUT = insert(message_mark).values(_ROW)
_KEEP = compile_query(
    _PUT.on_conflict_do_update(
        index_elements=list(message_mark.primary_key),
        set_={name: _PUT.excluded[name] for name in ("read", "archived", "unsubscribed")},
    )
)
_OWN = (message_mark.c.bucket == _ROW["bucket"], message_mark.c.record == _ROW["record"])
_MINE = compile_query(
    select(message_mark).where(
        *_OWN,
        message_mark.c.party == _ROW["party"],
        equals_any(message_mark.c.thread, bindparam("threads", type_=ARRAY(String))),
    )
)
_SILENT = compile_query(
    select(message_mark.c.party).where(*_OWN, message_mark.c.thread == _ROW["thread"], message_mark.c.unsubscribed)
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One party's own of one thread. `archived`: when they put it away; a later message brings it back."""

    read: datetime | None = None
    archived: datetime | None = None
    unsubscribed: bool = False

    def is_away(self, last: datetime) -> bool:
        """Whether it is out of the list: put away since its last message, or for good by who wants no news of it."""
        return self.archived is not None and (self.unsubscribed or last <= self.archived)


async def mine(deed: Deed, threads: Sequence[str]) -> dict[str, Mark]:
    """The reader's marks on these threads."""
    keys = keys_of(deed)
    bound = {**_place(keys.record), "party": deed.visit.author(keys), "threads": list(threads)}
    rows = await deed.session.fetch(_MINE, bound)
    return {row["thread"]: Mark(row["read"], row["archived"], row["unsubscribed"]) for row in rows}


async def keep(deed: Deed, thread: str, mark: Mark) -> None:
    """Write the reader's mark on a thread."""
    keys = keys_of(deed)
    row = {"read": mark.read, "archived": mark.archived, "unsubscribed": mark.unsubscribed}
    where = {**_place(keys.record), "thread": thread, "party": deed.visit.author(keys)}
    await deed.session.fetch(_KEEP, {**where, **row})


async def unsubscribed(deed: Deed, thread: str) -> frozenset[UUID]:
    """Who wants no news of a thread, as hashes."""
    rows = await deed.session.fetch(_SILENT, {**_place(keys_of(deed).record), "thread": thread})
    return frozenset(row["party"] for row in rows)


def _place(record: str) -> dict[str, object]:
    return {"bucket": bucket_of(record), "record": record}
