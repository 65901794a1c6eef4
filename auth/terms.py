"""Which version of the terms a citizen accepted, and when.

The rule: an acceptance is never changed; a new version is accepted by a new row, and the latest one counts.
"""

import json
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth import tables
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

KIND = "terms"
"""The kind these rows have in `auth.tables.factor`: they prove nothing, and no list of factors shows them."""


def accepted(session: Session, keys: SystemKeys, account: UUID, version: str, now: datetime) -> None:
    """Write down that the citizen accepted this version."""
    made = uuid4()
    sealed = seal(keys.get("accounts"), json.dumps({"version": version}).encode(), _context(account, made))
    row = {"account": account, "id": made, "kind": KIND, "sealed": sealed, "counter": 0, "created": now}
    session.execute(insert(tables.factor).values(row))


def version_of(session: Session, keys: SystemKeys, account: UUID) -> str | None:
    """The version accepted last. None: none was."""
    row = session.execute(
        select(tables.factor.c.id, tables.factor.c.sealed)
        .where(tables.factor.c.account == account, tables.factor.c.kind == KIND)
        .order_by(tables.factor.c.created.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    version: str = json.loads(unseal(keys.get("accounts"), row.sealed, _context(account, row.id)))["version"]
    return version


def needs_terms(session: Session, keys: SystemKeys, account: UUID, version: str) -> bool:
    """Whether the citizen has yet to accept the version in force before going on."""
    return version_of(session, keys, account) != version


def _context(account: UUID, id: UUID) -> bytes:
    return b"terms|" + account.bytes + id.bytes
