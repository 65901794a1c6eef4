"""`make bench`: prints a table of ratios, what was measured, and on what. Times are never asserted anywhere."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
from rich.console import Console
from rich.table import Table

from auth.claims import Claims
from auth.rfc9068 import mint
from bench.imports import import_ratio
from bench.line import Line
from bench.load import Measured, get, measure
from bench.nights import night
from bench.notifications import delivered
from bench.prescriptions import measured, settled
from bench.prevention import one_person, population
from bench.rights import author_token, lend, professional_token
from bench.served import process
from bench.subscriptions import idle
from bench.tokens import full_sign_in, verification
from bench.town import Seeded, settle
from phr.app import Parts, assemble
from phr.core.embedded import embedded
from phr.core.settings import Settings, from_environment
from phr.schema import migrate

PORT, FLOOR_PORT = 8441, 8442
ROUNDS = 5
FEW, MANY = 100, 10_000
console = Console()


def _token(parts: Parts, settings: Settings, record: str) -> str:
    expires = datetime.now(UTC) + timedelta(hours=2)
    scopes = ("patient/*.rs",)
    claims = Claims("carnet-bench", "citizen-app", str(uuid4()), record, scopes, str(uuid4()), None, expires)
    server = parts.server
    return mint(settings.issuer, server.signing, server.subjects, claims, claims.client, datetime.now(UTC))


def _paired(ours: Callable[[], Measured], floor: Callable[[], Measured]) -> tuple[Measured, Measured, float]:
    """Rounds in turn, ours and the floor's, and the median of the ratios of their rates."""
    ours(), floor()
    pairs = [(ours(), floor()) for _ in range(ROUNDS)]
    ratio = median(mine.rate / other.rate for mine, other in pairs)
    middle = sorted(pairs, key=lambda pair: pair[0].rate)[ROUNDS // 2]
    return middle[0], middle[1], ratio


def _shown(measured: Measured) -> str:
    return f"{measured.rate:,.0f}/s  p50 {measured.p50:.1f} ms  p95 {measured.p95:.1f} ms"


def _compare(what: str, goal: str, ours: list[bytes], floor: list[bytes]) -> Line:
    mine, other, ratio = _paired(lambda: measure(PORT, ours), lambda: measure(FLOOR_PORT, floor))
    return Line(what, _shown(mine), _shown(other), f"{ratio:.2f}", goal)


def _reads(parts: Parts, settings: Settings, town: list[Seeded]) -> list[bytes]:
    return [
        get(f"/fhir/DocumentReference/{seeded.documents[0]}", _token(parts, settings, seeded.record)) for seeded in town
    ]


def _decisions(parts: Parts, lent: list[tuple[int, Seeded]]) -> list[Line]:
    """A professional's read against its author's own: what the rights of a record add to it."""
    until = datetime.now(UTC) + timedelta(hours=2)
    token, author = professional_token(parts.server, until), author_token(parts.server, until)
    lines = []
    for leases, seeded in lent:
        path = f"/fhir/DocumentReference/{seeded.documents[0]}"
        ours, own = [get(path, token)], [get(path, author)]
        mine, other, ratio = _paired(lambda: measure(PORT, ours), lambda: measure(PORT, own))  # noqa: B023  (run at once)
        what = f"read under a right, {leases:,} leases ÷ its author's"
        lines.append(Line(what, _shown(mine), _shown(other), f"{1 / ratio:.2f}", "≤ 1.2"))
    return lines


async def _bytes_per_resource(url: str) -> tuple[float, float]:
    connection = await asyncpg.connect(url)
    try:
        size = await connection.fetchval("SELECT pg_total_relation_size('resource')")
        count = await connection.fetchval("SELECT count(*) FROM resource")
        sealed = await connection.fetchval("SELECT avg(length(sealed)) FROM resource")
        return size / count, float(sealed)
    finally:
        await connection.close()


def _settled_latency(url: str, requests: list[bytes]) -> float:
    """The median latency (ms) of one connection, once PostgreSQL has done what a bulk load leaves it to do."""
    asyncio.run(_tidy(url))
    measure(PORT, requests, connections=1)
    return median(measure(PORT, requests, connections=1).p50 for _ in range(ROUNDS))


async def _tidy(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _settle_all(parts: Parts, start: int, count: int) -> list[Seeded]:
    return [await settle(parts.installation, n, 1) for n in range(start, start + count)]


async def _seed(settings: Settings, url: str) -> tuple[Parts, Seeded, list[Seeded], list[tuple[int, Seeded]]]:
    parts = await assemble(settings, url)
    console.print(f"writing {FEW} small records and one of {MANY} documents …")
    large, town = await settle(parts.installation, 10**9, MANY), await _settle_all(parts, 0, FEW)
    return parts, large, town, await lend(parts.installation)


async def _grow(settings: Settings, url: str) -> None:
    parts = await assemble(settings, url)
    console.print(f"growing to {MANY} records …")
    await _settle_all(parts, FEW, MANY - FEW)
    await parts.installation.database.close()


async def _told(settings: Settings, url: str) -> list[Line]:
    """What it costs to look for who listens, and to tell a device."""
    parts = await assemble(settings, url)
    try:
        return [*await idle(parts.installation), *await delivered(parts, settings)]
    finally:
        await parts.close()


def main() -> None:
    """Seed, serve, measure, print."""
    directory = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    environment = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(directory), "PHR_PORT": str(PORT)}
    settings = from_environment(environment)
    lines = one_person()
    console.print("asking every rule of a million people …")
    lines.append(population())
    console.print("a round of the worker, and the nights after …")
    lines.append(night())
    try:
        with embedded(directory) as url:
            migrate(url)
            lines.append(import_ratio(settings, url))
            parts, large, town, lent = asyncio.run(_seed(settings, url))
            serving = ["-m", "phr", "serve"], environment, f"http://127.0.0.1:{PORT}/health/ready"
            floor_environment = {"FLOOR_DATABASE_URL": url, "FLOOR_PORT": str(FLOOR_PORT)}
            floor = process(["-m", "bench.floor"], floor_environment, f"http://127.0.0.1:{FLOOR_PORT}/openapi.json")
            with process(*serving), floor:
                lines += verification(parts.server, [_token(parts, settings, seeded.record) for seeded in town])
                lines.append(full_sign_in(parts.server, town[0].record))
                lines += _decisions(parts, lent)
                lines += _measure(parts, settings, url, large, town)
            per_row, sealed = asyncio.run(_bytes_per_resource(url))
            size = Line("bytes on disk per resource", f"{per_row:,.0f}", f"{sealed:,.0f} sealed", "", "")
            lines.append(Line(size.what, size.ours, size.floor, f"{per_row / sealed:.2f}", "-"))
            console.print("sending prescriptions to pharmacies …")
            pharmacies = asyncio.run(settled(settings, url))
            with process(*serving):
                lines += measured(PORT, pharmacies)
            lines += asyncio.run(_told(settings, url))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    _print(lines)


def _measure(parts: Parts, settings: Settings, url: str, large: Seeded, town: list[Seeded]) -> list[Line]:
    ours = _reads(parts, settings, town)
    floors = [get(f"/read/{seeded.documents[0]}") for seeded in town]
    lines = [_compare("read by id, 16 connections", "≥ 0.6", ours, floors)]
    page = [get("/fhir/DocumentReference?_count=20", _token(parts, settings, large.record))]
    lines.append(
        _compare(f"search page of 20 of {MANY:,}", "≥ 0.4", page, [get(f"/page/{large.record}")]),
    )
    before = _settled_latency(url, ours)
    asyncio.run(_grow(settings, url))
    after = _settled_latency(url, ours)
    what = f"read latency, {MANY:,} records ÷ {FEW}"
    lines.append(Line(what, f"{after:.2f} ms", f"{before:.2f} ms", f"{after / before:.2f}", "≤ 1.2"))
    return lines


def _print(lines: list[Line]) -> None:
    table = Table(title="Carnet, against floors of the same run")
    for heading in ("what", "Carnet", "floor", "ratio", "goal"):
        table.add_column(heading)
    for line in lines:
        table.add_row(line.what, line.ours, line.floor, line.ratio, line.goal)
    console.print(table)
    cores = os.cpu_count()
    console.print(
        f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, embedded PostgreSQL, fsync on"
    )
    console.print(
        f"medians of {ROUNDS} paired rounds of 3 s; the machine may be shared: read the ratios, not the times"
    )


if __name__ == "__main__":
    main()
