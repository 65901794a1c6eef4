"""Reading threads: those of a record, and the messages of one; and what a reader keeps for themself of them.

The rule: what is listed, and how many are unread, is counted through the reader's own lens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fhir import paging, tokens
from fhir.criteria import TokenAny, UpdatedMatch
from fhir.predicate import And, AuthoredBy, IdIn, Not, Predicate
from fhir.query import Sort
from fhir.search import Page, all_of, count_of, page_of
from fhir.stored import Stored
from phr.access.journal import Tag
from phr.access.reader import Person, identity
from phr.access.scope import READ, SEARCH
from phr.access.visit import Deed, Visit, asked_of
from phr.blocks import elsewhere
from phr.messages import marks
from phr.messages.marks import Mark
from phr.messages.thread import COMMUNICATION, HEADER, MESSAGE, SENT, Json, Thread, find, holds, of_kind, token
from phr.operated import keys_of
from phr.reading import Pairs, home_of, page_size, require

MOST = 100
"""Threads of a page, each counted on its own; and messages of a page."""
_NEWEST = (Sort("_lastUpdated", descending=True),)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Listed:
    """A thread as a reader finds it: its header, when its last message was, how many they have not read."""

    json: Json
    last: datetime
    unread: int
    mark: Mark

    @property
    def is_away(self) -> bool:
        """Whether they put it away."""
        return self.mark.is_away(self.last)


@dataclass(frozen=True, slots=True)
class Read:
    """A thread with its messages, oldest first: of each its JSON, whether it is the reader's own, whether not read."""

    json: Json
    messages: list[tuple[Json, bool, bool]]
    mark: Mark
    next: str | None


async def threads(visit: Visit, record: str, pairs: Pairs) -> tuple[list[Listed], str | None]:
    """The threads of a record that the reader sees, paged by when they began, in a page the last to move first.

    `archived=true`: those put away instead. And the cursor to go on with. Raises ABSENT, FORBIDDEN.
    """
    require(visit, SEARCH, COMMUNICATION)
    elsewhere(visit, record)
    asked, after, most = _page(visit, record, pairs)
    away = asked.get("archived") == "true"
    async with visit.act(record, SEARCH, Tag.MESSAGE, asked_of(("Patient", record, "$threads"))) as deed:
        rows = await deed.fetch(page_of(deed.view.inside, Page(of_kind(keys_of(deed), HEADER), (), after, most)))
        heads = [Stored.from_row(row) for row in rows[:most]]
        found = await listed(deed, [Thread(one, one.json(deed.view.keyring)) for one in heads])
    kept = (("_count", str(most)), ("archived", str(away).lower()))
    more = _next(visit, record, kept, rows[most - 1]["id"]) if len(rows) > most else None
    return sorted((one for one in found if one.is_away is away), key=lambda one: one.last, reverse=True), more


async def listed(deed: Deed, found: Sequence[Thread]) -> list[Listed]:
    """Each of these threads as its reader finds it; those they take no part in any more are left out."""
    person = isinstance(deed.visit.reader, Person)
    standing = [one for one in found if person or holds(deed, one.id)]
    own = await marks.mine(deed, [one.id for one in standing])
    deed.touched += [f"{COMMUNICATION.name}/{one.id}" for one in standing]
    return [await _listed(deed, one, own.get(one.id, Mark())) for one in standing]


async def read(visit: Visit, id: str, pairs: Pairs) -> Read:
    """One thread with its last messages, or, with `_cursor`, those before. Raises ABSENT."""
    require(visit, READ, COMMUNICATION)
    _, after, most = _page(visit, id, pairs)
    home, said = await home_of(visit, COMMUNICATION, id), asked_of((COMMUNICATION.name, id, "$thread"))
    async with visit.act(home, READ, Tag.MESSAGE, said) as deed:
        thread, lens = await find(deed, id), deed.view.inside
        page = await deed.fetch(page_of(lens, Page(messages(deed, id), (), after, most)))
        ids = frozenset(row["id"] for row in page[:most])
        mark, me = (await marks.mine(deed, [id])).get(id, Mark()), deed.visit.author(keys_of(deed))
        rows = await deed.fetch(all_of(lens, IdIn(ids), most)) if ids else []
        found = [_message(Stored.from_row(row).json(deed.view.keyring), row, me, mark) for row in rows]
        deed.touched += [f"{COMMUNICATION.name}/{row['id']}" for row in rows]
    more = _next(visit, id, (("_count", str(most)),), page[most - 1]["id"]) if len(page) > most else None
    return Read(thread.json, found, mark, more)


def messages(deed: Deed, id: str) -> Predicate:
    """The messages of a thread."""
    return And((of_kind(keys_of(deed), MESSAGE), TokenAny(frozenset({token(keys_of(deed), id)}))))


async def last_of(deed: Deed, thread: Thread) -> datetime:
    """When its last message in sight was written or taken back; when it began, if none is."""
    rows = await deed.fetch(page_of(deed.view.inside, Page(messages(deed, thread.id), _NEWEST, None, 1)))
    return rows[0]["updated"] if rows else thread.stored.updated


async def _listed(deed: Deed, thread: Thread, mark: Mark) -> Listed:
    keys = keys_of(deed)
    sent = TokenAny(frozenset({keys.hashed(tokens.coded("status", None, SENT))}))
    later = () if mark.read is None else (UpdatedMatch("ge", mark.read + _TICK, mark.read + _TICK),)
    match = And((messages(deed, thread.id), sent, Not(AuthoredBy(deed.visit.author(keys))), *later))
    [row] = await deed.fetch(count_of(deed.view.inside, match))
    return Listed(thread.json, await last_of(deed, thread), row["total"], mark)


def _message(body: Json, row: Any, me: UUID, mark: Mark) -> tuple[Json, bool, bool]:
    mine, sent = row["author"] == me, body["status"] == SENT
    return body, mine, sent and not mine and (mark.read is None or row["updated"] > mark.read)


def _page(visit: Visit, about: str, pairs: Pairs) -> tuple[dict[str, str], tuple[object, ...] | None, int]:
    """What is asked, after which id, and how many at most."""
    asked, after = dict(pairs), None
    if "_cursor" in asked:
        key = visit.installation.system_keys.get("cursor")
        cursor = paging.read(key, f"messages {about} {identity(visit.reader)}", COMMUNICATION.name, asked["_cursor"])
        asked, after = dict(cursor.pairs), cursor.after
    return asked, after, min(page_size(asked["_count"]) if "_count" in asked else MOST, MOST) or 1


def _next(visit: Visit, about: str, kept: tuple[tuple[str, str], ...], after: str) -> str:
    key, who = visit.installation.system_keys.get("cursor"), f"messages {about} {identity(visit.reader)}"
    return paging.issue(key, who, COMMUNICATION.name, paging.Cursor(kept, (after,)))
