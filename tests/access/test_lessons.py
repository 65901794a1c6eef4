"""What leaked in systems that do the same job, and no other test of ours says."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from phr.access.register import provision
from tests.house import House, observation
from tests.phr.care import DOCTOR, software


async def test_there_is_no_history_of_everything(house: House) -> None:
    """A history of the whole system lists every id, of every person (FHIR R4 §3.1.0.11.1)."""
    record = await house.open_record()
    await house.relate(record, DOCTOR.id)
    made = (await house.depositor().post("Observation", observation(record))).json()["id"]
    callers = (house.citizen(record), software(house), house.depositor(), house.operator())
    for caller in callers:
        for path in ("_history", "_history?_count=10", f"_history?patient={record}"):
            answer = await caller.get(path)
            assert answer.status_code in (404, 405), path
            assert made not in answer.text
            assert record not in answer.text


async def test_a_right_that_cannot_be_read_shows_nothing(house: House) -> None:
    """A rule of a kind nobody knows is no rule that lets through: what it stood beside is not seen either."""
    record = await house.open_record()
    relation = await house.relate(record, DOCTOR.id)
    made = (await house.depositor().post("Observation", observation(record))).json()["id"]
    assert (await software(house).get(f"Observation/{made}")).status_code == 200
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(provision).where(provision.c.id == relation).values(right="from-tomorrow"))
    house.parts.installation.forget(record)
    answer = await software(house).get(f"Observation/{made}")
    assert answer.status_code == 500
    assert "Poids" not in answer.text
