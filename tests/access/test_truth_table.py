"""Every tiny world: the policy equals the oracle, and SQL equals the policy."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from fhir.lens import Binder, Lens, Statement
from fhir.parameters import KINDS
from fhir.predicate import And
from fhir.stored import MissingKeyError
from phr.access.decision import Facts
from phr.access.installation import Installation
from phr.access.scope import granted, narrowing
from phr.access.sight import sight
from phr.access.visit import Visit
from phr.core.database import Database, Session, synchronous_engine
from tests import oracle
from tests.access.worlds import BUCKET, EVERY, KEYS, MINE, MUM_ACTS, MUM_SAYS, NOW, Ask, asks, resources, store


def lens_of(ask: Ask) -> Lens:
    """What the policy and the scopes let this reader see."""
    facts = Facts(MINE, BUCKET, ask.author, 1, ask.closed, MUM_ACTS)
    return Lens(And((sight(ask.reader, facts, NOW).predicate, narrowing(ask.held, ask.reader, ask.verb, KEYS))))


def check_policy() -> int:
    """Policy and oracle over all worlds; returns how many were seen."""
    seen = 0
    for ask in asks():
        lens = lens_of(ask)
        for one in resources():
            # Of another person's record and of the commons, the lens on this record shows nothing at all.
            inside = one.plain["record"] == MINE
            expected = inside and oracle.sees(
                ask.plain, list(ask.scopes), ask.verb, one.plain, ask.closed, NOW, MUM_SAYS
            )
            assert lens.sight.holds(one.row) is expected, (ask, one.plain)
            seen += expected
    return seen


def check_views(installation: Installation) -> None:
    """What a request really looks through: the right lens for each type, and no key that its decision did not open."""
    for ask in asks():
        visit = Visit(installation, ask.reader, ask.held, (), NOW)
        view, decision = visit.decide(ask.opened, ask.verb)
        for one in resources()[::11]:  # wiring is what is looked at here: every column still takes every value
            kind = KINDS[one.row.kind]
            lens = view.of(kind)
            if kind.commons is not (one.plain["record"] is None):
                assert not kind.commons or not lens.sight.holds(one.row), "the commons hold nobody's data"
                continue
            if kind.commons:
                expected = oracle.sees(ask.plain, list(ask.scopes), ask.verb, one.plain, None, NOW)
            else:
                inside = one.plain["record"] == MINE
                expected = inside and oracle.sees(
                    ask.plain, list(ask.scopes), ask.verb, one.plain, ask.closed, NOW, MUM_SAYS
                )
            assert lens.sight.holds(one.row) is expected, (ask, one.plain)
            scoped = oracle.scoped(ask.plain, list(ask.scopes), ask.verb, one.row.kind)
            assert granted(ask.held, ask.reader, ask.verb, one.row.kind) is scoped
        everything = {"record": MINE, "type": "Observation", "author": ask.plain["name"], "labels": set()}
        opens = oracle.sees(ask.plain, list(EVERY), ask.verb, everything, ask.closed, NOW, MUM_SAYS)
        assert (MINE in view.keyring.keys) is opens
        assert set(view.keyring.keys) <= {"", MINE}
        assert view.record == MINE
        assert (decision.because.value == "no-rule") is not opens


def test_the_policy_is_the_oracle() -> None:
    assert (len(list(asks())), len(resources())) == (1584, 1008)
    assert check_policy() == 13488


def test_a_request_looks_through_what_was_decided(installation: Installation) -> None:
    check_views(installation)


def test_without_a_record_there_is_only_the_commons(installation: Installation) -> None:
    for ask in asks():
        view, decision = Visit(installation, ask.reader, ask.held, (), NOW).decide(None, ask.verb)
        assert view.record is None
        assert decision.because.value == "commons"
        assert set(view.keyring.keys) == {""}
        assert not any(view.inside.sight.holds(one.row) for one in resources())
        with pytest.raises(MissingKeyError):
            view.keyring.of(MINE)


def test_unscoped_is_the_policy_alone(installation: Installation) -> None:
    for ask in asks():
        view, _ = Visit(installation, ask.reader, (), (), NOW).decide(ask.opened, None)
        for one in resources()[::11]:
            inside = one.plain["record"] == MINE
            expected = oracle.sees(ask.plain, list(EVERY), "r", one.plain, ask.closed, NOW, MUM_SAYS)
            assert view.inside.sight.holds(one.row) is (inside and expected)


def test_the_keys_of_a_record_are_not_shown() -> None:
    assert "k" * 32 not in repr(KEYS)
    assert repr(KEYS) == "RecordKeys(…)"


def ids_of(lens: Lens, *, gone: bool) -> Statement:
    def build(bind: Binder) -> object:
        return select(lens.rows(bind, gone=gone).c.id)

    return Statement(("ids", lens.shape(), gone), build, tuple(lens.values()))  # type: ignore[arg-type]


async def check_rows(session: Session) -> None:
    """The rows SQL gives are those `holds` says, deleted ones only when asked for."""
    for lens in {lens_of(ask) for ask in asks()}:
        for gone in (False, True):
            statement = ids_of(lens, gone=gone)
            found = [row["id"] for row in await session.fetch(statement.query(), statement.bound())]
            expected = {o.row.id for o in resources() if lens.sight.holds(o.row) and (gone or not o.row.gone)}
            assert len(found) == len(set(found))
            assert set(found) == expected


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Session]:
    """A session over a database that holds every tiny resource."""
    engine = synchronous_engine(database_url)
    store(engine)
    engine.dispose()
    database = await Database.connect(database_url, 2)
    async with database.session() as opened:
        yield opened
    await database.close()


async def test_sql_shows_what_the_policy_says(session: Session) -> None:
    await check_rows(session)
