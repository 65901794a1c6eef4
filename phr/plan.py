"""A set of resources about to be stored together in one record (or the commons), checked as a whole.

The rule: nothing is written before everything is judged, and what is written is still in sight of who wrote it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fhir import store, tokens, wire
from fhir.index import patients_of, references_of
from fhir.parameters import KINDS, Kind
from fhir.predicate import IdIn, Row
from fhir.record import RecordKeys, new_bucket, new_id
from fhir.search import all_of
from fhir.store import Draft, draft
from fhir.stored import Stored
from fhir.validation import validate
from phr import blobs, decided, documents, filing, links, provenance, replacement, rights
from phr.access.consent import right_of
from phr.access.provision import preference
from phr.access.reader import Person, System
from phr.access.right import (
    HIDDEN_FROM_PATIENT,
    HIDDEN_FROM_PROXIES,
    MASK,
    Change,
    Refused,
    Verdict,
    may_act_for,
    may_change,
    may_create,
    may_decide,
)
from phr.access.scope import CREATE, UPDATE, granted
from phr.access.visit import Deed
from phr.agenda import due
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid
from phr.operated import ONLY_OPERATIONS, belonging, is_operated
from phr.traits import record_traits

Json = dict[str, Any]
GOVERNING = frozenset(
    {
        "Claim",
        "Communication",
        "CommunicationRequest",
        "Consent",
        "DiagnosticReport",
        "DocumentReference",
        "ExplanationOfBenefit",
        "Patient",
        "QuestionnaireResponse",
        "RelatedPerson",
    }
)
"""The record types that have Attachments (FHIR R4), whose `url` may name a Binary."""

MOST_REFERENCES = 100_000
DEFAULT_MASKED = "default-masked"
"""The preference under which new documents are masked to professionals, until their person unmasks them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One resource to store: `before` is the version it replaces, `content` the bytes of a Binary, let in already."""

    kind: Kind
    id: str
    body: Json
    where: str
    before: Stored | None = None
    before_json: Json | None = None
    mine: bool = True
    content: blobs.Content | None = None


def located(issues: Iterable[Issue], kind: str, where: str) -> tuple[Issue, ...]:
    """The same issues, their expressions starting at `where` instead of the resource's type."""
    return tuple(
        Issue(i.code, i.diagnostics, where + (i.expression or kind).removeprefix(kind), i.severity) for i in issues
    )


@contextmanager
def within(kind: Kind, where: str) -> Iterator[None]:
    """What fails inside is told of the resource at `where`, such as an entry of a Bundle."""
    try:
        yield
    except DomainError as error:
        here = where.partition(".resource")[0]
        issues = [
            i if (i.expression or "").startswith(here) else located([i], kind.name, where)[0] for i in error.issues
        ]
        raise DomainError(error.reason, *issues) from None


def judge(kind: Kind, body: Json, where: str) -> None:
    """Validate one resource. Raises DomainError CONTENT with every issue."""
    issues = validate(kind.name, body)
    if issues:
        raise DomainError(Reason.CONTENT, *located(issues, kind.name, where))


def obey(verdict: Verdict) -> None:
    """Go on if allowed. Raises DomainError FORBIDDEN with the reason."""
    if isinstance(verdict, Refused):
        raise forbidden(verdict.why)


@dataclass(slots=True)
class Plan:
    """Collects items inside a deed, then stores them all or raises. `operated`: an operation's own resources may be."""

    deed: Deed
    base: str
    operated: bool = False
    items: list[Item] = field(default_factory=list)
    _contents: dict[str, blobs.Content] = field(default_factory=dict)

    def new_id(self, kind: Kind) -> str:
        """An id for a resource of this type, here: in the record's bucket, or anywhere for the commons."""
        record = self.deed.view.home(kind)
        return new_id(int(record[:3], 16) if record is not None else new_bucket())

    async def add(self, item: Item) -> None:
        """Judge one resource, its content taken out of it; ITI-105 inline content becomes a Binary of its own."""
        with within(item.kind, item.where):
            await self._add(item)

    async def _add(self, item: Item) -> None:
        body, content, kind = item.body, item.content, item.kind
        data = None
        if kind.name == "Binary" and content is None:
            body = dict(body)
            data = documents.decode(body.pop("data", None), f"{item.where}.data")
        if kind.name == "DocumentReference":
            body, inline = documents.inline_attachment(body)
            if inline is not None:
                body = await self._take_out(item, body, inline)
        limit = self.deed.visit.installation.settings
        raw = wire.encode(body)
        if len(raw) > limit.resource_bytes:
            raise DomainError(
                Reason.TOO_LARGE, Issue("too-long", f"A resource is at most {limit.resource_bytes} bytes.")
            )
        if self.base.encode() in raw:
            body = links.relative(body, self.base)
        body = await self._labelled(kind, item, body)
        judge(kind, body, item.where)
        if not kind.commons:
            body = provenance.stamped(self.deed.visit.reader, body, item.before_json)
        self._allow(kind, item, body)
        if data is not None:
            content = await blobs.admit(data, str(body.get("contentType", "")), limit, f"{item.where}.contentType")
        if content is not None:
            self._contents[item.id] = content
        self.items.append(Item(kind, item.id, body, item.where, item.before, item.before_json, item.mine, content))

    async def _labelled(self, kind: Kind, item: Item, body: Json) -> Json:
        """What the session and the person's preference add: kept from representatives; masked when new.

        What takes a document's place is as hidden as it: a correction does not show what the person hid.
        """
        wanted = [HIDDEN_FROM_PROXIES] if self.deed.confidential and not kind.commons else []
        new = item.before is None and kind.name == "DocumentReference"
        if new and preference(self.deed.provisions, DEFAULT_MASKED, self.deed.visit.now):
            wanted.append(MASK)
        if new:
            wanted += await replacement.hiding(self.deed, body, self.base)
        return documents.with_labels(body, wanted)

    async def _take_out(self, item: Item, body: Json, inline: bytes) -> Json:
        binary = KINDS["Binary"]
        identifier = self.new_id(binary)
        attachment = {**body["content"][0]["attachment"], "url": f"Binary/{identifier}"}
        wrapper = {
            "resourceType": "Binary",
            "contentType": attachment.get("contentType", ""),
            "securityContext": {"reference": f"DocumentReference/{item.id}"},
            **belonging(body),
        }
        where, limit = f"{item.where}.content[0].attachment", self.deed.visit.installation.settings
        content = await blobs.admit(inline, str(wrapper["contentType"]), limit, f"{where}.contentType")
        await self.add(Item(binary, identifier, wrapper, where, content=content))
        return {**body, "content": [{**body["content"][0], "attachment": attachment}]}

    def _allow(self, kind: Kind, item: Item, body: Json) -> None:
        visit = self.deed.visit
        verb = CREATE if item.before is None else UPDATE
        if not granted(visit.scopes, visit.reader, verb, kind.name):
            raise forbidden(f"The token's scopes do not allow this on {kind.name}.")
        powers = self.deed.decision.powers
        self._leave_to_operations(item.before_json, body)
        right = right_of(body) if kind is rights.CONSENT else None
        if right is not None:
            decided.check(body)
        if item.before is None or item.before_json is None:
            obey(may_create(visit.reader, kind))
            obey(may_act_for(powers, kind))
            obey(may_decide(visit.reader, right, None, str(body.get("status")), mine=True))
            return
        before = item.before_json
        change = Change(
            item.mine,
            documents.labels(before),
            documents.labels(body),
            lambda: documents.only_visibility_changed(before, body),
        )
        if kind is rights.CONSENT and (right or right_of(before)):
            obey(may_act_for(powers, kind))
            rights.judge(visit.reader, before, body, mine=item.mine)
            return
        obey(may_act_for(powers, kind, change))
        obey(may_change(visit.reader, kind, change))

    def _leave_to_operations(self, before: Json | None, body: Json) -> None:
        if self.operated or not (is_operated(before) or is_operated(body)):
            return
        if before is None or not documents.only_visibility_changed(before, body):
            raise forbidden(ONLY_OPERATIONS)

    async def store(self) -> list[Draft]:
        """Check the whole, write it, and note what was touched. Returns the drafts in the order added."""
        deed = self.deed
        if deed.view.record is not None and deed.view.record not in deed.view.keyring.keys:
            raise absent()  # a reader without any right there: as if there were no record
        self._check_record()
        await self._check_references()
        drafts = [self._draft(item) for item in self.items]
        sight = deed.viewing(CREATE)
        for made, item in zip(drafts, self.items, strict=True):
            lens = sight.of(item.kind) if item.before is None else deed.viewing(UPDATE).of(item.kind)
            opening = deed.fresh and item.kind.name == "Patient"
            if not opening and not lens.sight.holds(self._row(made, item)):
                with within(item.kind, item.where):
                    raise forbidden("The result would be out of your own sight.")
        await self._check_documents()
        keys = {made.record: self._keys(made.record) for made in drafts}
        new = [made for made, item in zip(drafts, self.items, strict=True) if item.before is None]
        await store.insert_all(deed.session, new, keys)
        for made, item in zip(drafts, self.items, strict=True):
            if item.before is not None:
                with within(item.kind, item.where):
                    await self._check_free(made)
                await store.replace(deed.session, made, keys[made.record])
            if item.content is not None:
                await blobs.keep(deed.session, keys[made.record], made.id, made.version, item.content)
            if item.kind.name == "Appointment" and item.before is not None and made.record is not None:
                await due.look_again(deed.session, made.record, made.id, deed.visit.now)
            if item.kind.name == "Patient" and made.record is not None:
                installation = deed.visit.installation
                await record_traits(deed.session, installation, made.record, item.body, item.before_json)
            deed.touched.append(made.reference)
        for made, item in zip(drafts, self.items, strict=True):
            with within(item.kind, item.where):
                if item.kind is rights.CONSENT:
                    await decided.write(deed, made.json)
                await self._govern(made)
                if item.before is None and item.kind.name == "DocumentReference":
                    await replacement.supersede(deed, made, {one.id for one in new}, self.base)
        await filing.tell(deed, new)
        return drafts

    def _row(self, made: Draft, item: Item) -> Row:
        """The row as it will be: what its writer saw before its time came is not withheld again by being written."""
        row = made.row()
        known = item.before_json is not None and HIDDEN_FROM_PATIENT in documents.labels(item.before_json)
        return replace(row, withheld_until=self.deed.visit.now) if known else row

    async def _check_free(self, made: Draft) -> None:
        """The bytes of a document never change: its hash would lie, and its visibility would be lost."""
        if made.kind.name == "Binary" and await store.governor_of(self.deed.session, made.bucket, made.id):
            raise DomainError(Reason.CONFLICT, Issue("conflict", "This is a document's content: replace the document."))

    def _keys(self, record: str | None) -> RecordKeys:
        return self.deed.view.keyring.of(record)

    def _draft(self, item: Item) -> Draft:
        record = self.deed.view.home(item.kind)
        keys = self._keys(record)
        author = self.deed.visit.author(keys)
        version = 1 if item.before is None else item.before.version + 1
        return draft(item.kind, item.id, version, item.body, record, author, keys, self.deed.visit.now, self.base)

    def _check_record(self) -> None:
        record = self.deed.view.record
        for item in self.items:
            if item.kind.commons:
                continue
            if record is None:
                raise invalid("Whose record is this for? The resource names no person.", item.where, "required")
            if set(patients_of(item.kind, item.body, self.base)) - {record}:
                raise invalid("All that is written together is about one person.", item.where)

    async def _check_references(self) -> None:
        """References stay inside the record or point to the commons, and to something the writer may see."""
        planned = {f"{item.kind.name}/{item.id}" for item in self.items}
        wanted: dict[str, str] = {}
        for item in self.items:
            found = references_of(item.body)
            if found.absolute and any(tokens.local(url, self.base) is None for url in found.absolute):
                raise invalid("A reference points outside this server.", item.where, "not-supported")
            if found.urn or found.other:
                raise invalid("A reference cannot be resolved here.", item.where, "not-found")
            own = [pair for url in found.absolute if (pair := tokens.local(url, self.base))]
            for name in (*found.local, *(f"{kind}/{identifier}" for kind, identifier in own)):
                if name not in planned and name != f"Patient/{self.deed.view.record}":
                    wanted.setdefault(name, item.where)
        if wanted:
            seen = await self._seen(wanted)
            for name, where in wanted.items():
                if name not in seen:
                    raise invalid("A reference points to nothing in this record or the commons.", where, "not-found")

    async def _seen(self, wanted: Mapping[str, str]) -> set[str]:
        view = self.deed.unscoped()
        seen: set[str] = set()
        for lens, commons in ((view.inside, False), (view.commons, True)):
            names = [name for name in wanted if _is_commons(name) is commons]
            if names:
                ids = frozenset(name.partition("/")[2] for name in names)
                rows = await self.deed.fetch(all_of(lens, IdIn(ids), MOST_REFERENCES))
                seen |= {f"{row['kind']}/{row['id']}" for row in rows}
        return seen

    async def _check_documents(self) -> None:
        """PDSm: mandatory metadata, and a size and hash that are those of the bytes. Imports keep what they bring."""
        reader = self.deed.visit.reader
        if isinstance(reader, System):
            return
        for item in self.items:
            if item.kind.name != "DocumentReference" or not item.mine:
                continue
            new = item.before is None
            issues = documents.check_reference(item.body, by_citizen=isinstance(reader, Person), new=new)
            if not issues:
                issues = documents.check_content(item.body, *await self._content_of(item))
            if issues:
                raise DomainError(Reason.CONTENT, *located(issues, "DocumentReference", item.where))

    async def _content_of(self, item: Item) -> tuple[int, str]:
        url = item.body["content"][0]["attachment"].get("url", "")
        pair = tokens.local(url, self.base)
        where = f"{item.where}.content[0].attachment.url"
        if pair is None or pair[0] != "Binary":
            raise invalid("The content is a Binary of this record.", where)
        if pair[1] in self._contents:
            content = self._contents[pair[1]]
            return content.size, content.sha1
        view = self.deed.unscoped()
        rows = await self.deed.fetch(all_of(view.inside, IdIn(frozenset({pair[1]})), 1))
        if not rows or rows[0]["kind"] != "Binary":
            raise invalid("The content is a Binary of this record.", where)
        found = Stored.from_row(rows[0])
        return await blobs.measured(self.deed, view.inside, self._keys(found.record), found.id, found.version)

    async def _govern(self, made: Draft) -> None:
        """The Binaries that are the content of a resource take its visibility, and can be no other's content."""
        if made.kind.name not in GOVERNING:
            return
        pairs = [tokens.local(str(element.get("url")), self.base) for element in links.holders(made.json)]
        binaries = [pair[1] for pair in pairs if pair is not None and pair[0] == "Binary"]
        if made.version == 1 and not binaries:
            return
        category = self._keys(made.record).hashed(tokens.category(tokens.RESOURCE_TYPES, made.kind.name))
        if not await store.govern(self.deed.session, made, binaries, category):
            where = "DocumentReference.content" if made.kind.name == "DocumentReference" else made.kind.name
            raise invalid("The content is another resource's already.", where)


def _is_commons(name: str) -> bool:
    kind = KINDS.get(name.partition("/")[0])
    return kind is not None and kind.commons


__all__ = ["Item", "Plan", "judge", "located", "obey"]
