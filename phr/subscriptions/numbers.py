"""The events of a subscription in order, and the numbers they are told under.

The rule: a number is given by who holds the subscription's turn, to the first event not told, if its focus is in sight
then; what nobody is told of has none. So numbers grow by one without a hole, and say nothing of what is hidden.
"""

from collections.abc import Sequence
from hashlib import blake2b

from sqlalchemy import BigInteger, Integer, SmallInteger, bindparam, delete, exists, func, insert, null, select, update

from fhir.tables import ID
from phr.core.database import Session, compile_query
from phr.subscriptions.ledger import Event, subscription, subscription_event
from phr.subscriptions.rows import named

REPLAYED = 500
"""How many of the last events told are kept, to be asked again."""

_of, _one = subscription.c, subscription_event.c
_subscription = _one.subscription == bindparam("id", type_=ID)
_mine = (_of.bucket == bindparam("bucket", type_=SmallInteger()), _of.id == bindparam("id", type_=ID))
_this = (_one.bucket == bindparam("e_bucket", type_=SmallInteger()), _one.id == bindparam("e_id", type_=ID))
_HAPPENED = compile_query(
    insert(subscription_event).values({one.name: bindparam(one.name, type_=one.type) for one in _one})
)
_NEXT = compile_query(
    select(subscription_event).where(_subscription, _one.sent.is_(False)).order_by(_one.at, _one.id).limit(1)
)
_more = update(subscription).where(*_mine).values(told=_of.told + 1).returning(_of.told).cte("more")
_ALLOT = compile_query(
    update(subscription_event).where(*_this).values(number=_more.c.told, entered=True).returning(_one.number)
)
_back = update(subscription_event).where(*_this).values(number=null()).returning(_one.id).cte("back")
_GIVE_BACK = compile_query(
    update(subscription).where(*_mine, exists().select_from(_back)).values(told=_of.told - 1).add_cte(_back)
)
_TOOK = compile_query(update(subscription_event).where(*_this).values(sent=True))
_OLD = compile_query(
    delete(subscription_event).where(
        _subscription, _one.number <= bindparam("number", type_=BigInteger()), _one.sent.is_(True)
    )
)
_DROP = compile_query(delete(subscription_event).where(*_this))
_BETWEEN = compile_query(
    select(subscription_event)
    .where(
        _subscription,
        _one.number.between(bindparam("first", type_=BigInteger()), bindparam("last", type_=BigInteger())),
    )
    .order_by(_one.number)
    .limit(bindparam("most", type_=Integer()))
)
_TURN = compile_query(select(func.pg_try_advisory_xact_lock(bindparam("key", type_=BigInteger())).label("held")))


async def happened(session: Session, events: Sequence[Event]) -> None:
    """Keep events, in the transaction that causes them."""
    await session.execute_many(_HAPPENED, [{name: getattr(one, name) for name in Event.__slots__} for one in events])


async def turn(session: Session, id: str) -> bool:
    """Take the turn of telling a subscription until this transaction ends; False when another process has it."""
    key = int.from_bytes(blake2b(f"subscription|{id}".encode(), digest_size=8).digest(), "big", signed=True)
    row = await session.one(_TURN, {"key": key})
    return row is not None and row["held"] is True


async def following(session: Session, id: str) -> Event | None:
    """The first event that the subscriber has not taken."""
    row = await session.one(_NEXT, {"id": id})
    return None if row is None else Event.of(row)


async def allot(session: Session, event: Event) -> Event | None:
    """The event with the next number. None when it is gone since."""
    row = await session.one(_ALLOT, {**named(event.subscription), **_this_one(event)})
    return None if row is None else event.numbered(int(row["number"]))


async def give_back(session: Session, event: Event) -> None:
    """Take the last number back: nothing that bears it left this server."""
    await session.fetch(_GIVE_BACK, {**named(event.subscription), **_this_one(event)})


async def took(session: Session, event: Event) -> None:
    """The subscriber has this event; those told long before are kept no more."""
    await session.fetch(_TOOK, _this_one(event))
    await session.fetch(_OLD, {"id": event.subscription, "number": (event.number or 0) - REPLAYED})


async def drop(session: Session, event: Event) -> None:
    """An event that is not told."""
    await session.fetch(_DROP, _this_one(event))


async def between(session: Session, id: str, first: int, last: int, most: int) -> list[Event]:
    """The events told under these numbers, both included, in order."""
    rows = await session.fetch(_BETWEEN, {"id": id, "first": first, "last": last, "most": most})
    return [Event.of(row) for row in rows]


def _this_one(event: Event) -> dict[str, object]:
    return {"e_bucket": event.bucket, "e_id": event.id}
