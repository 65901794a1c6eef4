"""Loading files of FHIR R4 bundles: one transaction for each bundle, resumable, with an account of what failed.

The rule: a bundle that went in is marked in the same transaction, so a killed import resumes and counts stay exact.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Integer, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from auth.scopes import Scope
from fhir import wire
from fhir.parameters import KINDS
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.reader import System
from phr.access.visit import Deed, Visit
from phr.core.database import compile_query, metadata
from phr.core.errors import DomainError, Issue, malformed
from phr.core.vault import keyed_uuid
from phr.transactions import transact
from phr.writing import Written

Json = dict[str, Any]
NESTING = 100
EVERYTHING = (Scope("system", "*", frozenset("cruds")),)

imported = Table(
    "imported",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("resources", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""Bundles that went in, by the keyed hash of their name or bytes."""

_MARKED = compile_query(select(imported.c.resources).where(imported.c.hash == bindparam("hash", type_=Uuid())))
_MARK = compile_query(
    insert(imported).values({column.name: bindparam(column.name, type_=column.type) for column in imported.c})
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file: how many resources, whether they were there already, or why nothing went in."""

    path: Path
    resources: int
    already: bool = False
    failed: tuple[Issue, ...] = ()


def files(paths: Sequence[Path]) -> list[Path]:
    """The JSON files named, folders searched. Raises FileNotFoundError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob("*.json"))
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(path)
    return found


def visit_of(installation: Installation, client: str, now: datetime) -> Visit:
    """The installation's own visit, writing as this client."""
    return Visit(installation, System(client), EVERYTHING, (), now)


async def marked(installation: Installation, name: str) -> int | None:
    """How many resources the bundle of this name brought, None when it has not gone in."""
    async with installation.database.session() as session:
        row = await session.one(_MARKED, {"hash": _hash(installation, name)})
    return None if row is None else int(row["resources"])


def _hash(installation: Installation, name: str) -> Any:
    return keyed_uuid(installation.system_keys.get("lookup"), f"import|{name}")


def _entries(bundle: Json) -> Iterator[Json]:
    """Every resource as a POST: ids are ours. Raises SYNTAX when it is not a bundle of served types."""
    listed = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or not isinstance(listed, list) or not listed:
        raise malformed("Not a FHIR Bundle with entries.")
    for n, entry in enumerate(listed):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind not in KINDS:
            raise malformed("A resource type that is not served here.", f"Bundle.entry[{n}].resource")
        posted = {"fullUrl": entry.get("fullUrl"), "resource": resource, "request": {"method": "POST", "url": kind}}
        yield {name: value for name, value in posted.items() if value is not None}


async def load(visit: Visit, name: str, bundle: Json, base: str) -> list[Written | None]:
    """One bundle, marked under `name` in its own transaction. Raises DomainError; then nothing went in."""
    entries = list(_entries(bundle))
    installation = visit.installation

    async def mark(deed: Deed) -> None:
        values = {"hash": _hash(installation, name), "resources": len(entries), "at": visit.now}
        await deed.session.fetch(_MARK, values)

    whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return await transact(visit, whole, base, Tag.IMPORT, mark)


async def load_file(installation: Installation, path: Path, base: str, now: datetime) -> Loaded:
    """One file, unless its very bytes went in before."""
    raw = path.read_bytes()  # noqa: ASYNC240  (the command line has nothing else to do)
    name = f"bytes|{hashlib.sha256(raw).hexdigest()}"
    try:
        before = await marked(installation, name)
        if before is not None:
            return Loaded(path, before, already=True)
        bundle = wire.decode(raw, NESTING)
        await load(visit_of(installation, "import", now), name, bundle, base)
    except DomainError as error:
        return Loaded(path, 0, failed=error.issues)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        lost = Issue("transient", "The database went away: run again to resume, what went in is not repeated.")
        return Loaded(path, 0, failed=(lost,))
    return Loaded(path, len(bundle["entry"]))
