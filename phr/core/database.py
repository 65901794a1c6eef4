"""PostgreSQL: one MetaData, statements compiled once for each shape, run on the driver's own connection.

The rule: a statement is a `Query`, minted by `compile_query`, which asks every registered guard first. Nothing else
reaches the database, so a guard (see `fhir.lens`) cannot be forgotten.
"""

from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.expression import ClauseElement

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

_DIALECT = asyncpg_dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_GUARDS: list[Callable[[ClauseElement], None]] = []

SHAPES = 2000
"""How many compiled shapes a process keeps: beyond, the oldest is compiled again at its next use."""


def guard(check: Callable[[ClauseElement], None]) -> Callable[[ClauseElement], None]:
    """Register a check that every statement passes before it is compiled; it raises to refuse."""
    _GUARDS.append(check)
    return check


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled statement: its SQL, its parameter names in order, and the values that are constants."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, object]

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """The positional arguments; a name that is neither bound nor constant raises KeyError."""
        constants = self.constants
        return [values[name] if name in values else constants[name] for name in self.names]


def compile_query(statement: ClauseElement) -> Query:
    """Guard and compile a statement built with SQLAlchemy Core."""
    for check in _GUARDS:
        check(statement)
    compiled = statement.compile(dialect=_DIALECT)
    names = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Query(str(compiled), names, constants)


class Shapes:
    """Compiled queries by shape: `get` builds at the first use of a shape only."""

    __slots__ = ("_queries",)

    def __init__(self) -> None:
        self._queries: dict[Hashable, Query] = {}

    def get(self, shape: Hashable, build: Callable[[], ClauseElement]) -> Query:
        """The query of this shape."""
        query = self._queries.get(shape)
        if query is None:
            if len(self._queries) >= SHAPES:
                self._queries.pop(next(iter(self._queries)))
            query = self._queries[shape] = compile_query(build())
        return query


class Session:
    """One connection, in a transaction or not, that runs nothing but a Query."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, query: Query, values: Mapping[str, object] | None = None) -> list[Any]:
        """The rows, as driver records (by name or position)."""
        rows: list[Any] = await self._connection.fetch(query.sql, *query.arguments(values or {}))
        return rows

    async def one(self, query: Query, values: Mapping[str, object] | None = None) -> Any | None:
        """The first row, or None."""
        return await self._connection.fetchrow(query.sql, *query.arguments(values or {}))

    async def execute_many(self, query: Query, many: Sequence[Mapping[str, object]]) -> None:
        """Run once for each mapping, pipelined."""
        await self._connection.executemany(query.sql, [query.arguments(values) for values in many])


async def _leave_as_is(connection: Any) -> None:
    """Nothing here changes a connection's own state, so giving one back costs no round trip."""


class Database:
    """A pool of connections to one PostgreSQL."""

    __slots__ = ("_pool",)

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, size: int) -> "Database":
        """Open a pool of at most `size` connections. Raises OSError or asyncpg.PostgresError."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            statement_cache_size=500,
            max_inactive_connection_lifetime=300,
            command_timeout=60,
            server_settings={"application_name": "carnet", "jit": "off", "plan_cache_mode": "force_generic_plan"},
            reset=_leave_as_is,
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the pool, waiting for what runs."""
        await self._pool.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session where each statement is its own transaction."""
        async with self._pool.acquire() as connection:
            yield Session(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A session in one transaction: committed at the end, rolled back by any exception."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield Session(connection)


def synchronous_engine(url: str) -> Engine:
    """A small engine on psycopg, for what is synchronous: migrations, start-up, the authorization server."""
    # hide_parameters: neither its log nor its exceptions quote values.
    return create_engine(psycopg_url(url), pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True)


def psycopg_url(url: str) -> str:
    """The same address, spelled for SQLAlchemy on psycopg."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]
