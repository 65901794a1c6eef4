"""The SMTP server of the gateway (RFC 5321): who may speak, to whom, and what is kept before a mail is accepted.

The rule: nobody is looked up while a mail comes in. The conversation is the same for a person who has a record, for
one who has none and for one who blocked the sender; what was accepted is in the outbox, committed, before the 250.
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session

from phr import blobs
from phr.access.installation import Installation
from phr.core import outbox
from phr.core.errors import DomainError, Reason
from phr.core.settings import Mssante
from phr.mssante import letter
from phr.mssante.address import domain_of, ins_of
from phr.mssante.letter import Letter, LetterError
from phr.mssante.peers import Peers, names_of

ARRIVED = "mssante-in"
"""The kind of a mail that was accepted: {"from", "to", "content" (base64), "at"}, to be filed."""
RETURNED = "mssante-returned"
"""The kind of a notice that was accepted: {"to", "id"}, the Message-ID of a mail of ours that was not delivered."""
NOBODY = "<>"
"""Who sends what nothing answers, as aiosmtpd tells it (RFC 5321 §4.5.5)."""
MOST_RECIPIENTS = 20
AT_ONCE = 4
"""Mails read at the same moment."""
SECONDS = 60.0

_OK = "250 2.0.0 OK"
_ACCEPTED = "250 2.6.0 Accepted"
_STRANGER = "550 5.7.1 This sender is not trusted here"
_ELSEWHERE = "550 5.7.1 No mail is taken here for that address"
_TOO_MANY = "452 4.5.3 Too many recipients"
_LATER = "451 4.3.0 Try again later"


class Reception:
    """Handles the conversations of one gateway (aiosmtpd's hooks). `clock`: what time it is."""

    def __init__(self, here: Installation, settings: Mssante, peers: Peers, clock: Callable[[], datetime]) -> None:
        self._here, self._settings, self._peers, self._clock = here, settings, peers, clock
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Who sends: a domain the operator at the other end may speak for, or nobody (a bounce)."""
        if address != NOBODY and not self._speaks(session, domain_of(address)):
            return _STRANGER
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return _OK

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """For whom: any well-formed address of a person. Its form only is judged."""
        if ins_of(self._settings, address) is None:
            return _ELSEWHERE
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return _TOO_MANY
        envelope.rcpt_tos.append(address)
        return _OK

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The mail: refused for what it is, for every address alike, or kept."""
        content = envelope.content
        if not isinstance(content, bytes):
            return _LATER
        if envelope.mail_from == NOBODY:
            return await self._notice(envelope, content)
        async with self._turns:
            try:
                found = await asyncio.to_thread(letter.read, content)
                self._check(session, envelope, found)
                await admit(self._here, found)
            except LetterError as error:
                return f"554 5.6.0 {error}"
            except DomainError as error:
                return _LATER if error.reason is Reason.UNAVAILABLE else f"554 5.6.1 {error.issues[0].diagnostics}"
            await self._keep(envelope, content)
        return _ACCEPTED

    async def handle_exception(self, error: Exception) -> str:
        """Whatever went wrong: the sender keeps the mail, and the log says no more than what kind of fault."""
        logging.getLogger("carnet.mssante").warning("a mail was not taken: %s", type(error).__name__)
        return _LATER

    def _speaks(self, session: Session, domain: str) -> bool:
        if self._settings.certificate is None:  # a sandbox without TLS
            return self._peers.trusts(domain)
        tls = session.ssl or {}
        return self._peers.speaks(names_of(tls.get("peercert")), domain)

    def _check(self, session: Session, envelope: Envelope, found: Letter) -> None:
        """The author is of a domain its operator speaks for, and its documents are of who it is for."""
        if not self._speaks(session, domain_of(found.sender)):
            raise LetterError("The author is not of a trusted domain.")
        if found.ins is not None and any(ins_of(self._settings, one) != found.ins for one in envelope.rcpt_tos):
            raise LetterError("The documents are about another person than the mail is for.")

    async def _notice(self, envelope: Envelope, content: bytes) -> str:
        """What nobody sent: kept when it says that a mail of ours was not delivered; nothing answers it."""
        about = await asyncio.to_thread(letter.returned, content)
        if about is not None:
            await self._put(RETURNED, {"to": list(dict.fromkeys(envelope.rcpt_tos)), "id": about})
        return _ACCEPTED

    async def _keep(self, envelope: Envelope, content: bytes) -> None:
        to = list(dict.fromkeys(envelope.rcpt_tos))
        said = {"from": envelope.mail_from, "to": to, "content": base64.b64encode(content).decode()}
        await self._put(ARRIVED, {**said, "at": self._clock().isoformat()})

    async def _put(self, kind: str, message: dict[str, object]) -> None:
        now = self._clock()
        async with self._here.database.transaction() as session:
            await outbox.enqueue(session, self._here.system_keys, kind, message, now)


async def admit(here: Installation, found: Letter) -> None:
    """Judge and scan every file by its bytes, as a deposit is. Raises DomainError."""
    for file in found.files:
        await blobs.admit(file.data, file.content_type, here.settings)
    for one in found.documents:
        await blobs.admit(one.data, one.entry.mime, here.settings)


def tls_of(settings: Mssante, purpose: ssl.Purpose) -> ssl.SSLContext | None:
    """TLS both ways, our certificate shown and the other's asked; None in a sandbox that has none."""
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(purpose, cafile=str(settings.ca_file))
    context.load_cert_chain(settings.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def serve(here: Installation, settings: Mssante, peers: Peers, clock: Callable[[], datetime]) -> asyncio.Server:
    """Listen, on the running loop (asyncio's own: STARTTLS needs it). Raises OSError."""
    # TRAP: aiosmtpd logs every command, and so every address: an INS is never logged.
    logging.getLogger("mail.log").disabled = True
    context = tls_of(settings, ssl.Purpose.CLIENT_AUTH)
    loop = asyncio.get_running_loop()
    make = partial(
        SMTP,
        Reception(here, settings, peers, clock),
        data_size_limit=settings.mail_bytes,
        hostname=settings.domain,
        ident="ESMTP",
        tls_context=context,
        require_starttls=context is not None,
        timeout=SECONDS,
        loop=loop,
    )
    return await loop.create_server(make, settings.host, settings.port)
