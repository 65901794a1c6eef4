"""Sending a message of a thread to a structure's mailbox, as a mail from the person's own address.

The rule: what leaves is what the structure itself sees at that moment, read in its name, and its journal entry says so.
"""

from datetime import datetime
from email.message import EmailMessage
from typing import Any

from aiosmtplib.errors import SMTPException

from auth.professionals import Professional as Identity
from auth.scopes import Scope
from phr.access.journal import Tag
from phr.access.reader import Professional
from phr.access.scope import READ
from phr.access.visit import Visit, asked_of
from phr.core.errors import DomainError, Reason
from phr.messages.thread import COMMUNICATION, RECALL, SENT
from phr.mssante import marks, relay, undelivered, writing
from phr.mssante.address import domain_of, of_person
from phr.mssante.gateway import CLIENT, PATIENCE, Gateway, LaterError
from phr.mssante.peers import Structure
from phr.mssante.relay import RefusedError
from phr.operated import keys_of

MOST_REFERENCES = 20
_SCOPES = (Scope("user", "*", frozenset("rs")),)
_UNTOLD = dict.fromkeys(("family", "given", "profession", "category", "skill", "sector", "mode"), "")


async def depart(gateway: Gateway, message: dict[str, Any], now: datetime) -> None:
    """Send {"record", "communication", "thread", "to"}. Raises what says that it may go better later.

    What is refused for good, or cannot be sent for days, is told in the thread.
    """
    to, structure = message["to"], gateway.peers.structure(message["to"])
    try:
        if structure is None or not gateway.peers.trusts(domain_of(to)):
            raise RefusedError
        mail = await _mail(gateway, message, structure, now)
        if mail is None:
            return
        try:
            await relay.send(gateway.settings, writing.author_of(mail), to, mail)
        except (OSError, SMTPException):
            if now - mail["Date"].datetime < PATIENCE:
                raise
            raise RefusedError from None
    except RefusedError:
        await undelivered.tell(gateway, message["record"], message["thread"], message["communication"], now)


async def _mail(gateway: Gateway, message: dict[str, Any], structure: Structure, now: datetime) -> EmailMessage | None:
    """The mail; None when the structure does not see the message any more: taken back, blocked, closed."""
    name, thread, to = message["communication"], message["thread"], message["to"]
    identity = Identity(id="", structure=structure.id, structure_name=structure.name, **_UNTOLD)
    visit = Visit(gateway.here, Professional(CLIENT, identity, None, None), _SCOPES, (), now)
    asked = asked_of((COMMUNICATION.name, name, "$receive-message"))
    try:
        async with visit.act(message["record"], READ, Tag.MESSAGE, asked) as deed:
            body = await writing.seen(deed, f"{COMMUNICATION.name}/{name}")
            if body is None or body["status"] != SENT or body["sender"] == undelivered.POSTMASTER:
                return None
            sent = datetime.fromisoformat(body["sent"])
            if now - sent < RECALL:
                raise LaterError
            keys, session = keys_of(deed), deed.session
            ins = await writing.ins_of(deed)
            if ins is None:
                return None
            author, domain = of_person(gateway.settings, ins), gateway.settings.domain
            own = f"<{keys.hashed(f'mssante|out|{name}|{to}').hex}@{domain}>"
            before = [one for one in await marks.last(session, keys, thread, MOST_REFERENCES) if one != own]
            await marks.put(session, keys, author, own, thread, now)
            envelope = writing.Envelope(author, to, own, before, sent, gateway.settings.mail_bytes)
            return await writing.mail(deed, envelope, body, await writing.seen(deed, f"{COMMUNICATION.name}/{thread}"))
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return None
