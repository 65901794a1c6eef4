"""The two folds of every predicate are one: what Python holds of a row is what SQL answers, never unknown."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fhir.criteria import DateMatch, HasDate, TokenAny, UpdatedMatch, Word
from fhir.dates import PREFIXES
from fhir.lens import Binder, Lens
from fhir.predicate import (
    And,
    AuthoredBy,
    Categorised,
    CategoryIn,
    Chosen,
    Commons,
    Everything,
    Flagged,
    IdIn,
    KindIn,
    Not,
    Nothing,
    Or,
    Predicate,
    Present,
    Row,
    Withheld,
    Within,
)
from phr.core.database import Database, Session, compile_query
from tests.fhir import folds

ON_ONE_DATABASE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Session]:
    database = await Database.connect(database_url, 1)
    async with database.session() as opened:
        yield opened
    await database.close()


async def agree(session: Session, many: Sequence[Row], asked: Sequence[Predicate]) -> None:
    found = await folds.judged(session, many, asked)
    for row in many:
        assert found[row.id] == [predicate.holds(row) for predicate in asked], (row, asked)


@settings(
    max_examples=40, phases=(Phase.explicit, Phase.generate), deadline=None, suppress_health_check=ON_ONE_DATABASE
)
@given(many=folds.rows, asked=st.lists(folds.predicates, min_size=1, max_size=8))
async def test_holds_is_clause(session: Session, many: Sequence[Row], asked: Sequence[Predicate]) -> None:
    await agree(session, many, asked)


async def test_every_kind_of_atom_holds_as_its_clause(session: Session) -> None:
    await agree(session, folds.some_rows(), folds.some_atoms())


async def test_every_date_prefix_against_every_range(session: Session) -> None:
    await check_dates(session)


async def check_dates(session: Session) -> None:
    """Each prefix, range asked and range stored."""
    pairs = [(low, high) for low in folds.BOUNDS for high in folds.BOUNDS if low <= high]
    dates = [[pair] for pair in pairs] + [[], [(0, 1), (2, 3)]]
    rows = [_with(n, {"date": found}) for n, found in enumerate(dates)] + [_with(999, {})]
    asked = [DateMatch("date", prefix, *pair) for prefix in PREFIXES for pair in pairs]
    for start in range(0, len(asked), 84):
        await agree(session, rows, asked[start : start + 84])


async def test_every_instant_prefix_against_every_instant(session: Session) -> None:
    await check_instants(session)


async def check_instants(session: Session) -> None:
    """Each prefix and range asked, against each instant."""
    moments = folds.MOMENTS
    rows = [_with(n, {}, updated=at) for n, at in enumerate(moments)]
    pairs = [(low, high) for low in moments for high in moments if low <= high]
    await agree(session, rows, [UpdatedMatch(prefix, *pair) for prefix in PREFIXES for pair in pairs])


_BLANK: dict[str, Any] = {
    "bucket": folds.BUCKET,
    "kind": "Observation",
    "updated": folds.MOMENTS[0],
    "gone": False,
    "record": None,
    **dict.fromkeys(folds.FLAGS, False),
    "withheld_until": None,
    "author": None,
    "category": None,
    "tokens": frozenset(),
    "words": frozenset(),
}


def _with(n: int, dates: dict[str, list[tuple[int, int]]], **more: object) -> Row:
    return Row(**{**_BLANK, "id": f"123-{n:032x}", "dates": dates, **more})


@given(asked=folds.predicates)
def test_a_shape_says_nothing_of_values(asked: Predicate) -> None:
    """One compiled statement serves every predicate of a shape: the shape must be hashable and bind the same count."""
    assert hash(asked.shape()) == hash(asked.shape())
    assert len(list(asked.values())) == len(list(asked.values()))


def check_shapes() -> None:
    """Two predicates that share a shape share their SQL: a shape is the key of the compiled statement."""
    one, other = KindIn(frozenset({"a"})), IdIn(frozenset({"a"}))
    many = [
        *(Everything(), Nothing(), Commons(), Present(), *map(Flagged, folds.FLAGS), one, other),
        *(KindIn(frozenset({"b"})), KindIn(frozenset({"a", "b"})), IdIn(frozenset({"a", "b"})), IdIn(frozenset())),
        *(Within(1, "a"), Within(2, "b"), AuthoredBy(folds.TOKENS[0]), AuthoredBy(folds.TOKENS[1])),
        *(Chosen(frozenset()), Chosen(frozenset({"a", "b"}))),
        *(CategoryIn(frozenset(folds.TOKENS[:1])), TokenAny(frozenset(folds.TOKENS)), Categorised()),
        *map(Withheld, folds.MOMENTS[:2]),
        *(And((one, other)), And((other, one)), And((one,)), Or((one, other)), Or((one,)), Not(one), Not(other)),
        *(DateMatch("date", prefix, 0, 1) for prefix in PREFIXES),
        *(UpdatedMatch(prefix, *folds.MOMENTS[:2]) for prefix in PREFIXES),
        *(HasDate("date"), HasDate("issued"), DateMatch("issued", "eq", 2, 3)),
        *(Word(name, mode, "x") for name in ("name", "address") for mode in ("starts", "contains", "exact")),
    ]
    sql = [compile_query(select(Lens(predicate).rows(Binder(), gone=True).c.id)) for predicate in many]
    texts = [(query.sql, tuple(sorted(query.constants.items()))) for query in sql]
    for n, left in enumerate(many):
        for m, right in enumerate(many):
            assert left.shape() != right.shape() or texts[n] == texts[m], (left, right)


def test_a_shape_is_its_sql() -> None:
    check_shapes()


def test_no_rule_is_nothing_and_no_condition_is_everything() -> None:
    row = _with(1, {})
    assert not Nothing().holds(row)
    assert not Or(()).holds(row)
    assert And(()).holds(row)
    assert Everything().holds(row)
    assert not Not(Everything()).holds(row)
    assert not KindIn(frozenset()).holds(row)
    for fold in (lambda: Predicate().holds(row), lambda: Predicate().clause(None, lambda _: None)):  # type: ignore[arg-type,return-value]
        with pytest.raises(NotImplementedError):
            fold()
    assert list(Predicate().values()) == []
    plain = Predicate()
    assert plain.shape() is plain
