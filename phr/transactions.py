"""A FHIR transaction: all its entries or none, in one record (opening it, if it brings the Patient) or the commons.

The order is FHIR's (R4 §3.1.0.11.2): DELETE, POST, PUT and PATCH. References by urn:uuid and by condition are
resolved before anything is judged.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fhir import tokens
from fhir.capability import VIRTUAL
from fhir.criteria import TokenAny
from fhir.criterion import LOGICAL_ID
from fhir.index import patients_of
from fhir.parameters import KINDS, Kind
from fhir.predicate import And, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr import documents, links, rights, submission, writing
from phr.access.journal import Tag
from phr.access.reader import Person, System
from phr.access.right import may_create
from phr.access.scope import CREATE, DELETE, UPDATE
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, Issue, Reason, absent, invalid, malformed
from phr.plan import Item, Plan, located, obey, within
from phr.reading import asked_home, home_of, require
from phr.records import find, open_for
from phr.writing import Written, written

Json = dict[str, Any]
_CANDIDATES = 50
METHODS = ("DELETE", "POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, read: what to do, on what. `query`: the condition of a conditional interaction."""

    n: int
    method: str
    kind: Kind
    id: str | None
    query: tuple[tuple[str, str], ...]
    body: Json | None
    full_url: str | None
    if_match: str | None
    unless: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """The FHIRPath of the entry's resource."""
        return f"Bundle.entry[{self.n}].resource"


def entry_of(n: int, entry: Any, methods: tuple[str, ...]) -> Entry:
    """Read one entry. Raises DomainError SYNTAX or ABSENT (a type not served)."""
    at = f"Bundle.entry[{n}]"
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str):
        raise malformed("An entry has a request with a method and a url.", f"{at}.request")
    method = request.get("method")
    if method not in methods:
        listed = ", ".join(methods)
        raise malformed(f"The method is one of {listed}; read with a batch.", f"{at}.request.method")
    path, _, condition = request["url"].partition("?")
    name, _, identifier = path.strip("/").partition("/")
    if name not in KINDS or (identifier and not LOGICAL_ID.fullmatch(identifier)):
        raise DomainError(Reason.ABSENT, Issue("not-supported", "Not an address here.", f"{at}.request.url"))
    if name in VIRTUAL:
        raise DomainError(Reason.METHOD, Issue("not-supported", "Not written in a Bundle.", f"{at}.request.url"))
    query = _condition_of(condition, f"{at}.request.url")
    if bool(identifier) + bool(query) != (0 if method == "POST" else 1):
        raise malformed("A POST names a type; any other method an id or a condition.", f"{at}.request.url")
    body = entry.get("resource")
    if method in ("POST", "PUT") and (not isinstance(body, dict) or body.get("resourceType") != name):
        raise malformed("The entry's resource is not of the type its url names.", f"{at}.resource")
    if method == "PATCH" and (not isinstance(body, dict) or body.get("resourceType") != "Binary"):
        raise malformed("A PATCH brings its JSON Patch as a Binary.", f"{at}.resource")
    if method == "PUT" and identifier and body.get("id", identifier) != identifier:
        raise malformed("The id in the resource is not the one in the url.", f"{at}.resource.id")
    unless = _text(request, "ifNoneExist", f"{at}.request")
    if unless is not None and not _condition_of(unless, f"{at}.request.ifNoneExist"):
        raise malformed("There is no condition in ifNoneExist.", f"{at}.request.ifNoneExist")
    return Entry(
        n,
        method,
        KINDS[name],
        identifier or None,
        query,
        body if isinstance(body, dict) else None,
        _text(entry, "fullUrl", at),
        _text(request, "ifMatch", f"{at}.request"),
        _condition_of(unless or "", f"{at}.request.ifNoneExist"),
    )


def _text(node: Json, name: str, at: str) -> str | None:
    value = node.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed("Expected a string.", f"{at}.{name}")
    return value


def _condition_of(text: str, at: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict"))
    except ValueError:
        raise malformed("The condition cannot be read.", at) from None


def listed_entries(bundle: Json, limit: int) -> list[Any]:
    """The entries of a batch or a transaction, unread. Raises TOO_LARGE past `limit` entries, SYNTAX."""
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise malformed("The entries of a Bundle are a list.", "Bundle.entry")
    if len(listed) > limit:
        raise DomainError(Reason.TOO_LARGE, Issue("too-costly", f"At most {limit} entries.", "Bundle.entry"))
    return listed


class Transaction:
    """One transaction on its way: entries, the ids given to what they create, and the plan they make."""

    def __init__(self, visit: Visit, entries: list[Entry], base: str) -> None:
        self.visit = visit
        self.entries = entries
        self.base = base
        self.bodies: dict[int, Json] = {e.n: links.copied(e.body) for e in entries if e.body is not None}
        self.names: dict[str, str] = {}
        self.results: dict[int, Written] = {}
        self.changed: set[str] = set()

    def opening(self) -> Entry | None:
        """The entry that opens a record, if one does."""
        patients = [e for e in self.entries if e.kind.name == "Patient" and e.method == "POST"]
        if len(patients) > 1:
            raise invalid("A transaction opens one record at most.", patients[1].where)
        return patients[0] if patients else None

    async def home(self) -> str | None:
        """The record all this is about: the citizen's own, or the one every entry names. None: the commons."""
        reader = self.visit.reader
        if isinstance(reader, Person):
            return reader.record
        named: set[str] = set()
        for entry in self.entries:
            if entry.kind.commons:
                continue
            body = self.bodies.get(entry.n)
            if body is not None:
                with within(entry.kind, entry.where):
                    await self._resolve_people(body)
            people = patients_of(entry.kind, body, self.base) if body is not None else ()
            named |= set(people)
            if not people and (entry.id is not None or entry.query):
                found = (
                    await home_of(self.visit, entry.kind, entry.id)
                    if entry.id is not None
                    else await asked_home(self.visit, entry.kind, entry.query, self.base)
                )
                named |= {found} if found is not None else set()
        if len(named) > 1:
            raise invalid("A transaction is about one person.", "Bundle")
        return named.pop() if named else None

    async def _resolve_people(self, body: Json) -> None:
        """A conditional `Patient?identifier=system|value` becomes the Patient an INS finds (R4 §3.1.0.11.2)."""
        for element in links.holders(body):
            text = element.get("reference")
            if not isinstance(text, str) or not text.startswith("Patient?"):
                continue
            asked = dict(parse_qsl(text.removeprefix("Patient?")))
            system, _, value = asked.get("identifier", "").partition("|")
            if text in self.names:
                element["reference"] = self.names[text]
                continue
            async with self.visit.installation.database.session() as session:
                found = await find(session, self.visit.installation, system, value)
            if found is None:
                raise invalid("A conditional reference finds nobody.", code="not-found")
            self.names[text] = element["reference"] = f"Patient/{found}"

    async def carry(self, deed: Deed, plan: Plan) -> None:
        """Name, resolve, judge, write."""
        for entry in self.entries:
            with within(entry.kind, entry.where):
                await self._name(deed, plan, entry)
        for entry in self.entries:
            with within(entry.kind, entry.where):
                await self._resolve(deed, entry)
        for entry in self.entries:
            if entry.method == "DELETE":
                with within(entry.kind, entry.where):
                    await self._delete(deed, entry)
        placed: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.method == "POST" and entry.n not in self.results:
                identifier = self.names[f"#{entry.n}"]
                body = self.bodies[entry.n]
                await plan.add(Item(entry.kind, identifier, body, entry.where))
                placed[identifier] = entry
            elif entry.method == "PUT":
                with within(entry.kind, entry.where):
                    identifier = await self._put(deed, plan, entry)
                placed[identifier] = entry
        for draft in await plan.store():
            entry_placed = placed.get(draft.id)
            if entry_placed is not None:
                self.results[entry_placed.n] = written(draft, created=draft.version == 1)
        for entry in self.entries:
            if entry.method == "PATCH":
                with within(entry.kind, entry.where):
                    await self._patch(deed, entry)

    async def _name(self, deed: Deed, plan: Plan, entry: Entry) -> None:
        """Give an id to what is created, find what is changed, and learn what the fullUrl stands for."""
        if entry.method == "POST":
            if f"#{entry.n}" not in self.names:
                require(self.visit, CREATE, entry.kind)
                found = await self._existing(deed, entry)
                if found is not None:
                    self.results[entry.n] = Written(
                        entry.kind, found.id, found.version, False, None, found, deed.view.keyring
                    )
                self._learn(entry, found.id if found is not None else plan.new_id(entry.kind))
            return
        require(self.visit, DELETE if entry.method == "DELETE" else UPDATE, entry.kind)
        identifier = entry.id
        if identifier is None:
            found = await writing.matching(deed, entry.kind, entry.query, self.base)
            identifier = found.id if found is not None else None
        if identifier is None and entry.method == "PUT":
            if "id" in self.bodies[entry.n]:
                raise DomainError(Reason.METHOD, Issue("not-supported", "Ids are given by the server."))
            identifier = plan.new_id(entry.kind)
        if identifier is not None:
            self._learn(entry, identifier)
            if identifier in self.changed:
                raise malformed("Two entries change the same resource.", f"Bundle.entry[{entry.n}].request.url")
            self.changed.add(identifier)

    async def _existing(self, deed: Deed, entry: Entry) -> Stored | None:
        if entry.unless:
            return await writing.matching(deed, entry.kind, entry.unless, self.base)
        if isinstance(self.visit.reader, System) and entry.kind.commons:
            return await self._same(deed, entry)
        return None

    async def _same(self, deed: Deed, entry: Entry) -> Stored | None:
        """An import brings the same professional in many files: the same identifier and content is stored once."""
        body = self.bodies[entry.n]
        hashed = deed.view.hashed(entry.kind)
        forms = {
            tokens.coded("identifier", str(one.get("system", "")), str(one["value"]))
            for one in body.get("identifier", ())
            if isinstance(one, dict) and one.get("value")
        }
        if not forms:
            return None
        match = And((KindIn(frozenset({entry.kind.name})), TokenAny(frozenset(map(hashed, forms)))))
        wanted = {name: value for name, value in body.items() if name not in ("id", "meta")}
        for row in await deed.fetch(all_of(deed.view.commons, match, _CANDIDATES)):
            found = Stored.from_row(row)
            held = found.json(deed.view.keyring)
            if {name: value for name, value in held.items() if name not in ("id", "meta")} == wanted:
                return found
        return None

    def _learn(self, entry: Entry, identifier: str) -> None:
        self.names[f"#{entry.n}"] = identifier
        if entry.full_url:
            if entry.full_url in self.names:
                raise invalid("A fullUrl stands for two entries.", f"Bundle.entry[{entry.n}].fullUrl")
            self.names[entry.full_url] = f"{entry.kind.name}/{identifier}"
        if isinstance(self.visit.reader, System) and entry.body is not None and "id" in entry.body:
            # A file's own ids: `Type/id` inside it means the same as the fullUrl.
            self.names[f"{entry.kind.name}/{entry.body['id']}"] = f"{entry.kind.name}/{identifier}"

    async def _resolve(self, deed: Deed, entry: Entry) -> None:
        """Rewrite what names another entry (urn:uuid or any fullUrl), and conditional references, to `Type/id`."""
        body = self.bodies.get(entry.n)
        if body is None or entry.method in ("DELETE", "PATCH"):
            return
        for element in links.resolve(body, self.names, links.root_of(entry.full_url)):
            if element["reference"].partition("?")[0] in KINDS:
                element["reference"] = await self._condition(deed, element["reference"])

    async def _condition(self, deed: Deed, text: str) -> str:
        name, _, condition = text.partition("?")
        found = await writing.matching(deed, KINDS[name], _condition_of(condition, ""), self.base)
        if found is None:
            raise invalid("A conditional reference finds nothing.", code="not-found")
        self.names[text] = f"{name}/{found.id}"
        return self.names[text]

    async def _delete(self, deed: Deed, entry: Entry) -> None:
        identifier = self.names.get(f"#{entry.n}")
        if identifier is None:
            return
        target = await writing.locked(deed, DELETE, entry.kind, identifier)
        if target is None:
            raise absent()
        writing.check_version(target[0], entry.if_match)
        version = await writing.bury(deed, entry.kind, *target)
        self.results[entry.n] = Written(entry.kind, identifier, version, False)

    async def _put(self, deed: Deed, plan: Plan, entry: Entry) -> str:
        identifier = self.names[f"#{entry.n}"]
        body = {**self.bodies[entry.n], "id": identifier}
        target = await writing.locked(deed, UPDATE, entry.kind, identifier)
        if target is None:
            if entry.id is not None:
                raise DomainError(Reason.METHOD, Issue("not-supported", "Ids are given by the server."))
            require(self.visit, CREATE, entry.kind)
            await plan.add(Item(entry.kind, identifier, body, entry.where))
            return identifier
        before, mine = target
        writing.check_version(before, entry.if_match)
        old = {} if before.gone else before.json(deed.view.keyring)
        await plan.add(Item(entry.kind, identifier, body, entry.where, before, old, mine))
        return identifier

    async def _patch(self, deed: Deed, entry: Entry) -> None:
        identifier = self.names.get(f"#{entry.n}")
        if identifier is None or entry.kind.name in writing.NO_BODY_PATCH:
            raise absent()
        operations = documents.decode(self.bodies[entry.n].get("data"), f"{entry.where}.data")
        made = await writing.patch_in(deed, entry.kind, identifier, operations, self.base, entry.if_match)
        self.results[entry.n] = made


def _entries(bundle: Json, limit: int) -> list[Entry]:
    try:
        return [entry_of(n, entry, METHODS) for n, entry in enumerate(listed_entries(bundle, limit))]
    except DomainError as error:
        raise _of_content(error) from None


def _of_content(error: DomainError) -> DomainError:
    """The address asked is the server's own: what is missing, or not to be done, is in the content."""
    reason = Reason.CONTENT if error.reason in (Reason.ABSENT, Reason.METHOD) else error.reason
    issues = (i if i.expression else Issue(i.code, i.diagnostics, "Bundle", i.severity) for i in error.issues)
    return DomainError(reason, *issues)


async def transact(
    visit: Visit,
    bundle: Json,
    base: str,
    tag: Tag = Tag.TRANSACTION,
    also: Callable[[Deed], Awaitable[None]] | None = None,
) -> list[Written | None]:
    """Carry a transaction out: one result for each entry (None: a condition that matched nothing), or raise.

    `also` is done in the same database transaction: all of it, or nothing.
    """
    settings = visit.installation.settings
    entries = _entries(bundle, settings.transaction_entries)
    if submission.is_pdsm(bundle):
        issues = submission.check_submission(bundle, by_citizen=isinstance(visit.reader, Person))
        if issues and not isinstance(visit.reader, System):
            raise DomainError(Reason.CONTENT, *located(issues, "Bundle", "Bundle"))
    transaction = Transaction(visit, entries, base)
    opening = transaction.opening()
    if opening is not None:
        require(visit, CREATE, opening.kind)
        obey(may_create(visit.reader, opening.kind))
    try:
        home = await transaction.home() if opening is None else None
        deciding = any(entry.kind is rights.CONSENT for entry in entries)
        async with visit.act(home, CREATE, tag, "Bundle", deciding=deciding) as deed:
            if opening is not None:
                with within(opening.kind, opening.where):
                    opened = await open_for(deed, transaction.bodies[opening.n])
                transaction._learn(opening, opened.keys.record)
            await transaction.carry(deed, Plan(deed, base))
            if also is not None:
                await also(deed)
    except DomainError as error:
        raise _of_content(error) from None
    return [transaction.results.get(entry.n) for entry in entries]


__all__ = ["Entry", "entry_of", "listed_entries", "transact"]
