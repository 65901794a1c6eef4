"""Every tiny world of rights: the policy equals the oracle, and SQL equals the policy."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import insert

from fhir.lens import Lens
from fhir.predicate import Row
from fhir.tables import resource
from phr.access.decision import Because
from phr.access.sight import sight
from phr.core.database import Database, Session, synchronous_engine
from tests import oracle
from tests.access.rights import LINES, READERS, facts_of, reader_of, things, worlds
from tests.access.test_truth_table import ids_of
from tests.access.worlds import EVERY, NOW


def check_rights() -> int:
    """Policy and oracle over all worlds of rights; returns how many were seen."""
    seen = 0
    for world in worlds():
        rights = [one.plain for one in world]
        for reader in READERS:
            decision = sight(reader, facts_of(reader, world), NOW)
            shown = 0
            for thing in things():
                expected = oracle.sees(reader_of(reader), list(EVERY), "r", thing.plain, None, NOW, rights, LINES)
                assert decision.predicate.holds(thing.row) is expected, (reader, rights, thing.plain)
                shown += expected
                assert not decision.predicate.holds(_moved(thing.row)), "a right is of one record alone"
            assert shown or decision.because in (Because.NO_RULE, Because.OWN_DEPOSITS, Because.CARES_FOR)
            seen += shown
    return seen


def test_the_policy_of_rights_is_the_oracle() -> None:
    assert (len(worlds()), len(READERS), len(things())) == (1063, 9, 378)
    assert check_rights() == 621744


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Session]:
    """A session over a database that holds every thing."""
    engine = synchronous_engine(database_url)
    names = ["bucket", "id", "kind", "updated", "gone", "record", "masked", "hidden_from_patient"]
    names += ["hidden_from_proxies", "withheld_until", "author", "category", "governor"]
    empty = {"version": 1, "dates": {}, "words": {}, "sealed": b""}
    rows = [
        {**{name: getattr(one.row, name) for name in names}, **empty, "tokens": list(one.row.tokens)}
        for one in things()
    ]
    with engine.begin() as connection:
        connection.execute(insert(resource), rows)
    engine.dispose()
    database = await Database.connect(database_url, 1)
    async with database.session() as opened:
        yield opened
    await database.close()


async def check_rights_rows(session: Session) -> int:
    """The rows SQL gives are those `holds` says; returns how many statements were tried."""
    decided = (sight(reader, facts_of(reader, world), NOW) for world in worlds() for reader in READERS)
    lenses = list({Lens(decision.predicate) for decision in decided})
    for lens in lenses:
        statement = ids_of(lens, gone=False)
        found = {row["id"] for row in await session.fetch(statement.query(), statement.bound())}
        assert found == {one.row.id for one in things() if lens.sight.holds(one.row)}
    return len(lenses)


async def test_sql_shows_what_the_policy_of_rights_says(session: Session) -> None:
    assert await check_rights_rows(session) == 238


def _moved(row: Row) -> Row:
    return replace(row, record="124-" + "0" * 32, bucket=0x124)
