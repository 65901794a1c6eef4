"""Telling a message's parties that there is one: their inbox, the person's notices, subscribers, and secure mail.

The rule: all is written in the transaction that writes the message, and says that there is one, never what it says.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from auth import accounts
from fhir.record import bucket_of
from phr import events, notices
from phr.access.consent import STRUCTURES, Actor
from phr.access.right import HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.core import outbox
from phr.core.database import compile_query
from phr.inbox import inbox, recipient
from phr.messages import marks
from phr.messages.mailboxes import address_of
from phr.messages.parties import shown_to
from phr.messages.thread import RECALL, Thread
from phr.operated import keys_of

THREAD = "thread"
"""The kind of an inbox's entry: a thread, at the instant of its last message."""
MSSANTE = "mssante"
"""The kind of a mail that waits: {"record", "communication", "thread", "to"}, for the gateway to write."""

_PUT = insert(inbox).values({column.name: bindparam(column.name, type_=column.type) for column in inbox.c})
_BUMP = compile_query(_PUT.on_conflict_do_update(index_elements=list(inbox.primary_key), set_={"at": _PUT.excluded.at}))


async def tell(deed: Deed, thread: Thread, message: str, author: str) -> None:
    """Tell all but the author (`phr.access.reader.identity`) of a message, by its id."""
    parties, silent = await shown_to(deed, thread), await marks.unsubscribed(deed, thread.id)
    hashed, about = keys_of(deed).hashed, f"Communication/{message}"
    awake = [one for one in parties if hashed(one.name) not in silent]
    for one in awake:
        await _bump(deed, one, thread.id)
    await events.emit(deed, events.Topic.MESSAGE, about, *(one.name for one in awake if one.name != author))
    if await _is_for_person(deed, thread, author, silent):
        await notices.tell(deed, "message", about=about, confidential=HIDDEN_FROM_PROXIES in thread.kept_from)
    await _mail(deed, [one for one in parties if one.name != author], thread.id, message)


async def _is_for_person(deed: Deed, thread: Thread, author: str, silent: Collection[UUID]) -> bool:
    """Whether the person is told: they take part, see it, did not write it, and still want to be told."""
    if author.startswith("account:") or not thread.has_person or HIDDEN_FROM_PATIENT in thread.kept_from:
        return False
    keys, system = keys_of(deed), deed.visit.installation.system_keys
    own = await accounts.reached(deed.session, system, keys.record, ()) if silent else []
    return not any(keys.hashed(f"account:{one.id}") in silent for one in own)


async def _bump(deed: Deed, party: Actor, thread: str) -> None:
    visit, record = deed.visit, keys_of(deed).record
    values = {"recipient": recipient(visit.installation.system_keys, party.name), "record": record, "kind": THREAD}
    await deed.session.fetch(
        _BUMP, {**values, "id": thread, "bucket": bucket_of(record), "at": visit.now, "until": None}
    )


async def _mail(deed: Deed, parties: Sequence[Actor], thread: str, message: str) -> None:
    visit, record = deed.visit, keys_of(deed).record
    for one in parties:
        address = address_of(visit.installation.settings, one.value) if one.system == STRUCTURES else None
        if address is not None:
            said = {"record": record, "communication": message, "thread": thread, "to": address}
            # While it may still be recalled it does not leave.
            keys = visit.installation.system_keys
            await outbox.enqueue(deed.session, keys, MSSANTE, said, visit.now + RECALL)
