"""The predicates a search adds to what the reader may see: tokens, dates, instants, words.

Same algebra, same two folds as `fhir.predicate`; the lens ANDs them to the reader's own predicate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    String,
    Uuid,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONPATH, TIMESTAMP

from fhir.predicate import Bind, Columns, Predicate, Row


@dataclass(frozen=True, slots=True)
class TokenAny(Predicate):
    """Carries at least one of these search tokens."""

    tokens: frozenset[UUID]

    def holds(self, row: Row) -> bool:
        return not self.tokens.isdisjoint(row.tokens)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return columns.tokens.overlap(bind(ARRAY(Uuid())))  # type: ignore[no-any-return]

    def values(self) -> Iterator[object]:
        yield sorted(self.tokens)

    def shape(self) -> object:
        return "token"


# TRAP: in lax mode a filter unwraps [from, until] and @[1] finds nothing.
_DATE_PATHS = {
    "eq": "strict $[*] ? (@[0] >= $lo && @[1] <= $hi)",
    "ne": "strict $[*] ? (@[0] < $lo || @[1] > $hi)",
    "gt": "strict $[*] ? (@[1] > $hi)",
    "lt": "strict $[*] ? (@[0] < $lo)",
    "ge": "strict $[*] ? (@[1] > $hi || (@[0] >= $lo && @[1] <= $hi))",
    "le": "strict $[*] ? (@[0] < $lo || (@[0] >= $lo && @[1] <= $hi))",
    "sa": "strict $[*] ? (@[0] >= $hi)",
    "eb": "strict $[*] ? (@[1] <= $lo)",
    "ap": "strict $[*] ? (@[0] < $hi && @[1] > $lo)",
}


def compare_dates(prefix: str, low: int, high: int, found: tuple[int, int]) -> bool:
    """FHIR R4 §3.1.1.4.5: the searched range [low, high) against a stored one, both half-open."""
    start, end = found
    inside = start >= low and end <= high
    outcomes = {
        "eq": inside,
        "ne": not inside,
        "gt": end > high,
        "lt": start < low,
        "ge": end > high or inside,
        "le": start < low or inside,
        "sa": start >= high,
        "eb": end <= low,
        "ap": start < high and end > low,
    }
    return outcomes[prefix]


@dataclass(frozen=True, slots=True)
class DateMatch(Predicate):
    """Some value of a date parameter stands to [low, high) (microseconds since 1970) as the prefix says."""

    parameter: str
    prefix: str
    low: int
    high: int

    def holds(self, row: Row) -> bool:
        ranges = row.dates.get(self.parameter, [])
        return any(compare_dates(self.prefix, self.low, self.high, found) for found in ranges)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        bounds = func.jsonb_build_object("lo", bind(BigInteger()), "hi", bind(BigInteger()))
        path = cast(literal(_DATE_PATHS[self.prefix], String()), JSONPATH)
        found = func.jsonb_path_exists(columns.dates.op("->")(literal(self.parameter, String())), path, bounds)
        return func.coalesce(found, false())

    def values(self) -> Iterator[object]:
        yield self.low
        yield self.high

    def shape(self) -> object:
        return ("date", self.parameter, self.prefix)


@dataclass(frozen=True, slots=True)
class HasDate(Predicate):
    """Has any value for a date parameter."""

    parameter: str

    def holds(self, row: Row) -> bool:
        return self.parameter in row.dates

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        return columns.dates.has_key(literal(self.parameter, String()))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class UpdatedMatch(Predicate):
    """_lastUpdated: an instant against [low, high), both timezone-aware datetimes."""

    prefix: str
    low: datetime
    high: datetime

    def holds(self, row: Row) -> bool:
        at = row.updated
        inside = self.low <= at < self.high
        outcomes = {
            "eq": inside,
            "ne": not inside,
            "gt": at >= self.high,
            "lt": at < self.low,
            "ge": at >= self.low,
            "le": at < self.high,
            "sa": at >= self.high,
            "eb": at < self.low,
            "ap": inside,
        }
        return outcomes[self.prefix]

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        low, high = bind(TIMESTAMP(timezone=True)), bind(TIMESTAMP(timezone=True))
        at = columns.updated
        inside = and_(at >= low, at < high)
        # Every arm names both binds, so that values() is the same for each prefix.
        return {
            "eq": inside,
            "ne": not_(inside),
            "gt": and_(at >= high, low <= high),
            "lt": and_(at < low, low <= high),
            "ge": and_(at >= low, low <= high),
            "le": and_(at < high, low <= high),
            "sa": and_(at >= high, low <= high),
            "eb": and_(at < low, low <= high),
            "ap": inside,
        }[self.prefix]

    def values(self) -> Iterator[object]:
        yield self.low
        yield self.high

    def shape(self) -> object:
        return ("updated", self.prefix)


@dataclass(frozen=True, slots=True)
class Word(Predicate):
    """A string parameter of the commons: `starts`, `contains` or `exact` (normalised unless exact)."""

    parameter: str
    mode: str
    word: str

    def holds(self, row: Row) -> bool:
        tests: dict[str, Callable[[str], bool]] = {
            "starts": lambda found: found.startswith(self.word),
            "contains": lambda found: self.word in found,
            "exact": lambda found: found == self.word,
        }
        name = f"{self.parameter}:exact" if self.mode == "exact" else self.parameter
        return any(tests[self.mode](found) for parameter, found in row.words if parameter == name)

    def clause(self, columns: Columns, bind: Bind) -> ColumnElement[bool]:
        name = f"{self.parameter}:exact" if self.mode == "exact" else self.parameter
        found = func.jsonb_array_elements_text(columns.words.op("->")(literal(name, String()))).column_valued()
        wanted = bind(String())
        tests = {
            "starts": func.starts_with(found, wanted),
            "contains": func.strpos(found, wanted) > 0,
            "exact": found == wanted,
        }
        return exists(select(literal(1)).where(tests[self.mode]))

    def values(self) -> Iterator[object]:
        yield self.word

    def shape(self) -> object:
        return ("word", self.parameter, self.mode)
