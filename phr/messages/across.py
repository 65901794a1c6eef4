"""A professional's threads, in every record where they or their structure take part, the last to move first.

The rule: an entry of the inbox proves nothing: each thread is read in its own record, through the lens of this instant.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, String, Uuid, bindparam, func, select, tuple_

from fhir import paging
from fhir.predicate import And, IdIn, equals_any
from fhir.search import all_of
from fhir.stored import Stored
from fhir.tables import ID
from phr.access.journal import Tag
from phr.access.reader import Professional, identity, names
from phr.access.scope import SEARCH
from phr.access.visit import Visit
from phr.core.database import compile_query
from phr.core.errors import DomainError, Reason, forbidden
from phr.inbox import inbox, recipient
from phr.messages.listing import Listed, listed
from phr.messages.telling import THREAD
from phr.messages.thread import COMMUNICATION, HEADER, Thread, of_kind
from phr.operated import keys_of
from phr.reading import Pairs, page_size, require

MOST = 50
"""Threads of a page, each in a record that is opened for it."""
_ASKED = "Communication/$threads"
_END = (datetime(9999, 1, 1, tzinfo=UTC), "", "")
_MINE = (
    select(inbox.c.record, inbox.c.id, func.max(inbox.c.at).label("at"))
    .where(
        equals_any(inbox.c.recipient, bindparam("recipients", type_=ARRAY(Uuid()))),
        inbox.c.kind == bindparam("kind", type_=String()),
    )
    .group_by(inbox.c.record, inbox.c.id)
    .subquery()
)
_ORDER = (_MINE.c.at, _MINE.c.record, _MINE.c.id)
_AFTER = (bindparam("at", type_=DateTime(timezone=True)), bindparam("record", type_=ID), bindparam("id", type_=ID))
_WAITING = compile_query(
    select(*_ORDER)
    .where(tuple_(*_ORDER) < tuple_(*_AFTER))
    .order_by(*(column.desc() for column in _ORDER))
    .limit(bindparam("most", type_=Integer()))
)


async def threads(visit: Visit, pairs: Pairs) -> tuple[list[Listed], str | None]:
    """The threads of a professional, and the cursor to go on with. `_count` (50 at most). Raises FORBIDDEN."""
    require(visit, SEARCH, COMMUNICATION)
    reader, keys = visit.reader, visit.installation.system_keys
    if not isinstance(reader, Professional):
        raise forbidden("Only a professional has threads in several records.")
    asked, after, key, who = dict(pairs), _END, keys.get("cursor"), f"threads {identity(reader)}"
    if "_cursor" in asked:
        cursor = paging.read(key, who, COMMUNICATION.name, asked["_cursor"])
        asked, after = dict(cursor.pairs), cursor.after
    most = min(page_size(asked.get("_count")), MOST) or 1
    mine = {"recipients": [recipient(keys, name) for name in names(reader)], "kind": THREAD, "most": most + 1}
    async with visit.installation.database.session() as session:
        rows = await session.fetch(_WAITING, {**mine, **dict(zip(("at", "record", "id"), after, strict=True))})
    found: dict[str, Listed] = {}
    for record in dict.fromkeys(row["record"] for row in rows[:most]):
        found |= await _seen(visit, record, [row["id"] for row in rows[:most] if row["record"] == record])
    last = rows[most - 1] if len(rows) > most else None
    more = None
    if last is not None:
        page = paging.Cursor((("_count", str(most)),), (last["at"], last["record"], last["id"]))
        more = paging.issue(key, who, COMMUNICATION.name, page)
    return [found[row["id"]] for row in rows[:most] if row["id"] in found], more


async def _seen(visit: Visit, record: str, ids: Sequence[str]) -> dict[str, Listed]:
    try:
        async with visit.act(record, SEARCH, Tag.MESSAGE, _ASKED) as deed:
            match = And((of_kind(keys_of(deed), HEADER), IdIn(frozenset(ids))))
            rows: Sequence[Any] = await deed.fetch(all_of(deed.view.inside, match, len(ids)))
            heads = [Stored.from_row(row) for row in rows]
            found = await listed(deed, [Thread(one, one.json(deed.view.keyring)) for one in heads])
            # An entry that names nothing is its person's alone: it tells that there was a thread, maybe a secret one.
            deed.visit = replace(deed.visit, confidential=deed.visit.confidential or not found)
            return {one.json["id"]: one for one in found}
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return {}
