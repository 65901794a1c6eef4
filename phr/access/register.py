"""The register of rights: one compact row for each Consent in force, which is what a request reads of them.

The rule: a row is derived from its Consent in the transaction that writes it: rebuilding the table from the Consents
gives the same rows (a test does).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    Index,
    SmallInteger,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from fhir.predicate import equals_any
from fhir.record import bucket_of
from fhir.tables import ID, record
from phr.access.provision import UNREAD, Provision, Right
from phr.core.database import Session, compile_query, metadata

_SETS = ("kinds", "categories", "tokens", "resources", "powers")
_PLAIN = ("id", "actor", "permits", "since", "until", "purpose", "confidential", "source", "structure")

provision = Table(
    "provision",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("right", String, nullable=False),
    Column("actor", Uuid),
    Column("permits", Boolean, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Column("purpose", String, nullable=False),
    Column("kinds", ARRAY(String), nullable=False),
    Column("categories", ARRAY(Uuid), nullable=False),
    Column("tokens", ARRAY(Uuid), nullable=False),
    Column("resources", ARRAY(String), nullable=False),
    Column("powers", ARRAY(String), nullable=False),
    Column("confidential", Boolean, nullable=False),
    Column("source", ID),
    Column("structure", Uuid),
)
Index("provision_actor_idx", provision.c.bucket, provision.c.record, provision.c.actor)

_own = and_(
    provision.c.bucket == bindparam("bucket", type_=SmallInteger()),
    provision.c.record == bindparam("record", type_=ID),
)
_actors = bindparam("actors", type_=ARRAY(Uuid))
_OF = compile_query(
    select(provision).where(
        _own,
        or_(provision.c.actor.is_(None), equals_any(provision.c.actor, _actors)),
        or_(provision.c.until.is_(None), provision.c.until > bindparam("now", type_=DateTime(timezone=True))),
    )
)
_LATEST = compile_query(
    select(func.max(provision.c.since).label("latest")).where(
        _own, provision.c.since < bindparam("now", type_=DateTime(timezone=True))
    )
)
_EVERY = compile_query(select(provision).where(_own).order_by(provision.c.since, provision.c.id))
_PUT = insert(provision).values({column.name: bindparam(column.name, type_=column.type) for column in provision.c})
_REPLACE = compile_query(
    _PUT.on_conflict_do_update(
        index_elements=[provision.c.bucket, provision.c.record, provision.c.id],
        set_={column.name: _PUT.excluded[column.name] for column in provision.c if not column.primary_key},
    )
)
_DROP = compile_query(delete(provision).where(_own, provision.c.id == bindparam("id", type_=ID)))
_CHANGED = compile_query(
    update(record)
    .where(
        record.c.bucket == bindparam("bucket", type_=SmallInteger()),
        record.c.id == bindparam("record", type_=ID),
    )
    .values(rights=record.c.rights + 1)
)


async def about(session: Session, name: str, actors: Iterable[UUID], now: datetime) -> tuple[Provision, ...]:
    """The provisions of record `name` for any of these actors, or for everybody, not over at `now`."""
    values = {"bucket": bucket_of(name), "record": name, "actors": list(actors), "now": now}
    return tuple(_opened(row) for row in await session.fetch(_OF, values))


async def latest(session: Session, name: str, before: datetime) -> datetime | None:
    """When the last of the rights that begin before this instant begins."""
    row = await session.one(_LATEST, {"bucket": bucket_of(name), "record": name, "now": before})
    return None if row is None else row["latest"]


async def every(session: Session, name: str) -> tuple[Provision, ...]:
    """All the provisions of a record, over or not, oldest first."""
    values = {"bucket": bucket_of(name), "record": name}
    return tuple(_opened(row) for row in await session.fetch(_EVERY, values))


async def derive(session: Session, name: str, id: str, derived: Provision | None) -> None:
    """Write the row of one Consent, or drop it; whoever reads the record next gathers its rights again.

    The caller holds the record's row locked for update (`Visit.act(..., deciding=True)`).
    """
    place = {"bucket": bucket_of(name), "record": name}
    if derived is None or derived.right in UNREAD:
        await session.fetch(_DROP, {**place, "id": id})
    else:
        await session.fetch(_REPLACE, _values(derived, name))
    await session.fetch(_CHANGED, place)


def _opened(row: Any) -> Provision:
    """A row as a value. A right that is not known raises ValueError: what cannot be read gives nothing."""
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN}
    sets: dict[str, Any] = {name: frozenset(row[name]) for name in _SETS}
    return Provision(right=Right(row["right"]), **plain, **sets)


def _values(one: Provision, name: str) -> dict[str, object]:
    plain = {column: getattr(one, column) for column in _PLAIN}
    sets = {column: sorted(getattr(one, column)) for column in _SETS}
    return {"bucket": bucket_of(name), "record": name, "right": one.right.value, **plain, **sets}
