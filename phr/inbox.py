"""What awaits a professional in records they may open: relations, emergencies told afterwards. One small table.

The rule: an entry is written in the transaction that causes it and holds no health data; what it points at is opened
through the lens of its own record, like anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Uuid,
    bindparam,
    delete,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from auth.professionals import Professional as Identity
from fhir import paging
from fhir.lens import Statement
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn, equals_any
from fhir.record import bucket_of
from fhir.search import all_of
from fhir.stored import Stored
from fhir.tables import ID
from fhir.view import View
from phr.access.decision import Because
from phr.access.journal import Tag
from phr.access.reader import Professional, identity
from phr.access.scope import SEARCH
from phr.access.visit import Deed, Visit
from phr.core.database import compile_query, metadata
from phr.core.errors import DomainError, Reason, forbidden
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey
from phr.reading import Pairs, page_size, require

Json = dict[str, Any]

inbox = Table(
    "inbox",
    metadata,
    Column("recipient", Uuid, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
)
"""Keyed by who receives, which distributes it. `id`: the resource it points at, such as the Consent of a relation."""
Index("inbox_recipient_at_idx", inbox.c.recipient, inbox.c.at)
Index("inbox_record_idx", inbox.c.bucket, inbox.c.record)

RELATION, EMERGENCY = "relation", "emergency"
MOST = 50
"""Entries of a page, each in a record of its own that is opened to judge it."""

_END = (datetime(9999, 1, 1, tzinfo=UTC), "", "")
_INSTANT = DateTime(timezone=True)
_NAMED = ("recipient", "record", "kind", "id")
_PUT = compile_query(
    insert(inbox)
    .values({column.name: bindparam(column.name, type_=column.type) for column in inbox.c})
    .on_conflict_do_update(index_elements=inbox.primary_key.columns, set_={"until": bindparam("until", type_=_INSTANT)})
)
_TAKE_OUT = compile_query(
    delete(inbox).where(*(inbox.c[name] == bindparam(f"of_{name}", type_=inbox.c[name].type) for name in _NAMED))
)
_ORDER = (inbox.c.at, inbox.c.record, inbox.c.id)
_AFTER = (bindparam("at", type_=_INSTANT), bindparam("record", type_=ID), bindparam("id", type_=ID))
_WAITING = compile_query(
    select(*_ORDER)
    .where(
        inbox.c.recipient == bindparam("recipient", type_=Uuid()),
        equals_any(inbox.c.kind, bindparam("kinds", type_=ARRAY(String()))),
        or_(inbox.c.until.is_(None), inbox.c.until > bindparam("now", type_=_INSTANT)),
        tuple_(*_ORDER) < tuple_(*_AFTER),
    )
    .order_by(*(column.desc() for column in _ORDER))
    .limit(bindparam("most", type_=Integer()))
)


def recipient(keys: SystemKeys, name: str) -> UUID:
    """What stands here for a professional's national id, or for a structure's name (`structure:…`)."""
    return keyed_uuid(subkey(keys.get("lookup"), "inbox"), name)


async def put(deed: Deed, name: str, kind: str, id: str, until: datetime | None) -> None:
    """Leave an entry for a professional, or for a structure, about a resource of the record at hand."""
    visit, record = deed.visit, deed.view.record
    values = {"recipient": recipient(visit.installation.system_keys, name), "record": record, "kind": kind}
    place = {"id": id, "bucket": bucket_of(id), "at": visit.now, "until": until}
    await deed.session.fetch(_PUT, {**values, **place})


async def take_out(deed: Deed, name: str, kind: str, id: str) -> None:
    """Take an entry out: what it points at is over, and to look there again would be read in the journal."""
    named = (recipient(deed.visit.installation.system_keys, name), deed.view.record, kind, id)
    await deed.session.fetch(_TAKE_OUT, dict(zip((f"of_{one}" for one in _NAMED), named, strict=True)))


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, in order, and the cursor to go on with, if there is more."""

    found: list[Json]
    next: str | None


async def relations(visit: Visit, pairs: Pairs) -> Page:
    """The Consents of a professional's open accesses, newest first. `_count` (50 at most) and `_cursor`.

    Each is read in its own record, through the lens of this instant, and journaled there: an entry proves nothing.
    """
    require(visit, SEARCH, KINDS["Consent"])
    rows, more = await _page(visit, professional(visit).id, (RELATION,), pairs)
    return Page(await _read(visit, rows, "Consent", Tag.LOOKUP, "Patient/$relations"), more)


async def structure(visit: Visit, kinds: Sequence[str], pairs: Pairs, type: str, tag: Tag, asked: str) -> Page:
    """What awaits the structure the professional acts in, newest first: resources of this type, each read as above."""
    rows, more = await _page(visit, f"structure:{professional(visit).structure}", kinds, pairs)
    return Page(await _read(visit, rows, type, tag, asked), more)


def professional(visit: Visit) -> Identity:
    """The professional whose inbox it is. Raises FORBIDDEN."""
    if not isinstance(visit.reader, Professional):
        raise forbidden("Only a professional has an inbox.")
    return visit.reader.identity


async def told(visit: Visit, pairs: Pairs) -> Page:
    """The emergencies a treating physician is told of (R1111-48): {"patient", "at"}, newest first.

    Only of who is their patient still. Who did it and why is the person's to read and to say.
    """
    require(visit, SEARCH, KINDS["Consent"])
    rows, more = await _page(visit, professional(visit).id, (EMERGENCY,), pairs)
    treated = {record: await _treats(visit, record) for record in dict.fromkeys(row["record"] for row in rows)}
    return Page([{"patient": row["record"], "at": row["at"]} for row in rows if treated[row["record"]]], more)


async def _read(visit: Visit, rows: Sequence[Any], type: str, tag: Tag, asked: str) -> list[Json]:
    found: dict[str, Json] = {}
    for record in dict.fromkeys(row["record"] for row in rows):
        ids = frozenset(row["id"] for row in rows if row["record"] == record)
        found |= await _seen(visit, record, type, ids, tag, asked)
    return [found[row["id"]] for row in rows if row["id"] in found]


async def _seen(visit: Visit, record: str, type: str, ids: frozenset[str], tag: Tag, asked: str) -> dict[str, Json]:
    def choose(view: View) -> Statement:
        return all_of(view.inside, And((KindIn(frozenset({type})), IdIn(ids))), len(ids))

    try:
        view, rows = await visit.see(record, SEARCH, tag, asked, choose, len(ids))
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return {}
    return {row["id"]: Stored.from_row(row).json(view.keyring) for row in rows}


async def _treats(visit: Visit, record: str) -> bool:
    """Whether the reader treats this person now, and their scopes let them know it."""
    try:
        async with visit.act(record, SEARCH, Tag.LOOKUP, "Patient/$told") as deed:
            person = And((KindIn(frozenset({"Patient"})), IdIn(frozenset({record}))))
            seen = await deed.fetch(all_of(deed.view.inside, person, 1))
            if not seen or deed.decision.because is not Because.TREATING_PHYSICIAN:
                return False
            deed.touched.append(f"Patient/{record}")
            return True
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return False


async def _page(visit: Visit, name: str, kinds: Sequence[str], pairs: Pairs) -> tuple[Sequence[Any], str | None]:
    keys, kind = visit.installation.system_keys, ",".join(sorted(kinds))
    key, who = keys.get("cursor"), f"inbox {identity(visit.reader)} {name}"
    asked, after = dict(pairs), _END
    if "_cursor" in asked:
        cursor = paging.read(key, who, kind, asked["_cursor"])
        asked, after = dict(cursor.pairs), cursor.after
    most = min(page_size(asked.get("_count")), MOST)
    values = dict(zip(("at", "record", "id"), after, strict=True))
    bound = {"recipient": recipient(keys, name), "kinds": list(kinds), "now": visit.now, "most": most + 1}
    async with visit.installation.database.session() as session:
        rows = await session.fetch(_WAITING, {**values, **bound})
    if len(rows) <= most:
        return rows, None
    last = rows[most - 1]
    page = paging.Cursor((("_count", str(most)),), (last["at"], last["record"], last["id"]))
    return rows[:most], paging.issue(key, who, kind, page)
