"""Rotating the key-encryption key: every data key wrapped again, none changed, while the server runs; retiring one.

The rule: a key is replaced only where it still is what was read, so a rotation beside writes loses nothing; a KEK that
still wraps a key is never retired. A destroyed record has no key, and is left alone.
"""

from collections.abc import AsyncIterator

from sqlalchemy import Engine, Integer, LargeBinary, SmallInteger, String, bindparam, func, select, union_all, update
from starlette.concurrency import run_in_threadpool

from fhir.tables import ID, record
from phr.access.installation import Installation
from phr.core.database import compile_query
from phr.core.keys import rewrap_system_keys, system_key
from phr.core.vault import Wrapped
from phr.lifecycle import nothing_opens

_PAGE = 500
_current = bindparam("current", type_=String())
_keyed = record.c.erased.is_(None)
_COUNT = compile_query(select(func.count().label("left")).select_from(record).where(_keyed, record.c.kek != _current))
_OLD = compile_query(
    select(record.c.bucket, record.c.id, record.c.kek, record.c.wrapped)
    .where(_keyed, record.c.kek != _current)
    .limit(bindparam("page", type_=Integer()))
)
_REWRAP = compile_query(
    update(record)
    .where(
        record.c.bucket == bindparam("bucket", type_=SmallInteger()),
        record.c.id == bindparam("id", type_=ID),
        record.c.wrapped == bindparam("old", type_=LargeBinary()),
    )
    .values(kek=bindparam("kek", type_=String()), wrapped=bindparam("new", type_=LargeBinary()))
)
_UNDER = compile_query(
    union_all(
        select(record.c.kek).where(record.c.kek == _current).limit(1),
        select(system_key.c.kek).where(system_key.c.kek == _current).limit(1),
    )
)


async def left(installation: Installation) -> int:
    """How many record keys are not under the current KEK."""
    async with installation.database.session() as session:
        row = await session.one(_COUNT, {"current": installation.keks.current})
    return 0 if row is None else int(row["left"])


async def rewrap(installation: Installation, engine: Engine) -> AsyncIterator[int]:
    """Wrap every key under the current KEK; yields how many at each step. Restartable at any point."""
    yield await run_in_threadpool(rewrap_system_keys, engine, installation.keks)
    current = installation.keks.current
    async with installation.database.session() as session:
        while rows := await session.fetch(_OLD, {"current": current, "page": _PAGE}):
            moved = []
            for row in rows:
                context = row["id"].encode()
                key = installation.keks.unwrap(Wrapped(row["kek"], row["wrapped"]), context)
                new = installation.keks.wrap(key, context)
                where = {"bucket": row["bucket"], "id": row["id"], "old": row["wrapped"]}
                # TRAP: the key file may have changed since: what wraps is what is written.
                moved.append({**where, "kek": new.kek, "new": new.ciphertext})
            await session.execute_many(_REWRAP, moved)
            yield len(moved)


async def retire(installation: Installation, name: str) -> None:
    """Take an older KEK out of the key file: a dump of its time opens no more, whoever has it.

    Raises ValueError when a key is still under it, when it is the current one, or not in the file.
    """
    async with installation.database.transaction() as session:
        await nothing_opens(session)
        if await session.one(_UNDER, {"current": name}) is not None:
            raise ValueError(f"keys are still wrapped under {name}: rotate first")
        await run_in_threadpool(installation.keks.retire, name)
