"""The centre of notifications: what an account was told of a record, listed, marked read or unread, taken out.

The rule: each entry is judged by what its reader sees now, through the lens and their scopes: what points at something
they do not see is in no list and no count, and cannot be marked, as if it were not there.
"""

import sys
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from fhir import paging
from phr.access.decision import BLIND
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.scope import READ, UPDATE, granted
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import absent, forbidden, invalid
from phr.notifications import entry
from phr.notifications.audience import in_sight, may_know
from phr.notifications.entry import LATEST, Entry, Place
from phr.rights import keys_of

MOST = 50
"""Entries of a page, and of what is marked at once."""
COUNTED = 100
"""How far unread entries are counted: beyond, there are more."""
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and the cursor to go on with if there are more."""

    found: list[Entry]
    next: str | None


async def listed(
    visit: Visit, record: str, *, unread: bool, kinds: Collection[str], most: int, cursor: str | None
) -> Page:
    """What the reader was told of this record. Raises ABSENT, FORBIDDEN, SYNTAX (the cursor)."""
    key, who = visit.installation.system_keys.get("cursor"), f"{record}/{unread}/{sorted(kinds)}"
    reader = f"notifications {recipient(visit, record, READ)}"
    place = LATEST if cursor is None else _place(paging.read(key, reader, who, cursor))
    async with _opened(visit, record, READ, "$notifications") as deed:
        found = await _seen(deed, place, kinds, min(most, MOST) + 1, unread=unread)
        page = found[: min(most, MOST)]
        deed.touched += [one.about for one in page if one.about]
    if len(found) == len(page) or not page:
        return Page(page, None)
    after = paging.Cursor((), (page[-1].at, page[-1].id.hex))
    return Page(page, paging.issue(key, reader, who, after))


async def unread(visit: Visit, record: str) -> int:
    """How many entries are unread, at most COUNTED. Raises ABSENT, FORBIDDEN."""
    async with _opened(visit, record, READ, "$notifications") as deed:
        return len(await _seen(deed, LATEST, (), COUNTED, unread=True))


async def mark(visit: Visit, record: str, ids: Sequence[UUID], *, read: bool) -> None:
    """Say that entries were read, or were not. Raises ABSENT when one is not in sight: nothing is marked then."""
    async with _opened(visit, record, UPDATE, "$notification-read" if read else "$notification-unread") as deed:
        own = await _chosen(deed, ids)
        await entry.mark(deed.session, keys_of(deed), own, ids, read=read)


async def mark_all(visit: Visit, record: str) -> None:
    """Say that every entry in sight was read."""
    async with _opened(visit, record, UPDATE, "$notification-read-all") as deed:
        found = await _seen(deed, LATEST, (), sys.maxsize, unread=True)
        ids = [one.id for one in found]
        await entry.mark(deed.session, keys_of(deed), _account(deed.visit), ids, read=True)


async def delete(visit: Visit, record: str, ids: Sequence[UUID]) -> None:
    """Take entries out. Raises ABSENT when one is not in sight: nothing is taken out then."""
    async with _opened(visit, record, UPDATE, "$notification-delete") as deed:
        own = await _chosen(deed, ids)
        await entry.drop(deed.session, keys_of(deed), own, ids)


def recipient(visit: Visit, record: str, verb: str) -> UUID:
    """The account that asks, at the record it may be told of. Raises FORBIDDEN, ABSENT.

    A notification is a communication: the token lets the reader read (or change) all of them.
    """
    if not isinstance(visit.reader, Person):
        raise forbidden("Only a person has notifications.")
    if visit.reader.record != record:
        raise absent()
    if not granted(visit.scopes, visit.reader, verb, "Communication", whole=True):
        raise forbidden("The token's scopes do not allow this on Communication.")
    return _account(visit)


def _account(visit: Visit) -> UUID:
    if not isinstance(visit.reader, Person):
        raise absent()
    return UUID(visit.reader.account)


@asynccontextmanager
async def _opened(visit: Visit, record: str, verb: str, asked: str) -> AsyncIterator[Deed]:
    """A deed on the centre of who asks, in this record. Who acts there no more finds nothing."""
    recipient(visit, record, verb)
    async with visit.act(record, verb, Tag.NOTIFICATION, asked_of(("Patient", record, asked))) as deed:
        if deed.decision is BLIND:
            deed.refused = "no-rule"
        else:
            yield deed
            return
    raise absent()


async def _seen(deed: Deed, place: Place, kinds: Collection[str], most: int, *, unread: bool) -> list[Entry]:
    """At most `most` entries in sight from a place on, newest first, however many others stand between."""
    keys, own, now = keys_of(deed), _account(deed.visit), deed.visit.now
    seen: list[Entry] = []
    while True:
        found = await entry.after(deed.session, keys, own, place, now, _BATCH, unread=unread)
        seen += [one for one in await _visible(deed, found) if not kinds or one.kind in kinds]
        if len(found) < _BATCH or len(seen) >= most:
            return seen[:most]
        place = (found[-1].at, found[-1].id)


async def _visible(deed: Deed, found: Iterable[Entry]) -> list[Entry]:
    known = [one for one in found if may_know(one.kind, deed.decision)]
    shown = await in_sight(deed, deed.viewing(READ), (one.about for one in known if one.about))
    return [one for one in known if not one.about or one.about in shown]


async def _chosen(deed: Deed, ids: Sequence[UUID]) -> UUID:
    if not 0 < len(set(ids)) <= MOST:
        raise invalid(f"Between one and {MOST} notifications are named.", "Parameters.parameter")
    own = _account(deed.visit)
    found = await entry.these(deed.session, keys_of(deed), own, ids, deed.visit.now)
    if {one.id for one in await _visible(deed, found)} != set(ids):
        raise absent()
    return own


def _place(cursor: paging.Cursor) -> Place:
    at, found = cursor.after
    return at, UUID(found)
