"""A vaccine that a record names by a CIS or a CIP13 alone is known by the loaded base of medicines, if there is one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool

from phr.medicines import loading
from phr.prevention.codes import sets_of
from tests.house import Caller, House
from tests.medicines import bdpm_files as made

Json = dict[str, Any]
MMR, OTHER = "69000081", "69000082"
BOX, OTHER_BOX = "3400990000035", "3400990000042"
RULE = "vaccine-mmr-catch-up"


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    house.parts.server.clock = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)


async def loaded(house: House, tmp_path: Path) -> None:
    """A base with a vaccine in it, under a made-up code."""
    vaccines = [made.medicine(MMR, "PRIORIX, poudre pour solution injectable"), made.medicine(OTHER, "AUTRE")]
    boxes = [made.box(MMR, BOX, "1 flacon"), made.box(OTHER, OTHER_BOX, "1 flacon")]
    folder = made.write(tmp_path, medicines=[*made.MEDICINES, *vaccines], boxes=[*made.BOXES, *boxes])
    files = loading.find(folder, None)
    await run_in_threadpool(loading.load, house.parts.engine, files, datetime.now(UTC), lambda source, line: None)


def given(record: str, on: str, system: str, code: str) -> Json:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": system, "code": code}]},
        "patient": {"reference": f"Patient/{record}"},
        "occurrenceDateTime": on,
    }


async def standing(citizen: Caller, record: str) -> str:
    """The status of the rule of measles in the recommendation."""
    answer = await citizen.get(f"Patient/{record}/$immds-forecast")
    assert answer.status_code == 200, answer.text
    listed = answer.json()["parameter"][0]["resource"]["recommendation"]
    [one] = [one for one in listed if one["forecastReason"][0]["coding"][0]["code"] == RULE]
    return str(one["forecastStatus"]["coding"][-1]["code"])


async def test_a_vaccine_is_known_by_its_cis_and_its_cip(house: House, tmp_path: Path) -> None:
    record = await house.open_record(birthDate="1990-05-17", gender="male")
    citizen = house.citizen(record)
    assert sets_of([(made.CIS, MMR), (made.CIP, BOX)]) == frozenset()
    for on, system, code in (("2016-06-01", made.CIS, MMR), ("2017-06-01", made.CIP, BOX)):
        answer = await citizen.post("Immunization", given(record, on, system, code))
        assert answer.status_code == 201, answer.text
    before = await standing(citizen, record)
    await loaded(house, tmp_path)
    assert (before, await standing(citizen, record)) == ("ask", "done")


async def test_a_code_that_is_another_medicine_or_nothing_says_nothing(house: House, tmp_path: Path) -> None:
    record = await house.open_record(birthDate="1990-05-17", gender="male")
    citizen = house.citizen(record)
    await loaded(house, tmp_path)
    for system, code in ((made.CIS, OTHER), (made.CIP, OTHER_BOX), (made.CIS, "69999999"), ("urn:oid:1.2.3", MMR)):
        answer = await citizen.post("Immunization", given(record, "2016-06-01", system, code))
        assert answer.status_code == 201, answer.text
    assert await standing(citizen, record) == "ask"
