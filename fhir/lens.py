"""The only door to stored resources: fresh aliases over rows already filtered by what the reader may see.

The rule: a statement that names a stored-resource table outside a lens (or outside `fhir.store`, which writes)
is refused before it is compiled. No search, chain, include, count or export can be written by forgetting a filter.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, Select, Subquery, TableClause, and_, bindparam, select
from sqlalchemy.sql.expression import ClauseElement

from fhir.predicate import And, Predicate, Present
from fhir.tables import PROTECTED, blob, blob_chunk, history, resource
from phr.core.database import Query, Shapes, guard

_SEAL = object()
_OPTION = "carnet_lens"
_NAMES = frozenset(table.name for table in PROTECTED)
_Statement = TypeVar("_Statement", bound=Executable)


class UnguardedStatementError(Exception):
    """A statement that names stored resources outside the lens."""


def sealed(statement: _Statement) -> _Statement:
    """Mark a statement of `fhir.lens` or `fhir.store` as one that may name the tables. A test keeps it theirs."""
    return statement.execution_options(**{_OPTION: _SEAL})


@guard
def refuse_unguarded(statement: ClauseElement) -> None:
    """The session guard. Raises UnguardedStatementError."""
    pending: list[Any] = [statement]
    seen: set[int] = set()
    while pending:
        element = pending.pop()
        if id(element) in seen:
            continue
        seen.add(id(element))
        if isinstance(element, Executable) and element.get_execution_options().get(_OPTION) is _SEAL:
            continue
        if isinstance(element, TableClause):
            # By name: another Table object, or a table() made on the spot, reads the same rows.
            if element.name in _NAMES:
                raise UnguardedStatementError(element.name)
            continue
        pending.extend(_parts(element))


def _parts(element: Any) -> Iterator[Any]:
    """All that a statement is made of."""
    yield from element.get_children()
    # TRAP: get_children() leaves out a column's table, what DML writes to, DISTINCT ON, and VALUES of several rows.
    table = getattr(element, "table", None)
    if isinstance(table, ClauseElement):
        yield table
    yield from getattr(element, "_distinct_on", ())
    for rows in getattr(element, "_multi_values", ()):
        for row in rows:
            values = row.values() if isinstance(row, Mapping) else row
            yield from (value for value in values if isinstance(value, ClauseElement))


class Binder:
    """Names the bound parameters of one statement v0, v1 … in the order they are asked for."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, type_: Any) -> ColumnElement[Any]:
        name = f"v{self._count}"
        self._count += 1
        return bindparam(name, type_=type_)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement before it is compiled: what its SQL depends on, how to build it, and what it binds, in order."""

    shape: Hashable
    build: Callable[[Binder], ClauseElement]
    values: tuple[object, ...]

    def query(self) -> Query:
        """The compiled query, built at the first use of the shape only."""
        return _SHAPES.get(self.shape, lambda: self.build(Binder()))

    def bound(self) -> dict[str, object]:
        """The values under the names the binder gave."""
        return {f"v{n}": value for n, value in enumerate(self.values)}


_SHAPES = Shapes()


@dataclass(frozen=True, slots=True)
class Lens:
    """What one reader sees of one record (or of the commons), for the length of one request."""

    sight: Predicate

    def narrowed(self, *parts: Predicate) -> "Lens":
        """The same lens, seeing less. There is no way to see more."""
        return Lens(And((self.sight, *parts)))

    def rows(self, bind: Binder, *, gone: bool = False, lock: bool = False) -> Subquery:
        """A fresh alias over the visible rows; deleted ones only if asked; locked for update if asked."""
        sight = self.sight if gone else And((self.sight, Present()))
        visible = select(resource).where(sight.clause(resource.c, bind))
        if lock:
            visible = visible.with_for_update()
        return sealed(visible).subquery()

    def versions(self, bind: Binder) -> Subquery:
        """Superseded versions of the visible rows, deleted ones included."""
        rows = self.rows(bind, gone=True)
        older = (
            select(
                history.c.bucket,
                history.c.id,
                rows.c.kind,
                rows.c.record,
                history.c.version,
                history.c.updated,
                history.c.gone,
                history.c.sealed,
            )
            .select_from(rows)
            .join(history, and_(history.c.bucket == rows.c.bucket, history.c.id == rows.c.id))
        )
        return sealed(older).subquery()

    def blobs(self, bind: Binder) -> Subquery:
        """The blobs of the visible Binaries."""
        rows = self.rows(bind)
        own = and_(blob.c.bucket == rows.c.bucket, blob.c.id == rows.c.id)
        return sealed(select(blob, rows.c.record).select_from(rows).join(blob, own)).subquery()

    def chunks(self, bind: Binder) -> Subquery:
        """The sealed pieces of the visible Binaries."""
        rows = self.rows(bind)
        own = and_(blob_chunk.c.bucket == rows.c.bucket, blob_chunk.c.id == rows.c.id)
        return sealed(select(blob_chunk).select_from(rows).join(blob_chunk, own)).subquery()

    def values(self) -> Iterator[object]:
        """What `rows` (and its like) bind, in order."""
        return self.sight.values()

    def shape(self) -> Hashable:
        """What the SQL of `rows` depends on."""
        return self.sight.shape()


def whereabouts(identifier: str, bucket: int) -> Statement:
    """The record a resource id belongs to: to find which lens to look through, never to answer with."""

    def build(bind: Binder) -> Select[Any]:
        own = and_(resource.c.bucket == bind(resource.c.bucket.type), resource.c.id == bind(resource.c.id.type))
        return sealed(select(resource.c.record, resource.c.kind).where(own))

    return Statement("whereabouts", build, (bucket, identifier))
