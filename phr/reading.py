"""Reading the record and the commons: read, vread, search, history and `$everything`, each with its journal entry.

The rule: a search on a record's types opens one record; there is no search across people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fhir import dates, joins, paging, query, tokens
from fhir.criteria import UpdatedMatch
from fhir.index import references_of
from fhir.lens import Lens, Statement, whereabouts
from fhir.parameters import KINDS, Kind
from fhir.predicate import And, Everything, IdIn, KindIn, Predicate
from fhir.query import Query, Sort
from fhir.record import bucket_of
from fhir.search import Page, all_of, count_of, one_of, page_of, version_of, versions_of
from fhir.stored import Stored
from fhir.view import View
from phr import records
from phr.access.journal import Tag
from phr.access.reader import Person, identity
from phr.access.scope import READ, SEARCH, granted
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid, malformed

Pairs = Sequence[tuple[str, str]]

DEFAULT_COUNT = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A page: what matched, what was brought along, and how to go on."""

    query: Query
    view: View
    matches: list[Stored]
    included: list[Stored]
    total: int | None
    next: str | None


def require(visit: Visit, verb: str, kind: Kind) -> None:
    """Refuse when no scope gives this verb on this type. Raises DomainError FORBIDDEN."""
    if not granted(visit.scopes, visit.reader, verb, kind.name):
        raise forbidden(f"The token's scopes do not allow this on {kind.name}.")


async def home_of(visit: Visit, kind: Kind, identifier: str) -> str | None:
    """The record to look for a resource in: the citizen's own, else where the id lives. None: the commons."""
    if isinstance(visit.reader, Person):
        return visit.reader.record
    bucket = bucket_of(identifier)
    if kind.commons or bucket is None:
        return None
    statement = whereabouts(identifier, bucket)
    async with visit.installation.database.session() as session:
        row = await session.one(statement.query(), statement.bound())
    return None if row is None else row["record"]


async def read(visit: Visit, kind: Kind, identifier: str, tag: Tag = Tag.READ) -> tuple[Stored, View]:
    """The current version. Raises ABSENT (never existed, or not in sight: the same) or GONE (deleted)."""
    require(visit, READ, kind)
    home = await home_of(visit, kind, identifier)
    match = And((KindIn(frozenset({kind.name})), IdIn(frozenset({identifier}))))
    asked = asked_of((kind.name, identifier))
    view, rows = await visit.see(home, READ, tag, asked, lambda view: one_of(view.of(kind), [match]), 1)
    if not rows:
        raise absent()
    found = Stored.from_row(rows[0])
    if found.gone:
        raise DomainError(Reason.GONE, Issue("deleted", "This resource was deleted."))
    return found, view


async def vread(visit: Visit, kind: Kind, identifier: str, version: str) -> tuple[Stored, View]:
    """One version, judged by the visibility of the current one. Raises ABSENT or GONE."""
    require(visit, READ, kind)
    if not (version.isascii() and version.isdecimal() and len(version) <= 9):
        raise absent()
    home = await home_of(visit, kind, identifier)
    match = And((KindIn(frozenset({kind.name})), IdIn(frozenset({identifier}))))
    asked = asked_of((kind.name, identifier, "_history", version))

    def choose(view: View) -> Statement:
        return version_of(view.of(kind), match, int(version))

    view, rows = await visit.see(home, READ, Tag.HISTORY, asked, choose, 1)
    if not rows:
        raise absent()
    found = Stored.from_row(rows[0])
    if found.gone:
        raise DomainError(Reason.GONE, Issue("deleted", "This version is a deletion."))
    return found, view


async def history(visit: Visit, kind: Kind, identifier: str | None, pairs: Pairs, base: str, *, strict: bool) -> Found:
    """Versions, newest first, of one resource or of a type in one record. `_count`, `_since` and cursors.

    Raises ABSENT when an instance is not in sight.
    """
    verb = READ if identifier else SEARCH
    require(visit, verb, kind)
    key, who = visit.installation.system_keys.get("cursor"), f"history {identifier} {identity(visit.reader)}"
    after, pairs = _continue(key, who, kind, pairs)
    understood = _few(kind, pairs, ("_count", "_since"), base if identifier is None else None, strict=strict)
    names = dict(pairs)
    since = _since(names["_since"]) if "_since" in names else None
    limit = page_size(names.get("_count"))
    asked = asked_of((kind.name, *([identifier] if identifier else []), "_history"))
    of_id = () if identifier is None else (IdIn(frozenset({identifier})),)
    match = And((KindIn(frozenset({kind.name})), *of_id))

    def choose(view: View) -> Statement:
        return versions_of(view.of(kind), match, after, limit, since)

    try:
        home = await (home_of(visit, kind, identifier) if identifier else asked_home(visit, kind, pairs, base))
        view, rows = await visit.see(home, verb, Tag.HISTORY, asked, choose, limit)
    except DomainError as error:
        if error.reason is not Reason.ABSENT or identifier is not None:
            raise
        return replace(await _nothing(visit, kind, (), base, strict=strict), query=understood)
    found = [Stored.from_row(row) for row in rows]
    if identifier is not None and not found and after is None and not (since and await _known(visit, kind, identifier)):
        raise absent()
    more = None
    if len(found) > limit:
        last = found[limit - 1]
        cursor = paging.Cursor(tuple(pairs), (last.updated, last.id, last.version))
        more = paging.issue(key, who, kind.name, cursor)
    return Found(understood, view, found[:limit], [], None, more)


async def _known(visit: Visit, kind: Kind, identifier: str) -> bool:
    try:
        await read(visit, kind, identifier, Tag.HISTORY)
    except DomainError as error:
        return error.reason is Reason.GONE
    return True


def _few(kind: Kind, pairs: Pairs, names: Iterable[str], base: str | None, *, strict: bool) -> Query:
    """What is understood of an interaction of few parameters; `base`: and of those that name the person."""
    wanted = {*names, *query.SKIPPED}
    used = [p for p in pairs if p[0] in wanted or (base is not None and query.record_asked(kind, [p], base))]
    ignored = tuple((name, "not a parameter here") for name, value in pairs if (name, value) not in used)
    if strict:
        refuse(ignored)
    return Query(kind, ignored=ignored, understood=tuple(p for p in used if p[0] not in query.SKIPPED))


def refuse(ignored: Sequence[tuple[str, str]]) -> None:
    """Under Prefer: handling=strict, raises DomainError SYNTAX when something was not understood."""
    if ignored:
        issues = [Issue("not-supported", f"{name}: {why}") for name, why in ignored]
        raise DomainError(Reason.SYNTAX, *issues)


def _since(value: str) -> datetime:
    return dates.instant(dates.span(value)[0])


def page_size(text: str | None) -> int:
    """What `_count` asks for: the default when it is not given, the largest page at most. Raises DomainError SYNTAX."""
    if text is None:
        return DEFAULT_COUNT
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise malformed("_count is a positive whole number.")
    return min(int(text[:9]), query.LARGEST_COUNT)


def _continue(key: bytes, who: str, kind: Kind, pairs: Pairs) -> tuple[Any, Pairs]:
    cursor = dict(pairs).get("_cursor")
    if cursor is None:
        return None, pairs
    read = paging.read(key, who, kind.name, cursor)
    return read.after, read.pairs


async def asked_home(visit: Visit, kind: Kind, pairs: Pairs, base: str) -> str | None:
    """The record a search is about. Raises CONTENT when the question names none, and ABSENT when it finds none."""
    return (await _person_asked(visit, kind, pairs, base))[0]


async def _person_asked(visit: Visit, kind: Kind, pairs: Pairs, base: str) -> tuple[str | None, dict[str, str]]:
    """`asked_home`, and the identifiers known to be that person's. A citizen learns of no other's record."""
    reader = visit.reader
    if kind.commons:
        return (reader.record if isinstance(reader, Person) else None), {}
    asked, found = query.record_asked(kind, pairs, base), None
    if asked is not None and asked.identifier is not None:
        system, _, value = asked.identifier.partition("|")
        async with visit.installation.database.session() as session:
            found = await records.find(session, visit.installation, system, value)
    if isinstance(reader, Person):
        if asked is not None and asked.patient not in (None, reader.record):
            raise absent()
        return reader.record, {asked.identifier: found} if asked and asked.identifier and found == reader.record else {}
    if asked is None:
        raise invalid("A search opens one record: name the person by patient= or patient.identifier=.", code="required")
    if asked.identifier is not None and (found is None or asked.patient not in (None, found)):
        raise absent()
    named = found or asked.patient or ""
    if bucket_of(named) is None:
        raise absent()
    return named, {asked.identifier: named} if asked.identifier is not None else {}


async def search(visit: Visit, kind: Kind, pairs: Pairs, base: str, *, strict: bool) -> Found:
    """One page of a search. `strict`: a parameter that is not understood is refused (400) instead of named.

    Simple searches are one statement; those that join, count or bring along run in one transaction.
    """
    require(visit, SEARCH, kind)
    key, who = visit.installation.system_keys.get("cursor"), identity(visit.reader)
    after, pairs = _continue(key, who, kind, pairs)
    try:
        home, known = await _person_asked(visit, kind, pairs, base)
        return await _search(visit, kind, pairs, base, home, known, after, strict=strict)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        # No such record, for this reader: the answer of an empty one.
        return await _nothing(visit, kind, pairs, base, strict=strict)


async def _nothing(visit: Visit, kind: Kind, pairs: Pairs, base: str, *, strict: bool) -> Found:
    asked = _parse(visit, kind, pairs, base, None, {}, strict=strict)
    async with visit.act(None, SEARCH, Tag.SEARCH, asked_of((kind.name,))) as deed:
        total = 0 if asked.counted else None
        return Found(asked, deed.view, [], [], total, None)


def _parse(
    visit: Visit, kind: Kind, pairs: Pairs, base: str, view: View | None, known: dict[str, str], *, strict: bool
) -> Query:
    commons = visit.installation.commons.hashed
    hashed = view.hashed(kind) if view is not None else commons
    parsed = query.parse(kind, pairs, hashed, visit.now, commons=commons, base=base, known=known)
    if strict:
        refuse(parsed.ignored)
    return parsed


async def _search(
    visit: Visit,
    kind: Kind,
    pairs: Pairs,
    base: str,
    home: str | None,
    known: dict[str, str],
    after: Any,
    *,
    strict: bool,
) -> Found:
    plain = _parse(visit, kind, pairs, base, None, known, strict=strict)
    together = plain.chains or plain.has or plain.includes or plain.revincludes
    limit = DEFAULT_COUNT if plain.count is None else plain.count
    of_kind = KindIn(frozenset({kind.name}))
    asked = asked_of((kind.name,))
    parsed = plain

    def page(view: View, match: Predicate) -> Statement:
        return page_of(view.of(kind), Page(And((of_kind, match)), parsed.sort, after, limit))

    if not together and not plain.counted:

        def choose(view: View) -> Statement:
            nonlocal parsed
            parsed = _parse(visit, kind, pairs, base, view, known, strict=strict)
            return page(view, And(parsed.criteria))

        view, rows = await visit.see(home, SEARCH, Tag.SEARCH, asked, choose, limit)
        return _page(visit, kind, pairs, parsed, view, rows, [], None, limit)
    async with visit.act(home, SEARCH, Tag.SEARCH, asked) as deed:
        view = deed.view
        parsed = _parse(visit, kind, pairs, base, view, known, strict=strict)
        match = await joins.conditions(deed.fetch, view, parsed)
        total = await _total(deed, view.of(kind), And((of_kind, match))) if parsed.counted else None
        rows = [] if parsed.counting else await deed.fetch(page(view, match))
        shown = [Stored.from_row(row) for row in rows[:limit]]
        brought, whole = await joins.included(deed.fetch, view, parsed, shown)
        if not whole:
            told = ("_include", f"only {joins.MOST_INCLUDED} resources are brought along: ask for smaller pages")
            parsed = replace(parsed, ignored=(*parsed.ignored, told))
        deed.touched += [f"{row.kind}/{row.id}" for row in (*shown, *brought)]
        return _page(visit, kind, pairs, parsed, view, rows, brought, total, limit)


async def _total(deed: Deed, lens: Lens, match: Predicate) -> int:
    rows = await deed.fetch(count_of(lens, match))
    return int(rows[0]["total"])


def _page(
    visit: Visit,
    kind: Kind,
    pairs: Pairs,
    parsed: Query,
    view: View,
    rows: Sequence[Any],
    brought: list[Stored],
    total: int | None,
    limit: int,
) -> Found:
    more = None
    if 0 < limit < len(rows):
        last = rows[limit - 1]
        keys = sorted(
            (name for name in dict(last) if name[0] == "k" and name[1:].isdecimal()), key=lambda n: int(n[1:])
        )
        cursor = paging.Cursor(tuple(pairs), tuple(last[name] for name in keys))
        more = paging.issue(visit.installation.system_keys.get("cursor"), identity(visit.reader), kind.name, cursor)
    return Found(parsed, view, [Stored.from_row(row) for row in rows[:limit]], brought, total, more)


async def everything(visit: Visit, identifier: str, pairs: Pairs, *, strict: bool) -> Found:
    """`Patient/{id}/$everything`: the record as the reader sees it, and the commons it names. `_type`, `_since`.

    Oldest first, so that the Patient opens it and what is written meanwhile comes at its end.
    """
    patient = KINDS["Patient"]
    require(visit, READ, patient)
    key, who = visit.installation.system_keys.get("cursor"), f"everything {identifier} {identity(visit.reader)}"
    after, pairs = _continue(key, who, patient, pairs)
    understood = _few(patient, pairs, ("_type", "_since", "_count"), None, strict=strict)
    names = dict(pairs)
    parts: list[Predicate] = []
    if "_type" in names:
        parts.append(KindIn(frozenset(_types(names["_type"].split(",")))))
    if "_since" in names:
        parts.append(UpdatedMatch("ge", since := _since(names["_since"]), since))
    limit = page_size(names.get("_count"))
    match = And(tuple(parts)) if parts else Everything()
    if isinstance(visit.reader, Person) and identifier != visit.reader.record:
        raise absent()
    async with visit.act(identifier, READ, Tag.EVERYTHING, asked_of(("Patient", identifier, "$everything"))) as deed:
        rows = await deed.fetch(page_of(deed.view.inside, Page(match, (Sort("_id"),), after, limit)))
        shown = [Stored.from_row(row) for row in rows[:limit]]
        if not shown and not await deed.fetch(all_of(deed.view.inside, Everything(), 1)):
            raise absent()
        wanted = {
            pair
            for row in shown
            for name in references_of(row.json(deed.view.keyring)).local
            if (pair := tokens.local(name)) and pair[0] in KINDS and KINDS[pair[0]].commons
        }
        brought = await joins.by_reference(deed.fetch, deed.view, wanted)
        deed.touched += [f"{row.kind}/{row.id}" for row in (*shown, *brought)]
        more = None
        if len(rows) > limit:
            more = paging.issue(key, who, patient.name, paging.Cursor(tuple(pairs), (rows[limit - 1]["k0"],)))
        return Found(understood, deed.view, shown, brought, None, more)


def _types(names: Iterable[str]) -> list[str]:
    known = [name for name in names if name in KINDS]
    if not known:
        raise malformed("_type names no resource type served here.")
    return known
