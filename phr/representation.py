"""Who may act for whom, on the side of the account: for whom a person may sign in, as a parent or as a caregiver.

The rule: what lets one person into another's record is a Consent in that record; a row here is its index, written and
ended in the same transaction. Ending it revokes every grant made under it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    Select,
    SmallInteger,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import grants
from auth.accounts import Account
from auth.choices import RecordChoice
from fhir.tables import ID
from phr.core import database
from phr.core.database import compile_query, metadata
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

representation = Table(
    "representation",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("record", ID, primary_key=True, index=True),
    Column("basis", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("ended", DateTime(timezone=True)),
    Column("consent", ID),
)
"""Keyed by the account that acts, which distributes it. `sealed`: what the person is called on the chooser page.
`ended` may be to come: the day a child is of age. `consent` is null in a row of the release before 0.3."""

delegation_invitation = Table(
    "delegation_invitation",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("consent", ID, primary_key=True, index=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("record", ID, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False),
    Column("answered", DateTime(timezone=True)),
)
"""Invitations an account received to act for somebody: keyed by who receives. `sealed`: what the page says of it."""

PARENT, CAREGIVER = "parent", "caregiver"
MAJORITY = 18
"""Code civil, art. 371-1 and 414: parental authority lasts until majority, at eighteen."""

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class Representation:
    """One person acting for another. `until`: when it ends, None when nothing says so; `consent`: what it rests on."""

    account: UUID
    record: str
    label: str = field(repr=False)
    basis: str
    since: datetime
    until: datetime | None
    consent: str | None = None


def _instant(name: str) -> Any:
    return bindparam(name, type_=DateTime(timezone=True))


_ONE = and_(
    representation.c.account == bindparam("account", type_=Uuid()),
    representation.c.record == bindparam("record", type_=ID),
)
_LASTS = or_(representation.c.ended.is_(None), representation.c.ended > _instant("now"))
_PUT = insert(representation).values(
    {column.name: bindparam(column.name, type_=column.type) for column in representation.c}
)
_ADD = compile_query(
    _PUT.on_conflict_do_update(
        index_elements=[representation.c.account, representation.c.record],
        set_={name: _PUT.excluded[name] for name in ("basis", "sealed", "created", "ended", "consent")},
    )
)
_END = compile_query(
    update(representation).where(_ONE, _LASTS).values(ended=_instant("until")).returning(representation.c.record)
)
_COUNT = compile_query(
    select(func.count().label("found"))
    .select_from(representation)
    .where(
        representation.c.account == bindparam("account", type_=Uuid()),
        representation.c.basis == bindparam("basis", type_=String()),
        _LASTS,
    )
)


async def add(session: database.Session, keys: SystemKeys, one: Representation) -> None:
    """Let an account act for a record under a Consent, or write again how and until when. The label: a first name."""
    context = _context(one.account, one.record)
    row = {
        "account": one.account,
        "record": one.record,
        "basis": one.basis,
        "sealed": seal(keys.get("accounts"), json.dumps({"label": one.label}).encode(), context),
        "created": one.since,
        "ended": one.until,
        "consent": one.consent,
    }
    await session.fetch(_ADD, row)


async def shorten(session: database.Session, account: UUID, record: str, until: datetime | None, now: datetime) -> None:
    """Say again until when a representation lasts, as its Consent now does."""
    await session.fetch(_END, {"account": account, "record": record, "until": until, "now": now})


async def end(session: database.Session, keys: SystemKeys, account: UUID, record: str, now: datetime) -> bool:
    """End a representation and revoke the grants made under it; whether there was one."""
    found = await session.one(_END, {"account": account, "record": record, "until": now, "now": now})
    if found is not None:
        await grants.withdraw(session, keys, account, record, now)
    return found is not None


async def count(session: database.Session, account: UUID, basis: str, now: datetime) -> int:
    """For how many people an account acts now on this basis."""
    row = await session.one(_COUNT, {"account": account, "basis": basis, "now": now})
    return 0 if row is None else int(row["found"])


def choices(session: Session, keys: SystemKeys, account: Account, now: datetime) -> list[RecordChoice]:
    """The records a citizen may open: their own, then those of the people they act for.

    Until the caller's transaction is over none of them ends: whatever grant is made now is revoked by what ends it.
    What is granted while the person is a minor ends with their minority: they consent again when they are of age.
    """
    own = [] if account.record is None else [RecordChoice(account.record, account.name, True, _minor(account, now))]
    rows = session.execute(_standing(account.id, now).with_for_update(read=True)).all()
    others = sorted((_opened(keys, row) for row in rows), key=lambda one: (one.label.casefold(), one.record))
    return own + [
        RecordChoice(one.record, one.label, False, one.until) for one in others if one.record != account.record
    ]


def _minor(account: Account, now: datetime) -> datetime | None:
    """When a minor who signs in is of age; None of an adult, and of who never proved a birth date."""
    until = None if account.born is None else majority(account.born)
    return until if until is not None and until > now else None


def holds(session: Session, account: UUID, record: str, now: datetime) -> bool:
    """Whether an account acts for the person of this record. Its own record is not a matter of representation.

    As with `choices`, it does not end before the caller's transaction does.
    """
    mine = representation.c.account == account, representation.c.record == record, _lasts(now)
    found = select(representation.c.record).where(*mine).with_for_update(read=True)
    return session.execute(found).one_or_none() is not None


def of_account(session: Session, keys: SystemKeys, account: UUID, now: datetime) -> list[Representation]:
    """The representations an account has now."""
    return [_opened(keys, row) for row in session.execute(_standing(account, now)).all()]


def every(session: Session, keys: SystemKeys, now: datetime) -> Iterator[Representation]:
    """Every representation that lasts, a thousand rows at a time: for the operator."""
    statement = select(representation).where(_lasts(now)).order_by(representation.c.account, representation.c.record)
    for row in session.execute(statement.execution_options(yield_per=1000)):
        yield _opened(keys, row)


def majority(birth: date) -> datetime:
    """The instant a person is of age: the first of their eighteenth birthday, in Paris; 1 March for 29 February."""
    year = birth.year + MAJORITY
    try:
        day = birth.replace(year=year)
    except ValueError:
        day = date(year, 3, 1)
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)


def _standing(account: UUID, now: datetime) -> Select[Any]:
    return select(representation).where(representation.c.account == account, _lasts(now))


def _lasts(now: datetime) -> Any:
    return or_(representation.c.ended.is_(None), representation.c.ended > now)


def _opened(keys: SystemKeys, row: Any) -> Representation:
    said = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.account, row.record)))
    return Representation(row.account, row.record, said["label"], row.basis, row.created, row.ended, row.consent)


def _context(account: UUID, record: str) -> bytes:
    return b"representation|" + account.bytes + b"|" + record.encode()
