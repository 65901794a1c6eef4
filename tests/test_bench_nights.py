"""What the benchmark of nights is measured on: looked at whole, then where something changed or a day has come."""

from datetime import UTC, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench import nights
from phr.prevention import queue
from phr.prevention.watch import prevention_watch
from phr.representation import PARIS
from tests.house import House

PEOPLE = 20


async def test_a_night_is_about_who_changed_and_whose_day_has_come(house: House, database_url: str) -> None:
    queue.install(database_url)
    at = nights.first_day()
    records = await nights.settle(house.parts, PEOPLE, at.date())
    assert (await nights.work(house.parts, database_url, at)).looked == len(set(records)) == PEOPLE
    watch = prevention_watch.c
    with Session(house.parts.engine) as session:
        rows = session.execute(select(watch.next_change, watch.record).where(watch.next_change.is_not(None))).all()
    third = sorted(row.next_change for row in rows)[2]
    come = {row.record for row in rows if row.next_change <= third}
    changed = [one for one in records if one not in come][:2]
    expected = come | set(changed)
    assert len(come) < PEOPLE // 2, "an ordinary night"
    assert len(changed) == 2

    await nights.change(house.parts, changed, at.date())
    before = datetime.now(UTC)
    morning = datetime.combine(third, time(10), PARIS)
    assert (await nights.work(house.parts, database_url, morning)).looked == len(expected)
    with Session(house.parts.engine) as session:
        looked = session.scalars(select(watch.record).where(watch.looked >= before, watch.record.in_(records))).all()
    assert set(looked) == expected
