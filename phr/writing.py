"""Writing one resource: create, update, patch, delete, and their conditional forms.

The rule: the target is found through the lens and locked, the change is judged, and all is one transaction.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select

from fhir import joins, patch, query, store
from fhir.index import patients_of
from fhir.parameters import Kind
from fhir.predicate import And, IdIn, KindIn
from fhir.search import all_of, one_of
from fhir.store import Draft
from fhir.stored import Keyring, Stored
from phr import documents, rights
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.right import may_act_for, may_create, may_delete
from phr.access.scope import CREATE, DELETE, SEARCH, UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.blobs import Content
from phr.core.database import compile_query
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid, malformed
from phr.operated import ONLY_OPERATIONS, is_operated
from phr.plan import GOVERNING, Item, Plan, judge, obey
from phr.reading import Pairs, asked_home, home_of, require
from phr.records import find, open_for

Json = dict[str, Any]
NO_BODY_PATCH = frozenset({"Binary"})


@dataclass(frozen=True, slots=True)
class Written:
    """What a write made. `created`: whether it is new; `stored` instead of `draft` when nothing was written."""

    kind: Kind
    id: str
    version: int
    created: bool
    draft: Draft | None = None
    stored: Stored | None = None
    keyring: Keyring | None = None

    @property
    def updated(self) -> datetime:
        """When this version was written."""
        found = self.draft or self.stored
        if found is None:
            raise KeyError(self.id)
        return found.updated

    @property
    def etag(self) -> str:
        """The weak ETag of the version."""
        return f'W/"{self.version}"'

    def json(self) -> Json:
        """The resource as it stands now."""
        if self.draft is not None:
            return self.draft.json
        if self.stored is not None and self.keyring is not None:
            return self.stored.json(self.keyring)
        raise KeyError(self.id)


def written(draft: Draft, *, created: bool) -> Written:
    """From a stored draft."""
    return Written(draft.kind, draft.id, draft.version, created, draft=draft)


async def person_named(visit: Visit, kind: Kind, body: Json, base: str) -> str | None:
    """Whose record a body is for: the citizen's own, the person it refers to, or the INS it names them by."""
    if isinstance(visit.reader, Person):
        return visit.reader.record
    people = patients_of(kind, body, base)
    if len(people) > 1:
        raise invalid("The resource is about several people.", kind.name)
    if people:
        return people[0]
    for path in kind.patient_paths:
        reference = body.get(path)
        identifier = reference.get("identifier") if isinstance(reference, dict) else None
        if isinstance(identifier, dict):
            async with visit.installation.database.session() as session:
                installation = visit.installation
                system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
                return await find(session, installation, system, value)
    return None


async def create(
    visit: Visit,
    kind: Kind,
    body: Json,
    base: str,
    *,
    unless: Pairs = (),
    content: Content | None = None,
) -> Written:
    """Create one resource; with `unless` (If-None-Exist), only when nothing matches.

    `content`: the bytes of a Binary that came without its FHIR form.

    Raises CONTENT, FORBIDDEN, CONFLICT (a record is open already), PRECONDITION (`unless` matches several).
    """
    require(visit, CREATE, kind)
    obey(may_create(visit.reader, kind))
    tag = Tag.OPEN if kind.name == "Patient" else Tag.CREATE
    record = None
    if not kind.commons and kind.name != "Patient":
        record = await person_named(visit, kind, body, base)
        if record is None:
            raise invalid("Whose record is this for? The resource names no person.", kind.name, "required")
    elif isinstance(visit.reader, Person):
        record = visit.reader.record
    try:
        async with visit.act(record, CREATE, tag, asked_of((kind.name,)), deciding=kind is rights.CONSENT) as deed:
            if unless:
                found = await matching(deed, kind, unless, base)
                if found is not None:
                    deed.touched.append(f"{kind.name}/{found.id}")
                    return Written(kind, found.id, found.version, False, None, found, deed.view.keyring)
            plan = Plan(deed, base)
            identifier = (await open_for(deed, body)).keys.record if kind.name == "Patient" else plan.new_id(kind)
            await plan.add(Item(kind, identifier, body, kind.name, content=content))
            drafts = await plan.store()
            return next(written(draft, created=True) for draft in drafts if draft.id == identifier)
    except DomainError as error:
        if error.reason is Reason.ABSENT:
            raise invalid("No open record for this person.", kind.name, "not-found") from None
        raise


_IN_TURN = compile_query(select(func.pg_advisory_xact_lock(bindparam("key", type_=BigInteger()))))


def _turn(name: str) -> int:
    """The lock under which conditional writes of one record (or of one type of the commons) take their turn."""
    return int.from_bytes(hashlib.blake2b(f"condition/{name}".encode(), digest_size=8).digest(), "big", signed=True)


async def matching(deed: Deed, kind: Kind, pairs: Pairs, base: str) -> Stored | None:
    """The one resource a conditional interaction means, None when nothing matches.

    Raises PRECONDITION (412) when several match, SYNTAX when a parameter is not understood: a condition that is
    half read would write to the wrong resource.
    """
    require(deed.visit, SEARCH, kind)
    view = deed.viewing(SEARCH)
    await deed.session.fetch(_IN_TURN, {"key": _turn(view.home(kind) or kind.name)})
    commons = deed.visit.installation.commons.hashed
    asked = query.parse(kind, pairs, view.hashed(kind), deed.visit.now, commons=commons, base=base)
    if asked.ignored or not (asked.criteria or asked.chains or asked.has):
        raise malformed("Every parameter of a condition must be understood, and there must be one.")
    match = await joins.conditions(deed.fetch, view, asked)
    rows = await deed.fetch(all_of(view.of(kind), And((KindIn(frozenset({kind.name})), match)), 2, lock=True))
    if len(rows) > 1:
        raise DomainError(Reason.PRECONDITION, Issue("multiple-matches", "The condition matches several resources."))
    return Stored.from_row(rows[0]) if rows else None


def check_version(before: Stored, if_match: str | None) -> None:
    """If-Match: the version the caller saw is the current one. Raises PRECONDITION (412)."""
    given = [tag.strip() for tag in if_match.split(",")] if if_match is not None else ["*"]
    if not {before.etag, f'"{before.version}"', "*"}.intersection(given):
        raise DomainError(Reason.PRECONDITION, Issue("conflict", "The resource has changed since: read it again."))


async def locked(deed: Deed, verb: str, kind: Kind, identifier: str) -> tuple[Stored, bool] | None:
    """The target in sight, locked, and whether its author is the reader."""
    view = deed.viewing(verb)
    match = (KindIn(frozenset({kind.name})), IdIn(frozenset({identifier})))
    rows = await deed.fetch(one_of(view.of(kind), match, lock=True))
    if not rows:
        return None
    found = Stored.from_row(rows[0])
    keys = view.keyring.of(found.record)
    return found, rows[0]["author"] == deed.visit.author(keys)


async def _replace(
    deed: Deed, kind: Kind, before: Stored, mine: bool, base: str, change: Callable[[Json], Json]
) -> Written:
    old = {} if before.gone else before.json(deed.view.keyring)
    body = change(old)
    plan = Plan(deed, base)
    await plan.add(Item(kind, before.id, body, kind.name, before, old, mine))
    drafts = await plan.store()
    made = next(draft for draft in drafts if draft.id == before.id)
    return written(made, created=before.gone)


def _not_ours() -> DomainError:
    return DomainError(Reason.METHOD, Issue("not-supported", "Ids are given by the server: create with POST."))


async def update(visit: Visit, kind: Kind, identifier: str, body: Json, base: str, if_match: str | None) -> Written:
    """Replace a resource by id. Raises METHOD (405) when there is none in sight, PRECONDITION, CONTENT, FORBIDDEN."""
    require(visit, UPDATE, kind)
    if body.get("id") != identifier:
        raise malformed("The id in the body is not the one in the address.", f"{kind.name}.id")
    home, asked = await home_of(visit, kind, identifier), asked_of((kind.name, identifier))
    try:
        async with visit.act(home, UPDATE, Tag.UPDATE, asked, deciding=kind is rights.CONSENT) as deed:
            target = await locked(deed, UPDATE, kind, identifier)
            if target is None:
                raise _not_ours()
            check_version(target[0], if_match)
            return await _replace(deed, kind, *target, base, lambda _: body)
    except DomainError as error:
        raise _not_ours() if error.reason is Reason.ABSENT else error from None


async def patched(
    visit: Visit, kind: Kind, identifier: str, operations: bytes, base: str, if_match: str | None
) -> Written:
    """Apply a JSON Patch (RFC 6902). Raises ABSENT, GONE, PRECONDITION, CONTENT, FORBIDDEN."""
    require(visit, UPDATE, kind)
    if kind.name in NO_BODY_PATCH:
        raise DomainError(Reason.METHOD, Issue("not-supported", "A Binary is replaced, not patched."))
    home, asked = await home_of(visit, kind, identifier), asked_of((kind.name, identifier))
    async with visit.act(home, UPDATE, Tag.UPDATE, asked, deciding=kind is rights.CONSENT) as deed:
        return await patch_in(deed, kind, identifier, operations, base, if_match)


async def patch_in(
    deed: Deed, kind: Kind, identifier: str, operations: bytes, base: str, if_match: str | None
) -> Written:
    """`patched`, inside a transaction under way."""
    target = await locked(deed, UPDATE, kind, identifier)
    if target is None:
        raise absent()
    if target[0].gone:
        raise DomainError(Reason.GONE, Issue("deleted", "This resource was deleted."))
    check_version(target[0], if_match)
    depth = deed.visit.installation.settings.json_depth
    return await _replace(deed, kind, *target, base, lambda old: patch.apply(old, operations, depth))


async def delete(visit: Visit, kind: Kind, identifier: str, if_match: str | None = None) -> int:
    """Delete by id; the past stays in history. Returns the version of the deletion. Raises ABSENT, FORBIDDEN."""
    require(visit, DELETE, kind)
    home, asked = await home_of(visit, kind, identifier), asked_of((kind.name, identifier))
    async with visit.act(home, DELETE, Tag.DELETE, asked) as deed:
        target = await locked(deed, DELETE, kind, identifier)
        if target is None:
            raise absent()
        check_version(target[0], if_match)
        return await bury(deed, kind, *target)


async def bury(deed: Deed, kind: Kind, found: Stored, mine: bool) -> int:
    """Carry a deletion out, inside a transaction. Deleting twice is deleting once (FHIR R4 §3.1.0.7)."""
    obey(may_delete(deed.visit.reader, kind, mine=mine))
    obey(may_act_for(deed.decision.powers, kind))
    if kind is rights.CONSENT and not found.gone and rights.is_right(found.json(deed.view.keyring)):
        raise forbidden("A right is ended (status inactive), never deleted.")
    if not found.gone and is_operated(found.json(deed.view.keyring)):
        raise forbidden(ONLY_OPERATIONS)
    deed.touched.append(f"{kind.name}/{found.id}")
    if found.gone:
        return found.version
    if kind.name == "Binary" and await store.governor_of(deed.session, found.bucket, found.id):
        raise DomainError(Reason.CONFLICT, Issue("conflict", "This is a document's content: delete the document."))
    await store.bury(deed.session, found.bucket, found.id, found.version, deed.visit.now)
    if kind.name in GOVERNING and found.record is not None:
        await store.bury_content(deed.session, found.bucket, found.record, found.id, deed.visit.now)
    return found.version + 1


async def conditional(visit: Visit, kind: Kind, pairs: Pairs, base: str, body: Json | None = None) -> str | None:
    """The id a conditional address means now, None when nothing matches. The write that follows locks and re-checks.

    Whose record: the person the condition names, or else the one the `body` does.
    """
    named = None if body is None or kind.commons else await person_named(visit, kind, body, base)
    asks = named is None or query.record_asked(kind, pairs, base) is not None
    home = await asked_home(visit, kind, pairs, base) if asks else named
    async with visit.act(home, SEARCH, Tag.SEARCH, asked_of((kind.name,))) as deed:
        found = await matching(deed, kind, pairs, base)
        if found is not None:
            deed.touched.append(f"{kind.name}/{found.id}")
        return None if found is None else found.id


async def only(visit: Visit, kind: Kind, pairs: Pairs, base: str) -> str:
    """The id of the one resource a condition means. Raises ABSENT, PRECONDITION."""
    found = await conditional(visit, kind, pairs, base)
    if found is None:
        raise DomainError(Reason.ABSENT, Issue("not-found", "Nothing matches the condition."))
    return found


async def update_where(visit: Visit, kind: Kind, pairs: Pairs, body: Json, base: str, if_match: str | None) -> Written:
    """Conditional update (R4 §3.1.0.4.3): replace what the condition means, or create it, under an id of ours."""
    require(visit, UPDATE, kind)
    found = await conditional(visit, kind, pairs, base, body)
    if found is None:
        if "id" in body:
            raise _not_ours()
        made = await create(visit, kind, body, base, unless=pairs)
        if made.draft is not None:
            return made
        found = made.id  # written by another since
    return await update(visit, kind, found, {"id": found, **body}, base, if_match)


async def delete_where(visit: Visit, kind: Kind, pairs: Pairs, base: str, if_match: str | None) -> Written | None:
    """Conditional delete of one resource; None when nothing matches. Raises PRECONDITION when several do."""
    require(visit, DELETE, kind)
    found = await conditional(visit, kind, pairs, base)
    return Written(kind, found, await delete(visit, kind, found, if_match), False) if found is not None else None


def judge_alone(visit: Visit, kind: Kind, body: Json) -> None:
    """What can be said of a new resource by looking at it alone. Raises what its creation would."""
    if kind.name == "Binary":
        documents.decode(body.get("data"), "Binary.data")
    if kind.name == "DocumentReference":
        body, _ = documents.inline_attachment(body)
    judge(kind, body, kind.name)
    if kind.name == "DocumentReference":
        issues = documents.check_reference(body, by_citizen=isinstance(visit.reader, Person), new=True)
        if issues:
            raise DomainError(Reason.CONTENT, *issues)
