"""The part of the kill-set that needs the whole application: some doors, what is taken back, and the journal."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, update

from auth.tables import client, revoked_token
from fhir.tables import record
from tests.access import city as cities
from tests.access import ways_out
from tests.access.test_chain import BREAKS, client_without_head, entries, findings, lived_in
from tests.house import House, account_of, observation

FEW = ("read", "vread", "POST _search", "_has", "content")


async def check_doors(house: House) -> None:
    """A few ways out, for those who see differently."""
    city = await cities.build(house)
    different = (
        "ada",
        "ada, few scopes",
        "ada, vital signs",
        "bob",
        "mum",
        "doctor at bob's",
        "hospital system/*.cruds",
    )
    readers = [who for who in city.readers() if who.name in different]
    await ways_out.check(city, FEW, readers)
    hospital, thing = house.depositor(), city.things["hospital plain"]
    await hospital.delete(thing.address)
    assert thing.mark in (await hospital.get(f"{thing.address}/_history")).text
    events = (await house.citizen(city.ada).get(f"AuditEvent?patient={city.ada}&_count=200")).text
    ada = next(who for who in readers if who.name == "ada")
    named = {thing.name for thing in city.among() if f'{thing.address}"' in events}
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
    claims = house.claims("citizen-app", "app", ("patient/*.cruds",), name, subject=account_of("ada"), jti=str(jti))
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
    assert (found[chains["one missing"]].seq, "missing" in found[chains["one missing"]].what) == (3, True)
    client = await client_without_head(house)
    assert client in {finding.chain for finding in await findings(house)}


CHECKS: dict[str, Callable[[House], Awaitable[None]]] = {
    "trust": check_trust,
    "doors": check_doors,
    "journal": check_journal,
}
