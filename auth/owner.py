"""The account of the person whose record it is, when the record ends: it is suspended, or parts from its record.

The rule: an account outlives its record, and may still act for others; nothing in it leads to a record that is gone.
"""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, LargeBinary, Uuid, bindparam, delete, select, update

from auth import accounts, grants, tables
from phr.core.database import Session, compile_query
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

_account, _lookup = tables.account, tables.account_lookup
_own = _lookup.c.name_hash == bindparam("own", type_=Uuid())
_mine = _account.c.id == bindparam("id", type_=Uuid())
_SUSPEND = compile_query(
    update(_account)
    .where(_account.c.id.in_(select(_lookup.c.account).where(_own)))
    .values(disabled=bindparam("disabled", type_=Boolean()))
    .returning(_account.c.id)
)
_PART = compile_query(delete(_lookup).where(_own).returning(_lookup.c.account))
_SEALED = compile_query(select(_account.c.sealed).where(_mine).with_for_update())
_SEAL = compile_query(update(_account).where(_mine).values(sealed=bindparam("sealed", type_=LargeBinary())))


async def suspend(session: Session, keys: SystemKeys, record: str, now: datetime, *, disabled: bool) -> None:
    """Refuse every later sign-in of the account of a record, as at its person's death; or accept them again.

    Suspended, all that it granted is taken back, for others' records too, and stays so: whoever has the person's
    telephone has their applications.
    """
    for row in await session.fetch(_SUSPEND, {"own": accounts._of(keys, record), "disabled": disabled}):
        if disabled:
            await grants.withdraw(session, keys, row["id"], None, now)


async def part(session: Session, keys: SystemKeys, record: str, now: datetime) -> UUID | None:
    """Part an account from its record, and take back what was granted on it; the account, if there was one."""
    row = await session.one(_PART, {"own": accounts._of(keys, record)})
    if row is None:
        return None
    found: UUID = row["account"]
    kept = await session.one(_SEALED, {"id": found})
    if kept is not None:
        context = accounts._context(found)
        profile = json.loads(unseal(keys.get("accounts"), kept["sealed"], context)) | {"record": None}
        sealed = seal(keys.get("accounts"), json.dumps(profile).encode(), context)
        await session.fetch(_SEAL, {"id": found, "sealed": sealed})
    await grants.withdraw(session, keys, found, record, now)
    return found
