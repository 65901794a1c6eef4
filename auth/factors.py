"""What proves a citizen besides the password: passkeys, authenticator applications, recovery codes.

The rule: what a factor is made of is sealed, and using one is a single statement, so that of any number of parallel
uses of the same proof one succeeds. The way back in is always there: a code to the verified e-mail needs no row here.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from auth.tables import factor
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

LABEL_CHARACTERS = 60


class Kind(StrEnum):
    """The closed list."""

    PASSKEY = "passkey"
    TOTP = "totp"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Factor:
    """One of an account's factors. `values` is what its kind keeps (JSON); `counter` as in `auth.tables`."""

    account: UUID
    id: UUID
    kind: Kind
    values: dict[str, Any]
    counter: int
    created: datetime
    last_used: datetime | None

    @property
    def label(self) -> str:
        """What the person calls it; empty when they gave it no name."""
        return str(self.values.get("label", ""))


def add(
    session: Session,
    keys: SystemKeys,
    account: UUID,
    id: UUID,
    kind: Kind,
    values: dict[str, Any],
    counter: int,
    now: datetime,
) -> None:
    """Keep a factor. Raises IntegrityError when the account has one of this id."""
    sealed = seal(keys.get("accounts"), json.dumps(values).encode(), _context(account, id))
    row = {"account": account, "id": id, "kind": kind.value, "sealed": sealed, "counter": counter, "created": now}
    session.execute(insert(factor).values(row))


def of_account(session: Session, keys: SystemKeys, account: UUID) -> list[Factor]:
    """All of an account's factors, oldest first."""
    rows = session.execute(select(factor).where(*_ours(account)).order_by(factor.c.created, factor.c.id))
    return [_opened(keys, row) for row in rows]


def find(session: Session, keys: SystemKeys, account: UUID, id: UUID) -> Factor | None:
    """One factor."""
    row = session.execute(select(factor).where(*_ours(account), factor.c.id == id)).one_or_none()
    return None if row is None else _opened(keys, row)


def kinds(session: Session, account: UUID) -> frozenset[Kind]:
    """Which kinds an account has."""
    rows = session.execute(select(factor.c.kind).where(*_ours(account)).distinct())
    return frozenset(Kind(row.kind) for row in rows)


def advance(session: Session, account: UUID, id: UUID, counter: int, now: datetime) -> bool:
    """Move the counter on, and write down the use. False when it is there or further already: used before."""
    statement = update(factor).where(*_is(account, id), factor.c.counter < counter)
    moved = statement.values(counter=counter, last_used=now).returning(factor.c.id)
    return session.execute(moved).one_or_none() is not None


def touch(session: Session, account: UUID, id: UUID, now: datetime) -> bool:
    """Write down a use of a factor that does not count; False when it counts, or is gone."""
    touched = update(factor).where(*_is(account, id), factor.c.counter == 0).values(last_used=now)
    return session.execute(touched.returning(factor.c.id)).one_or_none() is not None


def remove(session: Session, account: UUID, id: UUID, kind: Kind | None = None) -> bool:
    """Forget a factor: True for one of any number of parallel callers."""
    statement = delete(factor).where(*_ours(account), factor.c.id == id)
    if kind is not None:
        statement = statement.where(factor.c.kind == kind.value)
    return session.execute(statement.returning(factor.c.id)).one_or_none() is not None


def remove_all(session: Session, account: UUID, kind: Kind) -> int:
    """Forget every factor of a kind; how many there were."""
    gone = delete(factor).where(factor.c.account == account, factor.c.kind == kind.value).returning(factor.c.id)
    return len(session.execute(gone).all())


def named(label: str) -> str:
    """A name a person gave, short and on one line."""
    return " ".join(label.encode(errors="replace").decode().split())[:LABEL_CHARACTERS]


def _ours(account: UUID) -> tuple[Any, ...]:
    """The table holds other things a person agreed to or was given: those are not factors."""
    return factor.c.account == account, factor.c.kind.in_([kind.value for kind in Kind])


def _is(account: UUID, id: UUID) -> tuple[Any, ...]:
    return factor.c.account == account, factor.c.id == id


def _opened(keys: SystemKeys, row: Any) -> Factor:
    values: dict[str, Any] = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.account, row.id)))
    return Factor(row.account, row.id, Kind(row.kind), values, row.counter, row.created, row.last_used)


def _context(account: UUID, id: UUID) -> bytes:
    return b"factor|" + account.bytes + id.bytes
