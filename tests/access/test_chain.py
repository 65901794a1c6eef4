"""The chain of a journal: whatever is altered, missing, moved or cut off is found; what was not touched verifies."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from fhir.record import RecordKeys, new_id
from fhir.tables import record
from phr.access import chain
from phr.access.chain import end
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
from phr.access.visit import _TRAIL
from phr.core.vault import BrokenSealError, Wrapped
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


async def test_a_note_that_does_not_open_is_found_even_if_chained(house: House) -> None:
    """By one who has the chaining key: the seal is looked at as well."""
    name = await lived_in(house)
    keys = keys_of(house, name)
    note = Note("Citizen", "app", "own-record", "x")
    entry = Entry(int(name[:3], 16), name, uuid4(), datetime.now(UTC), Tag.READ, note)
    garbage = b"x" * 60
    stamped = stamp(entry.id, entry.at, entry.tag.value, garbage)
    values = {**entry.values(keys), "j_sealed": garbage, "j_stamp": stamped, "j_resources": []}
    async with house.parts.installation.database.transaction() as session:
        await session.fetch(_TRAIL, values)
    (finding,) = await findings(house)
    assert (finding.chain, finding.seq) == (name, 7)


async def test_a_clients_chain_verifies_under_the_commons_key(house: House) -> None:
    await house.operator().get("Practitioner")
    name = chain_of_client("operator")[1]
    seen = [one async for one in chain.verify(house.parts.installation)]
    assert [(one.entries, one.finding) for one in seen] == [(1, None)]
    with house.parts.engine.begin() as connection:
        connection.execute(update(journal).where(_entry(name, 1)).values(tag="search2"))
    assert [finding.chain for finding in await findings(house)] == [name]


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


async def test_a_chain_that_never_began_ends_as_it_is(house: House) -> None:
    installation = house.parts.installation
    async with installation.database.transaction() as session:
        await end(session, installation, new_id(1))
    assert await findings(house) == []
