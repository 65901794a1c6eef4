"""The applications a person connects: each purpose they granted is a Consent of their record, ended when they say so.

The rule: what cannot be written in the record is not connected, and what is withdrawn is refused at its next request.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auth import agreements, codes, grants
from auth.grants import Grant
from fhir import store, tokens
from fhir.criteria import TokenAny
from fhir.lens import Statement
from fhir.parameters import KINDS
from fhir.predicate import And, AuthoredBy, IdIn, KindIn, Not
from fhir.search import all_of
from fhir.stored import Keyring, Stored
from phr import closing, provenance, reading, rights, writing
from phr.access.consent import CLIENT, RIGHT, Actor, Terms, terms_of
from phr.access.decision import Because
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import Citizen, Delegate, Person
from phr.access.scope import CREATE, DELETE, UPDATE
from phr.access.visit import Deed, Visit
from phr.agenda import reminder
from phr.core.errors import DomainError, Reason, absent, forbidden
from phr.operated import is_operated
from phr.rights import Held

GRANT = "https://carnet.example/StructureDefinition/grant"
"""An extension of the Consent: the grant of the authorization server it was given with."""
CONNECTED, ENDED = "Patient/$connect-application", "Patient/$withdraw-application"
"""What the journal says was asked."""
MOST = 10_000
BATCH = 100
"""How many resources are deleted in one transaction."""
_DECIDES = (Because.OWN_RECORD, Because.REPRESENTS)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many Consents ended, and how many resources were deleted (None: it was not asked)."""

    ended: int
    erased: int | None


async def connect(installation: Installation, software: str, grant: Grant, now: datetime) -> None:
    """Write the Consents of a grant just made: one for each purpose, one when the service declares none.

    `software`: what the journal says the person did it with. Raises FORBIDDEN (nothing of that record is theirs to
    see), ABSENT (there is no record, or it is closed and not their own): nothing is handed over then.
    """
    visit = Visit(installation, _reader(software, grant), (), (), now)
    async with _entered(visit, grant.record or "") as deed:
        if deed.decision.because is Because.NO_RULE:
            deed.refused = "no-right"
        else:
            for purpose in grant.agreement.purposes or ("",):
                await rights.write(deed, _terms(grant, purpose))
    if deed.refused:
        raise forbidden("This record is not yours to connect an application to.")


@asynccontextmanager
async def _entered(visit: Visit, record: str) -> AsyncIterator[Deed]:
    """The person's own record even when it is closed: reopening it needs an application."""
    if isinstance(visit.reader, Citizen):
        async with closing.inside(visit, record, CREATE, Tag.APPLICATION, CONNECTED) as (deed, _):
            yield deed
    else:
        async with visit.act(record, CREATE, Tag.APPLICATION, CONNECTED, deciding=True) as deed:
            yield deed


def _reader(software: str, grant: Grant) -> Person:
    kind = Citizen if grant.actor is None else Delegate
    return kind(software, str(grant.account), grant.record or "")


def _terms(grant: Grant, purpose: str) -> Terms:
    until = grant.expires
    if until is None:
        until = grant.created + codes.LIFETIME + grants.TOKEN_LIFETIME
    return Terms(
        Right.APPLICATION,
        Actor(CLIENT, grant.client, grant.client_name),
        since=grant.created,
        until=None if until == agreements.NEVER else until,
        purpose=purpose,
        extension=({"url": GRANT, "valueString": str(grant.id)},),
    )


async def ended(installation: Installation, software: str, taken: Iterable[Grant], now: datetime) -> None:
    """End the Consents of grants that were just taken back; a closed record keeps what it said."""
    by_reader: dict[Person, set[str]] = {}
    for grant in taken:
        if grant.record is not None and grant.professional is None:
            by_reader.setdefault(_reader(software, grant), set()).add(str(grant.id))
    for reader, ids in by_reader.items():
        visit = Visit(installation, reader, (), (), now)
        try:
            async with visit.act(reader.record, UPDATE, Tag.APPLICATION, ENDED, deciding=True) as deed:
                mine = await _connections(deed)
                await rights.end(deed, [one.stored.id for one in mine if _grant_of(one) in ids], "withdrawn")
        except DomainError as error:
            if error.reason is not Reason.ABSENT:
                raise


async def withdraw(visit: Visit, record: str, client: str, *, erase: bool) -> Withdrawn:
    """Take an application's access to this record back: its grants from the caller's account, and their Consents.

    `erase`: delete what it wrote here through that account, too. Raises ABSENT (another record), FORBIDDEN.
    """
    reader = visit.reader
    if not isinstance(reader, Person):
        raise forbidden("Who connected an application withdraws it.")
    if reader.record != record:
        raise absent()
    reading.require(visit, UPDATE, rights.CONSENT)
    for kind in KINDS.values() if erase else ():
        if not kind.commons:
            reading.require(visit, DELETE, kind)
    count = 0
    async with visit.act(record, UPDATE, Tag.APPLICATION, ENDED, deciding=True) as deed:
        if deed.decision.because not in _DECIDES:
            deed.refused = "not-theirs-to-decide"
        else:
            keys = visit.installation.system_keys
            await grants.withdraw(deed.session, keys, UUID(reader.account), record, visit.now, client)
            found = [one.stored.id for one in await _connections(deed) if _runs(one, client, visit.now)]
            count = len(await rights.end(deed, found, "withdrawn"))
    if deed.refused:
        raise forbidden("A caregiver does not decide for the person who sees their record.")
    return Withdrawn(count, await _erase(visit, record, client) if erase else None)


async def _connections(deed: Deed) -> list[Held]:
    """The Consents about applications that this reader's account gave."""
    keys = rights.keys_of(deed)
    ours = TokenAny(frozenset({keys.hashed(tokens.coded("category", RIGHT, Right.APPLICATION.value))}))
    active = TokenAny(frozenset({keys.hashed(tokens.coded("status", None, "active"))}))
    rows = await deed.fetch(
        all_of(deed.every("Consent"), And((AuthoredBy(deed.visit.author(keys)), ours, active)), MOST)
    )
    keyring = Keyring({keys.record: keys})
    return [Held(stored, stored.json(keyring)) for stored in map(Stored.from_row, rows)]


def _grant_of(held: Held) -> str:
    return next((str(one.get("valueString")) for one in held.json.get("extension", ()) if one["url"] == GRANT), "")


def _runs(held: Held, client: str, now: datetime) -> bool:
    said = terms_of(held.json)
    about = said.actor is not None and (said.actor.system, said.actor.value) == (CLIENT, client)
    return about and (said.until is None or said.until > now)


async def _erase(visit: Visit, record: str, client: str) -> int:
    """Delete what an application wrote, in transactions of BATCH at most. Documents go with their content."""
    done, kept = 0, set[str]()
    for content in (False, True):
        more = True
        while more:
            async with visit.act(record, DELETE, Tag.APPLICATION, ENDED) as deed:
                rows = await deed.fetch(_written(deed, client, kept, content=content))
                buried = [row["id"] for row in rows if await _bury(deed, row)]
            kept |= {row["id"] for row in rows} - set(buried)
            done, more = done + len(buried), len(rows) == BATCH
    return done


def _written(deed: Deed, client: str, kept: set[str], *, content: bool) -> Statement:
    keys = rights.keys_of(deed)
    binary = KindIn(frozenset({"Binary"}))
    theirs = TokenAny(frozenset({provenance.mark(keys, client)}))
    mine = AuthoredBy(deed.visit.author(keys))
    match = And((mine, theirs, binary if content else Not(binary), Not(IdIn(frozenset(kept)))))
    return all_of(deed.viewing(DELETE).inside, match, BATCH, lock=True)


async def _bury(deed: Deed, row: Any) -> bool:
    """Delete one resource; not a right, which is ended, nor the content of a document that stays, nor a letter sent,
    which is its recipient's too. A reminder is the person's alone: who tells reminders forgets its row."""
    found = Stored.from_row(row)
    kind, body = KINDS[found.kind], found.json(deed.view.keyring)
    if kind is rights.CONSENT and rights.is_right(body):
        return False
    if is_operated(body):
        if reminder.read(body) is None:
            return False
        await store.bury(deed.session, found.bucket, found.id, found.version, deed.visit.now)
        deed.touched.append(f"{kind.name}/{found.id}")
        return True
    if kind.name == "Binary" and await store.governor_of(deed.session, found.bucket, found.id):
        return False
    await writing.bury(deed, kind, found, mine=True)
    return True
