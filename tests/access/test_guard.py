"""Stored resources are reached through a lens or not at all; a row opens under its own record's key or not at all."""

import ast
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    alias,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    lateral,
    literal,
    select,
    table,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.expression import ClauseElement

from fhir.lens import Binder, Lens, UnguardedStatementError, refuse_unguarded, whereabouts
from fhir.predicate import And, Everything, KindIn, Nothing
from fhir.record import RecordKeys
from fhir.search import Page, all_of, count_of, one_of, page_of, versions_of
from fhir.stored import Keyring, MissingKeyError, Stored, seal_resource
from fhir.tables import blob, blob_chunk, history, record, resource
from phr.access.journal import journal
from phr.core.database import compile_query
from tests.access.worlds import KEYS, MINE, NOW, OTHERS, resources

ROOT = Path(__file__).resolve().parents[2]
LENS = Lens(KindIn(frozenset({"Observation"})))

WAYS: dict[str, Callable[[Any], ClauseElement]] = {
    "select": lambda t: select(t),
    "select one column": lambda t: select(t.c.id),
    "select from": lambda t: select(func.count()).select_from(t),
    "select a label": lambda t: select(t.c.id.label("x")),
    "select an expression": lambda t: select(func.length(t.c.id) + 1),
    "select a cast": lambda t: select(cast(t.c.bucket, Integer)),
    "alias": lambda t: select(alias(t)),
    "column of an alias": lambda t: select(t.alias("x").c.id),
    "alias of an alias": lambda t: select(t.alias().alias().c.id),
    "tablesample": lambda t: select(t.tablesample(50).c.id),
    "subquery": lambda t: select(select(t).subquery()),
    "column of a subquery": lambda t: select(select(t.c.id).subquery().c.id),
    "cte": lambda t: select(select(t).cte().c.id),
    "cte beside": lambda t: select(literal(1)).add_cte(select(t).cte()),
    "lateral": lambda t: select(record, lateral(select(t.c.id).where(t.c.bucket == record.c.bucket)).c.id),
    "join": lambda t: select(record.c.id).join(t, t.c.id == record.c.id),
    "outer join": lambda t: select(record.c.id).outerjoin(t, true()),
    "join of a join": lambda t: select(record.c.id).select_from(record.join(journal.join(t, true()), true())),
    "comma join": lambda t: select(record.c.id, t.c.id),
    "where only": lambda t: select(record.c.id).where(record.c.id == t.c.id),
    "order by only": lambda t: select(record.c.id).order_by(t.c.id),
    "group by only": lambda t: select(func.count()).group_by(t.c.id),
    "having only": lambda t: select(record.c.id).group_by(record.c.id).having(func.max(t.c.bucket) > 1),
    "distinct on, as it was": lambda t: _distinct_as_it_was(t),
    "distinct on": lambda t: select(record.c.id).ext(distinct_on(t.c.id)),
    "window": lambda t: select(func.row_number().over(partition_by=t.c.id)),
    "window order": lambda t: select(func.row_number().over(order_by=t.c.id)),
    "aggregate filter": lambda t: select(func.count().filter(t.c.id == "x")),
    "within group": lambda t: select(func.percentile_disc(0.5).within_group(t.c.id)),
    "case": lambda t: select(case((t.c.id == "x", 1), else_=0)),
    "tuple": lambda t: select(record.c.id).where(tuple_(record.c.id, t.c.id).in_([("a", "b")])),
    "in": lambda t: select(record.c.id).where(record.c.id.in_(select(t.c.id))),
    "exists": lambda t: select(exists().where(t.c.id == "x")),
    "exists of a select": lambda t: select(select(t.c.id).exists()),
    "correlated exists": lambda t: select(record.c.id).where(exists().where(t.c.id == record.c.id)),
    "scalar subquery": lambda t: select(select(func.count()).select_from(t).scalar_subquery()),
    "correlated scalar": lambda t: select(
        record.c.id, select(t.c.id).where(t.c.bucket == record.c.bucket).limit(1).scalar_subquery()
    ),
    "array of a subquery": lambda t: select(func.array(select(t.c.id).scalar_subquery())),
    "limit": lambda t: select(record.c.id).limit(select(func.count()).select_from(t).scalar_subquery()),
    "union": lambda t: union_all(select(record.c.id), select(t.c.id)),
    "for update of": lambda t: select(record.c.id).with_for_update(of=t),
    "bare column": lambda t: t.c.id,
    "bare table": lambda t: t,
    "delete": lambda t: delete(t),
    "delete where": lambda t: delete(record).where(record.c.id == t.c.id),
    "delete where exists": lambda t: delete(record).where(exists().where(t.c.id == record.c.id)),
    "delete returning": lambda t: delete(t).returning(literal(1)),
    "delete in a cte": lambda t: select(literal(1)).add_cte(delete(t).returning(literal(1)).cte()),
    "update": lambda t: update(t).values(bucket=1),
    "update where": lambda t: update(record).where(record.c.id == t.c.id).values(rights=1),
    "update set from": lambda t: update(record).values(kek=select(t.c.id).limit(1).scalar_subquery()),
    "update set a column": lambda t: update(record).values(kek=t.c.id),
    "update set by column": lambda t: update(record).values({record.c.kek: t.c.id}),
    "update set in order": lambda t: update(record).ordered_values((record.c.kek, t.c.id)),
    "update returning": lambda t: update(record).values(rights=1).returning(t.c.id),
    "insert": lambda t: insert(t).values(bucket=1),
    "insert default": lambda t: insert(t),
    "insert from select": lambda t: insert(record).from_select(["id"], select(t.c.id)),
    "insert a scalar": lambda t: insert(record).values(id=select(t.c.id).limit(1).scalar_subquery()),
    "insert many rows": lambda t: insert(record).values([("x",), (select(t.c.id).scalar_subquery(),)]),
    "insert many": lambda t: insert(record).values([{"id": "x"}, {"id": select(t.c.id).scalar_subquery()}]),
    "insert returning": lambda t: insert(record).values(id="x").returning(select(t.c.id).scalar_subquery()),
    "upsert": lambda t: upsert(t).values(bucket=1).on_conflict_do_nothing(),
    "upsert set": lambda t: (
        upsert(record)
        .values(id="x")
        .on_conflict_do_update(
            index_elements=[record.c.bucket, record.c.id], set_={"kek": select(t.c.id).scalar_subquery()}
        )
    ),
    "upsert where": lambda t: (
        upsert(record)
        .values(id="x")
        .on_conflict_do_update(
            index_elements=[record.c.bucket, record.c.id],
            set_={"kek": "x"},
            where=exists().where(t.c.id == "x"),
        )
    ),
    "insert with a cte": lambda t: insert(record).from_select(["id"], select(select(t.c.id).cte().c.id)),
    "another Table of that name": lambda t: select(Table(t.name, MetaData(), Column("id", Integer))),
    "a table() of that name": lambda t: select(table(t.name, column("id"))),
    "a quoted schema": lambda t: select(table(t.name, column("id"), schema="public").c.id),
    "beside a lens": lambda t: select(LENS.rows(Binder()).c.id, t.c.id),
    "joined to a lens": lambda t: _joined_to_a_lens(t),
    "in a lens's condition": lambda t: select(LENS.rows(Binder()).c.id).where(exists().where(t.c.id == "x")),
}


def _distinct_as_it_was(t: Any) -> ClauseElement:
    with warnings.catch_warnings(action="ignore"):
        return select(record.c.id).distinct(t.c.id)


def _joined_to_a_lens(t: Any) -> ClauseElement:
    rows = LENS.rows(Binder())
    return select(rows.c.id).join(t, t.c.id == rows.c.id)


def check_guard() -> None:
    """Every way to name every protected table is refused."""
    for name, way in WAYS.items():
        for protected in (resource, history, blob, blob_chunk):
            assert _refused(way(protected)) == protected.name, name


def _refused(statement: ClauseElement) -> str | None:
    """The table a statement is refused for, if it is."""
    try:
        refuse_unguarded(statement)
    except UnguardedStatementError as error:
        return str(error)
    return None


@pytest.mark.parametrize("protected", [resource, history, blob, blob_chunk], ids=lambda t: t.name)
@pytest.mark.parametrize("way", list(WAYS))
def test_every_other_way_is_refused(way: str, protected: Any) -> None:
    with pytest.raises(UnguardedStatementError, match=f"^{protected.name}$"):
        refuse_unguarded(WAYS[way](protected))


def test_nothing_is_compiled_without_the_guard() -> None:
    with pytest.raises(UnguardedStatementError):
        compile_query(select(resource))


def test_the_same_ways_pass_on_other_tables() -> None:
    """The guard refuses for the table, not for the form."""
    for way in WAYS.values():
        refuse_unguarded(way(record.alias("r") if way is WAYS["for update of"] else record))


def statements() -> Iterator[ClauseElement]:
    everything = And((Everything(), KindIn(frozenset())))
    for statement in (
        page_of(LENS, Page(everything)),
        count_of(LENS, everything),
        all_of(LENS, everything, 1, gone=True, lock=True),
        one_of(LENS, [everything]),
        versions_of(LENS, everything, (NOW, "x", 1), 5),
        versions_of(LENS, everything, None, 5, NOW),
        whereabouts(MINE, 0x123),
    ):
        yield statement.build(Binder())
    for source in (LENS.blobs, LENS.chunks, LENS.versions):
        yield select(source(Binder()).c.id)


def test_statements_through_a_lens_pass() -> None:
    for statement in statements():
        refuse_unguarded(statement)
        assert compile_query(statement).sql


def test_each_alias_is_fresh() -> None:
    bind = Binder()
    one, other = LENS.rows(bind), LENS.rows(bind)
    assert one is not other
    joined = compile_query(select(one.c.id).join(other, one.c.id == other.c.id))
    assert joined.sql.count("FROM resource") == 2
    assert len({name for name in joined.names if name.startswith("v")}) == 2


def test_a_lens_only_narrows() -> None:
    nothing = Lens(Nothing()).narrowed(Everything(), KindIn(frozenset({"Observation"})))
    assert "WHERE false" in compile_query(select(nothing.rows(Binder()).c.id)).sql
    assert not any(nothing.sight.holds(one.row) for one in resources())


def test_a_row_of_another_record_does_not_open() -> None:
    keys = RecordKeys.derive(OTHERS, b"o" * 32)
    sealed = seal_resource(keys, "Observation", "x", 1, b"{}")
    theirs = Stored(0x123, "x", "Observation", 1, NOW, False, OTHERS, sealed)
    with pytest.raises(MissingKeyError):
        theirs.raw(Keyring({MINE: KEYS}))
    with pytest.raises(MissingKeyError):
        Keyring({MINE: KEYS}).of(None)
    assert theirs.json(Keyring({OTHERS: keys})) == {}


# The source itself.


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


CODE = ("phr", "fhir", "auth", "migrations")


def test_only_the_lens_and_the_store_mark_statements() -> None:
    users = set()
    for path, tree in sources(*CODE):
        for node in ast.walk(tree):
            named = isinstance(node, ast.Name | ast.Attribute | ast.FunctionDef | ast.alias)
            names = {getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)}
            imported = isinstance(node, ast.ImportFrom) and node.module == "fhir.lens"
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "sealed":
                users.add(path)
            if imported and any(one.name == "sealed" for one in node.names):  # type: ignore[attr-defined]
                users.add(path)
            if named and names & {"_SEAL", "_OPTION"} and "lens" in path:
                users.add(path)
            if isinstance(node, ast.Constant) and node.value == "carnet_lens":
                users.add(path)
    assert users == {"fhir/lens.py", "fhir/store.py"}


def test_only_those_two_name_the_tables() -> None:
    protected = {"resource", "history", "blob", "blob_chunk", "PROTECTED"}
    users = {
        path
        for path, tree in sources("phr", "fhir", "auth")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "fhir.tables"
        if protected & {one.name for one in node.names}
    }
    assert users == {"fhir/lens.py", "fhir/store.py"}


FORBIDDEN = {"text", "literal_column", "TextClause", "exec_driver_sql", "with_loader_criteria"}


def test_no_sql_is_written_by_hand() -> None:
    found = []
    for path, tree in sources(*CODE):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                found += [f"{path}: import {one.name}" for one in node.names if one.name in FORBIDDEN]
            if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
                owner = getattr(node.value, "id", "")
                if owner in ("sa", "sqlalchemy", "sql") or node.attr not in ("text",):
                    found.append(f"{path}:{node.lineno} .{node.attr}")
    assert found == []


_VERBS = ("select ", "insert into ", "update ", "delete from ", "with ", "truncate ", "alter ", "drop ", "create ")
_RUNNERS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "scalar", "scalars"}


def test_no_sql_is_put_together_from_pieces() -> None:
    found = []
    for path, tree in sources(*CODE):
        for node in ast.walk(tree):
            pieces: list[ast.expr] = []
            if isinstance(node, ast.JoinedStr):
                pieces = node.values[:1]
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
                pieces = [node.left]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format":
                pieces = [node.func.value]  # type: ignore[attr-defined]
            for piece in pieces:
                written = piece.value if isinstance(piece, ast.Constant) else ""
                if isinstance(written, str) and written.lower().lstrip().startswith(_VERBS):
                    found.append(f"{path}:{piece.lineno}")
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _RUNNERS and node.args:
                first = node.args[0]
                if isinstance(first, ast.JoinedStr) or (
                    isinstance(first, ast.Constant) and isinstance(first.value, str)
                ):
                    found.append(f"{path}:{node.lineno} runs a text")
    assert found == []
