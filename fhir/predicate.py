"""What may be seen, and what is asked for, as one algebra with two folds that tests keep equal.

`holds(row)` judges in Python, `clause(columns, bind)` in SQL. A predicate has a *shape* (its structure) and
*values* (what is bound): statements are compiled once for each shape. The rule: nothing is seen unless a
predicate says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, DateTime, Integer, String, Uuid, and_, any_, false, not_, or_, true

Bind = Callable[[Any], ColumnElement[Any]]
"""Mints the next bound parameter of a statement, of the given SQLAlchemy type, in the order of `values()`."""

Columns = Any
"""The columns of the resource table, or of a lens over it: attribute access by column name."""


def equals_any(column: ColumnElement[Any], values: ColumnElement[Any]) -> ColumnElement[bool]:
    """`column = ANY(values)`: membership in an array parameter, whatever its length."""
    return column == any_(values)


@dataclass(frozen=True, slots=True)
class Row:
    """What `holds` judges: one resource's plain columns (fhir.tables.resource)."""

    bucket: int
    id: str
    kind: str
    updated: datetime
    gone: bool
    record: str | None
    masked: bool
    hidden_from_patient: bool
    hidden_from_proxies: bool
    withheld_until: datetime | None
    author: UUID | None
    category: UUID | None
    tokens: frozenset[UUID]
    dates: dict[str, list[tuple[int, int]]]
    words: frozenset[tuple[str, str]]
    governor: str | None = None


class Predicate:
    """A question about one row. Subclasses are frozen values."""

    __slots__ = ()

    def holds(self, row: Row) -> bool:
        """Whether the row satisfies it, in Python."""
        raise NotImplementedError

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        """The same question in SQL; binds in the order of `values`."""
        raise NotImplementedError

    def values(self) -> Iterator[object]:
        """The bound values, in the order `clause` asks for them."""
        return iter(())

    def shape(self) -> object:
        """What the SQL depends on, hashable; two predicates of one shape share a compiled statement."""
        return self


@dataclass(frozen=True, slots=True)
class Everything(Predicate):
    """True of every row."""

    def holds(self, row: Row) -> bool:
        return True

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return true()


@dataclass(frozen=True, slots=True)
class Nothing(Predicate):
    """True of no row: what a reader without a rule sees."""

    def holds(self, row: Row) -> bool:
        return False

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return false()


@dataclass(frozen=True, slots=True)
class Within(Predicate):
    """In this record."""

    bucket: int
    record: str

    def holds(self, row: Row) -> bool:
        return row.bucket == self.bucket and row.record == self.record

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        own = columns.bucket == bind(Integer()), columns.record == bind(String())
        return and_(columns.record.is_not(None), *own)

    def values(self) -> Iterator[object]:
        yield self.bucket
        yield self.record

    def shape(self) -> object:
        return "within"


@dataclass(frozen=True, slots=True)
class Commons(Predicate):
    """Of no record: professionals, structures, questionnaires."""

    def holds(self, row: Row) -> bool:
        return row.record is None

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        found: ColumnElement[bool] = columns.record.is_(None)
        return found


@dataclass(frozen=True, slots=True)
class Present(Predicate):
    """Not deleted."""

    def holds(self, row: Row) -> bool:
        return not row.gone

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        found: ColumnElement[bool] = columns.gone.is_(False)
        return found


@dataclass(frozen=True, slots=True)
class Flagged(Predicate):
    """Carries this visibility flag: masked, hidden_from_patient or hidden_from_proxies."""

    flag: str

    def holds(self, row: Row) -> bool:
        return bool(getattr(row, self.flag))

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return columns[self.flag].is_(True)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Withheld(Predicate):
    """Hidden from the patient, and its time has not come at this instant."""

    now: datetime

    def holds(self, row: Row) -> bool:
        return row.hidden_from_patient and (row.withheld_until is None or row.withheld_until > self.now)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        waits = and_(columns.withheld_until.is_not(None), columns.withheld_until > bind(DateTime(timezone=True)))
        return and_(columns.hidden_from_patient.is_(True), or_(columns.withheld_until.is_(None), waits))

    def values(self) -> Iterator[object]:
        yield self.now

    def shape(self) -> object:
        return "withheld"


@dataclass(frozen=True, slots=True)
class KindIn(Predicate):
    """Of one of these resource types."""

    kinds: frozenset[str]

    def holds(self, row: Row) -> bool:
        return row.kind in self.kinds

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return (
            columns.kind == bind(String()) if len(self.kinds) == 1 else equals_any(columns.kind, bind(ARRAY(String())))
        )

    def values(self) -> Iterator[object]:
        yield min(self.kinds) if len(self.kinds) == 1 else sorted(self.kinds)

    def shape(self) -> object:
        # Equality and membership are two shapes: only equality lets an index give its rows in order.
        return ("kind", len(self.kinds) == 1)


@dataclass(frozen=True, slots=True)
class IdIn(Predicate):
    """One of these logical ids."""

    ids: frozenset[str]

    def holds(self, row: Row) -> bool:
        return row.id in self.ids

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        one = len(self.ids) == 1
        return columns.id == bind(String()) if one else equals_any(columns.id, bind(ARRAY(String())))

    def values(self) -> Iterator[object]:
        yield min(self.ids) if len(self.ids) == 1 else sorted(self.ids)

    def shape(self) -> object:
        return ("id", len(self.ids) == 1)


@dataclass(frozen=True, slots=True)
class Chosen(Predicate):
    """One of these resources, or a Binary that is the content of one: bytes go with what they are the content of."""

    ids: frozenset[str]

    def holds(self, row: Row) -> bool:
        return row.id in self.ids or row.governor in self.ids

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        itself = equals_any(columns.id, bind(ARRAY(String())))
        content = and_(columns.governor.is_not(None), equals_any(columns.governor, bind(ARRAY(String()))))
        return or_(itself, content)

    def values(self) -> Iterator[object]:
        yield sorted(self.ids)
        yield sorted(self.ids)

    def shape(self) -> object:
        return "chosen"


@dataclass(frozen=True, slots=True)
class AuthoredBy(Predicate):
    """Deposited by this author (a keyed hash under the record's key)."""

    author: UUID

    def holds(self, row: Row) -> bool:
        return row.author == self.author

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return and_(columns.author.is_not(None), columns.author == bind(Uuid()))

    def values(self) -> Iterator[object]:
        yield self.author

    def shape(self) -> object:
        return "author"


@dataclass(frozen=True, slots=True)
class CategoryIn(Predicate):
    """Of one of these document types (keyed hashes under the record's key), for the access matrix."""

    categories: frozenset[UUID]

    def holds(self, row: Row) -> bool:
        return row.category in self.categories

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return and_(columns.category.is_not(None), equals_any(columns.category, bind(ARRAY(Uuid()))))

    def values(self) -> Iterator[object]:
        yield sorted(self.categories)

    def shape(self) -> object:
        return "category"


@dataclass(frozen=True, slots=True)
class Categorised(Predicate):
    """Has a category: a Binary has that of what it is the content of, and none before it is."""

    def holds(self, row: Row) -> bool:
        return row.category is not None

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        found: ColumnElement[bool] = columns.category.is_not(None)
        return found


@dataclass(frozen=True, slots=True)
class And(Predicate):
    """All of them; of none, everything."""

    parts: tuple[Predicate, ...]

    def holds(self, row: Row) -> bool:
        return all(part.holds(row) for part in self.parts)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return and_(true(), *[part.clause(columns, bind) for part in self.parts])

    def values(self) -> Iterator[object]:
        for part in self.parts:
            yield from part.values()

    def shape(self) -> object:
        return ("and", *[part.shape() for part in self.parts])


@dataclass(frozen=True, slots=True)
class Or(Predicate):
    """Any of them; of none, nothing."""

    parts: tuple[Predicate, ...]

    def holds(self, row: Row) -> bool:
        return any(part.holds(row) for part in self.parts)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return or_(false(), *[part.clause(columns, bind) for part in self.parts])

    def values(self) -> Iterator[object]:
        for part in self.parts:
            yield from part.values()

    def shape(self) -> object:
        return ("or", *[part.shape() for part in self.parts])


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """Its contrary. Every atom is true or false, never unknown, so this is a true complement in SQL too."""

    part: Predicate

    def holds(self, row: Row) -> bool:
        return not self.part.holds(row)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return not_(self.part.clause(columns, bind))

    def values(self) -> Iterator[object]:
        return self.part.values()

    def shape(self) -> object:
        return ("not", self.part.shape())
