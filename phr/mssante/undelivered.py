"""Telling in a thread that a mail could not be delivered to a structure: a message of the gateway itself.

The rule: each message is told of once, and what the gateway says never leaves by mail.
"""

from datetime import datetime
from typing import Any

from phr.access.journal import Tag
from phr.access.scope import CREATE
from phr.core.errors import DomainError, Reason
from phr.messages import composing
from phr.messages.thread import known
from phr.mssante import marks
from phr.mssante.address import ins_of
from phr.mssante.arrivals import record_of
from phr.mssante.gateway import CLIENT, UNDELIVERED, Gateway
from phr.operated import keys_of

POSTMASTER = {"display": "Messagerie sécurisée"}
TEXT = "Votre message n'a pas pu être remis par courrier à son destinataire. Joignez-le par un autre moyen."
_TOLD = "undelivered"


async def tell(gateway: Gateway, record: str, thread: str, about: str, now: datetime) -> None:
    """Say in the thread that a message, or a mail, was not delivered. `about`: its id, told of once."""
    base = f"{gateway.here.settings.issuer}/fhir"
    try:
        async with gateway.visit(now).act(record, CREATE, Tag.MESSAGE, UNDELIVERED, deciding=True) as deed:
            keys, session = keys_of(deed), deed.session
            if await marks.thread_of(session, keys, [marks.mark(keys, _TOLD, about)]) is not None:
                return
            found = await known(deed, thread, lock=True)
            await composing.compose(deed, base, found, composing.Message(POSTMASTER, TEXT), f"client:{CLIENT}")
            await marks.put(session, keys, _TOLD, about, thread, now)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise  # the record, or the thread, is no more: there is nobody to tell


async def returned(gateway: Gateway, message: dict[str, Any], now: datetime) -> None:
    """A notice came, {"to", "id"}: tell of the mail of ours it is about; of any other, nothing."""
    for address in message["to"]:
        ins = ins_of(gateway.settings, address)
        record = None if ins is None else await record_of(gateway.here, ins)
        if record is None:
            continue
        thread = await _thread_of(gateway, record, address, message["id"], now)
        if thread is not None:
            await tell(gateway, record, thread, message["id"], now)


async def _thread_of(gateway: Gateway, record: str, address: str, about: str, now: datetime) -> str | None:
    try:
        async with gateway.visit(now).act(record, CREATE, Tag.MESSAGE, UNDELIVERED) as deed:
            keys = keys_of(deed)
            return await marks.thread_of(deed.session, keys, [marks.mark(keys, address, about)])
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        return None
