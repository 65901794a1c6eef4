"""Filing an accepted mail: its message in a thread, its documents in the record, in one transaction for each person.

The rule: a mail that comes twice is one message. Whoever has no record, a closed one, or takes no mail from this sender
is told to the sender in the same words.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from phr import records
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.scope import CREATE
from phr.access.visit import Deed
from phr.core import outbox
from phr.core.errors import DomainError, Reason
from phr.messages.gateway import Mailbox, receive
from phr.mssante import bounce, depositing, letter, marks
from phr.mssante.address import ins_of
from phr.mssante.gateway import CLIENT, PATIENCE, RECEIVED, Gateway, LaterError
from phr.mssante.letter import Letter
from phr.operated import keys_of

_LATER = frozenset({Reason.UNAVAILABLE, Reason.TOO_MANY})


async def record_of(here: Installation, ins: str) -> str | None:
    """The one record that an INS opened, under whichever of its authorities; None when there is none, or several."""
    async with here.database.session() as session:
        found = {await records.find(session, here, f"urn:oid:{oid}", ins) for oid in here.settings.ins_oids} - {None}
    return found.pop() if len(found) == 1 else None


async def arrive(gateway: Gateway, message: dict[str, Any], now: datetime) -> None:
    """File an accepted mail for each person it is for, and tell its sender of those it could not be. Raises LaterError.

    Again and again, what is filed stays filed, once.
    """
    found = letter.read(base64.b64decode(message["content"]))
    patient = now - datetime.fromisoformat(message["at"]) < PATIENCE
    failed, later = [], False
    for address in message["to"]:
        try:
            filed = await _file(gateway, address, found, now)
        except DomainError as error:
            if error.reason in _LATER and patient:
                later = True
                continue
            filed = False
        failed += [] if filed else [address]
    if later:
        raise LaterError
    if failed and not found.automatic:
        await _bounce(gateway, message["from"], failed, found.id, now)


async def _file(gateway: Gateway, address: str, found: Letter, now: datetime) -> bool:
    """False when there is nobody there who takes it. Raises DomainError."""
    ins, structure = ins_of(gateway.settings, address), gateway.peers.structure(found.sender)
    if ins is None or structure is None or found.ins not in (None, ins):
        return False
    record = await record_of(gateway.here, ins)
    if record is None:
        return False
    sender = Mailbox(found.sender, structure.id, structure.name)
    async with gateway.visit(now).act(record, CREATE, Tag.MESSAGE, RECEIVED, deciding=True) as deed:
        keys, session, deed.motive = keys_of(deed), deed.session, f"Courrier de {structure.name}"
        if await marks.thread_of(session, keys, [marks.mark(keys, found.sender, found.id)]) is not None:
            return True
        answered = [marks.mark(keys, author, one) for one in found.answers for author in (address, found.sender)]
        thread = await marks.thread_of(session, keys, answered)
        filed = await depositing.deposit(deed, CLIENT, found.documents)
        thread = await _receive(deed, sender, found, thread, filed)
        await marks.put(session, keys, found.sender, found.id, thread, now)
    return True


async def _receive(deed: Deed, sender: Mailbox, found: Letter, thread: str | None, filed: Sequence[str]) -> str:
    """The message, in the thread it answers if the sender takes part in it, else in one of its own."""
    for answered in (thread, None) if thread is not None else (None,):
        try:
            return await receive(deed, sender, found.subject, found.text, found.files, answered, filed)
        except DomainError as error:
            if error.reason is not Reason.ABSENT or answered is None:
                raise
    raise LaterError


async def _bounce(gateway: Gateway, to: str, failed: Sequence[str], about: str, now: datetime) -> None:
    message = {"to": to, "failed": list(failed), "id": about, "at": now.isoformat()}
    async with gateway.here.database.transaction() as session:
        await outbox.enqueue(session, gateway.here.system_keys, bounce.KIND, message, now)
