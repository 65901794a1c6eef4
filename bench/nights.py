"""What a night of the worker costs when one record in a hundred changed, against looking at everybody.

The rule: both are rounds of `python -m phr worker --once`, whole: the queue opened, the journal read, the looks, the
messages. Of the night nothing is subtracted: whose day has come by itself is looked at too, and the line says how many.
Ordinary nights: on the few days of a year when a season begins or ends for all, everybody is looked at.
"""

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import uvloop
from sqlalchemy.orm import Session

from auth import accounts
from bench.line import Line
from bench.subscriptions import told
from bench.town import BASE
from phr.app import Parts, assemble
from phr.core.embedded import embedded
from phr.core.settings import Settings, from_environment
from phr.imports import visit_of
from phr.prevention import campaign_files, queue
from phr.prevention.codes import ATC
from phr.prevention.sending import Looked
from phr.prevention.watch import COMMITTED
from phr.representation import PARIS
from phr.schema import migrate
from phr.transactions import transact

Json = dict[str, Any]
PEOPLE, CHANGED, NIGHTS = 2_000, 20, 5
OLDEST = 95 * 365
EVENTS = (0, 0, 2, 5)
"""How many events a record has: any of these, as often."""
_VACCINES = ("J07BB", "J07BC01", "J07BD52", "J07BN", "J07CA01")
_EXAMINATIONS = ("21440-3", "24606-6", "57905-2")


@dataclass(frozen=True, slots=True)
class Round:
    """How long one round took (seconds), and how many records were looked at in it."""

    seconds: float
    looked: int


def first_day() -> datetime:
    """An instant of a coming June: no season begins or ends in the week after, and no campaign is silent then."""
    return datetime(datetime.now(PARIS).year + 1, 6, 2, 10, tzinfo=PARIS)


async def settle(parts: Parts, people: int, on: date) -> list[str]:
    """Open records of people of all ages on that day, each with its account; their ids. The same people every time.

    They were written an hour ago: what is more recent than `COMMITTED` would be read in the journal twice.
    """
    random, then = Random(1), datetime.now(UTC) - 6 * COMMITTED
    records = []
    for n in range(people):
        [made, *_] = await transact(visit_of(parts.installation, "bench", then), _person(random, n, on), BASE)
        if made is None:
            raise RuntimeError("a record was not opened")
        records.append(made.id)
    server = parts.server
    with Session(server.engine) as session, session.begin():
        for n, record in enumerate(records):
            # The hash of no password: nobody signs in here.
            accounts.create(session, server.keys, f"citizen{n}", "", "Ada", f"citizen{n}@poste.test", record, then)
    return records


async def change(parts: Parts, records: Sequence[str], on: date) -> None:
    """Write in these records, now: a vaccination in each."""
    for record in records:
        body = _vaccination(f"Patient/{record}", _VACCINES[0], on)
        await transact(visit_of(parts.installation, "bench", datetime.now(UTC)), _bundle([body]), BASE)


async def work(parts: Parts, url: str, at: datetime) -> Round:
    """One round of the worker, as if it were `at`."""
    seen = list[Looked]()
    rounds = queue.Rounds(parts.installation, campaign_files.load(), url, at, seen.append)
    begun = time.perf_counter()
    await rounds.run(once=True)
    return Round(time.perf_counter() - begun, len(seen))


def _person(random: Random, n: int, on: date) -> Json:
    age = random.randrange(1, OLDEST)
    born, person = on - timedelta(age), f"urn:uuid:00000000-0000-4000-8000-{n:012d}"
    patient = {
        "resourceType": "Patient",
        "name": [{"use": "official", "family": f"Habitant{n}", "given": ["Ada"]}],
        "gender": random.choice(("female", "male")),
        "birthDate": born.isoformat(),
    }
    events = []
    for _ in range(random.choice(EVENTS)):
        happened = born + timedelta(random.randrange(age))
        if random.random() < 0.7:
            events.append(_vaccination(person, random.choice(_VACCINES), happened))
        else:
            events.append(_examination(person, random.choice(_EXAMINATIONS), happened))
    bundle = _bundle([patient, *events])
    bundle["entry"][0]["fullUrl"] = person
    return bundle


def _vaccination(person: str, code: str, on: date) -> Json:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": ATC, "code": code}]},
        "patient": {"reference": person},
        "occurrenceDateTime": on.isoformat(),
    }


def _examination(person: str, code: str, on: date) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": person},
        "effectiveDateTime": on.isoformat(),
    }


def _bundle(resources: Sequence[Json]) -> Json:
    entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


async def _measured(settings: Settings, url: str) -> Line:
    at = first_day()
    async with _assembled(settings, url) as parts:
        records = await settle(parts, PEOPLE, at.date())
    async with _assembled(settings, url) as parts:
        whole = await work(parts, url, at)
    if whole.looked != PEOPLE:
        raise RuntimeError("not everybody was looked at")
    # TRAP: the same records every night: what was written in others a moment ago would be read in the journal again.
    changed = Random(2).sample(records, CHANGED)
    nights = [await _night(settings, url, changed, at + timedelta(1 + n)) for n in range(NIGHTS)]
    night = sorted(nights, key=lambda one: one.seconds)[NIGHTS // 2]
    return Line(
        f"a night of the worker, 1 % changed ({night.looked} looked at of {PEOPLE:,})",
        f"{night.seconds:.2f} s",
        f"{whole.seconds:.1f} s, everybody, {whole.looked / whole.seconds:,.0f} records/s",
        f"{night.seconds / whole.seconds:.3f}",
        "≤ 0.02",
    )


async def _night(settings: Settings, url: str, changed: Sequence[str], at: datetime) -> Round:
    async with _assembled(settings, url) as parts:
        await change(parts, changed, at.date())
    async with _assembled(settings, url) as parts:
        return await work(parts, url, at)


@asynccontextmanager
async def _assembled(settings: Settings, url: str) -> AsyncIterator[Parts]:
    """A process just begun: neither connections nor keys are left of another."""
    parts = await assemble(settings, url)
    try:
        yield parts
    finally:
        await parts.close()


def night() -> Line:
    """Everybody, then the nights after, on an installation of its own."""
    directory = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        with embedded(directory) as url:
            migrate(url)
            queue.install(url)
            settings = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(directory)})
            return uvloop.run(_measured(settings, url))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    print(told([night()]))
