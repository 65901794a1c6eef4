"""Nothing is read without a trace, and a trace that was touched shows."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from fhir.record import RecordKeys
from fhir.tables import record
from phr.access import chain
from phr.access.journal import (
    GENESIS,
    Entry,
    Note,
    Tag,
    chain_of_client,
    journal,
    journal_head,
    next_digest,
    read_note,
    stamp,
)
from phr.access.visit import _TRAIL, asked_of
from phr.core.vault import BrokenSealError, Wrapped
from tests.access.city import HIDDEN, labelled
from tests.access.doors import DOORS
from tests.house import House, observation

Break = Callable[[Connection, str], None]


def entries(house: House, name: str) -> list[Any]:
    """The rows of one chain, in order."""
    with house.parts.engine.connect() as connection:
        return list(connection.execute(select(journal).where(journal.c.chain == name).order_by(journal.c.seq)))


def keys_of(house: House, name: str) -> RecordKeys:
    with house.parts.engine.connect() as connection:
        row = connection.execute(select(record.c.kek, record.c.wrapped).where(record.c.id == name)).one()
    key = house.parts.installation.keks.unwrap(Wrapped(row.kek, row.wrapped), name.encode())
    return RecordKeys.derive(name, key)


async def findings(house: House) -> list[chain.Finding]:
    """What verification finds."""
    return [one.finding async for one in chain.verify(house.parts.installation) if one.finding is not None]


async def lived_in(house: House, reads: int = 4) -> str:
    """A record with a few entries in its journal; its id."""
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    for _ in range(reads):
        assert (await citizen.get(f"Observation/{made}")).status_code == 200
    return name


# The chain.


async def test_a_journal_nobody_touched_verifies(house: House) -> None:
    name = await lived_in(house)
    seen = [one async for one in chain.verify(house.parts.installation)]
    assert all(one.finding is None for one in seen)
    assert len(entries(house, name)) in [one.entries for one in seen]


async def test_sql_chains_as_python_does(house: House) -> None:
    name = await lived_in(house)
    keys, digest = keys_of(house, name), GENESIS
    for n, row in enumerate(entries(house, name), start=1):
        assert row.seq == n
        digest = next_digest(keys.chaining, digest, stamp(row.id, row.at, row.tag, row.sealed), row.resources)
        assert row.link == sha256(digest).digest()
        assert isinstance(read_note(keys, name, row.id, row.sealed), Note)
    with house.parts.engine.connect() as connection:
        head = connection.execute(select(journal_head).where(journal_head.c.chain == name)).one()
    assert (head.seq, head.digest) == (n, digest)


def _entry(name: str, seq: int) -> Any:
    return and_(journal.c.chain == name, journal.c.seq == seq)


def _set(seq: int, **values: Any) -> Break:
    def broken(connection: Connection, name: str) -> None:
        connection.execute(update(journal).where(_entry(name, seq)).values(values))

    return broken


def _missing(connection: Connection, name: str) -> None:
    connection.execute(delete(journal).where(_entry(name, 3)))


def _first_missing(connection: Connection, name: str) -> None:
    connection.execute(delete(journal).where(_entry(name, 1)))


def _closed_up(connection: Connection, name: str) -> None:
    """An entry taken out, those after it renumbered."""
    _missing(connection, name)
    for seq in (4, 5, 6):
        connection.execute(update(journal).where(_entry(name, seq)).values(seq=seq - 1))
    connection.execute(update(journal_head).where(journal_head.c.chain == name).values(seq=journal_head.c.seq - 1))


def _swapped(connection: Connection, name: str) -> None:
    for before, after in ((2, 999), (3, 2), (999, 3)):
        connection.execute(update(journal).where(_entry(name, before)).values(seq=after))


def _swapped_content(connection: Connection, name: str) -> None:
    """Two entries exchange all but their numbers and links."""
    rows = [connection.execute(select(journal).where(_entry(name, seq))).one() for seq in (3, 4)]
    for seq, row in zip((4, 3), rows, strict=True):
        values = {"id": row.id, "at": row.at, "tag": row.tag, "resources": row.resources, "sealed": row.sealed}
        connection.execute(update(journal).where(_entry(name, seq)).values(values))


def _tail_cut(connection: Connection, name: str) -> None:
    connection.execute(delete(journal).where(journal.c.chain == name, journal.c.seq > 4))


def _tail_cut_head_rolled_back(connection: Connection, name: str) -> None:
    """The tail removed, the head put back to what the rows know of the digest then."""
    link = connection.execute(select(journal.c.link).where(_entry(name, 4))).scalar_one()
    _tail_cut(connection, name)
    connection.execute(update(journal_head).where(journal_head.c.chain == name).values(seq=4, digest=link))


def _all_but_the_head_cut(connection: Connection, name: str) -> None:
    connection.execute(delete(journal).where(journal.c.chain == name))


def _head_gone(connection: Connection, name: str) -> None:
    connection.execute(delete(journal_head).where(journal_head.c.chain == name))


def _all_gone(connection: Connection, name: str) -> None:
    _head_gone(connection, name)
    connection.execute(delete(journal).where(journal.c.chain == name))


def _head_changed(connection: Connection, name: str) -> None:
    connection.execute(update(journal_head).where(journal_head.c.chain == name).values(digest=b"0" * 32))


def _forged(connection: Connection, name: str) -> None:
    """An entry added at the end by one who has the database and not the keys."""
    last = connection.execute(select(func.max(journal.c.seq)).where(journal.c.chain == name)).scalar_one()
    row = connection.execute(select(journal).where(_entry(name, last))).one()._asdict()
    connection.execute(insert(journal).values({**row, "seq": last + 1, "id": uuid4()}))
    connection.execute(update(journal_head).where(journal_head.c.chain == name).values(seq=last + 1))


def _key_gone(connection: Connection, name: str) -> None:
    connection.execute(update(record).where(record.c.id == name).values(wrapped=b"x" * 60))


BREAKS: dict[str, Break] = {
    "another time": _set(3, at=datetime(2020, 1, 1, tzinfo=UTC)),
    "another tag": _set(3, tag="search"),
    "another resource": _set(3, resources=["Observation/x"]),
    "one resource less": _set(3, resources=[]),
    "another id": _set(3, id=uuid4()),
    "another note": _set(3, sealed=b"x" * 60),
    "an empty note": _set(3, sealed=b""),
    "another link": _set(3, link=b"x" * 32),
    "the last entry altered": _set(6, resources=[]),
    "the first entry altered": _set(1, resources=[]),
    "one missing": _missing,
    "the first missing": _first_missing,
    "one missing, closed up": _closed_up,
    "two exchanged": _swapped,
    "two exchanged but their links": _swapped_content,
    "the end cut": _tail_cut,
    "the end cut and the head rolled back": _tail_cut_head_rolled_back,
    "only the head left": _all_but_the_head_cut,
    "the head gone": _head_gone,
    "the chain gone": _all_gone,
    "the head changed": _head_changed,
    "an entry forged": _forged,
    "the key destroyed": _key_gone,
}


async def test_whatever_is_touched_is_found(house: House) -> None:
    chains = {name: await lived_in(house) for name in BREAKS}
    untouched = await lived_in(house)
    assert await findings(house) == []
    for name, broken in BREAKS.items():
        with house.parts.engine.begin() as connection:
            broken(connection, chains[name])
    found = {finding.chain: finding for finding in await findings(house)}
    assert {name for name, record_ in chains.items() if record_ not in found} == set()
    assert set(found) == set(chains.values())
    assert untouched not in found
    assert found[chains["another tag"]].seq == 3
    assert all("Observation" not in finding.what for finding in found.values())


async def client_without_head(house: House) -> str:
    """A client's chain that has lost its head; its name."""
    name = chain_of_client("operator")[1]
    await house.operator().get("Practitioner")
    assert entries(house, name)
    with house.parts.engine.begin() as connection:
        _head_gone(connection, name)
    return name


async def test_a_clients_chain_without_a_head_is_found(house: House) -> None:
    assert await client_without_head(house) in {finding.chain for finding in await findings(house)}


async def test_a_record_that_is_gone_leaves_a_chain_that_does_not_open(house: House) -> None:
    name = await lived_in(house)
    with house.parts.engine.begin() as connection:
        connection.execute(update(record).where(record.c.id == name).values(id=name[:-1] + "x"))
    assert name in {finding.chain for finding in await findings(house)}


async def test_more_entries_than_a_page_of_verification(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_PAGE", 2)
    await lived_in(house, 5)
    assert await findings(house) == []


def test_a_note_of_another_chain_does_not_open() -> None:
    keys = RecordKeys.derive("x", b"k" * 32)
    entry = Entry(1, "x", uuid4(), datetime(2026, 1, 1, tzinfo=UTC), Tag.READ, Note("Citizen", "app", "own", "a"))
    sealed = entry.values(keys)["j_sealed"]
    assert isinstance(sealed, bytes)
    assert read_note(keys, "x", entry.id, sealed) == entry.note
    for other in (("y", entry.id), ("x", uuid4())):
        with pytest.raises(BrokenSealError):
            read_note(keys, *other, sealed)


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
        id = name if "Patient" in path else made
        address = path.removeprefix("/fhir").lstrip("/").replace("{rest:path}", "a/b/c/d")
        address = address.replace("{kind}", "Observation").replace("{id}", id).replace("{version}", "1") + condition
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
