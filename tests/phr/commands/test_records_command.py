"""`records`, and what `keys` and `journal` say of records that ended, run against a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from fhir.tables import record
from phr.__main__ import cli
from phr.access.journal import read_note
from phr.core.vault import KeyFile
from tests.access.test_chain import entries, keys_of
from tests.house import INS_SYSTEM, House
from tests.phr.living_and_dying import Person, ask, row_of, told

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(house: House, database_url: str) -> Run:
    """The command line, beside a running server."""
    told = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(house.settings.data_dir), "PHR_DATABASE_URL": database_url}

    async def invoke(*arguments: str) -> Result:
        wide = {"COLUMNS": "300"}
        return await asyncio.to_thread(lambda: CliRunner().invoke(cli, list(arguments), env=wide | told))

    return invoke


async def done(run: Run, *arguments: str) -> str:
    """What a command that succeeds says."""
    result = await run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


async def refused(run: Run, *arguments: str) -> str:
    """The one sentence of a command that does not."""
    result = await run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def due(house: House, name: str) -> None:
    """Let the time of a closed record come."""
    with house.parts.engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(days=1)
        connection.execute(update(record).where(record.c.id == name).values(erase_after=past))


async def test_opposition(house: House, run: Run) -> None:
    ins = house.new_ins()
    patient = {"resourceType": "Patient", "identifier": [{"system": INS_SYSTEM, "value": ins}]}
    assert "never opened" in await refused(run, "records", "show", ins)
    await done(run, "records", "oppose", ins)
    await done(run, "records", "oppose", f"{ins[:1]} {ins[1:]}")
    assert "none opens" in await done(run, "records", "show", ins)
    assert (await house.operator().post("Patient", patient)).status_code == 409
    await done(run, "records", "unoppose", ins)
    assert "nobody opposed" in await refused(run, "records", "unoppose", ins)
    assert (await house.operator().post("Patient", patient)).status_code == 201
    assert "open under this INS" in await refused(run, "records", "oppose", ins)
    assert "its key is wrong" in await refused(run, "records", "oppose", ins[:-2] + "00")


async def test_a_record_from_its_opening_to_its_destruction(house: House, run: Run) -> None:
    ins = house.new_ins()
    person = await Person.of(house, ins)
    name, today = person.record, datetime.now(UTC).date().isoformat()[:7]
    shown = await done(run, "records", "show", ins)
    assert shown.splitlines()[0] == "state: open"
    assert f"opened: {today}" in shown
    assert "Durand" not in shown

    closed = await done(run, "records", "close", ins, "--reason", "request")
    assert closed == await done(run, "records", "show", ins)
    assert ("state: closed" in closed, "why: request" in closed, "to be destroyed: " in closed) == (True,) * 3
    assert (await person.app.get(f"Patient/{name}")).status_code == 404
    assert "closed already" in await refused(run, "records", "close", ins, "--reason", "request")
    assert "state: open" in await done(run, "records", "reopen", ins, "--reason", "Changed their mind")
    assert "not closed" in await refused(run, "records", "reopen", ins, "--reason", "Again")
    assert "Only the person" in await refused(run, "records", "close", ins, "--reason", "citizen")
    said = [read_note(keys_of(house, name), name, row.id, row.sealed) for row in entries(house, name)]
    closings = [(note.reader, note.asked, note.refused) for note in said if note.asked.startswith("records")]
    assert closings == [
        ("Operator", "records close", ""),
        ("Operator", "records close", "closed-already"),
        ("Operator", "records reopen", ""),
        ("Operator", "records reopen", "not-closed"),
    ]

    assert "why: erasure" in await done(run, "records", "close", ins, "--reason", "erasure")
    assert "say --due" in await refused(run, "records", "destroy")
    assert "0 destroyed" in await done(run, "records", "destroy", "--due")
    due(house, name)
    assert "1 destroyed" in await done(run, "records", "destroy", "--due")
    assert row_of(house, name).erased is not None
    assert "destroyed on request" in await done(run, "records", "show", ins)
    assert "never opened, or it was destroyed" in await refused(run, "records", "reopen", ins, "--reason", "Too late")
    verified = await done(run, "journal", "verify")
    assert "0 broken" in verified
    assert "1 of these chains ended with their record" in verified


async def test_a_death_is_said_by_the_operator_and_taken_back_by_them(house: House, run: Run) -> None:
    ins = house.new_ins()
    person = await Person.of(house, ins)
    assert "why: death" in await done(run, "records", "close", ins, "--reason", "death")
    assert (await ask(person.app, person.record, "reopen")).status_code == 409
    assert "only the operator" in await refused(run, "records", "close", ins, "--reason", "erasure")
    await done(run, "records", "reopen", ins, "--reason", "Somebody else of the same name")
    told(await ask(person.app, person.record, "close"))


async def test_an_old_key_is_retired_once_nothing_is_under_it(house: House, run: Run) -> None:
    ins = house.new_ins()
    person = await Person.of(house, ins)
    told(await ask(person.app, person.record, "erase"))
    due(house, person.record)
    assert "keys retire" in await done(run, "records", "destroy", "--due")
    assert "rotate first" in await refused(run, "keys", "retire", "sandbox-1")
    await done(run, "keys", "rotate", "2027-01")
    assert "not in the file" in await refused(run, "keys", "retire", "2026-01")
    await done(run, "keys", "retire", "sandbox-1")
    assert list(KeyFile.load(house.settings.key_file).keys) == ["2027-01"]
    assert (await house.operator().get("Practitioner")).status_code == 200
    name = await house.open_record()
    assert (await house.citizen(name).get(f"Patient/{name}")).status_code == 200
    assert row_of(house, name).kek == "2027-01"
