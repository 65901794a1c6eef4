"""Rotating the key-encryption key while a server runs, and what production refuses to start with."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from phr import production, rotation, sandbox
from phr.core.database import psycopg_url
from phr.core.keys import KeyEncryptionKeys
from phr.core.settings import Settings
from phr.core.vault import BrokenSealError, KeyFile
from tests.deposit import PDF, bytes_of, clinic, deposited, document
from tests.house import Caller, House, observation

ROOT = Path(__file__).parents[1]
PEOPLE = 12


def under(url: str) -> dict[str, set[str]]:
    """Which key-encryption keys wrap the keys of each table."""
    engine = create_engine(psycopg_url(url))
    with engine.connect() as connection:
        found = {
            table: set(connection.exec_driver_sql(f"SELECT kek FROM {table}").scalars())
            for table in ("record", "system_key")
        }
    engine.dispose()
    return found


@pytest.fixture
async def people(house: House) -> list[str]:
    return [await house.open_record() for _ in range(PEOPLE)]


async def _busy(house: House, people: list[str], done: asyncio.Event, callers: dict[str, Caller]) -> int:
    """Read, write and open records until told to stop; how many times everything answered as it should."""
    rounds = 0
    while not done.is_set() or rounds < 2:
        for record in people[rounds % 3 :: 3]:
            house.parts.installation.forget(record)
            written = await callers[record].post("Observation", observation(record))
            assert written.status_code == 201, written.text
            read = await callers[record].get(f"Observation/{written.json()['id']}")
            assert read.status_code == 200, read.text
        people.append(await house.open_record())
        callers[people[-1]] = house.citizen(people[-1])
        rounds += 1
    return rounds


async def test_rotation_while_the_server_runs(house: House, people: list[str], database_url: str) -> None:
    before = {record: house.citizen(record) for record in people}
    stored = await deposited(house.depositor(), document(people[0], await clinic(house)))
    done = asyncio.Event()
    busy = asyncio.create_task(_busy(house, people, done, dict(before)))
    await asyncio.sleep(0)
    async with House.build(house.settings, database_url) as other:
        other.parts.installation.keks.rotate("2026-11")
        moved = [n async for n in rotation.rewrap(other.parts.installation, other.parts.engine)]
        moved += [n async for n in rotation.rewrap(other.parts.installation, other.parts.engine)]
        assert sum(moved) >= PEOPLE
        done.set()
        assert await busy >= 2
        assert await rotation.left(other.parts.installation) == 0
        assert under(database_url) == {"record": {"2026-11"}, "system_key": {"2026-11"}}
        found = await other.citizen(people[0]).get("DocumentReference?type=11502-2")
        assert found.json()["entry"][0]["resource"]["id"] == stored["id"], "hashes made before still match"
    for record, caller in before.items():
        assert (await caller.get(f"Patient/{record}")).status_code == 200, "tokens signed before still open"
    assert (await before[people[0]].get(bytes_of(stored), Accept="*/*")).content == PDF


async def test_a_process_that_did_not_rotate_uses_the_new_key(house: House, database_url: str) -> None:
    """Two servers share the key file: the one that did not rotate reads the file again, for old keys and new."""
    record = await house.open_record()
    async with House.build(house.settings, database_url) as other:
        other.parts.installation.keks.rotate("2026-11")
        async for _ in rotation.rewrap(other.parts.installation, other.parts.engine):
            pass
    house.parts.installation.forget(record)
    assert (await house.citizen(record).get(f"Patient/{record}")).status_code == 200
    await house.open_record()
    assert under(database_url)["record"] == {"2026-11"}


async def test_a_rotation_cut_short_is_finished_by_the_next(house: House, people: list[str], database_url: str) -> None:
    installation = house.parts.installation
    installation.keks.rotate("second")
    async for _ in rotation.rewrap(installation, house.parts.engine):
        break
    assert under(database_url) == {"record": {"sandbox-1"}, "system_key": {"second"}}
    for record in people:
        installation.forget(record)
        assert (await house.citizen(record).get(f"Patient/{record}")).status_code == 200
    async for _ in rotation.rewrap(installation, house.parts.engine):
        pass
    assert under(database_url)["record"] == {"second"}


async def test_another_key_file_opens_nothing(
    house: House, settings: Settings, database_url: str, tmp_path: Path
) -> None:
    record = await house.open_record()
    KeyFile.create(tmp_path / "other.json", "sandbox-1")
    wrong = replace(settings, key_file=tmp_path / "other.json")
    with pytest.raises(BrokenSealError):
        async with House.build(wrong, database_url):
            pass
    house.parts.installation.keks = KeyEncryptionKeys(KeyFile.load(wrong.key_file))
    house.parts.installation.forget(record)
    answer = await house.citizen(record).get(f"Patient/{record}")
    assert answer.status_code >= 500
    assert "Durand" not in answer.text


def _phr(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHR_", "COV"))}
    environ = {**kept, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "phr", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)


async def test_the_command_line_says_which_key_is_wrong(
    house: House, people: list[str], database_url: str, tmp_path: Path
) -> None:
    key_file = tmp_path / "another" / "kek.json"
    asked: dict[str, Any] = {"PHR_ENV": "sandbox", "PHR_DATABASE_URL": database_url, "PHR_KEY_FILE": str(key_file)}
    made = await asyncio.to_thread(_phr, "keys", "create", "first", **asked)
    assert made.returncode == 0, made.stderr
    assert (await asyncio.to_thread(_phr, "keys", "create", "first", **asked)).returncode == 2, "never overwritten"
    refused = await asyncio.to_thread(_phr, "journal", "verify", **asked)
    assert refused.returncode == 2
    assert "the key file does not open this database" in refused.stderr
    assert "Traceback" not in refused.stderr
    asked["PHR_KEY_FILE"] = str(house.settings.key_file)
    rotated = await asyncio.to_thread(_phr, "keys", "rotate", "by-hand", **asked)
    assert rotated.returncode == 0, rotated.stderr
    assert under(database_url) == {"record": {"by-hand"}, "system_key": {"by-hand"}}
    for record in people:
        house.parts.installation.forget(record)
        assert (await house.citizen(record).get(f"Patient/{record}")).status_code == 200
    again = await asyncio.to_thread(_phr, "keys", "rotate", "by-hand", **asked)
    assert again.returncode == 2
    assert "exists already" in again.stderr


async def test_production_refuses_what_a_sandbox_left(house: House) -> None:
    parts = house.parts
    assert await production.faults(parts.installation, parts.server) == ["PHR_KEY_FILE holds a sandbox key"]
    await sandbox.load(parts.installation, parts.server, datetime.now(UTC))
    parts.installation.keks.rotate("2026-11")
    assert await production.faults(parts.installation, parts.server) == [
        "the database holds the demo world",
        "PHR_KEY_FILE holds a sandbox key",
        "a client is registered with a demo key",
    ]


async def test_production_serves_with_its_own_keys(settings: Settings, database_url: str, tmp_path: Path) -> None:
    KeyFile.create(tmp_path / "own.json", "2026-11")
    own = replace(settings, env="production", key_file=tmp_path / "own.json")
    async with House.build(own, database_url) as house:
        assert await production.faults(house.parts.installation, house.parts.server) == []
        assert (await house.http.get("/sandbox")).status_code == 404
