"""Two real servers over one database: what began after an ending was answered never succeeds, on either of them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.access import city as cities
from tests.access.worlds import professional
from tests.conftest import _free_port
from tests.house import House, observation

ROOT = Path(__file__).parents[2]
DOCTOR = professional("899700000005", sector="SA07")
TURNS = 6


@contextmanager
def serving(house: House, url: str) -> Iterator[str]:
    """A server of its own process over the house's database and key file; its address."""
    port = _free_port()
    more = {
        "PHR_ENV": "sandbox",
        "PHR_DATA_DIR": str(house.settings.data_dir),
        "PHR_DATABASE_URL": url,
        "PHR_PORT": str(port),
        "PHR_ISSUER": house.settings.issuer,
    }
    child = subprocess.Popen([sys.executable, "-m", "phr", "serve"], cwd=ROOT, env={**os.environ, **more})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{address}/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        child.terminate()
        child.wait(30)


@pytest.fixture
async def addresses(house: House, database_url: str) -> AsyncIterator[list[str]]:
    """Two servers."""
    with ExitStack() as stack:
        yield [stack.enter_context(serving(house, database_url)) for _ in range(2)]


async def test_no_read_succeeds_that_began_after_an_ending_was_answered(house: House, addresses: list[str]) -> None:
    record = await house.open_record()
    made = (await house.depositor().post("Observation", observation(record))).json()["id"]
    doctor = {"Authorization": f"Bearer {cities.as_professional(house, DOCTOR).token}"}
    person = {"Authorization": f"Bearer {house.citizen(record).token}", "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(timeout=30) as http:
        for turn in range(TURNS):
            consent = await house.relate(record, DOCTOR.id)
            answered: list[float] = []
            reads: list[tuple[float, int]] = []

            async def read(
                address: str, answered: list[float] = answered, reads: list[tuple[float, int]] = reads
            ) -> None:
                while not answered or time.monotonic() < answered[0] + 0.3:
                    begun = time.monotonic()
                    answer = await http.get(f"{address}/fhir/Observation/{made}", headers=doctor)
                    reads.append((begun, answer.status_code))

            async def end(address: str, consent: str = consent, answered: list[float] = answered) -> None:
                await asyncio.sleep(0.3)
                body = {"resourceType": "Parameters", "parameter": [{"name": "consent", "valueString": consent}]}
                answer = await http.post(f"{address}/fhir/Patient/{record}/$end-access", headers=person, json=body)
                assert answer.status_code == 200, answer.text
                answered.append(time.monotonic())

            readers = (read(address) for address in addresses for _ in range(3))
            await asyncio.gather(*readers, end(addresses[turn % 2]))
            before = {status for begun, status in reads if begun < answered[0]}
            after = [status for begun, status in reads if begun >= answered[0]]
            assert 200 in before, "they read while it lasted"
            assert len(after) > 4
            assert set(after) == {404}
