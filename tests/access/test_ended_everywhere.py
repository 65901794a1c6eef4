"""Two real servers over one database: what began after an ending was answered never succeeds, on either of them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from phr.access.consent import PROFESSIONALS
from tests.access import city as cities
from tests.access.worlds import professional
from tests.conftest import _free_port
from tests.house import Caller, House, account_of, observation
from tests.kin import parameters
from tests.phr.care import rpps

ROOT = Path(__file__).parents[2]
DOCTOR = professional("899700000005", sector="SA07")
BLOCKED = professional(rpps(7), sector="SA07")
Json = dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class Ending:
    """Somebody who reads for now, and the request by which the person ends it."""

    reader: Caller
    operation: str
    sent: Json


async def relation(house: House, record: str) -> Ending:
    consent = await house.relate(record, DOCTOR.id)
    return Ending(cities.as_professional(house, DOCTOR), "end-access", parameters(consent=consent))


async def code(house: House, record: str) -> Ending:
    shared = await house.citizen(record).post(f"Patient/{record}/$share", parameters(all=True))
    told = {one["name"]: one for one in shared.json()["parameter"]}
    doctor = cities.as_professional(house, DOCTOR)
    redeemed = await doctor.post("Patient/$redeem", parameters(code=told["code"]["valueString"]))
    assert redeemed.status_code == 201, redeemed.text
    return Ending(doctor, "revoke-code", parameters(consent=told["consent"]["resource"]["id"]))


async def caregiver(house: House, record: str) -> Ending:
    consent = await house.represent(record, account_of("claire"), "consult")
    return Ending(cities.delegate(house, record, name="claire"), "end-delegation", parameters(consent=consent))


async def block(house: House, record: str) -> Ending:
    await house.relate(record, BLOCKED.id)
    sent = parameters(professional={"system": PROFESSIONALS, "value": BLOCKED.id})
    return Ending(cities.as_professional(house, BLOCKED), "block", sent)


BEGINNINGS = (relation, code, caregiver, relation, code, block)


async def test_no_read_succeeds_that_began_after_an_ending_was_answered(house: House, addresses: list[str]) -> None:
    record = await house.open_record()
    made = (await house.depositor().post("Observation", observation(record))).json()["id"]
    person = {"Authorization": f"Bearer {house.citizen(record).token}", "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(timeout=30) as http:
        for turn, begin in enumerate(BEGINNINGS):
            ending = await begin(house, record)
            answered: list[float] = []
            reads: list[tuple[float, int]] = []

            async def read(
                address: str,
                answered: list[float] = answered,
                reads: list[tuple[float, int]] = reads,
                token: str = ending.reader.token,
            ) -> None:
                headers = {"Authorization": f"Bearer {token}"}
                while not answered or time.monotonic() < answered[0] + 0.3:
                    begun = time.monotonic()
                    answer = await http.get(f"{address}/fhir/Observation/{made}", headers=headers)
                    reads.append((begun, answer.status_code))

            async def end(address: str, ending: Ending = ending, answered: list[float] = answered) -> None:
                await asyncio.sleep(0.3)
                url = f"{address}/fhir/Patient/{record}/${ending.operation}"
                answer = await http.post(url, headers=person, json=ending.sent)
                assert answer.status_code in (200, 201), answer.text
                answered.append(time.monotonic())

            readers = (read(address) for address in addresses for _ in range(3))
            await asyncio.gather(*readers, end(addresses[turn % 2]))
            before = {status for begun, status in reads if begun < answered[0]}
            after = [status for begun, status in reads if begun >= answered[0]]
            assert 200 in before, f"{begin.__name__}: they read while it lasted"
            assert len(after) > 4
            assert set(after) == {404}, begin.__name__
