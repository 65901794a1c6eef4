"""Looking at one record for those it concerns, and telling them: one transaction, whatever is killed in the middle.

The rule: each recipient is told from what they themselves see, and what they are told is kept from who sees
less. The message, its mark, the mail and the date of the next look commit together, or nothing does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, bindparam, or_, select

from auth import accounts
from auth.accounts import Account
from auth.scopes import Scope
from fhir import store
from fhir.parameters import KINDS
from fhir.record import bucket_of, new_id
from fhir.store import draft
from fhir.tables import ID
from fhir.validation import validate
from phr import notices
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import Citizen, Delegate, System, identity
from phr.access.scope import READ
from phr.access.visit import Deed, Visit
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, Reason
from phr.events import Topic, emit
from phr.lifecycle import life_of
from phr.preferences import prefers
from phr.prevention import message, watch
from phr.prevention.campaign import Programme
from phr.prevention.dates import day
from phr.prevention.engine import advise
from phr.prevention.person import Person
from phr.prevention.record import recall
from phr.prevention.telling import Recipient, Telling, choose
from phr.representation import PARENT, representation
from phr.rights import keys_of

SELF = "carnet"
"""The installation's own name, as the client that acts here."""
NOBODY_YET = timedelta(days=30)
"""How long until a record that nobody reads is looked at again: an account opened meanwhile writes nothing in it."""
_EVERYTHING = (Scope("patient", "*", frozenset("rs")),)
_COMMUNICATION = KINDS["Communication"]
_PARENTS = compile_query(
    select(representation.c.account).where(
        representation.c.record == bindparam("record", type_=ID),
        representation.c.basis == PARENT,
        or_(
            representation.c.ended.is_(None),
            representation.c.ended > bindparam("now", type_=DateTime(timezone=True)),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one look: whose it was, how many were told, by how many mails; `wait`: come back then."""

    person: Person | None = None
    told: int = 0
    mails: int = 0
    wait: datetime | None = None


async def look(
    here: Installation, programme: Programme, name: str, now: datetime, at: datetime, *, rehearsing: bool = False
) -> Looked:
    """Look at a record and tell those it concerns what is due at `at`. `rehearsing`: write nothing but the journal.

    A record that is closed is watched no more. Raises what the database raises; then nothing happened.
    """
    async with here.database.session() as session:
        to = await _recipients(session, here, name, now)
        if not to:
            life = await life_of(session, name)
            if not rehearsing and (life is None or life.closed is not None):
                await watch.drop(session, name)
            elif not rehearsing:
                await watch.claim(session, name, now)
                await watch.settle(session, name, day(at) + NOBODY_YET)
            return Looked()
    # Kept from representatives: that it was looked at tells that something was written.
    visit = Visit(here, System(SELF), (), (), now, confidential=True)
    try:
        async with visit.act(name, READ, Tag.PREVENTION, f"Patient/{name}/$prevention") as deed:
            return await _look(deed, programme, to, at, rehearsing)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
    if not rehearsing:
        async with here.database.session() as session:
            await watch.drop(session, name)
    return Looked()


async def _recipients(session: Session, here: Installation, name: str, now: datetime) -> list[Account]:
    rows = await session.fetch(_PARENTS, {"record": name, "now": now})
    found = await accounts.reached(session, here.system_keys, name, [row["account"] for row in rows])
    return sorted(found, key=lambda one: one.record != name)


async def _look(deed: Deed, programme: Programme, to: Sequence[Account], at: datetime, rehearsing: bool) -> Looked:
    name = keys_of(deed).record
    if not rehearsing:
        await watch.claim(deed.session, name, deed.visit.now)
    dates: list[date] = []
    looked = Looked()
    for account in to:
        through = await _through(deed, account)
        person = await _seen(through)
        if person is None:
            continue
        recipient = await _recipient(through, account)
        telling = choose(programme, advise(programme.rules, person, day(at)), person.statements, recipient, at)
        dates += [] if telling.again is None else [telling.again]
        wait = max((one for one in (looked.wait, telling.wait) if one is not None), default=None)
        sent = bool(telling.items)
        mailed = sent and telling.by("email")
        looked = Looked(looked.person or person, looked.told + sent, looked.mails + mailed, wait)
        if sent and not rehearsing:
            await _tell(through, account, telling, at)
    if not rehearsing:
        await watch.settle(deed.session, name, min(dates, default=None))
    return looked


async def _through(deed: Deed, account: Account) -> Deed:
    """The same transaction, seen as this account sees it."""
    name = keys_of(deed).record
    reader = (Citizen if account.record == name else Delegate)(SELF, str(account.id), name)
    return await deed.through(reader, _EVERYTHING, READ)


async def _seen(deed: Deed) -> Person | None:
    try:
        return await recall(deed)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return None  # who does not see the person is told nothing of them


async def _recipient(deed: Deed, account: Account) -> Recipient:
    keys = keys_of(deed)
    told = await watch.told(deed.session, keys.record, _whom(deed, account))

    def accepts(theme: str) -> bool:
        return prefers(deed.provisions, f"remind-{theme}", deed.visit.now)

    return Recipient(accepts, lambda occasion: keys.hashed(f"prevention|{account.id}|{occasion}"), told)


def _whom(deed: Deed, account: Account) -> UUID:
    return keys_of(deed).hashed(f"prevention|{account.id}")


async def _tell(deed: Deed, account: Account, telling: Telling, at: datetime) -> None:
    """The message, what is kept of it, and what says that a message is there."""
    keys, visit, session = keys_of(deed), deed.visit, deed.session
    body = message.communication(keys.record, account, telling.advices, at)
    issues = validate("Communication", body)
    if issues:
        raise DomainError(Reason.CONTENT, *issues)
    author = keys.hashed(identity(visit.reader))  # theirs to delete
    base = f"{visit.installation.settings.issuer}/fhir"
    identifier = new_id(bucket_of(keys.record) or 0)
    made = draft(_COMMUNICATION, identifier, 1, body, keys.record, author, keys, visit.now, base)
    await store.insert_all(session, [made], {keys.record: keys})
    deed.touched.append(made.reference)
    await emit(deed, Topic.ADVICE, made.reference)  # the message: it is kept from who sees less than its recipient
    await watch.tell(session, keys.record, _whom(deed, account), [one.mark for one in telling.items], at)
    await notices.remind(
        deed, account, "prevention", made.reference, mailed=telling.by("email"), pushed=telling.by("push")
    )
