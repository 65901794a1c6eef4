"""The devices an account is pushed to, each registered in one record: what is told of that record goes there.

The rule: where a device is reached is sealed; one that is not refreshed is forgotten, and so is one whose application
lost its grant, or whose push service says that it is gone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
    and_,
    bindparam,
    delete,
    exists,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Sync

from auth.tables import grant
from fhir.record import bucket_of
from fhir.tables import ID
from phr.core.database import Session, compile_query, metadata
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, seal, subkey, unseal

UNUSED = timedelta(days=180)
"""After so long without being registered again, a device is pushed to no more."""
MOST = 20
"""Devices of an account, over all the records it acts in: one more takes the place of the one unused for longest."""
WEB, MOBILE = "web-push", "mobile"

_INSTANT = DateTime(timezone=True)
push_device = Table(
    "push_device",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("record", ID, nullable=False),
    Column("grant", Uuid),
    Column("created", _INSTANT, nullable=False),
    Column("seen", _INSTANT, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Keyed by who receives. `id`: a keyed hash of account, record and where it is reached, so that it is refreshed, not
added, when registered again. `grant`: that of the application that registered it; null when our own pages did."""
Index("push_device_record_idx", push_device.c.bucket, push_device.c.record)


@dataclass(frozen=True, slots=True)
class Device:
    """A device. `kind`: WEB or MOBILE; `client`: the software that registered it; `reached`: how, by name."""

    id: UUID
    kind: str
    client: str
    created: datetime
    seen: datetime
    reached: Mapping[str, str] = field(repr=False)

    @property
    def until(self) -> datetime:
        """When it is forgotten, unless it is registered again."""
        return self.seen + UNUSED


_OWN = push_device.c.account == bindparam("account", type_=Uuid())
_ONE = and_(_OWN, push_device.c.id == bindparam("id", type_=Uuid()))
_HERE = and_(_OWN, push_device.c.record == bindparam("record", type_=ID))
_STANDS = and_(
    push_device.c.seen > bindparam("oldest", type_=_INSTANT),
    or_(
        push_device.c.grant.is_(None),
        exists().where(and_(grant.c.id == push_device.c.grant, grant.c.revoked.is_(None))),
    ),
)
_INSERT = insert(push_device).values({one.name: bindparam(one.name, type_=one.type) for one in push_device.c})
_PUT = compile_query(
    _INSERT.on_conflict_do_update(
        index_elements=[push_device.c.account, push_device.c.id],
        set_={name: _INSERT.excluded[name] for name in ("grant", "seen", "sealed")},
    )
)
_LISTED = compile_query(select(push_device).where(_HERE, _STANDS).order_by(push_device.c.created, push_device.c.id))
_REMOVE = compile_query(delete(push_device).where(_HERE, _ONE).returning(push_device.c.id))
_newest = (
    select(push_device.c.id)
    .where(_OWN)
    .order_by(push_device.c.seen.desc(), push_device.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_CROWD = compile_query(delete(push_device).where(_OWN, push_device.c.id.not_in(_newest)))


async def put(
    session: Session,
    keys: SystemKeys,
    account: UUID,
    record: str,
    given: UUID | None,
    said: Mapping[str, Any],
    now: datetime,
) -> UUID:
    """Register a device, or refresh it. `said`: {"kind", "client", "reached": {name: text}}."""
    where = json.dumps([str(account), record, said["reached"].get("endpoint") or said["reached"]["token"]])
    made = keyed_uuid(subkey(keys.get("lookup"), "push device"), where)
    own = {"account": account, "id": made, "bucket": bucket_of(record), "record": record, "grant": given}
    sealed = seal(keys.get("accounts"), json.dumps(said).encode(), _context(made))
    await session.fetch(_PUT, {**own, "created": now, "seen": now, "sealed": sealed})
    await session.fetch(_CROWD, {"account": account, "most": MOST})
    return made


async def listed(session: Session, keys: SystemKeys, account: UUID, record: str, now: datetime) -> Sequence[Device]:
    """The devices an account registered in this record, oldest first, but those that are over."""
    rows = await session.fetch(_LISTED, {"account": account, "record": record, "oldest": now - UNUSED})
    return [_opened(keys, row) for row in rows]


async def remove(session: Session, account: UUID, record: str, id: UUID) -> bool:
    """Forget one; whether there was one."""
    return await session.one(_REMOVE, {"account": account, "record": record, "id": id}) is not None


def find(session: Sync, keys: SystemKeys, account: UUID, id: UUID, now: datetime) -> Device | None:
    """A device to push to, unless it is over."""
    values = {"account": account, "id": id, "oldest": now - UNUSED}
    row = session.execute(select(push_device).where(_ONE, _STANDS), values).mappings().one_or_none()
    return None if row is None else _opened(keys, row)


def gone(session: Sync, account: UUID, id: UUID) -> None:
    """Forget a device that its push service does not know any more."""
    session.execute(delete(push_device).where(_ONE), {"account": account, "id": id})


def forget(session: Sync, now: datetime) -> None:
    """Forget those unused for too long."""
    session.execute(delete(push_device).where(push_device.c.seen <= now - UNUSED))


def _opened(keys: SystemKeys, row: Any) -> Device:
    said = json.loads(unseal(keys.get("accounts"), row["sealed"], _context(row["id"])))
    return Device(row["id"], said["kind"], said["client"], row["created"], row["seen"], said["reached"])


def _context(id: UUID) -> bytes:
    return b"push device|" + id.bytes
