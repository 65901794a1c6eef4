"""How many messages may be sent in an hour: by one author, wherever they write, and in one thread.

The rule: what is counted is a keyed hash and an instant, kept for an hour; nothing says what was written, nor to whom.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Column, DateTime, Table, Uuid, bindparam, delete, func, insert, select
from sqlalchemy import orm as sync

from phr.access.visit import Deed
from phr.core.database import compile_query, metadata
from phr.core.errors import DomainError, Issue, Reason
from phr.core.vault import keyed_uuid, subkey

BY_AUTHOR = 60
IN_THREAD = 120
"""Messages in an hour: more than people write, less than software floods with."""
SPAN = timedelta(hours=1)

message_pace = Table(
    "message_pace",
    metadata,
    Column("key", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("id", Uuid, primary_key=True),
)
"""One row for each message of the last hour and each of its keys: a hash of who wrote, and one of the thread."""

_KEY, _SINCE = bindparam("key", type_=Uuid()), bindparam("since", type_=DateTime(timezone=True))
_FORGET = compile_query(delete(message_pace).where(message_pace.c.key == _KEY, message_pace.c.at <= _SINCE))
_COUNT = compile_query(select(func.count().label("sent")).where(message_pace.c.key == _KEY, message_pace.c.at > _SINCE))
_PUT = compile_query(
    insert(message_pace).values({one.name: bindparam(one.name, type_=one.type) for one in message_pace.c})
)


def forget(session: sync.Session, now: datetime) -> None:
    """Delete what is older than an hour, of those too who write no more. Safe at any time, in any process."""
    session.execute(delete(message_pace).where(message_pace.c.at <= now - SPAN))


async def keep(deed: Deed, author: str, thread: str) -> None:
    """Count one more message. Raises TOO_MANY (429) when the author, or the thread, has had their hour's worth."""
    now = deed.visit.now
    for name, most in ((f"author {author}", BY_AUTHOR), (f"thread {thread}", IN_THREAD)):
        key = _key(deed, name)
        await deed.session.fetch(_FORGET, {"key": key, "since": now - SPAN})
        row = await deed.session.one(_COUNT, {"key": key, "since": now - SPAN})
        if row is not None and row["sent"] >= most:
            raise DomainError(Reason.TOO_MANY, Issue("throttled", "Too many messages in an hour: wait a little."))
        await deed.session.fetch(_PUT, {"key": key, "at": now, "id": uuid4()})


def _key(deed: Deed, name: str) -> UUID:
    return keyed_uuid(subkey(deed.visit.installation.system_keys.get("lookup"), "message pace"), name)
