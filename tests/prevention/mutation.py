"""Runs the engine's checks against mutated copies of its modules: `python -m tests.prevention.mutation N…`.

Each mutant has a process of its own, forked once the libraries are loaded; one line a mutant: its number, and what
killed it (or `survived`).
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence

from tests.access.mutation import Mutated

LONGEST = 60
"""Seconds: the checks of one that lives take a third of it."""
LIBRARIES = ("msgspec", "sqlalchemy", "pytest", "hypothesis.strategies")


def kill() -> str:
    """The first check that fails under the mutant, or `survived`."""
    under = "import"
    try:
        from tests.prevention import killers

        for under, check in killers.CHECKS:  # noqa: B007  (told when it fails)
            check()
    except BaseException as error:
        return f"{under} ({type(error).__name__})"
    return "survived"


def main(numbers: Sequence[int]) -> None:
    """Fork a process for each mutant, one at a time."""
    for library in LIBRARIES:
        importlib.import_module(library)
    from tests.prevention.mutants import MUTANTS

    for number in numbers:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST)  # a mutant that never ends is dead too
            mutant = MUTANTS[number]
            sys.meta_path.insert(0, Mutated(mutant.module, mutant.old, mutant.new))
            os.write(writing, kill().encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            print(number, pipe.read() or "died", flush=True)  # noqa: T201  (its one output)


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
