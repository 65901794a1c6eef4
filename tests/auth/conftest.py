"""One schema of its own for these tests, in the real PostgreSQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.schema import CreateSchema, DropSchema

from auth import tables
from phr.core.database import metadata, psycopg_url
from phr.core.keys import PURPOSES, SystemKeys
from phr.core.outbox import outbox
from phr.core.vault import new_key
from tests.auth.city import City, Clock

SCHEMA = "auth_tests"


@pytest.fixture(scope="session")
def auth_engine(postgres: str) -> Iterator[Engine]:
    plain = create_engine(psycopg_url(postgres))
    with plain.begin() as connection:
        connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        connection.execute(CreateSchema(SCHEMA))
    engine = create_engine(psycopg_url(postgres), connect_args={"options": f"-csearch_path={SCHEMA}"}, pool_size=20)
    mine = [table for table in metadata.tables.values() if table in vars(tables).values()]
    metadata.create_all(engine, [*mine, outbox])
    yield engine
    engine.dispose()
    plain.dispose()


@pytest.fixture(scope="session")
def auth_keys() -> SystemKeys:
    return SystemKeys({purpose: new_key() for purpose in PURPOSES})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def city(auth_engine: Engine, auth_keys: SystemKeys, clock: Clock) -> City:
    """Its outbox is empty: what an earlier test left there may be from a later day of its own clock."""
    with auth_engine.begin() as connection:
        connection.execute(outbox.delete())
    return City(auth_engine, auth_keys, clock)
