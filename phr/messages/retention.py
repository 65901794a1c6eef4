"""Deleting the threads that are past their time, for who sets one.

The rule: a thread lives as its record does, unless the operator says for how long after its last message; past it, all
of it goes, in one transaction: messages, files, rights, marks and drafts.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from sqlalchemy import Table, bindparam, delete

from fhir.criteria import TokenAny
from fhir.lens import Lens
from fhir.predicate import And, Within
from fhir.record import bucket_of
from fhir.search import all_of
from phr import rights
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import DELETE
from phr.access.visit import Deed, Visit
from phr.core.database import Query, compile_query
from phr.core.errors import DomainError, Reason
from phr.inbox import inbox
from phr.messages import erasing, life
from phr.messages.drafts import message_draft
from phr.messages.marks import message_mark
from phr.messages.thread import token
from phr.operated import keys_of

BY = System("retention")
PAGE = 200
_MOST = 100_000


def _drop(table: Table, column: str = "thread") -> Query:
    named = ("bucket", "record", column)
    return compile_query(
        delete(table).where(*(table.c[name] == bindparam(f"of_{name}", type_=table.c[name].type) for name in named))
    )


_REST = ((_drop(message_mark), "thread"), (_drop(message_draft), "thread"), (_drop(inbox, "id"), "id"))


async def delete_due(installation: Installation, now: datetime, years: int) -> AsyncIterator[str]:
    """Delete every thread without a message for so many years; yields each one's id. Safe in parallel.

    A record that is closed keeps its threads until it is destroyed, whole.
    """
    since, tried = now - timedelta(days=round(years * 365.25)), set[str]()
    while True:
        async with installation.database.session() as session:
            rows = await life.quiet(session, since, PAGE + len(tried))
        due = [row for row in rows if row["thread"] not in tried]
        for row in due:
            tried.add(row["thread"])
            try:
                if await _delete(installation, row["record"], row["thread"], since, now):
                    yield row["thread"]
            except DomainError as error:
                if error.reason is not Reason.ABSENT:
                    raise
        if not due:
            return


async def _delete(installation: Installation, record: str, thread: str, since: datetime, now: datetime) -> bool:
    visit = Visit(installation, BY, (), (), now)
    async with visit.act(record, DELETE, Tag.MESSAGE, "Communication/$forget-thread", deciding=True) as deed:
        if not await life.ends(deed, thread, since):
            return False
        keys = keys_of(deed)
        mine = token(keys, thread)
        held = [one.id for one in await rights.listed(deed, [Right.CONVERSATION]) if mine in one.tokens]
        await rights.end(deed, held, "forgotten")
        everything = Lens(And((Within(bucket_of(record) or 0, record), TokenAny(frozenset({mine})))))
        ids = [row["id"] for row in await deed.fetch(all_of(everything, And(()), _MOST, gone=True))]
        await erasing.whole(deed, ids)
        await _forget(deed, record, thread)
        return True


async def _forget(deed: Deed, record: str, thread: str) -> None:
    for query, name in _REST:
        await deed.session.fetch(query, {"of_bucket": bucket_of(record), "of_record": record, f"of_{name}": thread})
