"""Searching: one page of rows behind the lens, chains and `_has` resolved first, includes gathered after.

The rule: every FROM is a lens. Chains cannot be joined (references are stored as keyed hashes), so their targets
are found first, through the lens, and become a set of hashes.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from fhir.lens import Binder, Lens, Statement
from fhir.predicate import And, Predicate
from fhir.query import Sort

NEVER = 2**62
"""Where a row without a date stands in an order by date: last, in either direction."""

COLUMNS = ("bucket", "id", "kind", "version", "updated", "gone", "record", "sealed")


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows, in what order, after which key (sort values, then id), how many at most."""

    criteria: Predicate
    sort: tuple[Sort, ...] = ()
    after: tuple[object, ...] | None = None
    limit: int = 20


def _key(rows: Any, sort: Sort) -> ColumnElement[Any]:
    if sort.name == "_lastUpdated":
        return rows.c.updated  # type: ignore[no-any-return]
    if sort.name == "_id":
        return rows.c.id  # type: ignore[no-any-return]
    first = rows.c.dates.op("->")(literal(sort.name, String())).op("->")(literal(0, Integer()))
    start = cast(first.op("->>")(literal(0, Integer())), BigInteger)
    return func.coalesce(start, literal(-NEVER if sort.descending else NEVER, BigInteger()))


def _key_type(sort: Sort) -> Any:
    return {"_lastUpdated": TIMESTAMP(timezone=True), "_id": String()}.get(sort.name, BigInteger())


def _orders(page: Page) -> tuple[Sort, ...]:
    return (*page.sort, Sort("_id", descending=True)) if not any(s.name == "_id" for s in page.sort) else page.sort


def page_of(lens: Lens, page: Page) -> Statement:
    """One page, newest first unless sorted. Columns COLUMNS, then `k0` … the keys to continue after.

    Asks for one row more than the limit, so the caller knows whether there is a next page. Keyset paging: ids are
    immutable and carry their time, so concurrent writes neither repeat nor skip a row already there.
    """
    orders = _orders(page)

    def build(bind: Binder) -> Select[Any]:
        rows = lens.rows(bind)
        keys = [_key(rows, sort) for sort in orders]
        statement = select(
            *[rows.c[name] for name in COLUMNS], *[key.label(f"k{n}") for n, key in enumerate(keys)]
        ).where(page.criteria.clause(rows.c, bind))
        if page.after is not None:
            statement = statement.where(_beyond(keys, orders, bind))
        ordered = [key.desc() if sort.descending else key.asc() for key, sort in zip(keys, orders, strict=True)]
        return statement.order_by(*ordered).limit(bind(Integer()))

    shape: Hashable = ("page", lens.shape(), page.criteria.shape(), orders, page.after is not None)
    values = (*lens.values(), *page.criteria.values(), *(page.after or ()), page.limit + 1)
    return Statement(shape, build, values)


def _beyond(keys: Sequence[ColumnElement[Any]], orders: Sequence[Sort], bind: Binder) -> ColumnElement[bool]:
    """Lexicographically after the bound key, each column in its own direction."""
    bounds = [bind(_key_type(sort)) for sort in orders]
    arms = []
    for n, (key, sort, bound) in enumerate(zip(keys, orders, bounds, strict=True)):
        equal = [before == other for before, other in zip(keys[:n], bounds[:n], strict=True)]
        arms.append(and_(*equal, key < bound if sort.descending else key > bound))
    return or_(*arms)


def count_of(lens: Lens, criteria: Predicate) -> Statement:
    """How many visible rows match: only paid when `_total=accurate` or `_summary=count` asks."""

    def build(bind: Binder) -> Select[Any]:
        rows = lens.rows(bind)
        return select(func.count().label("total")).select_from(rows).where(criteria.clause(rows.c, bind))

    return Statement(("count", lens.shape(), criteria.shape()), build, (*lens.values(), *criteria.values()))


def all_of(lens: Lens, criteria: Predicate, limit: int, *, gone: bool = False, lock: bool = False) -> Statement:
    """Visible rows that match, oldest first, at most `limit`: for chains, includes, and finding what to write."""

    def build(bind: Binder) -> Select[Any]:
        rows = lens.rows(bind, gone=gone, lock=lock)
        statement = select(*[rows.c[name] for name in COLUMNS], rows.c.author, rows.c.masked).where(
            criteria.clause(rows.c, bind)
        )
        return statement.order_by(rows.c.id).limit(bind(Integer()))

    shape: Hashable = ("all", lens.shape(), criteria.shape(), gone, lock)
    return Statement(shape, build, (*lens.values(), *criteria.values(), limit))


def one_of(lens: Lens, criteria: Sequence[Predicate], *, gone: bool = True, lock: bool = False) -> Statement:
    """One visible row, deleted ones included, so the caller can tell gone from absent."""
    return all_of(lens, And(tuple(criteria)), 1, gone=gone, lock=lock)


def versions_of(
    lens: Lens, criteria: Predicate, after: tuple[Any, str, int] | None, limit: int, since: datetime | None = None
) -> Statement:
    """Current and superseded versions, newest first: history of an instance, a type in a record, or a record.

    `since`: each version's own instant, not its resource's.
    """

    def build(bind: Binder) -> Select[Any]:
        rows, older = lens.rows(bind, gone=True), lens.versions(bind)
        now = select(*[rows.c[name] for name in COLUMNS]).where(criteria.clause(rows.c, bind))
        past = select(*[older.c[name] for name in COLUMNS]).where(criteria.clause(older.c, bind))
        both = now.union_all(past).subquery()
        statement = select(both)
        if since is not None:
            statement = statement.where(both.c.updated >= bind(TIMESTAMP(timezone=True)))
        if after is not None:
            at, identifier, version = bind(TIMESTAMP(timezone=True)), bind(String()), bind(Integer())
            statement = statement.where(
                or_(
                    both.c.updated < at,
                    and_(both.c.updated == at, both.c.id < identifier),
                    and_(both.c.updated == at, both.c.id == identifier, both.c.version < version),
                )
            )
        ordered = statement.order_by(both.c.updated.desc(), both.c.id.desc(), both.c.version.desc())
        return ordered.limit(bind(Integer()))

    lensed = tuple(lens.values())
    asked = tuple(criteria.values())
    # Binder order: rows(), versions(), then each criteria.
    start = () if since is None else (since,)
    values = (*lensed, *lensed, *asked, *asked, *start, *(after or ()), limit + 1)
    shape: Hashable = ("versions", lens.shape(), criteria.shape(), since is not None, after is not None)
    return Statement(shape, build, values)


def version_of(lens: Lens, criteria: Predicate, version: int) -> Statement:
    """One version, current or superseded, of what the criteria name."""

    def build(bind: Binder) -> Select[Any]:
        rows, older = lens.rows(bind, gone=True), lens.versions(bind)
        now = select(*[rows.c[name] for name in COLUMNS]).where(criteria.clause(rows.c, bind))
        past = select(*[older.c[name] for name in COLUMNS]).where(criteria.clause(older.c, bind))
        both = now.union_all(past).subquery()
        return select(both).where(both.c.version == bind(Integer()))

    lensed, asked = tuple(lens.values()), tuple(criteria.values())
    return Statement(("version", lens.shape(), criteria.shape()), build, (*lensed, *lensed, *asked, *asked, version))
