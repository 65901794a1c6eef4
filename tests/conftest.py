"""One real PostgreSQL for each test process, migrated once; each test that asks for `house` has its own database."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase

import httpx
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from phr.core.database import psycopg_url
from phr.core.embedded import embedded
from phr.core.settings import Settings, from_environment
from phr.schema import migrate
from tests.house import House

pytest_plugins = ["tests.logwatch"]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running PostgreSQL, for the length of this test process."""
    with embedded(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def _statement(url: str, sql: str) -> None:
    engine = create_engine(psycopg_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)
    engine.dispose()


def _named(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    path = head.rpartition("/")[0] + f"/{name}"
    return f"{path}?{query}" if query else path


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a migrated database, to copy."""
    _statement(postgres, "CREATE DATABASE migrated")
    migrate(_named(postgres, "migrated"))
    return "migrated"


def database_name(kind: str) -> str:
    """A name nobody has: letters alone, for PostgreSQL's log tells it and fifteen digits would read as an INS."""
    return f"{kind}_{''.join(secrets.choice(ascii_lowercase) for _ in range(24))}"


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A database without a schema."""
    name = database_name("empty")
    _statement(postgres, f"CREATE DATABASE {name}")
    yield _named(postgres, name)
    _statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """A migrated database of its own."""
    name = database_name("test")
    _statement(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(postgres, name)
    _statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Sandbox settings in a folder of the test's own."""
    found = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(tmp_path)})
    return replace(found, issuer="http://carnet.test")


@pytest.fixture
async def house(settings: Settings, database_url: str) -> AsyncIterator[House]:
    """A whole installation over ASGI, with its demo clients and no people."""
    async with House.build(settings, database_url) as built:
        yield built


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def carnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox that `python -m phr serve` serves."""
    port = _free_port()
    data = str(tmp_path_factory.mktemp("sandbox"))
    environment = {**os.environ, "PHR_ENV": "sandbox", "PHR_PORT": str(port), "PHR_DATA_DIR": data}
    child = subprocess.Popen([sys.executable, "-m", "phr", "serve"], cwd=Path(__file__).parent.parent, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{address}/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0
