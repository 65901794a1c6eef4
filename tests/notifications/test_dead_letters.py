"""What cannot be sent: tried less and less often, given up after days, kept, listed without its content, retried."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from phr.commands.outbox import outbox_cli
from phr.core import outbox
from tests.house import House
from tests.notifications.told import send, waiting

KIND, SECRET = "push", "what nobody should read"
Run = Callable[..., Awaitable[Result]]


class Unreachable(Exception):  # noqa: N818
    """What a deliverer raises."""


def failing(message: dict[str, Any]) -> None:
    raise Unreachable(message["text"])


def put(house: House, now: datetime) -> UUID:
    server = house.parts.server
    with Session(server.engine) as session, session.begin():
        return outbox.put(session, server.keys, KIND, {"text": SECRET}, now)


def listed(house: House, *, dead: bool) -> list[outbox.Message]:
    with Session(house.parts.engine) as session:
        return outbox.listed(session, dead=dead)


def give_up(house: House) -> UUID:
    """A message of four days ago, given up."""
    old = put(house, datetime.now(UTC) - timedelta(days=4))
    assert send(house, {KIND: failing}) == 1
    return old


@pytest.fixture
def run(house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    environment = {
        "PHR_ENV": "sandbox",
        "PHR_DATA_DIR": str(tmp_path),
        "PHR_KEY_FILE": str(house.settings.key_file),
        "PHR_DATABASE_URL": database_url,
        "COLUMNS": "200",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def ran(*words: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(outbox_cli, words))

    return ran


async def test_it_is_tried_less_and_less_often_then_given_up_and_kept(house: House) -> None:
    began = now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    made = put(house, began)
    waits = []
    while not listed(house, dead=True):
        [one] = listed(house, dead=False)
        waits.append(one.due - now)
        now = one.due
        assert send(house, {KIND: failing}, now) == 1
        assert send(house, {KIND: failing}, now) == 0
    assert waits == sorted(waits)
    assert max(waits) == outbox.LONGEST_WAIT
    [dead] = listed(house, dead=True)
    assert (dead.id, dead.error, dead.dead, dead.tries) == (made, "Unreachable", now, len(waits))
    assert timedelta(0) <= now - began - outbox.GIVEN_UP < outbox.LONGEST_WAIT
    sent = list[dict[str, Any]]()
    assert send(house, {KIND: sent.append}, now + timedelta(days=30)) == 0


async def test_it_is_listed_without_its_content(house: House, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    old, new = give_up(house), put(house, datetime.now(UTC))
    dead, waits = await run("list", "--dead"), await run("list")
    assert (dead.exit_code, waits.exit_code) == (0, 0)
    for part in (str(old), KIND, "4 d 0 h", "Unreachable", "1 given up."):
        assert part in dead.output
    for part in (str(new), KIND, "0 min", "1 waiting."):
        assert part in waits.output
    assert str(new) not in dead.output
    assert str(old) not in waits.output
    assert SECRET not in dead.output + waits.output + caplog.text


@pytest.mark.parametrize("named", [True, False])
async def test_it_is_tried_again(house: House, run: Run, named: bool) -> None:
    old = give_up(house)
    answer = await run("retry", str(old) if named else "--all")
    assert (answer.exit_code, answer.output) == (0, "1 to be tried again.\n")
    [one] = listed(house, dead=False)
    assert (one.id, one.tries, one.dead) == (old, 0, None)
    sent = list[dict[str, Any]]()
    assert send(house, {KIND: sent.append}) == 1
    assert sent == [{"text": SECRET}]


async def test_it_is_dropped(house: House, run: Run) -> None:
    first, _, new = give_up(house), give_up(house), put(house, datetime.now(UTC))
    assert (await run("drop", str(first))).output == "1 dropped.\n"
    assert (await run("drop", "--all")).output == "1 dropped.\n"
    assert [one.id for one in listed(house, dead=False)] == [new]
    assert (await run("drop", str(new))).output == "1 dropped.\n"
    assert waiting(house, KIND) == []


async def test_nothing_is_done_that_was_not_named(house: House, run: Run) -> None:
    old = give_up(house)
    for words in ([], [str(old), "--all"], [str(old), str(uuid4())], [str(uuid4())], ["what"]):
        for command in ("retry", "drop"):
            assert (await run(command, *words)).exit_code == 2
    assert [one.id for one in listed(house, dead=True)] == [old]
    assert (await run("list")).output == "0 waiting.\n"
