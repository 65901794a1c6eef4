"""The worker, a real process killed without warning: each person is told once, and nobody is forgotten."""

import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from auth import accounts
from phr.core import outbox
from phr.core.database import psycopg_url
from phr.core.embedded import embedded
from phr.core.identifiers import INS_NIR_TEST, ins_key
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.vault import KeyFile
from phr.representation import PARIS
from tests.logwatch import secrets_in
from tests.test_crash import PATIENCE, folder, ran, rows, started, until

__all__ = ["folder"]
PEOPLE = 30
THEN = (datetime.now(PARIS) + timedelta(days=1)).strftime("%Y-%m-%dT10:00:00")
"""In the day, whatever the hour of the test."""
WORK = ("worker", "--once", "--at", THEN)


@dataclass(frozen=True, slots=True)
class People:
    """Where their database answers, and the addresses of their accounts."""

    url: str
    addresses: list[str]


@contextmanager
def keys_of(folder: Path, url: str) -> Iterator[tuple[Session, SystemKeys]]:
    keks = KeyEncryptionKeys(KeyFile.load(folder / "keys" / "kek.json"))
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with Session(engine) as session, session.begin():
        yield session, SystemKeys.open(engine, keks)
    engine.dispose()


@pytest.fixture
def people(folder: Path) -> Iterator[People]:
    """Women of 56 with an empty record, in a database that runs as long as the test."""
    where = folder / "bundles"
    where.mkdir()
    for n in range(PEOPLE):
        first = f"2700175101{n:03d}"
        patient = {
            "resourceType": "Patient",
            "id": "p",
            "gender": "female",
            "birthDate": "1970-01-15",
            "identifier": [{"system": f"urn:oid:{INS_NIR_TEST}", "value": first + ins_key(first)}],
        }
        entry = [{"fullUrl": "urn:uuid:p", "resource": patient}]
        (where / f"{n}.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry}))
    code, output = ran(folder, "import", str(where))
    assert code == 0, output
    with embedded(folder) as url:
        records = [name for (name,) in rows(folder, "SELECT id FROM record ORDER BY id")]
        assert len(records) == PEOPLE
        addresses = [f"person{n}@poste.test" for n in range(PEOPLE)]
        with keys_of(folder, url) as (session, keys):
            for record, address in zip(records, addresses, strict=True):
                accounts.create(session, keys, uuid4().hex, "", "Ada Durand", address, record, datetime.now(UTC))
        yield People(url, sorted(addresses))


def told(folder: Path) -> int:
    return int(rows(folder, "SELECT count(DISTINCT record) FROM prevention_message WHERE record <> 'accounts'")[0][0])


def mailed(folder: Path, url: str) -> list[str]:
    with keys_of(folder, url) as (session, keys):
        return sorted(one["to"] for one in outbox.waiting(session, keys, "mail"))


def once_each(folder: Path, people: People) -> None:
    """Everybody has one message, in their inbox and announced, and the queue is empty."""
    messages = "SELECT count(*) FROM resource WHERE kind = 'Communication' GROUP BY record"
    assert rows(folder, messages) == [(1,)] * PEOPLE
    assert mailed(folder, people.url) == people.addresses
    times = "SELECT count(DISTINCT at) FROM prevention_message WHERE record <> 'accounts' GROUP BY record, recipient"
    assert rows(folder, times) == [(1,)] * PEOPLE
    assert rows(folder, "SELECT count(*) FROM prevention_message WHERE record = 'accounts'") == [(PEOPLE,)]
    assert rows(folder, "SELECT count(*) FROM prevention_watch WHERE next_change <= now()") == [(0,)]


def test_killed_again_and_again_each_is_told_once(folder: Path, people: People) -> None:
    seen: list[int] = []
    for goal in (1, 6, 14, 22):
        with started(folder, *WORK) as process:
            until(lambda goal=goal: told(folder) >= goal or process.poll() is not None, "somebody told")  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.02))
            process.kill()
            process.communicate(timeout=PATIENCE)
        seen.append(told(folder))
    assert 0 < seen[0] < PEOPLE, "it was killed in the middle"
    code, output = ran(folder, *WORK)
    assert code == 0, output
    assert re.search(r"\d+ looked at, \d+ told\.", output)
    assert secrets_in(output) == []
    once_each(folder, people)
    # The jobs of the dead are given to the living; that they are done again tells nobody again.
    change(people, "UPDATE queue.procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    assert ran(folder, *WORK)[0] == 0
    once_each(folder, people)
    assert rows(folder, "SELECT count(*) FROM queue.procrastinate_jobs") == [(0,)]
    code, output = ran(folder, "journal", "verify")
    assert code == 0, output
    assert " 0 broken" in output


def change(people: People, statement: LiteralString) -> None:
    with psycopg.connect(people.url, autocommit=True) as connection:
        connection.execute(statement)


def test_two_workers_at_once_share_the_work(folder: Path, people: People) -> None:
    with started(folder, *WORK) as one, started(folder, *WORK) as other:
        outputs = [process.communicate(timeout=PATIENCE)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    once_each(folder, people)


def test_a_lost_queue_forgets_nobody(folder: Path, people: People) -> None:
    with started(folder, *WORK) as process:
        until(lambda: told(folder) >= 3, "somebody told")
        process.kill()
        process.communicate(timeout=PATIENCE)
    change(people, "DROP SCHEMA queue CASCADE")
    code, output = ran(folder, *WORK)
    assert code == 0, output
    once_each(folder, people)


def test_it_runs_until_it_is_stopped(folder: Path, people: People) -> None:
    with started(folder, "worker", "--at", THEN) as process:
        until(lambda: told(folder) == PEOPLE, "everybody told")
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert secrets_in(output) == []
    once_each(folder, people)


def test_a_dry_run_from_the_command_line(folder: Path, people: People) -> None:
    drawing = folder / "screening.svg"
    code, output = ran(folder, "campaigns", "dry-run", "cancer-screening", "--on", "2026-11-23", "--svg", str(drawing))
    assert code == 0, output
    assert "55–59" in output
    assert "about 30 people" in output
    assert "<svg" in drawing.read_text()
    assert told(folder) == 0
    code, output = ran(folder, "campaigns", "dry-run", "nothing")
    assert (code, "There is no campaign" in output) == (2, True)
    code, output = ran(folder, "campaigns", "list")
    assert (code, "push: not delivered" in output) == (0, False)
