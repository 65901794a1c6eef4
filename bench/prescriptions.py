"""What a pharmacy's crowd costs it: accepting and dispensing, and its inbox, with many open prescriptions and with few.

The rule: the same requests on the same server, a round at one pharmacy and a round at the other, in turn; what is
accepted was shown by its code, so that no more waits at a pharmacy when a round ends than when it began.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import httpx

from auth.server import AuthServer
from bench import pharmacies
from bench.line import Line
from bench.load import BadAnswerError, Measured, get, measure
from bench.pharmacies import Deposited, Pharmacy
from bench.served import process
from bench.subscriptions import told
from phr.access.installation import Installation
from phr.app import assemble
from phr.core.embedded import embedded
from phr.core.settings import Settings, from_environment
from phr.schema import migrate

Json = dict[str, Any]
FEW, PAGE, MANY = 10, 50, 10_000
ROUNDS, CYCLES, CONNECTIONS = 5, 40, 4
PORT = 8443


@dataclass(frozen=True, slots=True)
class Town:
    """Three pharmacies, with a few open prescriptions, a page of them, and many; and what is to be shown there."""

    few: Pharmacy
    page: Pharmacy
    many: Pharmacy
    open: int
    shown: list[Deposited]


async def seed(installation: Installation, server: AuthServer, many: int) -> Town:
    """Fill the pharmacies, and deposit what is to be dispensed."""
    pharmacies.register(server)
    few, page, crowded = [await pharmacies.pharmacy(installation, server, n) for n in range(3)]
    await pharmacies.crowd(installation, few, 0, FEW)
    await pharmacies.crowd(installation, page, 100, PAGE)
    await pharmacies.crowd(installation, crowded, 1_000, many)
    each = 2 * (ROUNDS + 1)
    found = [await pharmacies.deposited(installation, n, each) for n in range(CYCLES)]
    # A round has one of each record, at the one pharmacy as at the other.
    return Town(few, page, crowded, many, list(chain.from_iterable(zip(*found, strict=True))))


def measured(port: int, town: Town) -> list[Line]:
    """The lines of the table. The server is up at this port."""
    rounds = [town.shown[at : at + CYCLES] for at in range(0, len(town.shown), CYCLES)]

    def dispensed(at: Pharmacy) -> Measured:
        return asyncio.run(_dispensed(port, at, rounds.pop()))

    busy, quiet, ratio = _in_turn(lambda: dispensed(town.many), lambda: dispensed(town.few))
    what = f"accept and dispense, {town.open:,} open at the pharmacy ÷ {FEW}"
    lines = [Line(what, _shown(busy), _shown(quiet), ratio, "≤ 1.2")]

    def listed(at: Pharmacy) -> Measured:
        path = f"/fhir/Task?owner=Organization/{at.id}&status=ready,accepted&_count={PAGE}"
        return measure(port, [get(path, at.token)], CONNECTIONS)

    busy, quiet, ratio = _in_turn(lambda: listed(town.many), lambda: listed(town.page))
    what = f"a pharmacy's page of {PAGE} of {town.open:,} ÷ of {PAGE}"
    return [*lines, Line(what, _shown(busy), _shown(quiet), ratio, "≤ 1.2")]


def _in_turn(ours: Callable[[], Measured], floor: Callable[[], Measured]) -> tuple[Measured, Measured, str]:
    """Rounds of each in turn: the middle ones, and the median ratio of their median latencies."""
    ours(), floor()
    pairs = [(ours(), floor()) for _ in range(ROUNDS)]
    ratio = median(mine.p50 / other.p50 for mine, other in pairs)
    middle = sorted(pairs, key=lambda pair: pair[0].p50 / pair[1].p50)[ROUNDS // 2]
    return *middle, f"{ratio:.2f}"


async def _dispensed(port: int, at: Pharmacy, shown: Sequence[Deposited]) -> Measured:
    """One round: each prescription accepted by its code and dispensed whole, over a few connections."""
    left, times = list(shown), list[float]()
    headers = {"Authorization": f"Bearer {at.token}", "Content-Type": "application/fhir+json"}

    async def serve(http: httpx.AsyncClient) -> None:
        while left:
            one, begun = left.pop(), time.perf_counter()
            await _cycle(http, one)
            times.append(time.perf_counter() - begun)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/fhir", headers=headers, timeout=60) as http:
        begun = time.perf_counter()
        await asyncio.gather(*(serve(http) for _ in range(CONNECTIONS)))
        elapsed = time.perf_counter() - begun
    return Measured(len(times) / elapsed, median(times) * 1000, quantiles(times, n=20)[18] * 1000)


async def _cycle(http: httpx.AsyncClient, one: Deposited) -> None:
    accepted = await _move(http, one, "accept", {"name": "code", "valueString": one.code})
    secret = next(said for said in accepted["parameter"] if said["name"] == "secret")
    handed = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "authorizingPrescription": [{"reference": one.line}],
        "medicationCodeableConcept": {"text": "Amlodipine 5 mg"},
        "quantity": {"value": 30, "unit": "comprimé"},
        "daysSupply": {"value": 30, "unit": "d"},
    }
    await _move(http, one, "dispense", secret, {"name": "dispense", "resource": handed})


async def _move(http: httpx.AsyncClient, one: Deposited, name: str, *said: Json) -> Json:
    body = {"resourceType": "Parameters", "parameter": said}
    answer = await http.post(f"/Task/{one.task}/${name}", json=body, headers={"Idempotency-Key": str(uuid4())})
    if answer.status_code != httpx.codes.OK:
        raise BadAnswerError(f"{name}: {answer.status_code}")
    answered: Json = answer.json()
    return answered


def _shown(measured: Measured) -> str:
    return f"{measured.rate:,.0f}/s  p50 {measured.p50:.1f} ms  p95 {measured.p95:.1f} ms"


async def settled(settings: Settings, url: str, many: int = MANY) -> Town:
    """`seed`, on this database."""
    parts = await assemble(settings, url)
    try:
        return await seed(parts.installation, parts.server, many)
    finally:
        await parts.close()


def main() -> None:
    """`python -m bench.prescriptions [how many open]`: on an installation of its own."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    directory = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    environment = {"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(directory), "PHR_PORT": str(PORT)}
    try:
        with embedded(directory) as url:
            migrate(url)
            town = asyncio.run(settled(from_environment(environment), url, many))
            with process(["-m", "phr", "serve"], environment, f"http://127.0.0.1:{PORT}/health/ready"):
                print(told(measured(PORT, town)))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
