"""A circle of trust for each test that asks for one."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from phr.core.settings import Settings
from tests.house import House
from tests.mssante.circle import Circle, Sink, listening, with_gateway


@pytest.fixture
async def circle(settings: Settings, database_url: str, tmp_path: Path) -> AsyncIterator[Circle]:
    """An installation whose gateway listens, and a relay."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    relay = await loop.create_server(partial(SMTP, sink, loop=loop, hostname="relay.test"), "127.0.0.1", 0)
    async with relay:
        port = relay.sockets[0].getsockname()[1]
        made = with_gateway(settings, tmp_path, port)
        async with House.build(made, database_url) as house, listening(house) as own:
            assert made.mssante is not None
            yield Circle(house, made.mssante, own, sink)
