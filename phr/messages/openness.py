"""Who lets people write to them first: a professional for themself, or somebody of a structure for the structure.

The rule: unsaid, nobody does. A person answers whoever wrote to them, and may always write to a pharmacy.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, Table, Uuid, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from fhir.predicate import equals_any
from phr.access.consent import STRUCTURES, Actor
from phr.access.journal import Tag
from phr.access.reader import Professional, identity
from phr.access.scope import UPDATE
from phr.access.visit import Visit, asked_of
from phr.core.database import Session, compile_query, metadata
from phr.core.errors import forbidden, invalid
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey
from phr.messages.thread import COMMUNICATION
from phr.reading import require

message_opening = Table(
    "message_opening",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""A keyed hash of each professional or structure that people may write to first."""

_HASH = bindparam("hash", type_=Uuid())
_ALLOW = compile_query(
    insert(message_opening)
    .values(hash=_HASH, at=bindparam("at", type_=DateTime(timezone=True)))
    .on_conflict_do_nothing()
)
_REFUSE = compile_query(delete(message_opening).where(message_opening.c.hash == _HASH))
_AMONG = compile_query(
    select(message_opening.c.hash).where(equals_any(message_opening.c.hash, bindparam("hashes", type_=ARRAY(Uuid()))))
)


async def allow(visit: Visit, *, wanted: bool, structure: bool) -> None:
    """Let people write first, or not any more: to the professional who asks, or to the `structure` they act in.

    Raises FORBIDDEN (no professional), CONTENT (they act in no structure).
    """
    require(visit, UPDATE, COMMUNICATION)
    reader = visit.reader
    if not isinstance(reader, Professional):
        raise forbidden("Only a professional says who may write to them.")
    if structure and not reader.identity.structure:
        raise invalid("You act in no structure.", "Parameters.parameter.where(name = 'structure')")
    name = Actor(STRUCTURES, reader.identity.structure).name if structure else identity(reader)
    async with visit.act(None, UPDATE, Tag.MESSAGE, asked_of((COMMUNICATION.name, "$allow-messages"))) as deed:
        row = {"hash": _hash(visit.installation.system_keys, name)}
        await deed.session.fetch(_ALLOW if wanted else _REFUSE, row | ({"at": visit.now} if wanted else {}))


async def open_to_people(session: Session, keys: SystemKeys, actors: Iterable[Actor]) -> frozenset[str]:
    """The names of those who let people write to them first."""
    hashes = {_hash(keys, one.name): one.name for one in actors}
    rows = await session.fetch(_AMONG, {"hashes": list(hashes)})
    return frozenset(hashes[row["hash"]] for row in rows)


def _hash(keys: SystemKeys, name: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "message opening"), name)
