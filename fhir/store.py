"""Writing stored resources. Every write is one version; the superseded one moves to history in the same transaction.

The rule: a caller has found its target through the lens and locked it; these functions only carry the write out.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_nothing

from fhir import wire
from fhir.index import Index, index
from fhir.lens import sealed
from fhir.parameters import Kind
from fhir.predicate import Row, equals_any
from fhir.record import RecordKeys
from fhir.stored import seal_resource
from fhir.tables import ID, blob, blob_chunk, history, record, record_lookup, resource
from phr.core.database import Query, Session, compile_query
from phr.core.vault import Wrapped


@dataclass(frozen=True, slots=True)
class Draft:
    """A version ready to be stored: its JSON, whole, with id and meta, and what is indexed of it."""

    kind: Kind
    bucket: int
    id: str
    version: int
    updated: datetime
    record: str | None
    author: UUID | None
    json: dict[str, Any]
    index: Index
    withheld_until: datetime | None

    def row(self) -> Row:
        """The plain columns a predicate judges: whether the result is still in sight of who writes it."""
        found = self.index
        return Row(
            self.bucket,
            self.id,
            self.kind.name,
            self.updated,
            False,
            self.record,
            found.masked,
            found.hidden_from_patient,
            found.hidden_from_proxies,
            self.withheld_until,
            self.author,
            found.category,
            found.tokens,
            found.dates,
            frozenset((name, word) for name, words in found.words.items() for word in words),
        )

    @property
    def reference(self) -> str:
        """`Type/id`."""
        return f"{self.kind.name}/{self.id}"

    @property
    def etag(self) -> str:
        """The weak ETag of the version."""
        return f'W/"{self.version}"'

    def columns(self, keys: RecordKeys) -> dict[str, object]:
        """The row, sealed under the keys of its record."""
        happened = self.index.happened or (None, None)
        return {
            "bucket": self.bucket,
            "id": self.id,
            "kind": self.kind.name,
            "version": self.version,
            "updated": self.updated,
            "gone": False,
            "record": self.record,
            "masked": self.index.masked,
            "hidden_from_patient": self.index.hidden_from_patient,
            "hidden_from_proxies": self.index.hidden_from_proxies,
            "withheld_until": self.withheld_until,
            "author": self.author,
            "category": self.index.category,
            "governor": None,
            "happened_from": happened[0],
            "happened_until": happened[1],
            "tokens": list(self.index.tokens),
            "dates": wire.encode(self.index.dates).decode(),
            "words": wire.encode(self.index.words).decode(),
            "sealed": seal_resource(keys, self.kind.name, self.id, self.version, wire.encode(self.json)),
        }


def draft(
    kind: Kind,
    identifier: str,
    version: int,
    body: dict[str, Any],
    record: str | None,
    author: UUID | None,
    keys: RecordKeys,
    now: datetime,
    base: str,
) -> Draft:
    """Stamp id and meta (versionId, lastUpdated) on a validated body and index it.

    What is hidden from the patient shows by itself after one month (R1111-53), counted from the first version that is.
    """
    stamp = now.isoformat(timespec="milliseconds")
    meta = {**body.get("meta", {}), "versionId": str(version), "lastUpdated": stamp}
    rest = {name: value for name, value in body.items() if name not in ("resourceType", "id", "meta")}
    whole = {"resourceType": kind.name, "id": identifier, "meta": meta, **rest}
    found = index(kind, whole, keys.hashed, base)
    withheld = a_month_after(now) if found.hidden_from_patient else None
    return Draft(kind, int(identifier[:3], 16), identifier, version, now, record, author, whole, found, withheld)


def a_month_after(now: datetime) -> datetime:
    """The same instant of the same day of the next month, or of its last day."""
    year, month = (now.year, now.month + 1) if now.month < 12 else (now.year + 1, 1)
    return now.replace(year=year, month=month, day=min(now.day, monthrange(year, month)[1]))


_COLUMNS = tuple(column.name for column in resource.c)
_INSERT: Query = compile_query(
    sealed(insert(resource).values({name: bindparam(name, type_=resource.c[name].type) for name in _COLUMNS}))
)
_OWN = and_(
    resource.c.bucket == bindparam("bucket", type_=resource.c.bucket.type),
    resource.c.id == bindparam("id", type_=resource.c.id.type),
)
_PRIOR = resource.c.version == bindparam("prior", type_=resource.c.version.type)
_HISTORY = tuple(column.name for column in history.c)
_KEEP: Query = compile_query(
    sealed(
        insert(history).from_select(
            list(_HISTORY), select(*[resource.c[name] for name in _HISTORY]).where(_OWN, _PRIOR)
        )
    )
)
_CHANGING = tuple(name for name in _COLUMNS if name not in ("bucket", "id", "kind", "record", "author", "governor"))


def _new(name: str) -> ColumnElement[Any]:
    """The new value of a column. What was withheld once is not withheld for longer by being written again."""
    given = bindparam(f"new_{name}", type_=resource.c[name].type)
    return func.coalesce(resource.c.withheld_until, given) if name == "withheld_until" else given


_REPLACE: Query = compile_query(
    sealed(update(resource).where(_OWN, _PRIOR).values({name: _new(name) for name in _CHANGING}))
)


async def insert_all(session: Session, drafts: Sequence[Draft], keys: dict[str | None, RecordKeys]) -> None:
    """Store first versions."""
    await session.execute_many(_INSERT, [draft.columns(keys[draft.record]) for draft in drafts])


async def replace(session: Session, new: Draft, keys: RecordKeys) -> None:
    """Store the next version of a row the caller has locked; the one before goes to history."""
    columns = new.columns(keys)
    prior = {"bucket": new.bucket, "id": new.id, "prior": new.version - 1}
    await session.fetch(_KEEP, prior)
    await session.fetch(_REPLACE, {**prior, **{f"new_{name}": columns[name] for name in _CHANGING}})


_BURY: Query = compile_query(
    sealed(
        update(resource)
        .where(_OWN, _PRIOR)
        .values(
            gone=True,
            sealed=literal(b"", resource.c.sealed.type),
            version=resource.c.version + 1,
            updated=bindparam("updated", type_=resource.c.updated.type),
        )
    )
)


async def bury(session: Session, bucket: int, identifier: str, version: int, now: datetime) -> None:
    """Mark a locked row deleted, as a version of its own. Its visibility and its past stay."""
    prior = {"bucket": bucket, "id": identifier, "prior": version}
    await session.fetch(_KEEP, prior)
    await session.fetch(_BURY, {**prior, "updated": now})


_GOVERNED = ("masked", "hidden_from_patient", "hidden_from_proxies", "withheld_until", "category", "governor")
_DOCUMENT = bindparam("document", type_=ID)


def _governed(name: str) -> ColumnElement[Any]:
    """The new value of a column of a Binary: its document's, whose month was counted once."""
    if name != "withheld_until":
        return bindparam(f"new_{name}", type_=resource.c[name].type)
    document = resource.alias("document")
    own = document.c.bucket == bindparam("bucket", type_=resource.c.bucket.type), document.c.id == _DOCUMENT
    return select(document.c.withheld_until).where(*own).scalar_subquery()


_GOVERN: Query = compile_query(
    sealed(
        update(resource)
        .where(
            resource.c.bucket == bindparam("bucket", type_=resource.c.bucket.type),
            resource.c.record == bindparam("record", type_=ID),
            resource.c.kind == "Binary",
            or_(
                resource.c.governor == _DOCUMENT,
                and_(resource.c.governor.is_(None), equals_any(resource.c.id, bindparam("ids", type_=ARRAY(String)))),
            ),
        )
        .values({name: _governed(name) for name in _GOVERNED})
        .returning(resource.c.id)
    )
)


async def govern(session: Session, document: Draft, binaries: Sequence[str], category: UUID) -> bool:
    """Give a document's visibility to its Binaries: those it names now, and those it named before.

    `category`: what they are the content of, when the resource itself has no category.

    False when one of them is already another document's: bytes seen under two visibilities would be seen under none.
    """
    row = document.row()
    new = {f"new_{name}": getattr(row, name, None) for name in _GOVERNED}
    new |= {"new_governor": document.id, "new_category": row.category or category}
    values = {"bucket": document.bucket, "record": document.record, "ids": list(binaries), "document": document.id}
    return set(binaries) <= {found["id"] for found in await session.fetch(_GOVERN, {**values, **new})}


_GOVERNOR: Query = compile_query(sealed(select(resource.c.governor).where(_OWN)))


async def governor_of(session: Session, bucket: int, identifier: str) -> str | None:
    """The document a Binary is the content of, if it is one's."""
    row = await session.one(_GOVERNOR, {"bucket": bucket, "id": identifier})
    return None if row is None else row["governor"]


_GOVERNED_BY: Query = compile_query(
    sealed(
        select(resource.c.id, resource.c.version).where(
            resource.c.bucket == bindparam("bucket", type_=resource.c.bucket.type),
            resource.c.record == bindparam("record", type_=ID),
            resource.c.kind == "Binary",
            resource.c.governor == _DOCUMENT,
            resource.c.gone.is_(False),
        )
    )
)


async def bury_content(session: Session, bucket: int, record: str, identifier: str, now: datetime) -> None:
    """Bury the Binaries that are the content of a resource just buried."""
    for row in await session.fetch(_GOVERNED_BY, {"bucket": bucket, "record": record, "document": identifier}):
        await bury(session, bucket, row["id"], row["version"], now)


_OPEN: Query = compile_query(
    insert(record).values(
        {name: bindparam(name, type_=record.c[name].type) for name in ("bucket", "id", "kek", "wrapped", "opened")}
    )
)
_KNOW: Query = compile_query(
    insert_or_nothing(record_lookup)
    .values({name: bindparam(name, type_=record_lookup.c[name].type) for name in ("hash", "record")})
    .on_conflict_do_nothing()
    .returning(record_lookup.c.record)
)


async def open_record(
    session: Session, identifier: str, wrapped: Wrapped, known_as: Sequence[UUID], now: datetime
) -> bool:
    """Open a record under its wrapped key, findable by these hashes. False when one of them is taken."""
    for known in known_as:
        if await session.one(_KNOW, {"hash": known, "record": identifier}) is None:
            return False
    values = {"bucket": int(identifier[:3], 16), "id": identifier, "opened": now}
    await session.fetch(_OPEN, {**values, "kek": wrapped.kek, "wrapped": wrapped.ciphertext})
    return True


_BLOB: Query = compile_query(
    sealed(insert(blob).values({column.name: bindparam(column.name, type_=column.type) for column in blob.c}))
)
_CHUNK: Query = compile_query(
    sealed(
        insert(blob_chunk).values({column.name: bindparam(column.name, type_=column.type) for column in blob_chunk.c})
    )
)


async def insert_blob(session: Session, identifier: str, version: int, size: int, chunks: int) -> None:
    """State that a Binary version has these bytes, once all its chunks are in."""
    values = {"bucket": int(identifier[:3], 16), "id": identifier, "version": version}
    await session.fetch(_BLOB, {**values, "size": size, "chunks": chunks})


async def insert_chunk(session: Session, identifier: str, version: int, n: int, piece: bytes) -> None:
    """Store one sealed piece."""
    values = {"bucket": int(identifier[:3], 16), "id": identifier, "version": version}
    await session.fetch(_CHUNK, {**values, "n": n, "sealed": piece})


def _purge(table: Table) -> Query:
    """Deletes a page of the rows that hang on one record's resources, and says how many."""
    bucket = bindparam("bucket", type_=resource.c.bucket.type)
    mine = select(resource.c.id).where(resource.c.bucket == bucket, resource.c.record == bindparam("record", type_=ID))
    key = list(table.primary_key)
    page = select(*key).where(table.c.bucket == bucket, table.c.id.in_(mine)).limit(bindparam("page", type_=Integer()))
    dropped = delete(table).where(tuple_(*key).in_(page)).returning(table.c.id).cte("dropped")
    return compile_query(sealed(select(func.count().label("dropped")).select_from(dropped)))


_PURGES = tuple(_purge(table) for table in (blob_chunk, blob, history, resource))


async def purge(session: Session, identifier: str, page: int) -> int:
    """Delete at most `page` rows of a destroyed record, what hangs on a resource before it. 0 when nothing is left."""
    for query in _PURGES:
        row = await session.one(query, {"bucket": int(identifier[:3], 16), "record": identifier, "page": page})
        if row is not None and row["dropped"]:
            return int(row["dropped"])
    return 0


def _erase(table: Table) -> Query:
    chosen = equals_any(table.c.id, bindparam("ids", type_=ARRAY(String)))
    bucket = table.c.bucket == bindparam("bucket", type_=resource.c.bucket.type)
    return compile_query(sealed(delete(table).where(bucket, chosen)))


_PAST, _WHOLE = _erase(history), tuple(_erase(table) for table in (blob_chunk, blob, history, resource))


async def erase_past(session: Session, bucket: int, ids: Sequence[str]) -> None:
    """Delete the superseded versions of these resources."""
    await session.fetch(_PAST, {"bucket": bucket, "ids": list(ids)})


async def erase(session: Session, bucket: int, ids: Sequence[str]) -> None:
    """Delete these resources whole, what hangs on them first."""
    for query in _WHOLE:
        await session.fetch(query, {"bucket": bucket, "ids": list(ids)})
