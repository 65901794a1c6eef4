"""Who may act for whom: a parent for a child's record. Caregivers come with the citizen's other rights.

The rule: a representation is written by the operator, checked when the citizen chooses for whom they sign in, and
ending it revokes every grant made under it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Column, DateTime, LargeBinary, Select, String, Table, Uuid, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import grants
from auth.accounts import Account
from auth.choices import RecordChoice
from fhir.tables import ID
from phr.core.database import metadata
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

representation = Table(
    "representation",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("basis", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("ended", DateTime(timezone=True)),
)
"""Keyed by the account that acts, which distributes it. `sealed`: what the person is called on the chooser page.
`ended` may be to come: the day a child is of age."""

PARENT = "parent"
MAJORITY = 18
"""Code civil, art. 371-1 and 414: parental authority lasts until majority, at eighteen."""

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class Representation:
    """One person acting for another. `until`: when it ends, None when nothing says so."""

    account: UUID
    record: str
    label: str = field(repr=False)
    basis: str
    since: datetime
    until: datetime | None


def add(
    session: Session,
    keys: SystemKeys,
    account: UUID,
    record: str,
    label: str,
    basis: str,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Let an account act for a record, or write again how and until when. `label`: a first name, nothing more."""
    sealed = seal(keys.get("accounts"), json.dumps({"label": label}).encode(), _context(account, record))
    row = {"account": account, "record": record, "basis": basis, "sealed": sealed, "created": now, "ended": until}
    statement = insert(representation).values(row)
    again = {name: statement.excluded[name] for name in ("basis", "sealed", "created", "ended")}
    key = [representation.c.account, representation.c.record]
    session.execute(statement.on_conflict_do_update(index_elements=key, set_=again))


def end(session: Session, keys: SystemKeys, account: UUID, record: str, now: datetime) -> bool:
    """End a representation and revoke the grants made under it; whether there was one."""
    ended = update(representation).where(_is(account, record), _lasts(now)).values(ended=now)
    found = session.execute(ended.returning(representation.c.record)).one_or_none() is not None
    if found:
        grants.revoke_for(session, keys, account, record, now)
    return found


def choices(session: Session, keys: SystemKeys, account: Account, now: datetime) -> list[RecordChoice]:
    """The records a citizen may open: their own, then those of the people they represent.

    Until the caller's transaction is over none of them ends: whatever grant is made now is revoked by what ends it.
    """
    own = [] if account.record is None else [RecordChoice(account.record, account.name, own=True)]
    rows = session.execute(_standing(account.id, now).with_for_update(read=True)).all()
    others = sorted((_opened(keys, row) for row in rows), key=lambda one: (one.label.casefold(), one.record))
    return own + [RecordChoice(one.record, one.label, own=False) for one in others if one.record != account.record]


def holds(session: Session, account: UUID, record: str, now: datetime) -> bool:
    """Whether an account represents the person of this record. Its own record is not a matter of representation.

    As with `choices`, it does not end before the caller's transaction does.
    """
    found = select(representation.c.record).where(_is(account, record), _lasts(now)).with_for_update(read=True)
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


def _is(account: UUID, record: str) -> Any:
    return (representation.c.account == account) & (representation.c.record == record)


def _lasts(now: datetime) -> Any:
    return or_(representation.c.ended.is_(None), representation.c.ended > now)


def _opened(keys: SystemKeys, row: Any) -> Representation:
    said = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.account, row.record)))
    return Representation(row.account, row.record, said["label"], row.basis, row.created, row.ended)


def _context(account: UUID, record: str) -> bytes:
    return b"representation|" + account.bytes + b"|" + record.encode()
