"""A request that may be sent again, such as after a network that failed: it is done once, and answered alike.

The rule (draft-ietf-httpapi-idempotency-key-header): the first answer under a key is kept, sealed, in the transaction
that did the work; the same request under the same key is given it back, another request under that key is refused.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary, SmallInteger, Table, Uuid, bindparam, delete, insert, select
from sqlalchemy import orm as sync

from fhir import wire
from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.reader import identity
from phr.access.visit import Deed
from phr.core.database import compile_query, metadata
from phr.core.errors import invalid, malformed
from phr.operated import keys_of

Json = dict[str, Any]
KEPT = timedelta(days=7)
LONGEST = 255

answered = Table(
    "answered",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("key", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
)
"""`key` is a keyed hash of who asked and of the key they chose; `digest` of what they asked."""

_FIND = compile_query(
    select(answered.c.digest, answered.c.sealed).where(
        *(answered.c[name] == bindparam(name, type_=answered.c[name].type) for name in ("bucket", "record", "key"))
    )
)
_KEEP = compile_query(insert(answered).values({one.name: bindparam(one.name, type_=one.type) for one in answered.c}))


async def repeated(deed: Deed, key: str | None, asked: str, body: Any) -> Json | None:
    """The answer already given to this request under this key; None when it is new, or has no key.

    `asked`: the operation and what it is on. In a transaction that has the record to itself (`deciding`).
    Raises SYNTAX (a key too long), CONTENT (422: the key was used for something else).
    """
    if key is None:
        return None
    if not 0 < len(key) <= LONGEST:
        raise malformed(f"An Idempotency-Key has 1 to {LONGEST} characters.")
    row = await deed.session.one(_FIND, _place(deed, key))
    if row is None:
        return None
    if row["digest"] != _digest(asked, body):
        raise invalid("This Idempotency-Key was used for another request.", code="business-rule")
    found: Json = wire.restore(keys_of(deed).unseal(row["sealed"], _context(deed, key)))
    return found


async def keep(deed: Deed, key: str | None, asked: str, body: Any, answer: Json) -> None:
    """Keep the answer, to give it back to the same request."""
    if key is None:
        return
    sealed = keys_of(deed).seal(wire.encode(answer), _context(deed, key))
    await deed.session.fetch(
        _KEEP, {**_place(deed, key), "digest": _digest(asked, body), "sealed": sealed, "at": deed.visit.now}
    )


def forget(session: sync.Session, now: datetime) -> None:
    """Delete what was kept long enough. Safe at any time, in any process."""
    session.execute(delete(answered).where(answered.c.at <= now - KEPT))


def _place(deed: Deed, key: str) -> dict[str, object]:
    keys = keys_of(deed)
    who = f"{identity(deed.visit.reader)} {deed.visit.reader.client}"
    return {
        "bucket": bucket_of(keys.record),
        "record": keys.record,
        "key": keys.hashed(f"idempotency {who} {key}"),
    }


def _context(deed: Deed, key: str) -> str:
    return f"answered|{_place(deed, key)['key']}"


def _digest(asked: str, body: Any) -> bytes:
    return hashlib.sha256(asked.encode() + b"\0" + wire.encode(body)).digest()
