"""The operator's commands for people: what they print, what they refuse, and what they leave behind."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from auth import accounts, tables
from auth.enrolment import Details, Enrolled, Enrolment
from fhir.tables import record
from phr import representation
from phr.commands.people import people_cli
from phr.core import outbox
from phr.core.identifiers import INS_NIR
from phr.representation import Representation
from tests.house import ALL, Caller, House

BORN, LINA = "1985-05-17", "2018-07-14"
Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command on the house's own database, with its key file."""
    environment = {
        "PHR_ENV": "sandbox",
        "PHR_DATA_DIR": str(tmp_path),
        "PHR_KEY_FILE": str(house.settings.key_file),
        "PHR_DATABASE_URL": database_url,
        "COLUMNS": "200",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def ran(*words: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(people_cli, words))

    return ran


async def invited(run: Run, ins: str, born: str = BORN) -> Result:
    return await run("invite", ins, "--born", born, "--given", "Ada", "--family", "Durand")


def enrolled(house: House, code: str, ins: str, login: str = "ada.durand") -> Enrolled:
    """The person does what the letter says."""
    server = house.parts.server
    enrolment = Enrolment(server, "1")
    secret = enrolment.redeem(code, ins, BORN, "192.0.2.1")
    assert isinstance(secret, str), secret
    wish = Details(login, f"{login}@poste.test", "des tomates bien rouges", "1")
    assert enrolment.choose(secret, wish, "fr", "192.0.2.1") is None
    with Session(server.engine) as session:
        (message,) = (m for m in outbox.waiting(session, server.keys, "mail") if m["to"] == f"{login}@poste.test")
    mailed = re.search(r"\b[0-9]{6}\b", message["text"])
    assert mailed is not None
    found = enrolment.verify(secret, mailed[0], "Firefox", None, "fr")
    assert isinstance(found, Enrolled)
    return found


async def parent(house: House, run: Run, login: str = "ada.durand") -> tuple[str, Enrolled]:
    """Somebody who enrolled with the operator's letter, and their INS."""
    ins = house.new_ins()
    await house.open_record(ins)
    result = await invited(run, ins)
    return ins, await asyncio.to_thread(enrolled, house, result.output.split()[0], ins, login)


WHO = ("--label", "Lina", "--born", LINA)


def acting(house: House, found: Enrolled, record: str) -> Caller:
    """An app of this account, in somebody else's record."""
    account = str(found.account.id)
    return house.caller(replace(house.claims("citizen-app", "app", ALL, record, subject=account), actor=account))


async def test_the_letter_opens_the_account_of_that_record(house: House, run: Run) -> None:
    ins = house.new_ins()
    opened = await house.open_record(ins)
    result = await invited(run, f"{ins[:1]} {ins[1:]}")
    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        r"(?:[2-9A-HJKMNP-Z]{4}-){2}[2-9A-HJKMNP-Z]{4}\nValid until \d{4}-\d\d-\d\d, once, at \S+/enrol\n",
        result.output,
    )
    found = await asyncio.to_thread(enrolled, house, result.output.split()[0].lower(), ins)
    assert found.account.record == opened
    assert found.account.name == "Ada Durand"
    again = await invited(run, ins)
    assert (again.exit_code, again.stderr) == (2, "This person has an account already.\n")


async def test_nobody_is_invited_without_a_record(house: House, run: Run) -> None:
    unknown, wrong = house.new_ins(), "285011000000100"
    for ins in (unknown, wrong, "lucie.martin"):
        result = await invited(run, ins)
        assert result.exit_code == 2
        assert ins not in result.output + result.stderr
    result = await run("invite", unknown, "--born", BORN, "--given", "A", "--family", "D", "--authority", INS_NIR)
    assert result.exit_code == 2
    with Session(house.parts.server.engine) as session:
        assert session.execute(select(func.count()).select_from(tables.invitation)).scalar_one() == 0


async def test_nobody_is_invited_to_a_closed_record(house: House, run: Run) -> None:
    ins = house.new_ins()
    name = await house.open_record(ins)
    with Session(house.parts.server.engine) as session, session.begin():
        session.execute(update(record).where(record.c.id == name).values(closed=datetime.now(UTC)))
    assert (await invited(run, ins)).stderr == "No record is open under this INS.\n"


@pytest.mark.parametrize("named", ["ins", "login", "email"])
async def test_a_parent_acts_for_a_child_until_it_ends(house: House, run: Run, named: str) -> None:
    ins, found = await parent(house, run)
    who = {"ins": ins, "login": found.account.login, "email": found.account.email}[named]
    child_ins = house.new_ins()
    child = await house.open_record(child_ins, birthDate=LINA)
    result = await run("represent", child_ins, who, "--label", "Lina", "--born", LINA)
    assert (result.exit_code, result.output) == (0, "Done. It ends by itself on 2036-07-14.\n")
    server = house.parts.server
    with Session(server.engine) as session, session.begin():
        assert representation.holds(session, found.account.id, child, datetime.now(UTC))
    mother = acting(house, found, child)
    assert (await mother.get(f"Patient/{child}")).status_code == 200
    consents = (await mother.get("Consent?status=active&category=legal-representative")).json()["entry"]
    [consent] = [one["resource"] for one in consents]
    assert consent["provision"]["period"]["end"] == "2036-07-13T22:00:00.000+00:00"
    again = await run("represent", child_ins, who, "--label", "Lina", "--born", LINA)
    assert again.exit_code == 0, again.output
    assert (await mother.get(f"Patient/{child}")).status_code == 200, "said twice, written once"
    listed = await run("representations", "list")
    assert all(word in listed.output for word in ("ada.durand", "Lina", "parent", child, "2036-07-14"))
    assert (await run("representations", "list", "--parent", who)).output == listed.output
    ended = await run("unrepresent", child_ins, who)
    assert (ended.exit_code, ended.output) == (0, "Done. Every access given under it is revoked.\n")
    with Session(server.engine) as session, session.begin():
        assert not representation.holds(session, found.account.id, child, datetime.now(UTC))
    assert (await mother.get(f"Patient/{child}")).status_code == 404
    assert (await house.citizen(child).get(f"Consent/{consent['id']}")).json()["status"] == "inactive"
    assert "Lina" not in (await run("representations", "list")).output
    assert (await run("unrepresent", child_ins, who)).exit_code == 2


async def test_who_cannot_be_represented_or_represent(house: House, run: Run) -> None:
    ins, _ = await parent(house, run)
    child, adult = house.new_ins(), house.new_ins()
    await house.open_record(child, birthDate=LINA)
    await house.open_record(adult)
    of_age = datetime.now(UTC).year - 18
    refused = [
        ("represent", child, ins, "--label", "Lina", "--born", f"{of_age}-01-01"),
        ("represent", adult, ins, "--label", "Ada", "--born", BORN),
        ("represent", child, ins, "--label", "Lina", "--born", "2018-07-15"),
        ("represent", ins, ins, "--label", "Lina", "--born", LINA),
        ("represent", child, child, "--label", "Lina", "--born", LINA),
        ("represent", child, "nobody", "--label", "Lina", "--born", LINA),
        ("represent", house.new_ins(), ins, "--label", "Lina", "--born", LINA),
        ("unrepresent", child, ins),
        ("representations", "list", "--parent", "nobody"),
    ]
    for words in refused:
        result = await run(*words)
        assert result.exit_code == 2, words
        assert result.stderr.count("\n") == 1
    with Session(house.parts.server.engine) as session:
        assert session.execute(select(func.count()).select_from(representation.representation)).scalar_one() == 0


async def test_two_parents_at_most(house: House, run: Run) -> None:
    child = house.new_ins()
    await house.open_record(child, birthDate=LINA)
    said = [await run("represent", child, (await parent(house, run, f"parent.{n}"))[0], *WHO) for n in range(3)]
    assert [one.exit_code for one in said] == [0, 0, 2]
    assert said[2].stderr.startswith("Nothing was changed: A person has at most 2 legal representatives")


async def test_what_the_release_before_wrote_is_renewed(house: House, run: Run) -> None:
    """Its rows have no Consent: their parents see nothing until the operator says so."""
    _, found = await parent(house, run)
    child, grown = await house.open_record(birthDate=LINA), await house.open_record()
    keys = house.parts.server.keys
    async with house.parts.installation.database.transaction() as session:
        for one in (child, grown):
            row = Representation(found.account.id, one, "Lina", representation.PARENT, datetime.now(UTC), None)
            await representation.add(session, keys, row)
    mother = acting(house, found, child)
    assert (await mother.get(f"Patient/{child}")).status_code == 404
    result = await run("representations", "renew")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "1 renewed, 1 could not be.")
    assert (await mother.get(f"Patient/{child}")).status_code == 200
    assert (await acting(house, found, grown).get(f"Patient/{grown}")).status_code == 404
    with Session(house.parts.server.engine) as session:
        kept = {one.record: one for one in representation.every(session, keys, datetime.now(UTC))}
    assert kept[child].until == representation.majority(date.fromisoformat(LINA))
    assert kept[child].consent is not None
    again = await run("representations", "renew")
    assert again.output.splitlines()[-1] == "0 renewed, 1 could not be."


async def test_a_disabled_account_is_still_found_to_be_ended(house: House, run: Run) -> None:
    ins, found = await parent(house, run)
    child = house.new_ins()
    await house.open_record(child, birthDate=LINA)
    await run("represent", child, ins, "--label", "Lina", "--born", LINA)
    with Session(house.parts.server.engine) as session, session.begin():
        accounts.disable(session, found.account.id)
    assert (await run("unrepresent", child, ins)).exit_code == 0
