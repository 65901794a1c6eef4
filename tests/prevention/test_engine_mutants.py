"""Every hand-made mutant of the engine dies; nobody moves the code away from under them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prevention.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
SHARES = 2


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=lambda n: f"{MUTANTS[n].module}: {MUTANTS[n].why}")
def test_every_mutant_still_means_something(number: int) -> None:
    mutant = MUTANTS[number]
    source = Path(ROOT, *mutant.module.split(".")).with_suffix(".py").read_text()
    assert mutant.old in source, "the code has changed: say the mutant again"
    compile(source.replace(mutant.old, mutant.new, 1), mutant.module, "exec")


@pytest.mark.parametrize("share", range(SHARES))
def test_every_mutant_dies(share: int) -> None:
    numbers = [str(n) for n in range(len(MUTANTS)) if n % SHARES == share]
    command = [sys.executable, "-m", "tests.prevention.mutation", *numbers]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert sorted(told) == sorted(numbers)
    alive = [f"{MUTANTS[int(n)].module}: {MUTANTS[int(n)].why}" for n, how in told.items() if how == "survived"]
    assert alive == []
