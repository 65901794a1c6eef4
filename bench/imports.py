"""Importing against judging alone: how much of an import is not `model_validate`.

With SYNTHEA_R4 set to a folder of Synthea R4 bundles, those are imported; else bundles made here.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.line import Line
from bench.town import BASE, bundle_of
from fhir import wire
from fhir.models import model
from phr import imports
from phr.access.installation import Installation
from phr.app import assemble
from phr.core.settings import Settings

Json = dict[str, Any]
SAMPLES = "SYNTHEA_R4"
MADE = 15
ROUNDS = 3


def _bundles() -> Iterator[bytes]:
    folder = os.environ.get(SAMPLES)
    if folder:
        for path in imports.files([Path(folder)]):
            yield path.read_bytes()
    else:
        for n in range(MADE):
            yield wire.encode(bundle_of(2 * 10**9 + n, 250))


async def _import(installation: Installation, raws: list[bytes], turn: int) -> float:
    begun = time.perf_counter()
    for n, raw in enumerate(raws):
        visit = imports.visit_of(installation, "bench", datetime.now(UTC))
        await imports.load(visit, f"bench|{turn}|{n}", wire.decode(raw, imports.NESTING), BASE)
    return time.perf_counter() - begun


def _judge(resources: list[Json]) -> float:
    begun = time.perf_counter()
    for resource in resources:
        model(resource["resourceType"]).model_validate(resource)
    return time.perf_counter() - begun


async def _measure(settings: Settings, url: str) -> Line:
    parts = await assemble(settings, url)
    raws = list(_bundles())
    resources = [entry["resource"] for raw in raws for entry in wire.decode(raw, imports.NESTING)["entry"]]
    _judge(resources)  # the models are built at their first use
    pairs = [(await _import(parts.installation, raws, turn), _judge(resources)) for turn in range(ROUNDS)]
    ours, floor = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    ratio = median(mine / other for mine, other in pairs)
    await parts.installation.database.close()
    of = f"{len(resources):,} {'Synthea' if os.environ.get(SAMPLES) else 'made'} resources"
    return Line(f"import ÷ model_validate, {of}", f"{ours:.2f} s", f"{floor:.2f} s", f"{ratio:.2f}", "≤ 2")


def import_ratio(settings: Settings, url: str) -> Line:
    """One import of everything, in turn with judging everything, a few times."""
    return asyncio.run(_measure(settings, url))
