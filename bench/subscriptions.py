"""What subscriptions cost a document's deposit: without any in the record, beside one of another topic, and with one.

The rule: the floor is the same deposit, on the same record, where nothing looks for who listens, one in turn with the
other. The event is written, not told: telling is the sender's.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from auth.claims import Claims
from bench.line import Line
from bench.town import BASE, bundle_of, settle
from phr import events
from phr.access.installation import Installation
from phr.access.reader import Citizen
from phr.access.visit import Visit
from phr.app import assemble
from phr.core.embedded import embedded
from phr.core.settings import from_environment
from phr.events import Topic
from phr.imports import visit_of
from phr.schema import migrate
from phr.subscriptions.owned import create
from phr.subscriptions.subscriber import Subscriber
from phr.transactions import transact

WARM, TIMES = 30, 300
_GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"


async def idle(installation: Installation) -> list[Line]:
    """One line for each: nobody listens; somebody does, to something else; somebody does."""
    lines = []
    for n, (what, topic, goal) in enumerate(
        (
            ("document deposit, nobody subscribed ÷ nothing looked for", None, "≤ 1.1"),
            ("document deposit, 1 idle subscription ÷ nothing looked for", Topic.ACCESS, "≤ 1.1"),
            ("document deposit, 1 subscription told ÷ nothing looked for", Topic.DOCUMENT, "-"),
        )
    ):
        record = (await settle(installation, 3 * 10**9 + n, 1)).record
        if topic is not None:
            await _subscribe(installation, record, topic)
        ours, floor = await _deposits(installation, record)
        times = f"{ours * 1000:.2f} ms", f"{floor * 1000:.2f} ms"
        lines.append(Line(what, *times, f"{ours / floor:.2f}", goal))
    return lines


async def _deposits(installation: Installation, record: str) -> tuple[float, float]:
    """The median times of one deposit, in seconds: as it is, and with nobody looked for; one of each in turn."""
    ours, floor = [], []
    for n in range(WARM + TIMES):
        mine = await _deposit(installation, record)
        async with _deaf():
            other = await _deposit(installation, record)
        if n >= WARM:
            ours.append(mine)
            floor.append(other)
    return median(ours), median(floor)


async def _deposit(installation: Installation, record: str) -> float:
    bundle = _document(record)
    begun = time.perf_counter()
    await transact(visit_of(installation, "bench", datetime.now(UTC)), bundle, BASE)
    return time.perf_counter() - begun


def _document(record: str) -> dict[str, Any]:
    """A transaction that deposits one document in a record."""
    [entry] = bundle_of(0, 1)["entry"][1:]
    body = {**entry["resource"], "subject": {"reference": f"Patient/{record}"}}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{**entry, "resource": body}]}


@asynccontextmanager
async def _deaf() -> AsyncIterator[None]:
    """As if there were no subscriptions: what happens is told to nobody, and nobody is looked for."""

    async def nobody(*_: object) -> None:
        """Nothing."""

    looking = events.emit_all
    setattr(events, "emit_all", nobody)  # noqa: B010  (a function in place of another)
    try:
        yield
    finally:
        setattr(events, "emit_all", looking)  # noqa: B010


async def _subscribe(installation: Installation, record: str, topic: Topic) -> None:
    scopes, expires = ("patient/*.cruds",), datetime.now(UTC) + timedelta(days=1)
    claims = Claims("carnet-bench", "citizen-app", str(uuid4()), record, scopes, str(uuid4()), None, expires)
    visit: Visit = Subscriber(claims, False).visit(installation, datetime.now(UTC))
    assert isinstance(visit.reader, Citizen)
    content = {"url": f"{_GUIDE}/backport-payload-content", "valueCode": "id-only"}
    channel = {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/", "payload": "application/fhir+json"}
    body = {"resourceType": "Subscription", "status": "requested", "reason": "bench", "criteria": topic.canonical}
    await create(visit, claims, {**body, "channel": {**channel, "_payload": {"extension": [content]}}})


def told(lines: Sequence[Line]) -> str:
    """The lines, one under another."""
    return "\n".join(f"{one.what}: {one.ours} / {one.floor} = {one.ratio} ({one.goal})" for one in lines)


async def _measured(directory: Path, url: str) -> list[Line]:
    settings = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(directory)})
    parts = await assemble(settings, url)
    try:
        return await idle(parts.installation)
    finally:
        await parts.close()


def main() -> None:
    """`python -m bench.subscriptions`: on an installation of its own."""
    directory = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        with embedded(directory) as url:
            migrate(url)
            print(told(asyncio.run(_measured(directory, url))))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
