"""A right that ends while its holder turns the pages: the next page shows nothing more of the record."""

from datetime import UTC, datetime, timedelta

from tests.access.city import as_professional
from tests.access.worlds import professional
from tests.house import House, observation

DOCTOR = professional("899700000005", sector="SA07")


async def test_the_next_page_after_the_end_shows_nothing(house: House) -> None:
    now = datetime.now(UTC)
    house.parts.server.clock = lambda: now
    record = await house.open_record()
    for _ in range(5):
        await house.depositor().post("Observation", observation(record))
    await house.relate(record, DOCTOR.id, until=now + timedelta(minutes=5))
    first = (await as_professional(house, DOCTOR).get(f"Observation?patient={record}&_count=2")).json()
    following = next(link["url"] for link in first["link"] if link["relation"] == "next").partition("/fhir/")[2]
    assert len(first["entry"]) == 2
    for after, entries in ((timedelta(minutes=4, seconds=59), 2), (timedelta(minutes=5), 0)):
        house.parts.server.clock = lambda after=after: now + after  # type: ignore[misc]
        page = (await as_professional(house, DOCTOR).get(following)).json()
        shown = [one for one in page.get("entry", ()) if one["search"]["mode"] == "match"]
        assert len(shown) == entries
