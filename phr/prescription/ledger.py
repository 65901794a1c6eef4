"""Which prescription a number stands for: one small table, keyed by a hash of the number.

The rule: a number is used once and for ever: its row outlives the prescription, and the record itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Table,
    Uuid,
    and_,
    bindparam,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.installation import Installation
from phr.core.database import Session, compile_query, metadata

WRONG_TRIES = 10
"""Wrong secrets shown under one number, for the whole life of its code."""

prescription = Table(
    "prescription",
    metadata,
    Column("number", Uuid, primary_key=True),
    Column("bucket", SmallInteger),
    Column("record", ID),
    Column("task", ID),
    Column("generation", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("until", DateTime(timezone=True)),
)
"""Keyed by the number, which distributes it; of a record destroyed, the number alone remains. `generation`: of the
code; `turn`: of who may hold it; `until`: when it is to be written down that it expired, which its Task says; none once
it is over, or while its record is closed."""
Index("prescription_record_idx", prescription.c.bucket, prescription.c.record)
Index("prescription_task_idx", prescription.c.bucket, prescription.c.task)
Index("prescription_until_idx", prescription.c.until)

_INSTANT = DateTime(timezone=True)
_columns = {one.name: bindparam(one.name, type_=one.type) for one in prescription.c}
_KEEP = compile_query(insert(prescription).values(_columns).on_conflict_do_nothing().returning(prescription.c.number))
_OF_NUMBER = compile_query(select(prescription).where(prescription.c.number == bindparam("number", type_=Uuid())))
_task = and_(
    prescription.c.bucket == bindparam("of_bucket", type_=SmallInteger()),
    prescription.c.task == bindparam("of_task", type_=ID),
)
_OF_TASK = compile_query(select(prescription).where(_task).with_for_update())
_is = prescription.c.number == bindparam("of_number", type_=Uuid())
_MISSED = compile_query(update(prescription).where(_is).values(wrong=prescription.c.wrong + 1))
_RENEWED = compile_query(
    update(prescription).where(_is).values(generation=prescription.c.generation + 1, wrong=0).returning(
        prescription.c.generation
    )
)  # fmt: skip
_TURNED = compile_query(
    update(prescription)
    .where(_is)
    .values(turn=prescription.c.turn + 1, until=bindparam("until", type_=_INSTANT))
    .returning(prescription.c.turn)
)
_LAST = compile_query(update(prescription).where(_is).values(until=bindparam("until", type_=_INSTANT)))
_FORGET = compile_query(update(prescription).where(_task).values(until=null()))
_LOOK_AGAIN = compile_query(
    update(prescription)
    .where(
        prescription.c.bucket == bindparam("of_bucket", type_=SmallInteger()),
        prescription.c.record == bindparam("of_record", type_=ID),
        prescription.c.until.is_(None),
    )
    .values(until=bindparam("now", type_=_INSTANT))
)
_DUE = compile_query(
    select(prescription.c.record, prescription.c.task)
    .where(prescription.c.until <= bindparam("now", type_=_INSTANT))
    .order_by(prescription.c.until)
    .limit(bindparam("most", type_=Integer()))
)


@dataclass(frozen=True, slots=True)
class Known:
    """A prescription as its number knows it. `number`: its hash."""

    number: UUID
    record: str
    task: str
    generation: int
    turn: int
    wrong: int


async def keep(session: Session, number: UUID, record: str, task: str, until: datetime) -> bool:
    """Take a number for a prescription; False when it was ever taken."""
    place = {"number": number, "bucket": bucket_of(record), "record": record, "task": task, "until": until}
    return await session.one(_KEEP, {**place, "generation": 1, "turn": 0, "wrong": 0}) is not None


async def of_number(installation: Installation, number: UUID) -> Known | None:
    """The prescription a number stands for, in whatever record."""
    async with installation.database.session() as session:
        return _known(await session.one(_OF_NUMBER, {"number": number}))


async def of_task(session: Session, task: str) -> Known | None:
    """The prescription that this Task follows, its row locked."""
    return _known(await session.one(_OF_TASK, {"of_bucket": bucket_of(task), "of_task": task}))


async def missed(session: Session, known: Known) -> None:
    """Count a wrong secret under this number."""
    await session.fetch(_MISSED, {"of_number": known.number})


async def renew(session: Session, known: Known) -> int:
    """Make the code another one, with no wrong try; its generation."""
    row = await session.one(_RENEWED, {"of_number": known.number})
    return int(row["generation"]) if row is not None else known.generation


async def turn(session: Session, known: Known, until: datetime | None) -> int:
    """The prescription changes hands: what the last pharmacy was given to prove it has it proves nothing more."""
    row = await session.one(_TURNED, {"of_number": known.number, "until": until})
    return int(row["turn"]) if row is not None else known.turn


async def last(session: Session, known: Known, until: datetime | None) -> None:
    """Say when it expires by itself from now on; None: it is over."""
    await session.fetch(_LAST, {"of_number": known.number, "until": until})


async def forget(session: Session, task: str) -> None:
    """A prescription whose record is closed: nothing is written there."""
    await session.fetch(_FORGET, {"of_bucket": bucket_of(task), "of_task": task})


async def look_again(session: Session, record: str, now: datetime) -> None:
    """A record is open again: what expired meanwhile is to be written down."""
    await session.fetch(_LOOK_AGAIN, {"of_bucket": bucket_of(record), "of_record": record, "now": now})


async def due(session: Session, now: datetime, most: int) -> list[tuple[str, str]]:
    """Prescriptions whose time is over: (record, Task), the oldest first."""
    return [(row["record"], row["task"]) for row in await session.fetch(_DUE, {"now": now, "most": most})]


def _known(row: Any) -> Known | None:
    if row is None or row["record"] is None:
        return None
    names = ("number", "record", "task", "generation", "turn", "wrong")
    return Known(*(row[name] for name in names))
