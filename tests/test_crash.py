"""Real processes, killed without warning: what was half done is not there, and everything starts again."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from phr.core.identifiers import INS_NIR_TEST, ins_key

ROOT = Path(__file__).parents[1]
FILES, EACH = 6, 250
PATIENCE = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory with a short path (it holds a Unix socket), removed with what still runs in it."""
    with TemporaryDirectory(prefix="phr-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        try:
            yield path
        finally:
            with suppress(ProcessLookupError, FileNotFoundError, IndexError):
                os.kill(postmaster(path), signal.SIGQUIT)


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHR_", "COVERAGE", "COV_"))}
    return {**kept, "PHR_ENV": "sandbox", "PHR_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT), **more}


def started(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "phr", *words],
        cwd=ROOT,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ran(folder: Path, *words: str) -> tuple[int, str]:
    with started(folder, *words) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


def postmaster(folder: Path) -> int:
    """The process id of the embedded PostgreSQL."""
    return int((folder / "postgresql" / "postmaster.pid").read_text().split()[0])


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(ready: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable, OSError, httpx.TransportError):
            if found := ready():
                return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def rows(folder: Path, statement: str) -> list[Any]:
    """What the embedded database holds, asked on its socket."""
    lines = (folder / "postgresql" / "postmaster.pid").read_text().splitlines()
    url = f"postgresql://postgres@/postgres?host={quote(lines[4] or str(folder / 'postgresql'), safe='')}"
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute(statement).fetchall()


def imported(folder: Path) -> int:
    return int(rows(folder, "SELECT count(*) FROM imported")[0][0])


def counts(folder: Path) -> list[int]:
    """How many resources each record has."""
    found = rows(folder, "SELECT count(*) FROM resource WHERE record IS NOT NULL GROUP BY record")
    return [count for (count,) in found]


@pytest.fixture
def bundles(folder: Path) -> Path:
    """Several people, a few hundred resources each."""
    where = folder / "bundles"
    where.mkdir()
    for n in range(FILES):
        first = f"2850175100{n:03d}"
        patient = {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [{"system": f"urn:oid:{INS_NIR_TEST}", "value": first + ins_key(first)}],
        }
        entries: list[Any] = [{"fullUrl": "urn:uuid:p", "resource": patient}]
        for m in range(EACH - 1):
            weight = {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                "subject": {"reference": "urn:uuid:p"},
                "effectiveDateTime": f"2026-01-{m % 28 + 1:02d}",
                "valueQuantity": {"value": m, "unit": "kg"},
            }
            entries.append({"fullUrl": f"urn:uuid:{uuid4()}", "resource": weight})
        text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
        (where / f"{n}.json").write_text(text)
    return where


def whole(folder: Path, at_least: int, at_most: int = FILES) -> int:
    """Every bundle is there entirely or not at all, and marked if and only if it is. How many are."""
    found = counts(folder)
    assert set(found) == {EACH}, "half a bundle"
    assert len(found) == imported(folder)
    assert rows(folder, "SELECT count(*) FROM record") == [(len(found),)]
    assert rows(folder, "SELECT count(*) FROM record_lookup") == [(len(found),)]
    assert at_least <= len(found) <= at_most
    return len(found)


def test_a_killed_import_leaves_nothing_half_done_and_resumes(folder: Path, bundles: Path) -> None:
    with started(folder, "import", str(bundles)) as process:
        until(lambda: imported(folder) >= 1, "a first bundle")
        time.sleep(random.uniform(0, 0.1))
        process.kill()
    until(lambda: rows(folder, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'carnet'") == [(0,)], "")
    done = whole(folder, 1, FILES - 1)

    with started(folder, "import", str(bundles)) as process:
        until(lambda: imported(folder) > done, "one more bundle")
        time.sleep(random.uniform(0, 0.1))
        os.kill(postmaster(folder), signal.SIGKILL)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, output
    assert "Traceback" not in output, output

    code, output = ran(folder, "import", str(bundles))
    assert code == 0, output
    told = re.search(r"(\d+) resources imported, (\d+) were there already, 0 files failed", output)
    assert told is not None, output
    assert int(told[1]) + int(told[2]) == FILES * EACH
    assert int(told[2]) >= (done + 1) * EACH

    code, output = ran(folder, "journal", "verify")
    assert code == 0, output
    assert f"{FILES} chains, {FILES} entries, 0 broken" in output
    code, output = ran(folder, "import", str(bundles))
    assert (code, f"0 resources imported, {FILES * EACH} were there" in output) == (0, True), output
    with started(folder, "journal", "verify") as process:
        until(lambda: counts(folder), "the database")
        assert whole(folder, FILES) == FILES
        process.communicate(timeout=PATIENCE)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A server that answers ready; killed at the end if it still runs."""
    with started(folder, "serve", PHR_PORT=str(port)) as process:
        try:
            until(lambda: _ready(process, port), "the server")
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _ready(process: subprocess.Popen[str], port: int) -> bool:
    if process.poll() is not None:
        raise AssertionError(process.communicate()[0])
    return httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200


def people_found(port: int) -> Sequence[str]:
    """The demo people that the demo hospital finds by their INS, with a real token."""
    base = f"http://127.0.0.1:{port}"
    told = httpx.get(f"{base}/sandbox").json()
    hospital = next(one for one in told["clients"] if one["kind"] == "deposit")
    now, token_url = int(time.time()), told["endpoints"]["token"]
    claims = {"iss": hospital["client_id"], "sub": hospital["client_id"], "aud": token_url}
    claims |= {"jti": uuid4().hex, "iat": now, "exp": now + 60}
    key = hospital["private_jwk"]
    form = {
        "grant_type": "client_credentials",
        "scope": "system/Patient.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES256"}, claims, ECKey.import_key(key)),
    }
    token = httpx.post(token_url, data=form).json()["access_token"]
    found = []
    for person in told["citizens"]:
        asked = {"identifier": f"{person['ins']['system']}|{person['ins']['value']}"}
        answer = httpx.get(f"{base}/fhir/Patient", params=asked, headers={"Authorization": f"Bearer {token}"})
        found += [entry["resource"]["id"] for entry in answer.json().get("entry", ())]
    assert len(found) == len(told["citizens"]) > 0
    return found


def test_a_server_stops_cleanly_and_survives_a_kill(folder: Path) -> None:
    port = free_port()
    with serving(folder, port) as process:
        database = postmaster(folder)
        assert alive(database)
        people = people_found(port)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert not alive(database), "PostgreSQL was left behind"

    with serving(folder, port) as process:
        assert people_found(port) == people, "the data is still there"
        process.kill()
    with serving(folder, port) as process:
        assert people_found(port) == people
        database = postmaster(folder)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert not alive(database), "PostgreSQL was left behind after a kill"
