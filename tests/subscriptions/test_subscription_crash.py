"""Telling subscribers in real processes: killed while they tell, and several at once."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.deposit import clinic
from tests.house import House
from tests.subscriptions.hooks import deliver, later, listening, subscribe, waiting
from tests.subscriptions.test_subscriptions import app, deposit

ROOT = Path(__file__).parents[2]
TELLS = """
import asyncio, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from starlette.concurrency import run_in_threadpool
from phr.app import assemble
from phr.core import outbox
from phr.core.settings import from_environment
from phr.deliveries import deliverers

async def main():
    settings = replace(from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": sys.argv[1]}), issuer=sys.argv[3])
    parts = await assemble(settings, sys.argv[2])
    known = deliverers(parts.server, parts.installation)
    def send():
        return outbox.send_one(parts.engine, parts.server.keys, known, datetime.now(UTC))
    while await run_in_threadpool(send):
        pass
    await parts.close()

asyncio.run(main())
"""


def teller(house: House, url: str) -> subprocess.Popen[str]:
    """A process that sends what waits, and ends."""
    arguments = [sys.executable, "-c", TELLS, str(house.settings.data_dir), url, house.settings.issuer]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(arguments, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, text=True)


async def test_a_process_killed_while_it_tells_loses_nothing(house: House, database_url: str) -> None:
    record, by = await house.open_record(), await clinic(house)
    with listening() as hook:
        await subscribe(app(house, record), hook)
        made = [await deposit(house, record, by) for _ in range(3)]
        hook.holding = threading.Event()
        hook.reached.clear()
        child = teller(house, database_url)
        assert await asyncio.to_thread(hook.reached.wait, 60)
        child.send_signal(signal.SIGKILL)
        child.wait()
        hook.holding.set()
        hook.holding = None
        for _ in range(100):  # until PostgreSQL has seen that nobody is there
            await deliver(house)
            if hook.numbers[-1:] == [3] and not waiting(house):
                break
            await asyncio.sleep(0.05)
        assert dict(hook.events) == dict(zip((1, 2, 3), made, strict=True))
        assert hook.numbers in ([1, 1, 2, 3], [1, 2, 3])
        assert hook.refused == 0


@pytest.mark.parametrize("processes", [3])
async def test_several_processes_tell_in_order(house: House, database_url: str, processes: int) -> None:
    record, by = await house.open_record(), await clinic(house)
    with listening() as hook:
        await subscribe(app(house, record), hook)
        for _ in range(12):
            await deposit(house, record, by)
        children = [teller(house, database_url) for _ in range(processes)]
        for child in children:
            assert await asyncio.to_thread(child.wait, 120) == 0
        while waiting(house):  # who found the turn taken comes back
            await later(house, minutes=1)
        assert hook.numbers == sorted(hook.numbers)
        assert set(hook.numbers) == set(range(1, 13))
