"""A right that ends while its holder turns the pages: the next page shows nothing more of the record."""

from datetime import UTC, datetime, timedelta

from phr.access.consent import Actor, Terms
from phr.access.provision import Right
from tests.access.city import as_professional, delegate
from tests.access.worlds import professional
from tests.house import House, account_of, observation

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


async def test_a_parent_s_next_page_after_majority_shows_nothing(house: House) -> None:
    """Born on 30 July 2010, of age on 30 July 2028: two hours before, in universal time."""
    of_age = datetime(2028, 7, 29, 22, tzinfo=UTC)
    house.parts.server.clock = lambda: of_age - timedelta(minutes=5)
    record = await house.open_record(birthDate="2010-07-30")
    for _ in range(5):
        await house.depositor().post("Observation", observation(record))
    parent = Actor.account(account_of("mum"))
    await house.lend(record, Terms(Right.LEGAL_REPRESENTATIVE, parent, until=of_age))
    first = (await delegate(house, record).get(f"Observation?patient={record}&_count=2")).json()
    following = next(link["url"] for link in first["link"] if link["relation"] == "next").partition("/fhir/")[2]
    assert len(first["entry"]) == 2
    for before, entries in ((timedelta(microseconds=1), 2), (timedelta(), 0)):
        house.parts.server.clock = lambda before=before: of_age - before  # type: ignore[misc]
        page = (await delegate(house, record).get(following)).json()
        assert len([one for one in page.get("entry", ()) if one["search"]["mode"] == "match"]) == entries
