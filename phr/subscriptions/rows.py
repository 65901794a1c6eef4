"""The statements on subscriptions: who waits for what, whose they are, where telling them stands."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, SmallInteger, Uuid, bindparam, delete, insert, or_, select, union_all, update
from sqlalchemy.orm import Session as Synchronous

from fhir.predicate import equals_any
from fhir.record import bucket_of
from fhir.tables import ID, INSTANT
from phr.core.database import Session, compile_query
from phr.subscriptions.ledger import subscription, subscription_event

WAITS = timedelta(days=7)
"""How long events go on being kept for a subscription in error."""
KEPT = timedelta(days=30)
"""How long a subscription is kept once it is over."""
MOST_LISTED = 200

_of = subscription.c
_now = bindparam("now", type_=INSTANT)
_bucket, _version = bindparam("bucket", type_=SmallInteger()), bindparam("before", type_=Integer())
_mine = (_of.bucket == _bucket, _of.id == bindparam("id", type_=ID))
_waits = (
    _of.topic == bindparam("topic", type_=_of.topic.type),
    _of.status != "off",
    _of.until > _now,
    or_(_of.status != "error", _of.since > _now - WAITS),
)
_of_record = select(_of.id).where(_of.bucket == _bucket, _of.record == bindparam("record", type_=ID), *_waits)
_of_parties = select(_of.id).where(equals_any(_of.party, bindparam("parties", type_=ARRAY(Uuid))), *_waits)
_LISTENING = compile_query(union_all(_of_record, _of_parties))
_PUT = compile_query(insert(subscription).values({one.name: bindparam(one.name, type_=one.type) for one in _of}))


def _set(*names: str) -> dict[str, Any]:
    return {name: bindparam(name, type_=_of[name].type) for name in names}


_STATE = ("status", "since", "failures", "retry", "beat")
_CHANGE = compile_query(
    update(subscription)
    .where(*_mine, _of.version == _version)
    .values(_set(*_STATE, "grant", "until", "version", "updated", "sealed"))
    .returning(_of.id)
)
_STAND = compile_query(
    update(subscription)
    .where(*_mine, _of.version == _version, or_(_of.status == "requested", _of.status == "active"))
    .values(_set(*_STATE))
    .returning(_of.id)
)
_FIND = compile_query(select(subscription).where(*_mine))
_OWNED = compile_query(
    select(subscription)
    .where(_of.owner == bindparam("owner", type_=Uuid()))
    .order_by(_of.updated.desc(), _of.id)
    .limit(MOST_LISTED)
)
_DELETE = compile_query(delete(subscription).where(*_mine))
_EMPTY = compile_query(delete(subscription_event).where(subscription_event.c.subscription == bindparam("id", type_=ID)))


async def listening(session: Session, record: str, topic: str, parties: Sequence[UUID], now: datetime) -> list[str]:
    """The subscriptions that wait for such an event: about this record, or about what is sent to these parties."""
    about = {"bucket": bucket_of(record), "record": record, "parties": list(parties)}
    return [row["id"] for row in await session.fetch(_LISTENING, {**about, "topic": topic, "now": now})]


async def put(session: Session, values: dict[str, Any]) -> None:
    """A new subscription."""
    await session.fetch(_PUT, values)


async def change(session: Session, values: dict[str, Any], before: int) -> bool:
    """Its next version, in place of version `before`. False when there is another since."""
    return await session.one(_CHANGE, {**values, "before": before}) is not None


async def stand(session: Session, id: str, version: int, values: dict[str, Any]) -> bool:
    """Where telling it stands; False, and nothing done, when its owner changed it since or switched it off."""
    return await session.one(_STAND, {**named(id), "before": version, **values}) is not None


async def find(session: Session, id: str) -> Any | None:
    """The row of a subscription."""
    return None if bucket_of(id) is None else await session.one(_FIND, named(id))


async def owned(session: Session, owner: UUID) -> list[Any]:
    """The subscriptions of an owner, latest first."""
    return await session.fetch(_OWNED, {"owner": owner})


async def remove(session: Session, id: str) -> None:
    """A subscription, and what it was to be told."""
    await session.fetch(_EMPTY, {"id": id})
    await session.fetch(_DELETE, named(id))


def forget(session: Synchronous, now: datetime) -> None:
    """Delete the subscriptions that were over a month ago, and their events. Safe at any time, in any process."""
    over = _of.until <= now - KEPT
    session.execute(delete(subscription_event).where(subscription_event.c.subscription.in_(select(_of.id).where(over))))
    session.execute(delete(subscription).where(over))


def named(id: str) -> dict[str, object]:
    """What names a subscription in a statement."""
    return {"bucket": bucket_of(id), "id": id}
