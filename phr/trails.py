"""What is answered without stored resources: the journal as AuditEvents, and looking a person up by INS."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fhir import dates, paging, query
from fhir.criterion import split
from fhir.outcome import outcome
from fhir.parameters import KINDS, Kind
from fhir.record import bucket_of
from phr import records
from phr.access.audit import audit_event
from phr.access.journal import Tag
from phr.access.reader import Depositor, Operator, Professional, identity
from phr.access.scope import READ, SEARCH
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, Issue, Reason, absent, malformed
from phr.journal_reading import EVER, LAST, Trail, Wanted, admitted, not_admitted, record_of
from phr.journal_words import preferred
from phr.reading import page_size, refuse, require

Json = dict[str, Any]
Pairs = Sequence[tuple[str, str]]

KIND = "AuditEvent"
_FACETS = ("action", "agent", "agent:identifier", "entity", "group", "outcome")


def _understood(visit: Visit, pairs: Pairs, base: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The pairs the journal is searched by, and the names of the others, with why."""
    kind, used, ignored = KINDS[KIND], [], []
    for name, value in pairs:
        if name in query.SKIPPED:
            continue
        if name == "date" and dates.asked(value, visit.now)[0] == "ne":
            ignored.append((name, "the journal is read over one period"))
        elif name == "entity" and not all(_reference(one, base) for one in split(value, ",")):
            ignored.append((name, "what an entry names is searched by Type/id"))
        elif name in ("date", "lang", "_id", "_count", *_FACETS) or query.record_asked(kind, [(name, value)], base):
            used.append((name, value))
        else:
            ignored.append((name, f"not a search parameter of {KIND} here"))
    return used, ignored


def _reference(value: str, base: str) -> str | None:
    """`Type/id`, or the id alone, of a reference to this server; None when it is neither."""
    name = value.removeprefix(f"{base}/")
    kind, _, identifier = name.rpartition("/")
    return name if bucket_of(identifier) is not None and (not kind or kind in KINDS) else None


def _wanted(visit: Visit, used: Pairs, base: str) -> Wanted:
    asked = [(name.partition(":")[0], split(value, ",")) for name, value in used if name in _FACETS]
    listed = [
        (name, frozenset(_reference(one, base) or one if name in ("agent", "entity") else _code(one) for one in values))
        for name, values in asked
    ]
    return Wanted(*_window(visit, used), _only([value for name, value in used if name == "_id"]), tuple(listed))


def _code(value: str) -> str:
    """The code of a token: these systems are ours, or of one value set."""
    return value.rpartition("|")[2]


def _window(visit: Visit, pairs: Pairs) -> tuple[datetime, datetime]:
    since, until = EVER
    for name, value in pairs:
        if name != "date":
            continue
        prefix, low, high = dates.asked(value, visit.now)
        if prefix in ("eq", "ge", "ap"):
            since = max(since, dates.instant(low))
        if prefix in ("gt", "sa"):
            since = max(since, dates.instant(high))
        if prefix in ("eq", "le", "ap"):
            until = min(until, dates.instant(high))
        if prefix in ("lt", "eb"):
            until = min(until, dates.instant(low))
    return since, until


async def search(visit: Visit, pairs: Pairs, base: str, *, strict: bool = False, accepted: str | None = None) -> Json:
    """`AuditEvent?patient=&date=&group=&agent=&action=&outcome=&entity=&_id=&_count=&lang=`, newest first.

    `accepted`: Accept-Language. Reading the journal is journaled. Raises FORBIDDEN.
    """
    kind = KINDS[KIND]
    require(visit, SEARCH, kind)
    record = record_of(visit)
    key, who = visit.installation.system_keys.get("cursor"), identity(visit.reader)
    before = LAST
    cursor = dict(pairs).get("_cursor")
    if cursor is not None:
        continued = paging.read(key, who, KIND, cursor)
        pairs, before = continued.pairs, int(continued.after[0])
    # Who acted, or what was touched, does not say whose journal it is.
    asked = query.record_asked(kind, [pair for pair in pairs if pair[0] not in _FACETS], base)
    used, ignored = _understood(visit, pairs, base)
    if strict:
        refuse(ignored)
    about_another = asked is not None and (asked.identifier is not None or asked.patient != record)
    limit = page_size(dict(pairs).get("_count"))
    wanted = _wanted(visit, used, base)
    async with visit.act(record, SEARCH, Tag.JOURNAL, KIND) as deed:
        trail = admitted(deed)
        events, below = [], None
        if trail is not None and not about_another:
            acts, below = await trail.page(deed.session, wanted, before, limit)
            events = await _told(deed, trail, acts, _language(pairs, accepted))
    if trail is None:
        raise not_admitted()
    more = None if below is None else paging.issue(key, who, KIND, paging.Cursor(tuple(pairs), (_fixed(below),)))
    return _bundle(base, events, more, used, ignored)


def _language(pairs: Pairs, accepted: str | None) -> str:
    return preferred(dict(pairs).get("lang"), accepted)


def _fixed(below: int) -> str:
    """A place in the journal, always as long: the length of a sealed link would tell how much it holds."""
    return f"{below:020d}"


async def _told(deed: Deed, trail: Trail, acts: Sequence[Any], language: str) -> list[Json]:
    return [audit_event(act, trail.record, more) for act, more, _ in await trail.tell(deed.session, acts, language)]


def _only(values: list[str]) -> tuple[UUID, ...]:
    """The ids that every `_id` allows; an impossible one when they allow none."""
    if not values:
        return ()
    first, *rest = ({_uuid(one) for one in value.split(",")} for value in values)
    return tuple(first.intersection(*rest)) or (UUID(int=0),)


def _uuid(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except ValueError:
        return UUID(int=0)


def _bundle(base: str, events: list[Json], more: str | None, used: Pairs, ignored: Pairs) -> Json:
    asked = urlencode(list(used))
    links = [{"relation": "self", "url": f"{base}/{KIND}?{asked}" if asked else f"{base}/{KIND}"}]
    if more is not None:
        links.append({"relation": "next", "url": f"{base}/{KIND}?_cursor={more}"})
    entries: list[Json] = [
        {"fullUrl": f"{base}/{KIND}/{e['id']}", "resource": e, "search": {"mode": "match"}} for e in events
    ]
    entries += _ignored(ignored)
    found: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return {**found, "entry": entries} if entries else found


def _ignored(ignored: Pairs) -> list[Json]:
    """The outcome entry of a search that was not understood whole."""
    if not ignored:
        return []
    issues = [Issue("not-supported", f"{name}: {why}", severity="warning") for name, why in ignored]
    return [{"resource": outcome(issues), "search": {"mode": "outcome"}}]


async def read(visit: Visit, identifier: str, pairs: Pairs = (), *, accepted: str | None = None) -> Json:
    """One entry of the journal, as an AuditEvent. Raises ABSENT, FORBIDDEN."""
    require(visit, READ, KINDS[KIND])
    record = record_of(visit)
    async with visit.act(record, READ, Tag.JOURNAL, f"{KIND}/{identifier}") as deed:
        trail = admitted(deed)
        found: list[Json] = []
        if trail is not None:
            acts, _ = await trail.page(deed.session, Wanted(only=(_uuid(identifier),)), LAST, 1)
            found = await _told(deed, trail, acts, _language(pairs, accepted))
    if trail is None:
        raise not_admitted()
    if not found:
        raise absent()
    return found[0]


def looks_up(visit: Visit, kind: Kind, pairs: Pairs) -> bool:
    """Whether this is the one search across people: `Patient?identifier=`, by software that may look a person up."""
    wanted = any(name == "identifier" for name, _ in pairs)
    return kind.name == "Patient" and wanted and isinstance(visit.reader, Professional | Depositor | Operator)


async def lookup_bundle(visit: Visit, pairs: Pairs, base: str, *, strict: bool = False) -> Json:
    """TD02: whether a record is open for an INS. One entry or none. Raises SYNTAX unless system|value is asked."""
    kind = KINDS["Patient"]
    require(visit, SEARCH, kind)
    ignored = [
        (name, "a person is looked up by one identifier alone")
        for name, _ in pairs
        if name not in ("identifier", *query.SKIPPED)
    ]
    if strict:
        refuse(ignored)
    asked = query.record_asked(kind, [pair for pair in pairs if pair[0] == "identifier"], base)
    if asked is None or asked.identifier is None:
        raise malformed("A person is looked up by system|value of one INS.")
    system, _, value = asked.identifier.partition("|")
    try:
        found = await records.look_up(visit, system, value)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        found = None
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": 0 if found is None else 1}
    bundle["link"] = [{"relation": "self", "url": f"{base}/Patient"}]
    entries: list[Json] = _ignored(ignored)
    if found is not None:
        entry = {"fullUrl": f"{base}/Patient/{found['id']}", "resource": found, "search": {"mode": "match"}}
        entries.insert(0, entry)
    return {**bundle, "entry": entries} if entries else bundle
