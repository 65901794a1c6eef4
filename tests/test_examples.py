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

from tests.signing_in import answered, as_citizen, as_professional

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


def test_a_prescription_goes_from_a_practice_to_a_pharmacy(carnet: str) -> None:
    script = [sys.executable, "-u", str(EXAMPLES / "prescribe.py"), carnet]
    quiet = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=quiet) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "Sign in here, as Hélène Garnier:\n"
        assert httpx.get(as_professional(carnet, child.stdout.readline().strip(), "gp")).status_code == 200
        assert re.fullmatch(r"Prescribed: (?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}\n", child.stdout.readline())
        assert child.stdout.readline() == "Sign in here, as Yanis Cohen:\n"
        assert httpx.get(as_professional(carnet, child.stdout.readline().strip(), "pharmacist")).status_code == 200
        left = child.stdout.read().splitlines()
    assert child.returncode == 0
    assert left == [
        "Amlodipine 5 mg, comprimé: 60 left, 0 of them now",
        "Paracétamol 1 g, comprimé: 24 left, 24 of them now",
    ]


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


def test_a_page_shows_each() -> None:
    pages = ("README.md", "docs/depositing.md", "docs/integrate/prescriptions.md")
    shown = "".join((ROOT / page).read_text() for page in pages)
    for script in EXAMPLES.glob("*.py"):
        assert f"python3 docs/examples/{script.name}" in shown or f"python docs/examples/{script.name}" in shown
