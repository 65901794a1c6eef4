"""The tables of subscriptions: who is told of what, and the events that wait to be told or were told.

The rule: an event is a row written in the transaction that causes it, and nothing of what it says. Its number is given
when it is told, by who holds the subscription's turn: events nobody is told of have none.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Uuid

from fhir.tables import ID, INSTANT
from phr.core.database import metadata
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

WAKE = "rest-hook"
"""The kind of outbox message that says: look at what this subscription is to be told. `{"subscription": id}`."""

subscription = Table(
    "subscription",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("record", ID),
    Column("party", Uuid),
    Column("owner", Uuid, nullable=False, index=True),
    Column("topic", String, nullable=False),
    Column("status", String, nullable=False),
    Column("since", INSTANT, nullable=False),
    Column("told", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("retry", INSTANT),
    Column("beat", INSTANT),
    Column("grant", Uuid),
    Column("until", INSTANT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated", INSTANT, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""About one record, in its bucket, or about what is sent to a `party`, a keyed hash. `owner`: one of the reader and
their software. `since`: of its status; `told`: the last number given; `retry`: not before; `beat`: the next
heartbeat; `grant` and `until`: what it ends with. Where, how and as whom it is told is sealed."""
Index(
    "subscription_record_idx",
    subscription.c.bucket,
    subscription.c.record,
    subscription.c.topic,
    postgresql_where=subscription.c.record.is_not(None),
)
Index(
    "subscription_party_idx",
    subscription.c.party,
    subscription.c.topic,
    postgresql_where=subscription.c.party.is_not(None),
)
Index("subscription_until_idx", subscription.c.until)

subscription_event = Table(
    "subscription_event",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("record", ID, nullable=False),
    Column("subscription", ID, nullable=False),
    Column("focus", String, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("number", BigInteger),
    Column("entered", Boolean, nullable=False),
    Column("sent", Boolean, nullable=False),
)
"""In the record where it happened. `focus`: Type/id; `entered`: the record's journal says that it was told; `sent`:
the subscriber took it."""
Index("subscription_event_record_idx", subscription_event.c.bucket, subscription_event.c.record)
Index(
    "subscription_event_waiting_idx",
    subscription_event.c.subscription,
    subscription_event.c.at,
    subscription_event.c.id,
    postgresql_where=subscription_event.c.sent.is_(False),
)
Index(
    "subscription_event_number_idx",
    subscription_event.c.subscription,
    subscription_event.c.number,
    postgresql_where=subscription_event.c.number.is_not(None),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `subscription_event`."""

    bucket: int
    id: str
    record: str
    subscription: str
    focus: str
    at: datetime
    number: int | None
    entered: bool
    sent: bool

    @classmethod
    def of(cls, row: Any) -> Self:
        """From the driver's row."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def numbered(self, number: int) -> Self:
        """The same event, told under this number."""
        return replace(self, number=number, entered=True)


def party_of(keys: SystemKeys, name: str) -> UUID:
    """What stands for a name such as `structure:1750000001` here."""
    return keyed_uuid(subkey(keys.get("lookup"), "subscription party"), name)
