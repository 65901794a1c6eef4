"""Every hand-made mutant of the policy dies; nobody weakens the kill-set, or moves the code away from under it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from phr.core.database import synchronous_engine
from tests.access.mutants import MUTANTS
from tests.access.worlds import store

ROOT = Path(__file__).resolve().parents[2]
SHARES = 2


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=lambda n: f"{MUTANTS[n].module}: {MUTANTS[n].why}")
def test_every_mutant_still_means_something(number: int) -> None:
    mutant = MUTANTS[number]
    source = Path(ROOT, *mutant.module.split(".")).with_suffix(".py").read_text()
    assert mutant.old in source, "the code has changed: say the mutant again"
    assert mutant.old != mutant.new
    compile(source.replace(mutant.old, mutant.new, 1), mutant.module, "exec")


@pytest.mark.parametrize("share", range(SHARES))
def test_every_mutant_dies(share: int, database_url: str, tmp_path: Path) -> None:
    engine = synchronous_engine(database_url)
    store(engine)
    engine.dispose()
    numbers = [str(n) for n in range(len(MUTANTS)) if n % SHARES == share]
    command = [sys.executable, "-m", "tests.access.mutation", database_url, str(tmp_path), *numbers]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr
    fates = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(fates) == set(numbers)
    alive = [MUTANTS[int(n)] for n, fate in fates.items() if not fate.endswith("(AssertionError)")]
    assert alive == [], {n: fates[n] for n in numbers}
