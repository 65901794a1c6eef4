"""The queue of records to look at: procrastinate, on the same PostgreSQL, in a schema of its own.

The rule: the queue spreads the work and nothing else. `phr.prevention.watch` says who is to be looked at: a queue that
loses a job, or all of them, forgets nobody; a job holds the id of a record, and is deleted once done.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector, exceptions
from procrastinate.jobs import Status
from procrastinate.tasks import Task
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from phr.access.installation import Installation
from phr.core.database import psycopg_url
from phr.prevention import watch
from phr.prevention.campaign import Programme
from phr.prevention.dates import day
from phr.prevention.sending import Looked, look

log = logging.getLogger("carnet.prevention")
# TRAP: at any other level it tells the arguments of its jobs, which are records.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL + 1)

SCHEMA = "queue"
AT_ONCE = 8
"""Records looked at at the same time by one process."""
_ONE_AT_A_TIME = 0x43_41_52_51
"""An advisory lock: the schema is installed by one process at a time."""
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(days=1)
_INSIDE = {"options": f"-c search_path={SCHEMA}"}


def install(url: str) -> None:
    """Make the queue's tables, unless they are there. Raises sqlalchemy.exc.SQLAlchemyError."""
    engine = create_engine(psycopg_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(select(func.pg_advisory_lock(_ONE_AT_A_TIME)))
            connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
            if connection.scalar(select(func.to_regclass(f"{SCHEMA}.procrastinate_jobs"))) is None:
                connector = SyncPsycopgConnector(conninfo=url, kwargs=_INSIDE, min_size=1, max_size=1)
                with App(connector=connector).open() as app:
                    app.schema_manager.apply_schema()
    finally:
        engine.dispose()


def _nothing(_: Looked) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Rounds:
    """The work of one process: find who is to be looked at, look at them. `done`: called with each look.

    `at`: the instant things are told as of, when it is not now (a sandbox's).
    """

    here: Installation
    programme: Programme
    url: str
    at: datetime | None = None
    done: Callable[[Looked], None] = _nothing
    app: App = field(init=False)
    _defer: Callable[[str, int, datetime | None], Awaitable[bool]] = field(init=False)
    _find: Task[Any, Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        connector = PsycopgConnector(conninfo=self.url, kwargs=_INSIDE, min_size=1, max_size=4)
        # A tick missed while nobody ran is not caught up: who starts looks at once.
        self.app = App(connector=connector, periodic_defaults={"max_delay": 30})

        @self.app.task(name="look_at", queue="prevention")
        async def look_at(name: str, tries: int) -> None:
            await self._look_at(name, tries)

        @self.app.task(name="find", queue="prevention", queueing_lock="find")
        async def find(timestamp: int) -> None:
            await self.find()

        async def defer(name: str, tries: int, when: datetime | None) -> bool:
            try:
                await look_at.configure(queueing_lock=name, schedule_at=when).defer_async(name=name, tries=tries)
            except exceptions.AlreadyEnqueued:
                return False
            return True

        self._defer, self._find = defer, find

    async def run(self, *, once: bool) -> int:
        """Find who is to be looked at and look at them; until told to stop, or `once`. How many were found at first."""
        async with self.app.open_async():
            found = await self.find()
            if not once:
                self.app.periodic(cron="7 * * * *")(self._find)
            await self.app.run_worker_async(
                concurrency=AT_ONCE, wait=not once, delete_jobs="always", queues=["prevention"]
            )
        return found

    async def find(self) -> int:
        """Put every record that is to be looked at in the queue; how many were not in it yet."""
        await self._rescue()
        database, now = self.here.database, datetime.now(UTC)
        await watch.read_journal(database, self.programme.mark, now)
        found = 0
        async for names in watch.due(database, day(self.at or now)):
            for name in names:
                found += await self._defer(name, 0, None)
        log.info("%d records to look at", found)
        return found

    async def _rescue(self) -> None:
        """Give the jobs of a process that died to the living."""
        for job in await self.app.job_manager.get_stalled_jobs():
            try:
                await self.app.job_manager.retry_job(job)
            except exceptions.ConnectorException:  # it was put in the queue again meanwhile
                await self.app.job_manager.finish_job(job, Status.ABORTED, delete_job=True)

    async def _look_at(self, name: str, tries: int) -> None:
        now = datetime.now(UTC)
        try:
            looked = await look(self.here, self.programme, name, now, self.at or now)
        except Exception as error:  # whatever it is, the record waits its turn again, and the others have theirs
            log.warning("a record could not be looked at: %s", type(error).__name__)
            wait = min(_FIRST_WAIT * 2 ** min(tries, 20), _LONGEST_WAIT)
            await self._defer(name, tries + 1, now + wait)
            return
        self.done(looked)
        if looked.wait is not None:
            await self._defer(name, 0, looked.wait)
