"""Destroying a record whose time has come: its key first, for ever, then all that the database holds of it.

The rule: once the key is gone nothing opens, whatever is left; every step is a transaction that can be done again, so a
process that is killed loses nothing and the next one goes on. `docs/decisions/0015-destruction.md` says the rest.
"""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from sqlalchemy import (
    DateTime,
    Integer,
    SmallInteger,
    Table,
    bindparam,
    delete,
    exists,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from auth import accounts, grants, mail, owner
from fhir import store
from fhir.record import bucket_of
from fhir.tables import ID, record, record_lookup
from phr.access import chain
from phr.access.installation import Installation
from phr.access.journal import Tag, journal
from phr.access.reader import System
from phr.access.register import provision
from phr.access.scope import DELETE
from phr.access.visit import Deed, Visit
from phr.agenda.due import reminder
from phr.core import outbox
from phr.core.database import Query, compile_query
from phr.idempotence import answered
from phr.inbox import inbox
from phr.lifecycle import Closing, life_of, opposition
from phr.messages.drafts import message_draft
from phr.messages.life import message_thread
from phr.messages.marks import message_mark
from phr.mssante.marks import mssante_mail
from phr.notifications.device import push_device
from phr.notifications.entry import notification
from phr.prescription.ledger import prescription
from phr.prevention.feed import calendar_feed
from phr.prevention.watch import prevention_message, prevention_watch
from phr.representation import delegation_invitation, representation
from phr.sharing import access_code
from phr.subscriptions.ledger import subscription, subscription_event
from phr.traits import trait_lookup

log = logging.getLogger("carnet")

PAGE = 500
"""Rows deleted in one transaction."""
BY = System("destruction")
"""In whose journal a destruction is written: the record's own goes with it."""

_now = bindparam("now", type_=DateTime(timezone=True))
_bucket, _record = bindparam("bucket", type_=SmallInteger()), bindparam("record", type_=ID)
_mine = (record.c.bucket == _bucket, record.c.id == _record)
_is_due = (record.c.closed.is_not(None), record.c.erase_after <= _now)
_COUNT = compile_query(select(func.count().label("due")).select_from(record).where(*_is_due))
_DUE = compile_query(
    select(record.c.erase_after, record.c.id)
    .where(*_is_due, tuple_(record.c.erase_after, record.c.id) > tuple_(bindparam("after", type_=_now.type), _record))
    .order_by(record.c.erase_after, record.c.id)
    .limit(bindparam("page", type_=Integer()))
)
_LOSE = compile_query(
    update(record)
    .where(*_mine, *_is_due, record.c.erased.is_(None))
    .values(kek="", wrapped=literal(b"", record.c.wrapped.type), erased=_now, rights=record.c.rights + 1)
    .returning(record.c.id)
)
_KEEP_AWAY = compile_query(
    insert(opposition)
    .from_select(
        ["hash", "at"],
        select(record_lookup.c.hash, _now).where(
            record_lookup.c.record == _record, ~exists().where(*_mine, record.c.closing == Closing.DEATH.value)
        ),
    )
    .on_conflict_do_nothing()
)
"""Whoever closed their record wants no other: none opens by itself under the same INS, until they say so."""
_DELEGATES = compile_query(select(representation.c.account).where(representation.c.record == _record))
_DONE = compile_query(update(record).where(*_mine, record.c.erased.is_not(None)).values(erase_after=null()))


def _drop(table: Table, column: str = "record") -> Query:
    key = list(table.primary_key)
    page = select(*key).where(table.c[column] == _record)
    if "bucket" in table.c:
        page = page.where(table.c.bucket == _bucket)
    some = tuple_(*key).in_(page.limit(bindparam("page", type_=Integer())))
    return compile_query(delete(table).where(some).returning(table.c[column]))


_REST = (
    *(_drop(table) for table in (provision, access_code, inbox, delegation_invitation, representation, trait_lookup)),
    *map(_drop, (prevention_watch, prevention_message, calendar_feed, record_lookup, answered)),
    *map(_drop, (subscription, subscription_event, message_thread, message_mark, message_draft)),
    *map(_drop, (notification, push_device, mssante_mail, reminder)),
    # A number of a prescription serves once and for ever: of the record, it forgets all.
    compile_query(
        update(prescription)
        .where(prescription.c.bucket == _bucket, prescription.c.record == _record)
        .values(dict.fromkeys(("bucket", "record", "task", "until"), null()))
        .returning(prescription.c.number)
    ),
    _drop(journal, "chain"),
)


async def count_due(installation: Installation, now: datetime) -> int:
    """How many records are to be destroyed, or not wholly gone yet."""
    async with installation.database.session() as session:
        row = await session.one(_COUNT, {"now": now})
    return 0 if row is None else int(row["due"])


async def destroy_due(installation: Installation, now: datetime) -> AsyncIterator[str]:
    """Destroy every record whose time has come; yields each one's id when nothing is left of it. Safe in parallel.

    One that cannot be is logged and left for the next time (`count_due` still counts it): it keeps no other waiting.
    """
    at, name = datetime(1900, 1, 1, tzinfo=UTC), ""
    while True:
        async with installation.database.session() as session:
            due = await session.fetch(_DUE, {"now": now, "after": at, "record": name, "page": PAGE})
        for row in due:
            at, name = row["erase_after"], row["id"]
            try:
                done = await _destroy(installation, name, now)
            except Exception as error:  # whatever it is, the others have their time too
                log.error("a record could not be destroyed: %s", type(error).__name__)
                continue
            if done:
                yield name
        if not due:
            return


async def _destroy(installation: Installation, name: str, now: datetime) -> bool:
    """Destroy one record, from wherever it was left. False when it was opened again meanwhile."""
    async with Visit(installation, BY, (), (), now).act(None, DELETE, Tag.CLOSE, "destroy") as deed:
        if not await _lose_the_key(deed, name):
            deed.refused = "not-due"
    async with installation.database.session() as session:
        life = await life_of(session, name)
        if life is None or life.erased is None:
            return False
        # Each statement is a transaction of its own: what is gone stays gone.
        while await store.purge(session, name, PAGE):
            pass
        for query in _REST:
            while await session.fetch(query, {**_place(name), "page": PAGE}):
                pass
        await session.fetch(_DONE, _place(name))
    installation.forget(name)
    return True


async def _lose_the_key(deed: Deed, name: str) -> bool:
    """The step that cannot be undone: the key, and who was bound to the record. False when it was not to be done."""
    session, installation, now = deed.session, deed.visit.installation, deed.visit.now
    if await session.one(_LOSE, {**_place(name), "now": now}) is None:
        return False
    deed.touched.append(f"Patient/{name}")
    await chain.end(session, installation, name)
    await session.fetch(_KEEP_AWAY, {**_place(name), "now": now})
    keys, language = installation.system_keys, mail.LANGUAGES[0]
    for account in await accounts.reached(session, keys, name, ()):
        subject, text = mail.written("record_destroyed", language).filled({"moment": mail.moment(now, language)})
        await outbox.enqueue(session, keys, mail.KIND, {"to": account.email, "subject": subject, "text": text}, now)
    await owner.part(session, keys, name, now)
    for row in await session.fetch(_DELEGATES, _place(name)):
        await grants.withdraw(session, keys, row["account"], name, now)
    return True


def _place(name: str) -> dict[str, object]:
    return {"bucket": bucket_of(name), "record": name}
