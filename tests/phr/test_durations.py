"""How long a lease lasts: calendar days in Paris, today the first of them, whatever the hour and the clocks."""

from datetime import UTC, datetime

import pytest

from auth.professionals import Professional as Identity
from phr import emergencies, relations
from phr.writing import Written
from tests.house import House
from tests.phr import care
from tests.phr.care import DOCTOR, NURSE, PHARMACIST, who

WINTER = datetime(2027, 1, 1, 9, tzinfo=UTC)


def ends(made: Written) -> datetime:
    return datetime.fromisoformat(made.json()["provision"]["period"]["end"])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("opened", "until"),
    [
        ("2027-01-01T00:00:00+01:00", "2027-01-04T00:00:00+01:00"),
        ("2027-01-01T23:59:59+01:00", "2027-01-04T00:00:00+01:00"),
        ("2027-07-01T12:00:00+02:00", "2027-07-04T00:00:00+02:00"),
        # Midnight in Paris is not midnight in Greenwich.
        ("2027-06-30T22:30:00+00:00", "2027-07-04T00:00:00+02:00"),
        ("2026-12-31T22:59:59+00:00", "2027-01-03T00:00:00+01:00"),
        # A day of 23 hours on 28 March 2027, one of 25 on 31 October.
        ("2027-03-27T23:30:00+01:00", "2027-03-30T00:00:00+02:00"),
        ("2027-03-28T03:00:00+02:00", "2027-03-31T00:00:00+02:00"),
        ("2027-10-30T08:00:00+02:00", "2027-11-02T00:00:00+01:00"),
        ("2027-10-31T02:30:00+01:00", "2027-11-03T00:00:00+01:00"),
        ("2028-02-28T12:00:00+01:00", "2028-03-02T00:00:00+01:00"),
    ],
)
async def test_three_days_of_a_pharmacy(house: House, opened: str, until: str) -> None:
    record = await house.open_record()
    made = await relations.open_access(care.visit(house, PHARMACIST, utc(opened)), record, "treating", informed=False)
    assert ends(made) == utc(until)


@pytest.mark.parametrize(
    ("identity", "days"),
    [
        (DOCTOR, 90),
        (who(1, sector="SA01"), 90),
        (NURSE, 90),
        (PHARMACIST, 3),
        (who(3, "21", sector="SA01"), 90),
        *((who(3, "21", sector=sector), 3) for sector in ("SA33", "SA38", "SA39", "SA65")),
        (who(1, sector="SA56"), 3),
        (who(2, "60", sector="SA33"), 3),
    ],
)
async def test_by_the_sector_of_the_structure(house: House, identity: Identity, days: int) -> None:
    record = await house.open_record()
    made = await relations.open_access(care.visit(house, identity, WINTER), record, "treating", informed=False)
    assert ends(made) == utc("2027-01-04T00:00:00+01:00" if days == 3 else "2027-04-01T00:00:00+02:00")


async def test_an_emergency_lasts_five_days(house: House) -> None:
    record = await house.open_record()
    at = utc("2027-03-26T23:00:00+01:00")
    made = await emergencies.open_access(care.visit(house, DOCTOR, at), record, "BTG", "Inconscient, trouvé seul.")
    assert ends(made) == utc("2027-03-31T00:00:00+02:00")


async def test_a_longer_one_is_kept_when_a_shorter_is_asked(house: House) -> None:
    record = await house.open_record()
    long = await relations.open_access(care.visit(house, DOCTOR, WINTER), record, "treating", informed=False)
    counter = who(1, sector="SA33")
    short = await relations.open_access(care.visit(house, counter, WINTER), record, "treating", informed=False)
    assert (short.created, short.id, ends(short)) == (False, long.id, ends(long))
