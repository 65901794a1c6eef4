"""Writing a Patient keeps the lookup by traits in step, in the same transaction."""

from datetime import date

from phr.demo import people
from phr.demo.people import patient
from phr.traits import match, traits_of
from tests.house import House

CLAIRE = people.claire(date(2026, 11, 22))


async def found(house: House) -> str | None:
    traits = traits_of(patient(CLAIRE, "Practitioner/x"))
    assert traits is not None
    async with house.parts.installation.database.session() as session:
        return await match(session, house.parts.installation, traits)


async def test_a_patient_is_found_by_its_traits_as_they_stand(house: House) -> None:
    operator = house.operator()
    body = {name: value for name, value in patient(CLAIRE, "x").items() if name != "generalPractitioner"}
    made = await operator.post("Patient", body)
    assert made.status_code == 201, made.text
    record = made.json()["id"]
    assert await found(house) == record
    assert (await operator.post("Patient", body)).status_code == 409
    assert await found(house) == record
