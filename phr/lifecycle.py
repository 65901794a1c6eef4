"""The life of a record: opposition before it opens, closing, reopening, destruction, death.

The rule: a closed record is read by nobody; destroying one destroys its key, so that nothing of it opens again.
`phr.closing` closes and reopens, `phr.destruction` destroys.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    SmallInteger,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from fhir.record import bucket_of
from fhir.tables import ID, record, record_lookup
from phr.core.database import Query, Session, compile_query, metadata

opposition = Table(
    "opposition",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""The keyed hash (`phr.records.mark`) of each INS whose person opposed the opening of a record (L1111-13-1)."""


class Closing(StrEnum):
    """Why a record is closed. Closed list: it is in `record.closing`.

    CITIZEN: by the person; REQUEST: asked of the operator, by the person or who represents them; ERASURE: to be
    destroyed, as they asked; DEATH: the person died.
    """

    CITIZEN = "citizen"
    REQUEST = "request"
    ERASURE = "erasure"
    DEATH = "death"


@dataclass(frozen=True, slots=True)
class Life:
    """Where a record is in its life. Without `closed` it is open; `until`: when it is to be destroyed."""

    opened: datetime
    closed: datetime | None
    closing: Closing | None
    until: datetime | None
    erased: datetime | None

    @property
    def dead(self) -> bool:
        """Whether its person died."""
        return self.closing is Closing.DEATH


_OPENINGS = literal(0x43_41_52_4F, BigInteger())
"""An advisory lock: shared by what opens a record, held alone by what must not happen beside an opening."""
_OPENING = compile_query(select(func.pg_advisory_xact_lock_shared(_OPENINGS)))
_NO_OPENING = compile_query(select(func.pg_advisory_xact_lock(_OPENINGS)))
_hashes = bindparam("hashes", type_=ARRAY(Uuid))
_OPPOSED = compile_query(select(opposition.c.at).where(opposition.c.hash == any_(_hashes)).limit(1))
_KNOWN = compile_query(select(record_lookup.c.hash).where(record_lookup.c.hash == any_(_hashes)).limit(1))
_hash = bindparam("hash", type_=Uuid())
_OPPOSE = compile_query(
    insert(opposition)
    .values(hash=_hash, at=bindparam("at", type_=DateTime(timezone=True)))
    .on_conflict_do_nothing()
    .returning(opposition.c.hash)
)
_UNOPPOSE = compile_query(delete(opposition).where(opposition.c.hash == _hash).returning(opposition.c.hash))
_LIFE = compile_query(
    select(record.c.opened, record.c.closed, record.c.closing, record.c.erase_after, record.c.erased).where(
        record.c.bucket == bindparam("bucket", type_=SmallInteger()), record.c.id == bindparam("record", type_=ID)
    )
)


async def opens(session: Session) -> None:
    """To call before a record's key is wrapped: until the transaction ends nobody opposes, no KEK is retired."""
    await session.fetch(_OPENING)


async def nothing_opens(session: Session) -> None:
    """Wait for the openings under way; until the transaction ends no other begins."""
    await session.fetch(_NO_OPENING)


async def opposed(session: Session, hashes: Iterable[UUID]) -> datetime | None:
    """Since when one of these is the mark of somebody who opposed; None when none is."""
    row = await session.one(_OPPOSED, {"hashes": list(hashes)})
    return None if row is None else row["at"]


async def oppose(session: Session, mark: UUID, now: datetime) -> bool:
    """Write an opposition down. False when a record is open already: it is closed, not opposed."""
    await nothing_opens(session)
    if await session.one(_KNOWN, {"hashes": [mark]}) is not None:
        return False
    await session.fetch(_OPPOSE, {"hash": mark, "at": now})
    return True


async def unoppose(session: Session, mark: UUID) -> bool:
    """Take an opposition back; whether there was one."""
    return await session.one(_UNOPPOSE, {"hash": mark}) is not None


async def life_of(session: Session, name: str, query: Query = _LIFE) -> Life | None:
    """The life of a record."""
    row = await session.one(query, {"bucket": bucket_of(name), "record": name})
    return None if row is None else read(row)


def read(row: Any) -> Life:
    """A row of the table of records. A reason that is not known raises ValueError."""
    closing = None if row["closing"] is None else Closing(row["closing"])
    return Life(row["opened"], row["closed"], closing, row["erase_after"], row["erased"])
