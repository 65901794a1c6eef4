"""Finding a professional's page in the directory, by their national number and nothing else."""

from dataclasses import replace

import pytest
from starlette.concurrency import run_in_threadpool

from auth.professionals import Professional
from phr.core.identifiers import PS_ID_NAT_SYSTEM, RPPS_SYSTEM
from tests.house import House

DOCTOR = Professional("899700990114", "GARNIER", "Hélène", "10", "C", "SM54", "1690991010", "Maison", "SA52", "L")
RPPS = DOCTOR.id[1:]


async def listed(house: House, system: str, value: str) -> str:
    practitioner = {"resourceType": "Practitioner", "identifier": [{"system": system, "value": value}]}
    answer = await house.operator().post("Practitioner", practitioner)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def asked(house: House, person: Professional = DOCTOR) -> str | None:
    """As the authorization server asks: from a thread."""
    return await run_in_threadpool(house.parts.server.directory, "practice", person)


@pytest.mark.parametrize(("system", "value"), [(RPPS_SYSTEM, RPPS), (PS_ID_NAT_SYSTEM, DOCTOR.id)])
async def test_the_number_finds_its_page(house: House, system: str, value: str) -> None:
    made = await listed(house, system, value)
    assert await asked(house) == made


async def test_nobody_else_is_found(house: House) -> None:
    await listed(house, RPPS_SYSTEM, "99700990106")
    await listed(house, "urn:elsewhere", RPPS)
    assert await asked(house) is None
    assert await asked(house, replace(DOCTOR, id="ANS20210107161422")) is None
    assert await asked(house, replace(DOCTOR, id="899700990115")) is None, "a number whose key is wrong"


async def test_two_pages_are_nobodys(house: House) -> None:
    await listed(house, RPPS_SYSTEM, RPPS)
    await listed(house, PS_ID_NAT_SYSTEM, DOCTOR.id)
    assert await asked(house) is None
