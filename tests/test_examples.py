"""The scripts and the walk the README shows, run as printed against a real server in its own process."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.signing_in import answered, as_citizen

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"


def test_a_citizen_reads_a_document(carnet: str) -> None:
    script = [sys.executable, "-u", str(EXAMPLES / "read_a_document.py"), carnet]
    quiet = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=quiet) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("Sign in here")
        ended = as_citizen(carnet, child.stdout.readline().strip())
        assert httpx.get(ended).status_code == 200
        printed = child.stdout.read()
    assert child.returncode == 0
    assert re.search(r"\d+ bytes of [a-z]+/[a-z]+", printed)


def test_a_hospital_deposits_a_document(carnet: str) -> None:
    script = [sys.executable, str(EXAMPLES / "deposit_a_document.py"), carnet]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Deposited ")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the README's walk uses them")
def test_the_walk_with_curl(carnet: str) -> None:
    """The two commands of the README, the browser between them."""
    section = (ROOT / "README.md").read_text().partition("## Read a document")[2].partition("\n## ")[0]
    first, second, _ = re.findall(r"^```sh\n(.*?)^```$", section.replace("http://127.0.0.1:8000", carnet), re.M | re.S)
    address, verifier = _typed(first + 'echo "$verifier"').splitlines()
    code = answered(as_citizen(carnet, address, "ines.benali"))["code"]
    found = json.loads(_typed(f"verifier={verifier}\n" + second.replace("code=…", f"code={code}")))
    assert found["entry"][0]["resource"]["resourceType"] == "DocumentReference"


def _typed(commands: str) -> str:
    return subprocess.run(["bash", "-euc", commands], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_readme_shows_them() -> None:
    shown = (ROOT / "README.md").read_text() + (ROOT / "docs" / "depositing.md").read_text()
    for script in EXAMPLES.glob("*.py"):
        assert f"python3 docs/examples/{script.name}" in shown or f"python docs/examples/{script.name}" in shown
