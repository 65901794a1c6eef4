"""The private address of a person's calendar: who holds it reads the dates, until it is revoked.

The rule: the address is a secret of its own, stored hashed; it shows what its account may see at that instant: never of
what a prevention date is, and the titles of the agenda only if that was asked. Revoking it, making another, or the end
of the right it was made under ends it for good.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from icalendar import Calendar, Component, Event, vDuration
from icalendar.enums import CLASS, TRANSP
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    SmallInteger,
    Table,
    Uuid,
    bindparam,
    delete,
    false,
    insert,
    select,
)

from auth import accounts, scopes
from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.decision import Because
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import Citizen, Delegate, Person
from phr.access.scope import READ, SEARCH, granted
from phr.access.sight import CONSULT
from phr.access.visit import Deed, Visit
from phr.agenda.events import events
from phr.core.database import compile_query, metadata
from phr.core.errors import absent, forbidden
from phr.core.vault import keyed_uuid, subkey
from phr.prevention.advice import Advice, Status
from phr.prevention.dates import day
from phr.prevention.engine import advise
from phr.prevention.record import recall
from phr.prevention.rulebook import RULES
from phr.representation import PARIS

calendar_feed = Table(
    "calendar_feed",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("record", ID, nullable=False),
    Column("account", Uuid, nullable=False),
    Column("made", DateTime(timezone=True), nullable=False),
    Column("titles", Boolean, nullable=False, server_default=false()),
)
"""Keyed by the hash of the secret, which distributes it. `account`: whose eyes it is read with; `titles`: whether it
says what appointments and reminders are called."""
Index("calendar_feed_record_idx", calendar_feed.c.bucket, calendar_feed.c.record)

CLIENT = "carnet-calendar"
"""The calendar, as the journal names software."""
REFRESH = timedelta(hours=12)
SUMMARY = "Carnet : rendez-vous de prévention à prévoir"
_NAME = "Carnet"
_SECRET_BYTES = 32
_EYES = ("patient/*.rs",)

_of = (
    calendar_feed.c.bucket == bindparam("bucket", type_=SmallInteger()),
    calendar_feed.c.record == bindparam("record", type_=ID),
    calendar_feed.c.account == bindparam("account", type_=Uuid()),
)
_PUT = compile_query(
    insert(calendar_feed).values({one.name: bindparam(one.name, type_=one.type) for one in calendar_feed.c})
)
_END = compile_query(delete(calendar_feed).where(*_of))
_FIND = compile_query(select(calendar_feed).where(calendar_feed.c.hash == bindparam("hash", type_=Uuid())))


async def make(visit: Visit, record: str, *, titles: bool = False) -> str:
    """A new secret for this account in this record; the former one ends. Raises FORBIDDEN, ABSENT."""
    account, secret = _account(visit, record), secrets.token_bytes(_SECRET_BYTES)
    written = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    async with visit.act(record, READ, Tag.PREVENTION, "Patient/$calendar-address", deciding=True) as deed:
        if _sees(deed):
            where = {"bucket": bucket_of(record), "record": record, "account": account}
            await deed.session.fetch(_END, where)
            kept = {"hash": _hashed(visit.installation, written), "made": visit.now, "titles": titles}
            await deed.session.fetch(_PUT, {**where, **kept})
            return written
        deed.refused = "not-entitled"
    raise absent()


async def end(visit: Visit, record: str) -> None:
    """End the address of this account in this record, if there is one. Raises FORBIDDEN, ABSENT."""
    account = _account(visit, record)
    async with visit.act(record, READ, Tag.PREVENTION, "Patient/$end-calendar-address") as deed:
        where = {"bucket": bucket_of(record), "record": record, "account": account}
        await deed.session.fetch(_END, where)
        if _sees(deed):
            return
        deed.refused = "not-entitled"
    raise absent()


async def read(installation: Installation, secret: str, now: datetime) -> bytes:
    """The calendar at this address, as RFC 5545 writes it. Raises ABSENT alike whatever the reason."""
    async with installation.database.session() as session:
        row = await session.one(_FIND, {"hash": _hashed(installation, secret)})
        if row is None:
            raise absent()
        reached = await accounts.reached(session, installation.system_keys, row["record"], [row["account"]])
    owner = next((one for one in reached if one.id == row["account"]), None)
    if owner is None:
        raise absent()
    reader: Person = (Citizen if owner.record == row["record"] else Delegate)(CLIENT, str(owner.id), row["record"])
    return await _seen(Visit(installation, reader, _scopes(), (), now), row)


async def _seen(visit: Visit, row: Any) -> bytes:
    """The calendar, through the eyes of this reader. Once they see nothing, the address is worth nothing any more."""
    record, account = row["record"], row["account"]
    async with visit.act(record, READ, Tag.PREVENTION, "Patient/$calendar") as deed:
        if _sees(deed) and deed.opened is not None:
            person = await recall(deed)
            found = [] if person is None else advise(RULES, person, day(visit.now))
            agenda = await events(deed, titles=row["titles"])
            return calendar(found, agenda, visit.now, deed.opened.keys.hashed, visit.installation.settings.issuer)
        deed.refused = "not-entitled"
        where = {"bucket": bucket_of(record), "record": record, "account": account}
        await deed.session.fetch(_END, where)
    raise absent()


def calendar(
    found: Iterable[Advice], agenda: Iterable[Component], now: datetime, hashed: Callable[[str], UUID], issuer: str
) -> bytes:
    """The agenda, and one event for each day on which something is due: nothing says of what, nor how many things.

    The same all day long, so that whoever has it is told that it did not change. `hashed`: keyed, for stable names.
    """
    stamp = datetime.combine(day(now), time(), PARIS)
    whole = Calendar.new(name=_NAME, prodid="-//Carnet//Prevention//FR", uid=_uid(hashed("calendar")))
    # RFC 7986 §5.7: the type is written out; what older software reads says the same.
    whole.add("REFRESH-INTERVAL", REFRESH, parameters={"VALUE": "DURATION"})
    whole.add("X-PUBLISHED-TTL", vDuration(REFRESH))
    for one in agenda:
        whole.add_component(one)
    for on in sorted({on for advice in found if (on := date_of(advice)) is not None}):
        whole.add_component(
            Event.new(
                uid=_uid(hashed(f"calendar|{on}")),
                stamp=stamp,
                start=on,
                end=on + timedelta(days=1),
                summary=SUMMARY,
                url=f"{issuer}/me/prevention",
                classification=CLASS.PRIVATE,
                transparency=TRANSP.TRANSPARENT,
            )
        )
    return bytes(whole.to_ical())


def date_of(advice: Advice) -> date | None:
    """The day to write in a calendar: when it was due, when it will be, or when the person wants to hear of it."""
    if advice.until is not None and any(one.name == "later" for one in advice.why):
        return advice.until
    return None if advice.status is Status.ASK else advice.due


def _uid(mark: UUID) -> str:
    return f"{mark}@carnet"


def etag_of(calendar: bytes) -> str:
    """A mark of a calendar, for If-None-Match (RFC 9110 §8.8.3)."""
    return f'"{hashlib.sha256(calendar).hexdigest()[:32]}"'


def _account(visit: Visit, record: str) -> UUID:
    """Whose address it would be: the person's, or theirs who acts for them, with the whole of what they may read."""
    reader = visit.reader
    if not isinstance(reader, Person):
        raise forbidden("A calendar address is for the person, or for who acts for them.")
    if reader.record != record:
        raise absent()
    if not all(granted(visit.scopes, reader, verb, "*", whole=True) for verb in (READ, SEARCH)):
        raise forbidden("A calendar address shows what the whole record says: patient/*.rs is needed.")
    return UUID(reader.account)


def _sees(deed: Deed) -> bool:
    """Whether the reader reads the record: its person, who represents them, a caregiver who may consult it."""
    decision = deed.decision
    if decision.because is Because.CARES_FOR:
        return decision.powers is not None and CONSULT in decision.powers
    return decision.because in (Because.OWN_RECORD, Because.REPRESENTS)


def _scopes() -> tuple[scopes.Scope, ...]:
    return tuple(scope for text in _EYES if (scope := scopes.parse(text)) is not None)


def _hashed(installation: Installation, secret: str) -> UUID:
    return keyed_uuid(subkey(installation.system_keys.get("lookup"), "calendar address"), secret)
