"""One request's access: the reader, what they may look through, and the entry it leaves in the journal.

Two ways only. `see` runs one statement that checks the facts, reads through the lens and writes the journal entry,
all or nothing. `act` is a transaction: facts locked, any number of lensed statements and writes, one entry at the
end. Neither gives a row without its entry.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import (
    ARRAY,
    CTE,
    Integer,
    SmallInteger,
    String,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    literal,
    not_,
    select,
)

from auth.scopes import Scope
from auth.tables import client, revoked_token
from fhir.lens import Binder, Lens, Statement
from fhir.predicate import And, Everything, KindIn, Nothing, Predicate, Within, equals_any
from fhir.record import COMMONS, RecordKeys, bucket_of
from fhir.stored import Keyring
from fhir.tables import ID, record
from fhir.view import BLIND as BLIND_LENS
from fhir.view import View
from phr.access.decision import BLIND, Facts, Sight
from phr.access.installation import Installation, OpenedRecord
from phr.access.journal import Entry, Tag, chain_of_client, note_of, trail
from phr.access.provision import Provision
from phr.access.reader import Professional, Reader, System, identity, names
from phr.access.register import about, latest
from phr.access.scope import narrowing
from phr.access.sight import commons_sight, sight
from phr.core.database import Query, Session, Shapes, compile_query
from phr.core.errors import DomainError, Issue, Reason, absent
from phr.core.vault import Wrapped

log = logging.getLogger("carnet")
_SHAPES = Shapes()
_TRIES = 3
WAITED = timedelta(minutes=1)
"""How long a decision may have waited for its turn, or another server's clock be ahead of ours."""


_REFUSED = {
    Reason.ABSENT: "absent",
    Reason.METHOD: "absent",
    Reason.FORBIDDEN: "not-entitled",
    Reason.GONE: "over",
    Reason.TOO_MANY: "throttled",
}
"""How the journal calls what was refused by raising. Malformed or late is not an attempt to reach anything."""


def _holding() -> Any:
    """The token is not revoked (itself or its grant), its client not disabled."""
    revoked = exists().where(equals_any(revoked_token.c.jti, bindparam("g_tokens", type_=ARRAY(Uuid))))
    disabled = exists().where(and_(client.c.id == bindparam("g_client", type_=String()), client.c.disabled))
    return and_(not_(revoked), not_(disabled))


def _own() -> Any:
    return and_(
        record.c.bucket == bindparam("g_bucket", type_=SmallInteger()),
        record.c.id == bindparam("g_record", type_=ID),
    )


def _gate(in_record: bool) -> CTE:
    """One row if what the decision rested on still holds: the token, and the record's rights unchanged."""
    if not in_record:
        return select(literal(1).label("open")).where(_holding()).cte("gate")
    rights = record.c.rights == bindparam("g_rights", type_=Integer())
    still = and_(_own(), rights, record.c.closed.is_(None), _holding())
    return select(literal(1).label("open")).select_from(record).where(still).cte("gate")


_FACTS = select(record.c.rights, record.c.kek, record.c.wrapped, record.c.closed).where(_own())
_FACTS_READ = compile_query(_FACTS)
_FACTS_LOCKED = compile_query(_FACTS.with_for_update(read=True))
_FACTS_DECIDING = compile_query(_FACTS.with_for_update())
_TOKEN = compile_query(select(_holding().label("holding")))
_TRAIL = compile_query(
    select(literal(1)).add_cte(
        trail(select(func.unnest(bindparam("j_resources", type_=ARRAY(String))).label("resource")))
    )
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader at the door, with their scopes and the moment. `tokens`: what a revocation would name.

    `confidential`: the whole visit is kept from the person's representatives (connexion secrète), and what it writes.
    """

    installation: Installation
    reader: Reader
    scopes: tuple[Scope, ...]
    tokens: tuple[UUID, ...]
    now: datetime
    confidential: bool = False

    def decide(self, opened: OpenedRecord | None, verb: str | None) -> tuple[View, Sight]:
        """The decision, as a view: the policy's predicate AND the scopes', and the keys of what it opened."""
        keys = {COMMONS: self.installation.commons}
        narrow = self._narrowing(verb, self.installation.commons)
        commons = Lens(And((commons_sight(self.reader).predicate, narrow)))
        if opened is None:
            return View(None, BLIND_LENS, commons, Keyring(keys)), commons_sight(self.reader)
        decision = sight(self.reader, self._facts(opened), self.now)
        if decision is BLIND:
            return View(opened.keys.record, BLIND_LENS, commons, Keyring(keys)), decision
        keys[opened.keys.record] = opened.keys
        inside = Lens(And((decision.predicate, self._narrowing(verb, opened.keys))))
        return View(opened.keys.record, inside, commons, Keyring(keys)), decision

    def _narrowing(self, verb: str | None, keys: RecordKeys) -> Predicate:
        return Everything() if verb is None else narrowing(self.scopes, self.reader, verb, keys)

    def _facts(self, opened: OpenedRecord) -> Facts:
        author = self.author(opened.keys)
        name = opened.keys.record
        provisions, entitled = opened.known.get(holder(self.reader), ((), Nothing()))
        return Facts(name, int(name[:3], 16), author, opened.rights, opened.closed, provisions, entitled)

    async def _know(self, session: Session, opened: OpenedRecord) -> None:
        """Gather what the reader holds in this record, once for each version of its rights."""
        if holder(self.reader) in opened.known:
            return
        hashed = opened.keys.hashed
        found = await about(session, opened.keys.record, map(hashed, names(self.reader)), self.now)
        reader = self.reader
        matrix = self.installation.matrix
        entitled = matrix.entitled(reader.identity, hashed) if isinstance(reader, Professional) else Nothing()
        opened.known[holder(self.reader)] = found, entitled

    def author(self, keys: RecordKeys) -> UUID:
        """The reader's name as an author, in this record."""
        return keys.hashed(identity(self.reader))

    def _bound(self, opened: OpenedRecord | None) -> dict[str, object]:
        bound: dict[str, object] = {"g_tokens": list(self.tokens), "g_client": self.reader.client}
        if opened is not None:
            name = opened.keys.record
            bound |= {"g_bucket": int(name[:3], 16), "g_record": name, "g_rights": opened.rights}
        return bound

    def _entry(
        self, opened: OpenedRecord | None, tag: Tag, decision: Sight, asked: str, refused: str = "", motive: str = ""
    ) -> dict[str, object]:
        confidential = self.confidential or decision.confidential
        note = note_of(self.reader, decision.because.value, asked)
        note = replace(note, under=decision.under, confidential=confidential, refused=refused, motive=motive)
        if opened is not None:
            chain, keys = (int(opened.keys.record[:3], 16), opened.keys.record), opened.keys
        else:
            chain, keys = chain_of_client(self.reader.client), self.installation.commons
        return Entry(*chain, uuid4(), self.now, tag, note).values(keys)

    async def _open(self, session: Session, name: str | None, query: Query) -> OpenedRecord | None:
        """The record of this id, its key opened; None when there is none or it is closed."""
        bucket = bucket_of(name) if name is not None else None
        if name is None or bucket is None:
            return None
        row = await session.one(query, {"g_bucket": bucket, "g_record": name})
        if row is None or row["closed"] is not None:
            self.installation.forget(name)
            return None
        wrapped = Wrapped(row["kek"], row["wrapped"])
        known = self.installation.remembered(name, self.now)
        if known is None or known.rights != row["rights"]:
            known = self.installation.open(name, wrapped, row["rights"], row["closed"], self.now)
        await self._know(session, known)
        return known

    async def _check_token(self, session: Session) -> None:
        row = await session.one(_TOKEN, self._bound(None))
        if row is None or not row["holding"]:
            raise DomainError(Reason.UNAUTHENTICATED, Issue("login", "The access token is not valid any more."))

    async def see(
        self,
        name: str | None,
        verb: str,
        tag: Tag,
        asked: str,
        choose: Callable[[View], Statement],
        listed: int,
    ) -> tuple[View, list[Any]]:
        """Read rows of record `name` (None: the commons) and journal the first `listed` of them, in one statement.

        `choose` builds a statement with columns kind and id. Raises DomainError UNAUTHENTICATED when the token was
        revoked, ABSENT when there is no such record.
        """
        async with self.installation.database.session() as session:
            opened = self.installation.remembered(name, self.now) if name is not None else None
            for _ in range(_TRIES):
                if name is not None and opened is None:
                    opened = await self._open(session, name, _FACTS_READ)
                    if opened is None:
                        await self._check_token(session)
                        raise absent()
                if opened is not None:
                    await self._know(session, opened)
                view, decision = self.decide(opened, verb)
                chosen = choose(view)
                bound = self._bound(opened) | self._entry(opened, tag, decision, asked)
                build = partial(_witnessed, chosen, in_record=opened is not None)
                query = _SHAPES.get((opened is not None, chosen.shape), build)
                with _journaled():
                    rows = await session.fetch(query, {**chosen.bound(), **bound, "j_listed": listed})
                if rows:
                    return view, [row for row in rows if row["id"] is not None]
                await self._check_token(session)
                if name is not None:
                    self.installation.forget(name)
                    opened = None
            raise DomainError(Reason.UNAVAILABLE, Issue("transient", "The record's rights keep changing; try again."))

    @asynccontextmanager
    async def act(
        self, name: str | None, verb: str, tag: Tag, asked: str, *, deciding: bool = False
    ) -> AsyncIterator["Deed"]:
        """A transaction on record `name` (None: the commons): its rights locked as they are until it ends.

        The caller lists what it returns or writes in `deed.touched`; the entry is written last, then all commits. What
        is refused inside is rolled back, and leaves an entry that says so.
        `deciding`: it may change the rights themselves, one such transaction at a time.
        """
        deed: Deed | None = None
        try:
            async with self.installation.database.transaction() as session:
                await self._check_token(session)
                opened = await self._open(session, name, _FACTS_DECIDING if deciding else _FACTS_LOCKED)
                if name is not None and opened is None:
                    raise absent()
                visit = self
                if deciding and opened is not None:
                    # TRAP: who waited for the lock arrived before what was decided meanwhile, and would not see it.
                    last = await latest(session, opened.keys.record, self.now + WAITED)
                    visit = self if last is None or last <= self.now else replace(self, now=last)
                view, decision = visit.decide(opened, verb)
                deed = Deed(visit, session, view, opened, decision, [])
                yield deed
                await deed.leave_trail(tag, asked)
        except DomainError as error:
            if (
                name is not None
                and deed is not None
                and error.reason in _REFUSED
                and not isinstance(self.reader, System)
            ):
                refused = deed.refused or _REFUSED[error.reason]
                await deed.visit._attempted(name, verb, tag, asked, refused, deed.motive)
            raise

    async def _attempted(self, name: str, verb: str, tag: Tag, asked: str, refused: str, motive: str) -> None:
        """Write the entry of what was refused, and rolled back. Raises what `act` raises: no entry, no answer."""
        async with self.act(name, verb, tag, asked) as deed:
            deed.refused, deed.motive = refused, motive


@dataclass(slots=True)
class Deed:
    """A transaction under way: the session, the view it looks through, and what it touched so far.

    `refused`: the coded reason when what was asked is not done: the entry says so, and commits; the caller raises
    after. `motive`: why, in the words of who asked.
    """

    visit: Visit
    session: Session
    view: View
    opened: OpenedRecord | None
    decision: Sight
    touched: list[str]
    fresh: bool = False
    refused: str = ""
    motive: str = ""

    async def fetch(self, statement: Statement) -> list[Any]:
        """Rows of a lensed statement."""
        return await self.session.fetch(statement.query(), statement.bound())

    @property
    def provisions(self) -> tuple[Provision, ...]:
        """What was gathered when the record was opened: the rights about the reader, and about everybody."""
        return () if self.opened is None else self.visit._facts(self.opened).provisions

    @property
    def confidential(self) -> bool:
        """Whether what is written now is kept from the person's representatives."""
        return self.visit.confidential or self.decision.confidential

    def viewing(self, verb: str) -> View:
        """The view for another SMART verb on the same record."""
        return self.visit.decide(self.opened, verb)[0]

    def unscoped(self) -> View:
        """What the policy lets the reader see, whatever their scopes: to check that a reference points somewhere."""
        return self.visit.decide(self.opened, None)[0]

    def every(self, *kinds: str) -> Lens:
        """All resources of these types in the record, but deleted ones: for what decides, never to answer with."""
        name = "" if self.opened is None else self.opened.keys.record
        return Lens(And((Within(int(name[:3] or "0", 16), name), KindIn(frozenset(kinds)))))

    def enter(self, opened: OpenedRecord, verb: str) -> None:
        """Go on inside a record this very transaction opened: its keys are in hand, whatever the reader may see."""
        self.opened, self.fresh = opened, True
        view, decision = self.visit.decide(opened, verb)
        keys = Keyring({**view.keyring.keys, opened.keys.record: opened.keys})
        self.view = View(view.record, view.inside, view.commons, keys)
        self.decision = decision

    async def through(self, reader: Reader, scopes: tuple[Scope, ...], verb: str) -> "Deed":
        """The same transaction, looked at with another reader's eyes; its entry is the first one's."""
        visit = replace(self.visit, reader=reader, scopes=scopes, confidential=False)
        if self.opened is not None:
            await visit._know(self.session, self.opened)
        view, decision = visit.decide(self.opened, verb)
        return Deed(visit, self.session, view, self.opened, decision, self.touched)

    async def leave_trail(self, tag: Tag, asked: str) -> None:
        """Write the journal entry of what was touched."""
        bound = self.visit._entry(self.opened, tag, self.decision, asked, self.refused, self.motive)
        with _journaled():
            await self.session.fetch(_TRAIL, {**bound, "j_resources": list(dict.fromkeys(self.touched))})


@contextmanager
def _journaled() -> Iterator[None]:
    """What cannot be journaled is not answered: 503, whatever the database's reason."""
    try:
        yield
    except asyncpg.PostgresError as error:
        log.error("not journaled, not answered: %s", type(error).__name__)
        raise DomainError(Reason.UNAVAILABLE, Issue("transient", "The journal cannot be written; try again.")) from None


def _witnessed(chosen: Statement, *, in_record: bool) -> Any:
    """The chosen rows, read only through an open gate, with their journal entry written by the same statement."""
    gate = _gate(in_record)
    page = chosen.build(Binder()).cte("page")  # type: ignore[attr-defined]
    reference = (page.c.kind + literal("/", String()) + page.c.id).label("resource")
    returned = select(reference).limit(bindparam("j_listed", type_=Integer()))
    return select(page).select_from(gate.outerjoin(page, literal(True))).add_cte(trail(returned, gate))


def holder(reader: Reader) -> tuple[object, ...]:
    """What the rights a reader holds depend on: their names, and a professional's profession."""
    who = reader.identity if isinstance(reader, Professional) else None
    return names(reader), *(() if who is None else (who.system, who.profession, who.skill))


def asked_of(parts: Sequence[str]) -> str:
    """What was asked, for the journal: an interaction's address without any searched value."""
    return "/".join(parts)
