"""Reading the journal, page by page: who may, what each entry shows them, and in which words.

The rule: it is read by its person and by who legally represents them; the latter's pages are the same, and as long,
whether or not something is kept from them.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ARRAY, String, bindparam, select

from auth.tables import client
from fhir.predicate import IdIn, equals_any
from fhir.record import bucket_of
from fhir.search import all_of
from fhir.stored import Stored
from fhir.view import View
from phr import journal_words
from phr.access.audit import EMERGENCIES, Act, Shown, acts_of, facets, named, opened, seen_of, shown
from phr.access.decision import Because
from phr.access.reader import Delegate, Person
from phr.access.visit import Deed, Visit
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, forbidden
from phr.journal_words import Told, Viewer

EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2400, 1, 1, tzinfo=UTC))
LAST = 2**62
MOST_SCANNED = 5_000
"""How many entries that were not asked for a page goes through before it ends, with a next link."""
_AT_ONCE = 200
_CLIENTS = compile_query(
    select(client.c.id, client.c.name).where(equals_any(client.c.id, bindparam("clients", type_=ARRAY(String()))))
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for: in [since, until), of these ids if any, each facet one of its values."""

    since: datetime = EVER[0]
    until: datetime = EVER[1]
    only: tuple[UUID, ...] = ()
    facets: tuple[tuple[str, frozenset[str]], ...] = ()

    def holds(self, act: Act, record: str) -> bool:
        """Whether an entry, as its reader may see it, is asked for."""
        found = facets(act, record) if self.facets else {}
        return all(values & found[name] for name, values in self.facets)


@dataclass(frozen=True, slots=True)
class Trail:
    """The journal of one record as one reader sees it: what they see of the record now, and who they are."""

    record: str
    view: View = field(repr=False)
    viewer: Viewer

    async def page(self, session: Session, wanted: Wanted, before: int, limit: int) -> tuple[list[Act], int | None]:
        """The next entries, at most `limit`, newest first; and the number to go on below, None at the end.

        A page is as long whatever stands hidden between: what is not for this reader is not even counted.
        """
        acts: list[Act] = []
        passed = 0
        async for act in self._seen(session, wanted, before):
            if not wanted.holds(act, self.record):
                passed += 1
                if passed == MOST_SCANNED:
                    return acts, act.seq
            elif len(acts) == limit:
                return acts, acts[-1].seq
            else:
                acts.append(act)
        return acts, None

    async def _seen(self, session: Session, wanted: Wanted, before: int) -> AsyncIterator[Act]:
        bucket, keys = bucket_of(self.record) or 0, self.view.keyring.of(self.record)
        looked: set[str] = set()
        visible: set[str] = set()
        while True:
            window = (wanted.since, wanted.until)
            statement = acts_of(bucket, self.record, *window, before, wanted.only, _AT_ONCE)
            found = [opened(keys, row) for row in await session.fetch(statement.query(), statement.bound())]
            new = {name for act in found for name in named(act)} - looked
            visible |= await self._visible(session, new)
            looked |= new
            for act in found:
                kept = shown(act, visible, representative=self.viewer.represents)
                if kept is not None:
                    yield kept
            if len(found) < _AT_ONCE:
                return
            before = found[-1].seq

    async def _visible(self, session: Session, names: set[str]) -> set[str]:
        """Which of these resources the reader may see."""
        ids = frozenset(name.partition("/")[2] for name in names)
        seen: set[str] = set()
        for lens in (self.view.inside, self.view.commons) if ids else ():
            statement = seen_of(lens, ids)
            rows = await session.fetch(statement.query(), statement.bound())
            seen |= {f"{row['kind']}/{row['id']}" for row in rows}
        return seen

    async def tell(self, session: Session, acts: Sequence[Act], language: str) -> list[tuple[Act, Shown, Told]]:
        """Each entry with its words, the software under its registered name."""
        names = await _registered(session, {act.note.client for act in acts})
        purposes = await self._emergencies(session, acts)
        told = []
        for act in acts:
            software, purpose = names.get(act.note.client, ""), purposes.get(act.note.under, "")
            words = journal_words.tell(act, self.viewer, language, software, purpose)
            told.append((act, Shown(words.software, purpose, words.why, words.narrative(language)), words))
        return told

    async def _emergencies(self, session: Session, acts: Iterable[Act]) -> Mapping[str, str]:
        """Which emergency each was, by the Consents they rest on."""
        ids = frozenset(act.note.under for act in acts if act.note.because == Because.EMERGENCY and act.note.under)
        if not ids:
            return {}
        statement = all_of(self.view.inside, IdIn(ids), len(ids))
        rows = await session.fetch(statement.query(), statement.bound())
        bodies = [Stored.from_row(row).json(self.view.keyring) for row in rows]
        coded = {body["id"]: body.get("provision", {}).get("purpose", [{}])[0].get("code") for body in bodies}
        return {name: code for name, code in coded.items() if code in EMERGENCIES}


async def _registered(session: Session, clients: Iterable[str]) -> Mapping[str, str]:
    rows = await session.fetch(_CLIENTS, {"clients": sorted(clients)})
    return {row["id"]: row["name"] for row in rows}


def record_of(visit: Visit) -> str:
    """The record whose journal is asked for: the reader's own, or the one they act for. Raises FORBIDDEN."""
    if not isinstance(visit.reader, Person):
        raise forbidden("The journal is the person's to read.")
    return visit.reader.record


def admitted(deed: Deed) -> Trail | None:
    """The journal, for the person and for who legally represents them; else None, and the entry says so."""
    reader = deed.visit.reader
    represents, because = isinstance(reader, Delegate), deed.decision.because
    if not isinstance(reader, Person) or (represents and because is not Because.REPRESENTS):
        deed.refused = "caregiver" if because is Because.CARES_FOR else "no-mandate"
        return None
    return Trail(reader.record, deed.unscoped(), Viewer(reader.account, represents))


def not_admitted() -> DomainError:
    """What a caregiver is answered."""
    return forbidden("The journal is read by its person, or by who legally represents them.")
