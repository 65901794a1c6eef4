"""Medicines as they are loaded: by CIS, by CIP13, or by the words of their name.

The rule: a question looks the release up once (`current`), and asks all the rest of that release.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, String, Table, and_, any_, bindparam, func, or_, select

from phr.core.database import Query, Session, compile_query
from phr.medicines import tables
from phr.medicines.medicine import Box, Generic, Ingredient, Medicine
from phr.prevention.codes import folded

CODE = re.compile(r"[0-9]{8}|[0-9]{13}")
"""A CIS or a CIP13."""
MOST = 50
"""Medicines that one question finds."""
WORDS = 8
"""Words of a name that are looked at."""
_LAST = chr(0x10FFFF)


_release = bindparam("release", type_=Integer())
_codes = any_(bindparam("codes", type_=ARRAY(String)))
_boxes, _medicines, _words = tables.presentation.c, tables.medicine.c, tables.word.c
_CURRENT = compile_query(select(func.max(tables.release.c.number).label("number")))
_of_boxes = select(_boxes.cis).where(_boxes.release == _release, _boxes.cip13 == _codes)
_NAMED = compile_query(
    select(tables.medicine)
    .where(_medicines.release == _release, or_(_medicines.cis == _codes, _medicines.cis.in_(_of_boxes)))
    .order_by(_medicines.name, _medicines.cis)
    .limit(bindparam("most", type_=Integer()))
)


_newest = select(func.max(tables.release.c.number)).scalar_subquery()
_boxed = and_(_boxes.release == _medicines.release, _boxes.cis == _medicines.cis)
_TOLD = compile_query(
    select(_medicines.cis.label("code"), _medicines.name)
    .where(_medicines.release == _newest, _medicines.cis == _codes)
    .union_all(
        select(_boxes.cip13, _medicines.name)
        .join_from(tables.presentation, tables.medicine, _boxed)
        .where(_boxes.release == _newest, _boxes.cip13 == _codes)
    )
)


def _parts(table: Table, *order: ColumnElement[Any]) -> Query:
    own = and_(table.c.release == _release, table.c.cis == _codes)
    return compile_query(select(table).where(own).order_by(table.c.cis, *order))


_INGREDIENTS = _parts(tables.ingredient, tables.ingredient.c.position)
_BOXES = _parts(tables.presentation, tables.presentation.c.cip13)
_CONDITIONS = _parts(tables.condition, tables.condition.c.position)
_GENERICS = _parts(tables.generic, tables.generic.c.group)


async def current(session: Session) -> int | None:
    """The release to read; None when nothing was ever loaded."""
    row = await session.one(_CURRENT)
    return None if row is None else row["number"]


async def by_code(session: Session, release: int, *codes: str) -> list[Medicine]:
    """The medicines of these CIS and CIP13 codes, by name; at most one for each code, but for the files' own errors."""
    rows = await session.fetch(_NAMED, {"release": release, "codes": list(codes), "most": 2 * len(codes)})
    return await _whole(session, release, rows)


async def names_of(session: Session, codes: Iterable[str]) -> dict[str, str]:
    """The name of the medicine of each CIS and CIP13 that the newest release has."""
    return {row["code"]: row["name"] for row in await session.fetch(_TOLD, {"codes": sorted(codes)})}


async def by_name(session: Session, release: int, text: str) -> list[Medicine]:
    """The first `MOST` medicines whose name has a word that begins as each word of the text does."""
    words = list(dict.fromkeys(folded(text).split()))[:WORDS]
    if not words:
        return []
    bounds = {f"from{n}": word for n, word in enumerate(words)} | {f"to{n}": w + _LAST for n, w in enumerate(words)}
    rows = await session.fetch(_beginning(len(words)), {"release": release, **bounds})
    return await _whole(session, release, rows)


@cache
def _beginning(count: int) -> Query:
    word, parts = tables.word.c, []
    for n in range(count):
        begins = and_(
            word.word >= bindparam(f"from{n}", type_=String()), word.word < bindparam(f"to{n}", type_=String())
        )
        parts.append(_medicines.cis.in_(select(word.cis).where(word.release == _release, begins)))
    chosen = select(tables.medicine).where(_medicines.release == _release, *parts)
    return compile_query(chosen.order_by(_medicines.name, _medicines.cis).limit(MOST))


async def _whole(session: Session, release: int, rows: Iterable[Any]) -> list[Medicine]:
    found = list(rows)
    asked = {"release": release, "codes": [row["cis"] for row in found]}
    ingredients = _by_cis(await session.fetch(_INGREDIENTS, asked))
    boxes = _by_cis(await session.fetch(_BOXES, asked))
    conditions = _by_cis(await session.fetch(_CONDITIONS, asked))
    generics = _by_cis(await session.fetch(_GENERICS, asked))
    return [
        Medicine(
            row["cis"],
            row["name"],
            row["form"],
            tuple(row["routes"]),
            row["authorised"],
            row["holder"],
            tuple(
                Ingredient(*(one[name] for name in ("code", "name", "folded", "strength", "per", "active", "link")))
                for one in ingredients[row["cis"]]
            ),
            tuple(Box(one["cip13"], one["label"], one["marketed"]) for one in boxes[row["cis"]]),
            tuple(dict.fromkeys(one["text"] for one in conditions[row["cis"]])),
            tuple(Generic(one["group"], one["label"], one["type"]) for one in generics[row["cis"]]),
        )
        for row in found
    ]


def _by_cis(rows: Iterable[Any]) -> defaultdict[str, Sequence[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["cis"]].append(row)
    return found  # type: ignore[return-value]
