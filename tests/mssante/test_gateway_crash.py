"""A mail that was accepted is never lost, whatever is killed; and nothing is half filed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiosmtplib
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phr.core import outbox
from phr.core.errors import DomainError, Issue, Reason
from phr.mssante import arrivals, depositing, marks
from phr.mssante.server import ARRIVED
from tests.conftest import _free_port
from tests.mssante.circle import Circle, documents, messages, threads
from tests.mssante.medium import DOCTOR, PATIENTS, Mail, Report, xdm_file

RUN = "import typer; from phr.commands.gateway import gateway; typer.run(gateway)"


@contextmanager
def process(circle: Circle, url: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A gateway of its own process, beside the house, on the same database."""
    settings, port = circle.house.settings, _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PHR_")},
        "PHR_ENV": "sandbox",
        "PHR_DATABASE_URL": url,
        "PHR_DATA_DIR": str(settings.data_dir),
        "PHR_KEY_FILE": str(settings.key_file),
        "PHR_MSSANTE_DOMAIN": PATIENTS,
        "PHR_MSSANTE_PEERS": str(circle.settings.peers),
        "PHR_MSSANTE_LISTEN": f"127.0.0.1:{port}",
    }
    here = Path(__file__).parent.parent.parent
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", RUN], cwd=here, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        assert "listening" in child.stdout.readline()
        try:
            yield child, port
        finally:
            child.kill()
            child.wait(30)


def waiting(circle: Circle) -> int:
    """How many accepted mails wait to be filed."""
    with Session(circle.house.parts.engine) as session:
        return len(outbox.waiting(session, circle.house.parts.installation.system_keys, ARRIVED))


async def test_killed_right_after_it_accepted(circle: Circle, database_url: str) -> None:
    record, address = await circle.person()
    with process(circle, database_url) as (child, port):
        circle.port = port
        await circle.send(Mail(address, files=[xdm_file(Report())]))
        child.send_signal(signal.SIGKILL)
        await asyncio.to_thread(child.wait, 30)
    assert waiting(circle) == 1
    assert await circle.mails() == []
    citizen = circle.house.citizen(record)
    assert len(await threads(citizen, record)) == 1
    assert len(await documents(citizen, record)) == 1


async def test_killed_before_it_accepted(circle: Circle, database_url: str) -> None:
    """In the middle of DATA: nothing was kept; the sender still has the mail, and gives it again."""
    record, address = await circle.person()
    mail = Mail(address)
    with process(circle, database_url) as (child, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for line in (b"EHLO x", f"MAIL FROM:<{DOCTOR}>".encode(), f"RCPT TO:<{address}>".encode(), b"DATA"):
            writer.write(line + b"\r\n")
        writer.write(mail.message().as_bytes())
        await reader.readuntil(b"354")
        child.send_signal(signal.SIGKILL)
        await asyncio.to_thread(child.wait, 30)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    assert waiting(circle) == 0
    await circle.send(mail)
    await circle.settle()
    [thread] = await threads(circle.house.citizen(record), record)
    assert len(await messages(circle.house.citizen(record), thread["id"])) == 1


async def test_stopped_it_ends_well(circle: Circle, database_url: str) -> None:
    with process(circle, database_url) as (child, _):
        child.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.wait, 30) == 0


async def test_the_database_away_the_sender_keeps_the_mail(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    _, address = await circle.person()

    async def away(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(outbox, "enqueue", away)
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await circle.send(Mail(address))
    assert caught.value.code == 451
    monkeypatch.undo()
    assert waiting(circle) == 0


@pytest.mark.parametrize("step", ["deposit", "receive", "mark"])
async def test_filing_stopped_anywhere_leaves_nothing_and_is_done_again(
    circle: Circle, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The message, the documents and the mark are one transaction."""
    record, address = await circle.person()
    await circle.send(Mail(address, files=[xdm_file(Report())]))
    module, name = {
        "deposit": (depositing, "deposit"),
        "receive": (arrivals, "receive"),
        "mark": (marks, "put"),
    }[step]
    done = getattr(module, name)

    async def killed(*arguments: object) -> None:
        await done(*arguments)
        raise ConnectionError

    monkeypatch.setattr(module, name, killed)
    assert await circle.settle() == 1
    monkeypatch.undo()
    citizen = circle.house.citizen(record)
    assert await threads(citizen, record) == []
    assert await documents(citizen, record) == []
    assert waiting(circle) == 1
    circle.later(minutes=1)
    await circle.settle()
    citizen = circle.house.citizen(record)
    assert len(await threads(citizen, record)) == 1
    assert len(await documents(citizen, record)) == 1


async def test_killed_after_filing_it_is_filed_once(circle: Circle) -> None:
    """The outbox gives it again: its row was still there."""
    record, address = await circle.person()
    await circle.send(Mail(address, files=[xdm_file(Report())]))
    with Session(circle.house.parts.engine) as session:
        row = session.execute(select(outbox.outbox)).mappings().one()
    await circle.settle()
    with Session(circle.house.parts.engine) as session, session.begin():
        session.execute(outbox.outbox.insert().values(**row))
    await circle.settle()
    citizen = circle.house.citizen(record)
    [thread] = await threads(citizen, record)
    assert len(await messages(citizen, thread["id"])) == 1
    assert len(await documents(citizen, record)) == 1


async def test_what_cannot_be_filed_for_days_is_told_to_its_sender(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many messages in an hour: later; still after two days: the sender is told, and nothing is silently lost."""
    _, address = await circle.person()

    async def full(*_: object) -> str:
        raise DomainError(Reason.TOO_MANY, Issue("throttled", "x"))

    monkeypatch.setattr(arrivals, "receive", full)
    await circle.send(Mail(address))
    assert await circle.mails() == []
    assert waiting(circle) == 1
    circle.later(days=2, minutes=1)
    [notice] = await circle.mails()
    assert address in notice.as_string()
    assert waiting(circle) == 0
