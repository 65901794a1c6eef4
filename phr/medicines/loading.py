"""Loading a release: the operator's files into new rows, in one transaction, beside the rows being read.

The rule: all of it or nothing; the release before stays one loading longer, for who was reading it. Nothing is locked
but other loadings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Engine, Integer, Table, bindparam, delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from phr.medicines import bdpm, interactions, tables
from phr.medicines.source import FileError, Source, examine

BATCH = 5_000
_ONE_AT_A_TIME = literal(0x43_41_52_4D, BigInteger())
_given = bindparam("release", type_=Integer())
_mine = tables.interaction.c.release == _given
_named = (
    select(tables.interaction.c.a.label("name"))
    .where(_mine)
    .union(
        select(tables.interaction.c.b).where(_mine),
        select(tables.member.c.member).where(tables.member.c.release == _given),
    )
    .subquery()
)
_substances = select(tables.ingredient.c.folded).where(tables.ingredient.c.release == _given)
_classes = select(tables.member.c.name).where(tables.member.c.release == _given)
_UNKNOWN = (
    select(_named.c.name)
    .where(_named.c.name.not_in(_substances), _named.c.name.not_in(_classes))
    .order_by(_named.c.name)
)
Progress = Callable[[Source, int], None]
"""Told of each batch: the file, and the line it has come to."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loading made. `already`: these very files were loaded, and nothing was changed. `rows`: by table.

    `left_out`: lines about a medicine the database does not have, by file; `unknown`: names of the file of
    interactions that no medicine has as a substance.
    """

    number: int
    at: datetime
    already: bool
    files: Mapping[str, Source]
    rows: Mapping[str, int]
    left_out: Mapping[str, int]
    unknown: tuple[str, ...]


def find(folder: Path, supplied: Path | None = None) -> dict[str, Source]:
    """The files of a folder, and the one of interactions, examined: by name. Raises FileError."""
    missing = [one.name for one in bdpm.LAYOUTS if one.required and not (folder / one.name).is_file()]
    if missing:
        raise FileError(f"{folder} does not have {', '.join(missing)}")
    found = {one.name: examine(folder / one.name) for one in bdpm.LAYOUTS if (folder / one.name).is_file()}
    return found if supplied is None else {**found, "interactions": examine(supplied)}


def load(engine: Engine, files: Mapping[str, Source], now: datetime, tell: Progress) -> Loaded:
    """Load these files as the release that is read from now on. Raises FileError: nothing was changed."""
    told = {name: {"sha256": one.sha256, "encoding": one.encoding, "lines": one.lines} for name, one in files.items()}
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        last = connection.execute(select(tables.release).order_by(tables.release.c.number.desc()).limit(1)).first()
        if last is not None and last.files == told:
            return Loaded(last.number, last.loaded, True, files, _counted(connection, last.number), {}, ())
        number = 1 if last is None else last.number + 1
        for table in (*tables.FILLED, tables.release):
            column = table.c.number if table is tables.release else table.c.release
            connection.execute(delete(table).where(column < number - 1))
        connection.execute(insert(tables.release), {"number": number, "loaded": now, "files": told})
        known, left_out = set[str](), dict[str, int]()
        for layout in bdpm.LAYOUTS:
            if layout.name in files:
                source = files[layout.name]
                skipped = _fill(connection, number, source, bdpm.rows(layout, source, known), tell)
                left_out |= {layout.name: skipped} if skipped else {}
        if "interactions" in files:
            _fill(connection, number, files["interactions"], interactions.rows(files["interactions"]), tell)
        unknown = tuple(connection.execute(_UNKNOWN, {"release": number}).scalars())
        return Loaded(number, now, False, files, _counted(connection, number), left_out, unknown)


def _fill(
    connection: Connection,
    number: int,
    source: Source,
    rows: Iterator[tuple[int, Table | None, bdpm.Row]],
    tell: Progress,
) -> int:
    """Store the rows of one file, some thousands at a time; a row said twice is stored once. How many are left out."""
    skipped = 0
    while batch := list(islice(rows, BATCH)):
        by_table: dict[Table, list[bdpm.Row]] = {}
        for _, table, row in batch:
            if table is None:
                skipped += 1
            else:
                by_table.setdefault(table, []).append({"release": number, **row})
        for table, many in by_table.items():
            connection.execute(upsert(table).on_conflict_do_nothing(), many)
        tell(source, batch[-1][0])
    tell(source, source.lines)
    return skipped


def _counted(connection: Connection, number: int) -> dict[str, int]:
    counting = {one.name: select(func.count()).where(one.c.release == number) for one in tables.FILLED}
    return {name: connection.execute(query).scalar_one() for name, query in counting.items()}
