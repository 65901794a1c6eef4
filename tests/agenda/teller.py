"""A process that tells what is due, killed (SIGKILL) after its first statement, its second, and so on to the end.

`python -m tests.agenda.teller URL KEY_FILE NOW`: prints how many were killed before one could finish.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from phr.access.installation import Installation
from phr.agenda.telling import tell_due
from phr.core.database import Database, Query, Session, synchronous_engine
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings, from_environment
from phr.core.vault import KeyFile


async def opened(settings: Settings, url: str, size: int) -> Installation:
    """The installation, on connections of its own."""
    keks = KeyEncryptionKeys(KeyFile.load(settings.key_file))
    engine = synchronous_engine(url)
    keys = SystemKeys.open(engine, keks)
    engine.dispose()
    return Installation.make(settings, await Database.connect(url, size), keks, keys)


def dying_after(statements: int) -> None:
    """Let this process be killed once it ran so many statements."""
    left, fetch, one = [statements], Session.fetch, Session.one

    def counted(result: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    async def counted_fetch(self: Session, query: Query, values: Any = None) -> list[Any]:
        return list(counted(await fetch(self, query, values)))

    async def counted_one(self: Session, query: Query, values: Any = None) -> Any:
        return counted(await one(self, query, values))

    Session.fetch, Session.one = counted_fetch, counted_one  # type: ignore[method-assign]


async def tell(settings: Settings, url: str, now: datetime) -> None:
    """Tell all that is due."""
    here = await opened(settings, url, 2)
    await tell_due(here, now)
    await here.database.close()


def main(url: str, key_file: str, now: str) -> int:
    """How many processes were killed."""
    data = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(Path(key_file).parent)}
    settings = replace(from_environment(data), issuer="http://carnet.test", key_file=Path(key_file))
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            dying_after(killed + 1)
            asyncio.run(tell(settings, url, datetime.fromisoformat(now)))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return killed
        killed += 1


if __name__ == "__main__":
    print(main(*sys.argv[1:4]))  # noqa: T201
