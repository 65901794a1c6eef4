"""The tables of stored resources. Nothing but `fhir.lens` and `fhir.store` may name them (a guard refuses).

The rule: what grows with people carries the bucket in its key and joins inside one bucket (Citus, design §2).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from phr.core.database import metadata

ID = String(collation="C")
INSTANT = DateTime(timezone=True)

record = Table(
    "record",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("kek", String, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("rights", Integer, nullable=False, server_default="1"),
    Column("opened", INSTANT, nullable=False),
    Column("closed", INSTANT),
    Column("closing", String),
    Column("erase_after", INSTANT),
    Column("erased", INSTANT),
)
"""One person's compartment and its wrapped data key. `rights` changes whenever who may see what changes.

`closing`: why it is closed; `erase_after`: when it is to be destroyed; `erased`: its key is gone, for ever."""

Index("record_erase_after_idx", record.c.erase_after, postgresql_where=record.c.erase_after.is_not(None))

record_lookup = Table(
    "record_lookup",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("record", ID, nullable=False, index=True),
)
"""From the keyed hash of an identifier (INS) to the record it opened."""

resource = Table(
    "resource",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("kind", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated", INSTANT, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("record", ID),
    Column("masked", Boolean, nullable=False),
    Column("hidden_from_patient", Boolean, nullable=False),
    Column("hidden_from_proxies", Boolean, nullable=False),
    Column("withheld_until", INSTANT),
    Column("author", Uuid),
    Column("category", Uuid),
    Column("governor", ID),
    Column("happened_from", BigInteger),
    Column("happened_until", BigInteger),
    Column("tokens", ARRAY(Uuid), nullable=False),
    Column("dates", JSONB, nullable=False),
    Column("words", JSONB, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The current version of each resource, its search values in the row. `record` is null for the commons; `governor`
is the DocumentReference whose content a Binary is, and whose visibility it takes; `withheld_until` when what is
hidden from the patient shows by itself (R1111-53)."""

Index("resource_record_idx", resource.c.bucket, resource.c.record, resource.c.kind, resource.c.id)
Index(
    "resource_commons_idx",
    resource.c.kind,
    resource.c.id,
    postgresql_where=resource.c.record.is_(None),
)
Index(
    "resource_commons_tokens_idx",
    resource.c.tokens,
    postgresql_using="gin",
    postgresql_where=resource.c.record.is_(None),
)

history = Table(
    "history",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("updated", INSTANT, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["bucket", "id"], ["resource.bucket", "resource.id"]),
)
"""Superseded versions, sealed. Judged by the current row's visibility, so it has none of its own."""

blob = Table(
    "blob",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    ForeignKeyConstraint(["bucket", "id"], ["resource.bucket", "resource.id"], deferrable=True, initially="DEFERRED"),
)
"""The bytes of one version of a Binary."""

blob_chunk = Table(
    "blob_chunk",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""One sealed piece of a blob; its position and whether it is the last are authenticated with it."""

PROTECTED = frozenset({resource, history, blob, blob_chunk})
