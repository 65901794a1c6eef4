"""A circle of trust to test in: an installation whose gateway listens, an operator's relay, and time that moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.concurrency import run_in_threadpool

from phr.access.consent import STRUCTURES, Actor
from phr.core import outbox
from phr.core.settings import Mssante, Settings
from phr.mssante import delivery, peers, server
from tests.house import Caller, House
from tests.mssante.medium import DOCTOR, PATIENTS, Mail
from tests.phr.care import finess, rpps

Json = dict[str, Any]
STRUCTURE = finess(7)
OTHER_STRUCTURE, OTHER = finess(8), "accueil@hopital.test"
PROFESSIONAL = rpps(7)
PEERS = f"""
[[operator]]
certificate = ["mx.operateur.test"]
domains = ["cabinet.test"]

[[operator]]
certificate = ["mx.autre.test"]
domains = ["hopital.test"]

[[mailbox]]
address = "{DOCTOR}"
structure = "{STRUCTURE}"
name = "Cabinet des Lilas"

[[mailbox]]
address = "{OTHER}"
structure = "{OTHER_STRUCTURE}"
name = "Hôpital du Pont"
"""


class Sink:
    """The operator's relay: keeps what it is given, or refuses as it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.refusing = ""
        self.raw: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusing:
            return self.refusing
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.raw.append(envelope.content)
        self.mails.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 OK"


@dataclass
class Circle:
    """The house, its gateway's settings and port, and the relay."""

    house: House
    settings: Mssante
    port: int
    sink: Sink

    async def send(self, mail: Mail, sender: str | None = None, to: list[str] | None = None) -> str:
        """Hand a mail to the gateway, as an operator does; what it answers. Raises aiosmtplib's exceptions."""
        return await self.send_raw(
            mail.message().as_bytes(), mail.sender if sender is None else sender, to or [mail.to]
        )

    async def send_raw(self, message: bytes, sender: str, to: list[str]) -> str:
        """The same, of bytes."""
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False) as client:
            _, answer = await client.sendmail(sender, to, message)
        return answer

    async def settle(self, *, most: int = 20) -> int:
        """Deliver what waits and is due, as the chores of a process do; how many were tried."""
        parts = self.house.parts
        known = delivery.deliverers(parts.installation, parts.server.clock)
        for n in range(most):
            args = (parts.engine, parts.installation.system_keys, known, self.house.now())
            if not await run_in_threadpool(outbox.send_one, *args):
                return n
        return most

    def later(self, **by: float) -> None:
        """Time goes by."""
        then = self.house.now() + timedelta(**by)
        self.house.parts.server.clock = lambda: then

    async def person(self, *, related: bool = True) -> tuple[str, str]:
        """A person's record and address; `related`: the practice whose mailbox writes has a care relation."""
        ins = self.house.new_ins()
        record = await self.house.open_record(ins)
        if related:
            await self.relate(record)
        return record, f"{ins}@{PATIENTS}"

    async def relate(self, record: str, structure: str = STRUCTURE) -> str:
        """A care relation opened for a structure."""
        return await self.house.relate(record, PROFESSIONAL, organization=Actor(STRUCTURES, structure))

    async def mails(self) -> list[EmailMessage]:
        """What the relay got since the last time."""
        await self.settle()
        got, self.sink.mails = self.sink.mails, []
        return got


def with_gateway(settings: Settings, folder: Path, relay_port: int, **more: Any) -> Settings:
    """Settings with a gateway without TLS, as a sandbox may have."""
    listed = folder / "peers.toml"
    listed.write_text(PEERS, encoding="utf-8")
    smtp = f"smtp://127.0.0.1:{relay_port}"
    made = Mssante(PATIENTS, "127.0.0.1", 0, listed, None, None, smtp, 4 << 20)
    return replace(settings, mssante=replace(made, **more))


@asynccontextmanager
async def listening(house: House, **changed: Any) -> AsyncIterator[int]:
    """The gateway, on a port of its own."""
    settings = house.settings.mssante
    assert settings is not None
    settings = replace(settings, **changed)
    here = house.parts.installation
    made = await server.serve(here, settings, peers.read(settings.peers), house.now)
    async with made:
        yield int(made.sockets[0].getsockname()[1])
    await asyncio.sleep(0)


async def threads(caller: Caller, record: str) -> list[Json]:
    """The threads a caller finds: their headers."""
    answer = await caller.get(f"Patient/{record}/$threads")
    assert answer.status_code == 200, answer.text
    found = [one for one in answer.json().get("parameter", ()) if one["name"] == "thread"]
    return [next(part["resource"] for part in one["part"] if "resource" in part) for one in found]


async def messages(caller: Caller, thread: str) -> list[Json]:
    """The messages of a thread, oldest first."""
    answer = await caller.get(f"Communication/{thread}/$thread")
    assert answer.status_code == 200, answer.text
    found = [one for one in answer.json().get("parameter", ()) if one["name"] == "message"]
    return [next(part["resource"] for part in one["part"] if "resource" in part) for one in found]


def text_of(message: Json) -> str:
    """What a message says."""
    return "\n".join(one["contentString"] for one in message["payload"] if "contentString" in one)


def said_in(mail: EmailMessage) -> str:
    """The text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def parts_of(mail: EmailMessage) -> list[EmailMessage]:
    """The parts of a mail of several."""
    found = [part for part in mail.iter_parts() if isinstance(part, EmailMessage)]
    assert found
    return found


async def documents(caller: Caller, record: str) -> list[Json]:
    """The documents a caller finds."""
    answer = await caller.get(f"DocumentReference?patient={record}")
    assert answer.status_code == 200, answer.text
    return [one["resource"] for one in answer.json().get("entry", ()) if one["search"]["mode"] == "match"]
