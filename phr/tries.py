"""Tries of what is secret, counted for each professional: so many wrong ones a day, and no more.

The rule: a try is counted before anything is looked at, in one statement, so that no number of parallel guesses gets
past the limit; what was right is forgiven.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, case, or_, update
from sqlalchemy.dialects.postgresql import insert

from auth.tables import attempt
from auth.throttle import WINDOW as SWEPT
from phr.access.reader import identity
from phr.access.visit import Deed, Visit
from phr.core.database import compile_query
from phr.core.vault import keyed_uuid, subkey

TRIES = 20
WINDOW = timedelta(hours=24)
"""Wrong ones of one professional; the window opens at the first."""

_INSTANT = DateTime(timezone=True)
_hash = bindparam("hash", type_=Uuid())
_over = attempt.c.opened <= bindparam("stale", type_=_INSTANT)
_TRY = insert(attempt).values(hash=_hash, opened=bindparam("opened", type_=_INSTANT), tries=1)
_KNOCK = compile_query(
    _TRY.on_conflict_do_update(
        index_elements=[attempt.c.hash],
        set_={
            "tries": case((_over, 1), else_=attempt.c.tries + 1),
            "opened": case((_over, _TRY.excluded.opened), else_=attempt.c.opened),
        },
        where=or_(_over, attempt.c.tries < TRIES),
    ).returning(attempt.c.tries)
)
_FORGIVE = compile_query(
    update(attempt).where(attempt.c.hash == _hash, attempt.c.tries > 0).values(tries=attempt.c.tries - 1)
)


async def count(visit: Visit, what: str) -> bool:
    """Count one try of the reader's, before anything is looked at; False, and nothing counted, at the limit."""
    # TRAP: `auth.sweep` forgets a row one throttle window after `opened`: as written here, once ours is over.
    opened = visit.now + WINDOW - SWEPT
    bound = {"hash": _counter(visit, what), "opened": opened, "stale": visit.now - SWEPT}
    async with visit.installation.database.session() as session:
        return await session.one(_KNOCK, bound) is not None


async def forgive(deed: Deed, what: str) -> None:
    """Take back the try that was right."""
    await deed.session.fetch(_FORGIVE, {"hash": _counter(deed.visit, what)})


def _counter(visit: Visit, what: str) -> UUID:
    key = subkey(visit.installation.system_keys.get("lookup"), f"attempt {what}")
    return keyed_uuid(key, identity(visit.reader))
