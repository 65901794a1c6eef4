"""Looking at one record for those it concerns, and telling them: one transaction, whatever is killed in the middle.

The rule: each recipient is told from what they themselves see, and what they are told is kept from who sees
less. The message, its mark, what announces it and the date of the next look commit together, or nothing does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, bindparam, or_, select

from auth import accounts
from auth.accounts import Account
from fhir import store
from fhir.parameters import KINDS
from fhir.predicate import Withheld
from fhir.record import bucket_of, new_id
from fhir.search import all_of
from fhir.store import draft
from fhir.tables import ID
from fhir.validation import validate
from phr import notices
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import SELF, System, identity
from phr.access.scope import READ
from phr.access.visit import Deed, Visit
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, Reason
from phr.events import Topic, emit
from phr.lifecycle import life_of
from phr.notifications import device
from phr.notifications.audience import Listener, listening, may_know
from phr.preferences import prefers
from phr.prevention import message, watch
from phr.prevention.campaign import Programme
from phr.prevention.dates import day
from phr.prevention.engine import advise
from phr.prevention.person import Person
from phr.prevention.record import SOUGHT, WHOLE, recall
from phr.prevention.telling import Recipient, Telling, choose
from phr.representation import representation
from phr.rights import keys_of

NOBODY_YET = timedelta(days=30)
"""How long until a record that nobody reads is looked at again: an account opened meanwhile writes nothing in it."""
_MOST = 100
_COMMUNICATION = KINDS["Communication"]
_DELEGATES = compile_query(
    select(representation.c.account).where(
        representation.c.record == bindparam("record", type_=ID),
        or_(
            representation.c.ended.is_(None),
            representation.c.ended > bindparam("now", type_=DateTime(timezone=True)),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of one look: whose it was, how many were told, whom by mail and push; `wait`: come back then."""

    person: Person | None = None
    told: int = 0
    mailed: frozenset[UUID] = frozenset()
    pushed: frozenset[UUID] = frozenset()
    wait: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one recipient is to be told. `ways`: those, beside the centre, that the campaigns and the person allow."""

    to: Listener
    telling: Telling
    ways: frozenset[str]


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
    rows = await session.fetch(_DELEGATES, {"record": name, "now": now})
    found = await accounts.reached(session, here.system_keys, name, [row["account"] for row in rows])
    return sorted(found, key=lambda one: one.record != name)


async def _look(deed: Deed, programme: Programme, to: Sequence[Account], at: datetime, rehearsing: bool) -> Looked:
    name, whose, plans = keys_of(deed).record, None, list[_Plan]()
    if not rehearsing:
        await watch.claim(deed.session, name, deed.visit.now)
    dates = await _announcements(deed)
    listeners = [await listening(deed, account, "") for account in to]
    allowed = [one for one in listeners if may_know("prevention", one.deed.decision)]
    dates += [] if allowed else [day(at) + NOBODY_YET]
    for listener in allowed:
        person = await _seen(listener.deed)
        if person is None:
            continue
        whose = whose or person
        recipient = await _recipient(listener.deed, listener.account)
        telling = choose(programme, advise(programme.rules, person, day(at)), person.statements, recipient, at)
        dates += [] if telling.again is None else [telling.again]
        plans.append(_Plan(listener, telling, await _ways(listener, telling)))
    told = sorted((one for one in plans if one.telling.items), key=lambda one: one.to.account.id)
    if not rehearsing:
        # TRAP: in one order everywhere, else two records with the same two readers wait for each other for ever.
        for one in told:
            await _tell(one, at)
        await watch.settle(deed.session, name, min(dates, default=None))
    waits = [one.telling.wait for one in plans if one.telling.wait is not None]
    by_mail, by_push = (frozenset(_reached(told, way)) for way in (notices.EMAIL, notices.PUSH))
    return Looked(whose, len(told), by_mail, by_push, max(waits, default=None))


async def _announcements(deed: Deed) -> list[date]:
    """When what awaits its announcement is shown to the person at the latest (R1111-53): nobody writes then."""
    waits = await deed.fetch(all_of(deed.every(*WHOLE, *SOUGHT), Withheld(deed.visit.now), _MOST))
    return [day(store.a_month_after(row["updated"])) for row in waits]


def _reached(told: Sequence[_Plan], way: str) -> Iterator[UUID]:
    return (one.to.account.id for one in told if way in one.ways)


async def _ways(to: Listener, telling: Telling) -> frozenset[str]:
    """By which ways it would reach them: said by a campaign and its rule, not refused, and for a push, to a device."""
    keys, visit = keys_of(to.deed), to.deed.visit
    ways = frozenset(one for one in notices.preferred(to, "prevention") if telling.by(one))
    if notices.PUSH in ways:
        system = visit.installation.system_keys
        if not await device.listed(to.deed.session, system, to.account.id, keys.record, visit.now):
            return ways - {notices.PUSH}
    return ways


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


async def _tell(plan: _Plan, at: datetime) -> None:
    """The message, what is kept of it, and what says that a message is there: once a day for each way and account."""
    deed, account, telling = plan.to.deed, plan.to.account, plan.telling
    keys, visit, session = keys_of(deed), deed.visit, deed.session
    body = message.communication(keys.record, account, telling.advices, at, deed.decision.because)
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
    system = visit.installation.system_keys
    ways = [one for one in sorted(plan.ways) if await watch.first_of_day(session, system, account.id, one, at)]
    hours = {one.campaign.quiet for one in telling.items}
    await notices.remind(deed, account, "prevention", made.reference, by=ways, hours=hours)
