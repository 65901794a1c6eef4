"""What is answered without stored resources: the citizen's journal as AuditEvents, and looking a person up by INS."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fhir import dates, paging, query
from fhir.lens import Statement
from fhir.outcome import outcome
from fhir.parameters import KINDS, Kind
from fhir.predicate import IdIn
from fhir.record import bucket_of
from fhir.search import all_of
from fhir.view import View
from phr import records
from phr.access.audit import Act, acts_of, audit_event, opened, shown
from phr.access.journal import Tag
from phr.access.reader import Citizen, Depositor, Operator, Professional, identity
from phr.access.scope import READ, SEARCH
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, malformed
from phr.reading import page_size, refuse, require

Json = dict[str, Any]
Pairs = Sequence[tuple[str, str]]

KIND = "AuditEvent"
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2400, 1, 1, tzinfo=UTC))
LAST = 2**62
_MOST = 1_000_000
_AT_ONCE = 200


def _own_record(visit: Visit) -> str:
    if not isinstance(visit.reader, Citizen):
        raise forbidden("The journal is the person's to read.")
    return visit.reader.record


async def _acts(
    deed: Deed, record: str, window: tuple[datetime, datetime], before: int, only: tuple[UUID, ...], limit: int
) -> list[Act]:
    """The next entries the reader may see: a page is as long whatever stands hidden between.

    Each is judged by what the reader's lens shows of the resources it names.
    """
    bucket, keys = bucket_of(record) or 0, deed.view.keyring.of(record)
    acts: list[Act] = []
    while len(acts) < limit:
        rows = await deed.fetch(acts_of(bucket, record, *window, before, only, _AT_ONCE))
        found = [opened(keys, row) for row in rows]
        visible = await _visible(deed, deed.unscoped(), {name for act in found for name in act.resources})
        acts += [act for act in (shown(act, visible) for act in found) if act is not None]
        if len(found) < _AT_ONCE:
            break
        before = found[-1].seq
    return acts[:limit]


async def _visible(deed: Deed, view: View, named: set[str]) -> frozenset[str]:
    ids = frozenset(name.partition("/")[2] for name in named)
    seen: set[str] = set()
    for lens in (view.inside, view.commons):
        statement: Statement = all_of(lens, IdIn(ids), _MOST, gone=True)
        seen |= {f"{row['kind']}/{row['id']}" for row in await deed.fetch(statement)}
    return frozenset(seen)


def _understood(visit: Visit, pairs: Pairs, base: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The pairs the journal is searched by, and the names of the others, with why."""
    kind, used, ignored = KINDS[KIND], [], []
    for name, value in pairs:
        if name in query.SKIPPED:
            continue
        if name == "date" and dates.asked(value, visit.now)[0] == "ne":
            ignored.append((name, "the journal is read over one period"))
        elif name in ("date", "_id", "_count") or query.record_asked(kind, [(name, value)], base):
            used.append((name, value))
        else:
            ignored.append((name, f"not a search parameter of {KIND} here"))
    return used, ignored


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


async def search(visit: Visit, pairs: Pairs, base: str, *, strict: bool = False) -> Json:
    """`AuditEvent?patient=&date=&_id=&_count=`: the citizen's own journal, newest first. Reading it is journaled."""
    kind = KINDS[KIND]
    require(visit, SEARCH, kind)
    record = _own_record(visit)
    key, who = visit.installation.system_keys.get("cursor"), identity(visit.reader)
    before = LAST
    cursor = dict(pairs).get("_cursor")
    if cursor is not None:
        continued = paging.read(key, who, KIND, cursor)
        pairs, before = continued.pairs, continued.after[0]
    asked = query.record_asked(kind, pairs, base)
    used, ignored = _understood(visit, pairs, base)
    if strict:
        refuse(ignored)
    if asked is not None and (asked.identifier is not None or asked.patient != record):
        return _bundle(base, [], None, used, ignored)
    limit = page_size(dict(pairs).get("_count"))
    only = _only([value for name, value in pairs if name == "_id"])
    async with visit.act(record, SEARCH, Tag.JOURNAL, KIND) as deed:
        acts = await _acts(deed, record, _window(visit, pairs), before, only, limit + 1)
    more = None
    if len(acts) > limit:
        more = paging.issue(key, who, KIND, paging.Cursor(tuple(pairs), (acts[limit - 1].seq,)))
    return _bundle(base, [audit_event(act, record) for act in acts[:limit]], more, used, ignored)


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
    entries += _told(ignored)
    found: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return {**found, "entry": entries} if entries else found


def _told(ignored: Pairs) -> list[Json]:
    """The outcome entry of a search that was not understood whole."""
    if not ignored:
        return []
    issues = [Issue("not-supported", f"{name}: {why}", severity="warning") for name, why in ignored]
    return [{"resource": outcome(issues), "search": {"mode": "outcome"}}]


async def read(visit: Visit, identifier: str) -> Json:
    """One entry of the citizen's own journal, as an AuditEvent. Raises ABSENT."""
    require(visit, READ, KINDS[KIND])
    record = _own_record(visit)
    async with visit.act(record, READ, Tag.JOURNAL, f"{KIND}/{identifier}") as deed:
        acts = await _acts(deed, record, EVER, LAST, (_uuid(identifier),), 1)
    if not acts:
        raise absent()
    return audit_event(acts[0], record)


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
    entries: list[Json] = _told(ignored)
    if found is not None:
        entry = {"fullUrl": f"{base}/Patient/{found['id']}", "resource": found, "search": {"mode": "match"}}
        entries.insert(0, entry)
    return {**bundle, "entry": entries} if entries else bundle
