"""Random rows and predicates over few values, so that they meet; and one statement that judges them all in SQL."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import bindparam, delete, insert, select

from fhir.criteria import DateMatch, HasDate, TokenAny, UpdatedMatch, Word
from fhir.dates import BEGINNING, END, PREFIXES
from fhir.lens import Binder, Lens, sealed
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
from fhir.tables import resource
from phr.core.database import Session, compile_query

BUCKET = 0x123
RECORDS = tuple(f"{BUCKET:03x}-{n:032x}" for n in (1, 2))
TOKENS = tuple(UUID(int=n) for n in (1, 2, 3))
KINDS = ("Observation", "Condition", "Binary")
FLAGS = ("masked", "hidden_from_patient", "hidden_from_proxies")
MOMENTS = tuple(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(microseconds=n) for n in range(4))
BOUNDS = (BEGINNING, -3, 0, 1, 2, 3, END)
PARAMETERS = ("date", "issued", "it's")
WORDS = ("durand", "durand-du", "dur%", "d_r", "", "\\", "é", "e\u0301", "Durand")

bounds = st.tuples(st.sampled_from(BOUNDS), st.sampled_from(BOUNDS)).map(lambda pair: (min(pair), max(pair)))
words = st.sampled_from(WORDS)
word_names = st.sampled_from(("name", "name:exact", "address"))


def _rows(n: int) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        bucket=st.sampled_from((BUCKET, BUCKET + 1)),
        id=st.just(f"{BUCKET:03x}-{n + 16:032x}"),
        kind=st.sampled_from(KINDS),
        updated=st.sampled_from(MOMENTS),
        gone=st.booleans(),
        record=st.sampled_from((*RECORDS, None)),
        masked=st.booleans(),
        hidden_from_patient=st.booleans(),
        hidden_from_proxies=st.booleans(),
        withheld_until=st.sampled_from((*MOMENTS, None)),
        author=st.sampled_from((*TOKENS, None)),
        category=st.sampled_from((*TOKENS, None)),
        tokens=st.frozensets(st.sampled_from(TOKENS)),
        dates=st.dictionaries(st.sampled_from(PARAMETERS), st.lists(bounds, max_size=2)),
        words=st.frozensets(st.tuples(word_names, words), max_size=3),
        governor=st.sampled_from((f"{BUCKET:03x}-{16:032x}", None)),
    )


rows = st.integers(1, 12).flatmap(lambda count: st.tuples(*map(_rows, range(count))))

atoms: st.SearchStrategy[Predicate] = st.one_of(
    st.sampled_from((Everything(), Nothing(), Commons(), Present(), Categorised(), *map(Flagged, FLAGS))),
    st.builds(Withheld, st.sampled_from(MOMENTS)),
    st.builds(Within, st.sampled_from((BUCKET, BUCKET + 1)), st.sampled_from(RECORDS)),
    st.builds(KindIn, st.frozensets(st.sampled_from(KINDS))),
    st.builds(IdIn, st.frozensets(st.integers(16, 27).map(lambda n: f"{BUCKET:03x}-{n:032x}"), max_size=3)),
    st.builds(Chosen, st.frozensets(st.integers(16, 27).map(lambda n: f"{BUCKET:03x}-{n:032x}"), max_size=3)),
    st.builds(AuthoredBy, st.sampled_from(TOKENS)),
    st.builds(CategoryIn, st.frozensets(st.sampled_from(TOKENS))),
    st.builds(TokenAny, st.frozensets(st.sampled_from(TOKENS))),
    st.builds(HasDate, st.sampled_from(PARAMETERS)),
    st.builds(Word, st.sampled_from(("name", "address")), st.sampled_from(("starts", "contains", "exact")), words),
)
dated: st.SearchStrategy[Predicate] = st.builds(
    lambda parameter, prefix, bound: DateMatch(parameter, prefix, *bound),
    st.sampled_from(PARAMETERS),
    st.sampled_from(PREFIXES),
    bounds,
)
updated: st.SearchStrategy[Predicate] = st.builds(
    lambda prefix, pair: UpdatedMatch(prefix, min(pair), max(pair)),
    st.sampled_from(PREFIXES),
    st.tuples(st.sampled_from(MOMENTS), st.sampled_from(MOMENTS)),
)
predicates = st.recursive(
    st.one_of(atoms, dated, updated),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)

_COLUMNS = tuple(name for name in Row.__slots__ if name not in ("tokens", "dates", "words"))
_CLEAR = compile_query(sealed(delete(resource)))
_ALL = tuple(column.name for column in resource.c)
_INSERT = compile_query(
    sealed(insert(resource).values({name: bindparam(name, type_=resource.c[name].type) for name in _ALL}))
)


def _columns(row: Row) -> dict[str, Any]:
    listed: dict[str, list[str]] = {}
    for name, word in sorted(row.words):
        listed.setdefault(name, []).append(word)
    plain = {name: getattr(row, name) for name in _COLUMNS}
    searched = {"tokens": list(row.tokens), "dates": json.dumps(row.dates), "words": json.dumps(listed)}
    return {**dict.fromkeys(_ALL), **plain, **searched, "version": 1, "sealed": b""}


async def judged(session: Session, many: Sequence[Row], asked: Sequence[Predicate]) -> dict[str, list[Any]]:
    """What SQL answers to each predicate about each row, by id: True, False (or None, which would be a fault)."""
    await session.fetch(_CLEAR)
    await session.execute_many(_INSERT, [_columns(row) for row in many])
    bind = Binder()
    seen = Lens(Everything()).rows(bind, gone=True)
    clauses = [predicate.clause(seen.c, bind).label(f"p{n}") for n, predicate in enumerate(asked)]
    values = [value for predicate in asked for value in predicate.values()]
    found = await session.fetch(
        compile_query(select(seen.c.id, *clauses)), {f"v{n}": value for n, value in enumerate(values)}
    )
    return {row["id"]: [row[f"p{n}"] for n in range(len(asked))] for row in found}


def some_rows() -> list[Row]:
    """A fixed set of rows where every column takes every value."""
    choices: dict[str, tuple[Any, ...]] = {
        "bucket": (BUCKET, BUCKET + 1),
        "kind": KINDS,
        "updated": MOMENTS,
        "gone": (False, True),
        "record": (*RECORDS, None),
        "masked": (False, False, True),
        "hidden_from_patient": (False, True, True, False, True),
        "hidden_from_proxies": (True, False, False, False, True, True, False),
        "withheld_until": (None, *MOMENTS, MOMENTS[1]),
        "author": (*TOKENS, None),
        "category": (None, *TOKENS, None),
        "tokens": (frozenset(), frozenset(TOKENS[:1]), frozenset(TOKENS)),
        "dates": ({}, {"date": []}, {"date": [(0, 1)]}, {"date": [(0, 1), (2, 3)], "it's": [(BEGINNING, END)]}),
        "words": (*(frozenset({(name, word)}) for name in ("name", "name:exact") for word in WORDS), frozenset()),
        "governor": (None, f"{BUCKET:03x}-{16:032x}", None),
    }
    rows = []
    for n in range(120):
        values = {name: listed[n % len(listed)] for name, listed in choices.items()}
        rows.append(Row(id=f"{BUCKET:03x}-{n + 16:032x}", **values))
    return rows


def some_atoms() -> list[Predicate]:
    """Every kind of atom."""
    ids = frozenset(f"{BUCKET:03x}-{n:032x}" for n in (16, 20))
    return [
        *(Everything(), Nothing(), Commons(), Present(), *map(Flagged, FLAGS), Within(BUCKET, RECORDS[0])),
        *(KindIn(frozenset(KINDS[:1])), KindIn(frozenset(KINDS[:2])), IdIn(ids), IdIn(frozenset(list(ids)[:1]))),
        *(Categorised(), *map(Withheld, MOMENTS)),
        *(AuthoredBy(TOKENS[0]), CategoryIn(frozenset(TOKENS[:2])), TokenAny(frozenset(TOKENS[:1]))),
        *(HasDate("date"), HasDate("it's"), DateMatch("date", "ne", 0, 1), DateMatch("it's", "ap", 0, 1)),
        *(Word("name", mode, word) for mode in ("starts", "contains", "exact") for word in ("dur%", "durand", "\\")),
    ]
