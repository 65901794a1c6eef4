"""Nothing is read without a trace, and a trace that was touched shows."""

import asyncio
from typing import Any

from sqlalchemy import update

from phr.access.journal import (
    chain_of_client,
    journal,
    read_note,
)
from phr.access.visit import _TRAIL, asked_of
from tests.access.city import HIDDEN, labelled
from tests.access.doors import DOORS
from tests.access.test_chain import _entry, entries, findings, keys_of, lived_in
from tests.house import House, observation

# Before the answer, or no answer.


def _refuse_journal(house: House) -> None:
    with house.parts.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_ BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse()"
        )


async def test_what_cannot_be_journaled_is_not_answered(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    _refuse_journal(house)
    paths = (
        f"Observation/{made}",
        f"Observation?patient={name}",
        f"Observation/{made}/_history",
        f"Patient/{name}/$everything",
    )
    for path in (*paths, f"Observation?patient={name}&_total=accurate", f"AuditEvent?patient={name}"):
        answer = await citizen.get(path)
        assert made not in answer.text.replace(path, "")
        assert "Poids" not in answer.text
        assert answer.status_code == 503, path
    answer = await citizen.post("Observation", observation(name))
    assert answer.status_code == 503
    assert "Poids" not in answer.text


async def test_a_write_that_cannot_be_journaled_is_not_kept(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    _refuse_journal(house)
    await citizen.post("Observation", observation(name))
    with house.parts.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full_ ON journal")
    answer = await citizen.get(f"Observation?patient={name}&_total=accurate")
    assert answer.json()["total"] == 0


async def test_readers_at_the_same_time_stand_in_a_row(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    before = len(entries(house, name))
    answers = await asyncio.gather(*[citizen.get(f"Observation/{made}") for _ in range(16)])
    assert {answer.status_code for answer in answers} == {200}
    rows = entries(house, name)
    assert [row.seq for row in rows] == list(range(1, before + 17))
    assert all(row.resources == [f"Observation/{made}"] for row in rows[before:])
    assert await findings(house) == []


# One entry an action.


async def test_each_route_leaves_its_entries_and_no_other(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    patch = [{"op": "replace", "path": "/status", "value": "amended"}]
    patched = {"Content-Type": "application/json-patch+json"}
    fhir = {"Content-Type": "application/fhir+json"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    entry = {"request": {"method": "POST", "url": "Observation"}, "resource": observation(name)}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    for (method, path), door in DOORS.items():
        if door.reader != "bearer":
            continue
        body = observation(name, identifier=[{"system": "urn:oid:1.2.3", "value": "same"}])
        made = (await citizen.post("Observation", body)).json()["id"]
        condition = "?identifier=urn:oid:1.2.3|same" if path == "/fhir/{kind}" and method != "POST" else ""
        target = name if "Patient" in path else made
        address = path.removeprefix("/fhir").lstrip("/").replace("{rest}", "a/b/c/d")
        address = address.replace("{kind}", "Observation").replace("{id}", target).replace("{version}", "1") + condition
        more: dict[str, Any] = {"headers": fhir}
        if method == "PATCH":
            more = {"headers": patched, "json": patch}
        elif path == "/fhir/{kind}/_search":
            more = {"headers": form, "content": f"_id={made}"}
        elif method in ("PUT", "POST"):
            sent = bundle if path.rstrip("/") == "/fhir" else {**body, "id": made} if "{id}" in path else body
            more = {"headers": fhir, "json": sent}
        before = len(entries(house, name))
        answer = await citizen.ask(method, address, **more)
        assert (answer.status_code < 300) is bool(door.tags) or "$validate" in path, (method, path, answer.text)
        rows = entries(house, name)[before:]
        assert [row.tag for row in rows] == [tag.value for tag in door.tags], (method, path)
        for row in rows:
            assert row.resources, (method, path)
            touched = {resource.partition("/")[2] for resource in row.resources}
            assert made in touched or "Location" in answer.headers or '"201"' in answer.text or name in touched
        assert len(rows) < 2 or len({row.id for row in rows}) == len(rows)
        await citizen.delete(f"Observation/{made}")
        if "Location" in answer.headers:
            await citizen.delete(f"Observation/{answer.headers['Location'].split('/')[-3]}")


async def test_a_search_leaves_one_entry_with_all_it_returned(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = [(await citizen.post("Observation", observation(name))).json()["id"] for _ in range(5)]
    before = len(entries(house, name))
    await citizen.get(f"Observation?patient={name}&_count=3")
    (row,) = entries(house, name)[before:]
    assert set(row.resources) == {f"Observation/{one}" for one in made[-3:]}
    note = read_note(keys_of(house, name), name, row.id, row.sealed)
    assert (note.reader, note.client, note.because) == ("Citizen", "app", "own-record")


async def test_what_is_not_found_is_journaled_too(house: House) -> None:
    name = await house.open_record()
    citizen, stranger = house.citizen(name), house.depositor("stranger")
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    before = len(entries(house, name))
    assert (await stranger.get(f"Observation/{made}")).status_code == 404
    (row,) = entries(house, name)[before:]
    assert (row.tag, row.resources) == ("read", [])
    assert (await stranger.get(f"Observation/{made[:3]}-{'0' * 32}")).status_code == 404
    assert entries(house, chain_of_client("stranger")[1])[-1].tag == "read"


# Who reads it.


async def test_reading_the_journal_is_journaled(house: House) -> None:
    name = await lived_in(house)
    citizen = house.citizen(name)
    before = len(entries(house, name))
    events = (await citizen.get(f"AuditEvent?patient={name}")).json()["entry"]
    assert len(events) == before
    one = events[-1]["resource"]
    assert (await citizen.get(f"AuditEvent/{one['id']}")).json() == one
    assert [row.tag for row in entries(house, name)[before:]] == ["journal", "journal"]
    assert events[0]["resource"]["action"] == "R"
    assert one["action"] == "C"


async def test_the_journal_names_nothing_its_reader_may_not_see(house: House) -> None:
    name = await house.open_record()
    citizen, hospital = house.citizen(name), house.depositor()
    hidden = (await hospital.post("Observation", labelled(observation(name), [HIDDEN]))).json()["id"]
    later = (await hospital.post("Observation", observation(name))).json()["id"]
    await hospital.get(f"Observation?patient={name}")
    assert later in (await citizen.get(f"AuditEvent?patient={name}")).text
    await hospital.put(f"Observation/{later}", labelled({**observation(name), "id": later}, [HIDDEN]))
    await hospital.get(f"Observation/{hidden}")
    await hospital.delete(f"Observation/{hidden}")
    found = await citizen.get(f"AuditEvent?patient={name}&_count=200")
    assert hidden not in found.text
    assert later not in found.text
    for row in entries(house, name):
        if f"Observation/{hidden}" in row.resources and f"Observation/{later}" not in row.resources:
            assert (await citizen.get(f"AuditEvent/{row.id.hex}")).status_code == 404


async def test_the_journal_is_its_persons_alone(house: House) -> None:
    name, bob = await lived_in(house), await house.open_record()
    for caller, status in ((house.operator(), 403), (house.depositor(), 403)):
        assert (await caller.get(f"AuditEvent?patient={name}")).status_code == status
        assert (await caller.get(f"AuditEvent/{entries(house, name)[0].id.hex}")).status_code == status
    assert "entry" not in (await house.citizen(bob).get(f"AuditEvent?patient={name}")).json()
    assert (await house.citizen(bob).get(f"AuditEvent/{entries(house, name)[0].id.hex}")).status_code == 404


async def test_a_damaged_entry_is_no_answer(house: House) -> None:
    name = await lived_in(house)
    with house.parts.engine.begin() as connection:
        connection.execute(update(journal).where(_entry(name, 2)).values(sealed=b"x" * 60))
    answer = await house.citizen(name).get(f"AuditEvent?patient={name}")
    assert answer.status_code >= 500


def test_what_was_asked_is_an_address() -> None:
    assert asked_of(("Observation", "x", "_history")) == "Observation/x/_history"


def test_entries_are_only_added() -> None:
    """No statement of the application updates or deletes an entry."""
    sql = _TRAIL.sql
    assert "INSERT INTO journal " in sql
    assert "DELETE" not in sql
    assert "UPDATE journal " not in sql
