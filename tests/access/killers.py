"""The kill-set: the fastest checks of this folder; every mutant of the policy must fail one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, insert, update
from sqlalchemy.pool import NullPool

from auth.tables import client, revoked_token
from fhir.parameters import KINDS
from fhir.predicate import And, Not, Or
from fhir.tables import record
from phr.access.installation import Installation
from phr.access.reader import Citizen, Depositor, Operator, Reader, System
from phr.access.right import Change, Refused, may_change, may_create, may_delete
from phr.core.database import Database, psycopg_url
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings, from_environment
from phr.core.vault import KeyFile
from tests.access import city as cities
from tests.access import test_guard, test_truth_table, ways_out
from tests.access.city import FROM_PROXIES, HIDDEN, MASKED
from tests.access.test_journal import BREAKS, entries, findings, lived_in
from tests.fhir import folds, test_predicate
from tests.house import House, observation

Check = Callable[[], Awaitable[None] | None]
FEW = ("read", "vread", "history", "POST _search", "_include", "_has", "$everything", "content")


def checks(server: str, number: str, folder: Path) -> list[tuple[str, Check]]:
    """The checks by name, quickest first. `server`: the URL of the database that holds the tiny worlds."""
    folder.mkdir(parents=True)
    settings = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(folder)})
    keks = KeyEncryptionKeys(KeyFile.create(folder / "keks.json", "test"))
    alone: Any = Installation.make(settings, None, keks, SystemKeys({"commons": b"c" * 32}))  # type: ignore[arg-type]

    async def rows() -> None:
        database = await Database.connect(server, 1)
        async with database.session() as session:
            await test_truth_table.check_rows(session)
        await database.close()

    async def both_folds() -> None:
        database = await Database.connect(_copy(server, f"folds_{number}"), 1)
        async with database.session() as session:
            await check_atoms(session)
            await test_predicate.check_instants(session)
            await test_predicate.check_dates(session)
        await database.close()

    async def living(check: Callable[[House], Awaitable[None]], name: str) -> None:
        async with House.build(settings, _copy(server, f"{name}_{number}")) as house:
            await check(house)

    return [
        ("guard", check_lens),
        ("rights", check_rights),
        ("shapes", test_predicate.check_shapes),
        ("policy", lambda: test_truth_table.check_policy() and None),
        ("views", lambda: test_truth_table.check_views(alone)),
        ("rows", rows),
        ("folds", both_folds),
        ("trust", lambda: living(check_trust, "trust")),
        ("doors", lambda: living(check_doors, "doors")),
        ("journal", lambda: living(check_journal, "journal")),
    ]


def _copy(server: str, name: str) -> str:
    """A migrated database of that name beside `server`; its URL."""
    engine = create_engine(psycopg_url(server), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE migrated")
    engine.dispose()
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def check_lens() -> None:
    """The guard, and what a lens is."""
    test_guard.check_guard()
    test_guard.test_each_alias_is_fresh()
    test_guard.test_a_lens_only_narrows()
    test_guard.test_a_row_of_another_record_does_not_open()
    test_guard.test_statements_through_a_lens_pass()


async def check_atoms(session: Any) -> None:
    """Every atom alone, negated and combined, over a few hundred rows that are not drawn at random."""
    rows, atoms = folds.some_rows(), folds.some_atoms()
    asked = [*atoms, *map(Not, atoms), *(kind((atoms[n - 1], atoms[n])) for n in range(len(atoms)) for kind in (And, Or))]
    await test_predicate.agree(session, rows, asked)


READERS: tuple[Reader, ...] = (Citizen("a", "a", "r"), Depositor("d"), Operator("o"), System("s"))


def check_rights() -> None:
    """What may be written, said again one sentence at a time."""
    for reader in READERS:
        citizen, outside = isinstance(reader, Citizen), isinstance(reader, Operator | System)
        for name in ("AuditEvent", "Patient", "Practitioner", "Observation", "DocumentReference", "Binary"):
            kind = KINDS[name]
            kept_by_operator = kind.commons or name == "Patient"
            creates = name != "AuditEvent" and (outside if kept_by_operator else not isinstance(reader, Operator))
            assert isinstance(may_create(reader, kind), Refused) is not creates, (reader, name)
            for mine in (True, False):
                deletes = mine and (citizen or name not in ("DocumentReference", "Binary"))
                if name in ("AuditEvent", "Patient"):
                    deletes = False
                elif kind.commons:
                    deletes = outside
                assert isinstance(may_delete(reader, kind, mine=mine), Refused) is not deletes, (reader, name, mine)
                _check_changes(reader, name, mine)


def _check_changes(reader: Reader, name: str, mine: bool) -> None:
    kind, citizen = KINDS[name], isinstance(reader, Citizen)
    sets = [frozenset(some) for some in ((), (MASKED,), (HIDDEN,), (FROM_PROXIES,), (MASKED, HIDDEN))]
    for before in sets:
        for after in sets:
            for only in (True, False):
                lifts = MASKED in before and MASKED not in after
                changes = mine or (citizen and only and (before ^ after) <= {MASKED})
                if lifts and not citizen:
                    changes = False
                if name == "AuditEvent":
                    changes = False
                elif kind.commons:
                    changes = isinstance(reader, Operator | System)
                change = Change(mine, before, after, lambda only=only: only)  # type: ignore[misc]
                assert isinstance(may_change(reader, kind, change), Refused) is not changes, (reader, name, change)


async def check_doors(house: House) -> None:
    """A few ways out, for those who see differently."""
    city = await cities.build(house)
    readers = [who for who in city.readers() if who.name in ("ada", "ada, few scopes", "bob", "hospital system/*.cruds")]
    await ways_out.check(city, FEW, readers)
    hospital, thing = house.depositor(), city.things["hospital plain"]
    await hospital.delete(thing.address)
    assert thing.mark in (await hospital.get(f"{thing.address}/_history")).text
    events = (await house.citizen(city.ada).get(f"AuditEvent?patient={city.ada}&_count=200")).text
    ada = next(who for who in readers if who.name == "ada")
    named = {thing.name for thing in city.among() if f"{thing.address}\"" in events}
    assert all(ada.sees(city.things[name], "r") for name in named)
    assert "ada" in named
    shown = [row for row in entries(house, city.ada) if {r.partition("/")[2] for r in row.resources} == {_hidden(city)}]
    assert shown
    assert not any(row.id.hex in events for row in shown)


def _hidden(city: cities.City) -> str:
    return city.things["hospital hidden"].id


async def check_trust(house: House) -> None:
    """What is taken back is taken back at once; a shut door leaves no trace of a reading that was not."""
    name = await house.open_record()
    jti = UUID(int=7)
    claims = house.claims("citizen-app", "app", ("patient/*.cruds",), name, subject="ada", jti=str(jti))
    caller, other = house.caller(claims), house.citizen(name)
    made = (await caller.post("Observation", observation(name))).json()["id"]
    paths = (f"Observation/{made}", f"Observation?patient={name}&_total=accurate")
    before = len(entries(house, name))
    answers = [await caller.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(entries(house, name)) == before + 2
    with house.parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == name).values(rights=9))
    assert (await caller.get(paths[0])).status_code == 200
    opened = house.parts.installation.remembered(name, datetime.now(UTC))
    assert opened is not None
    assert opened.rights == 9
    with house.parts.engine.begin() as connection:
        connection.execute(insert(revoked_token).values(jti=jti, until=datetime.now(UTC) + timedelta(hours=1)))
    count = len(entries(house, name))
    assert [(await caller.get(path)).status_code for path in paths] == [401, 401]
    assert len(entries(house, name)) == count
    with house.parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == name).values(closed=datetime.now(UTC)))
    assert (await other.get(paths[0])).status_code == 404
    assert (await other.post("Observation", observation(name))).status_code == 422
    assert house.parts.installation.remembered(name, datetime.now(UTC)) is None
    with house.parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == name).values(closed=None))
        app = {"name": "App", "kind": "x", "redirect_uris": [], "scopes": [], "created": datetime.now(UTC)}
        connection.execute(insert(client).values(id="app", disabled=True, **app))
    assert [(await other.get(path)).status_code for path in paths] == [401, 401]


async def check_journal(house: House) -> None:
    """Every chain verifies until it is touched, and then does not."""
    chains = {name: await lived_in(house) for name in BREAKS}
    assert all(len(entries(house, name)) == 6 for name in chains.values())
    made = entries(house, chains["one missing"])[1].resources
    assert [row.resources for row in entries(house, chains["one missing"])[1:]] == [made] * 5
    assert await findings(house) == []
    for name, broken in BREAKS.items():
        with house.parts.engine.begin() as connection:
            broken(connection, chains[name])
    found = {finding.chain: finding for finding in await findings(house)}
    assert set(found) == set(chains.values())
    assert found[chains["another tag"]].seq == 3
    assert found[chains["one missing"]].seq == 3


__all__ = ["Settings", "asyncio", "checks"]
