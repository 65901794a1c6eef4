"""Telling what is due: at its hour whatever the season, once whatever is killed, and of nothing that is hidden."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fhir.tables import record as records
from phr.agenda import due
from phr.agenda.due import reminder
from phr.agenda.telling import tell_due
from phr.core.settings import Settings
from tests import kin
from tests.agenda.diary import appointment, booked, listed, parts, remind, rows, tell, told, told_of, wish
from tests.agenda.teller import opened
from tests.deposit import clinic, deposited, document, label
from tests.house import Caller, House
from tests.kin import Person
from tests.phr.care import notes, software

PARIS = ZoneInfo("Europe/Paris")
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


async def told_at(house: House, start: datetime, hours: int) -> list[str]:
    """When something was told, by the clock of Paris, looking every ten minutes."""
    found = []
    for minutes in range(0, hours * 60, 10):
        now = start + timedelta(minutes=minutes)
        if await tell(house, now):
            found.append(f"{now.astimezone(PARIS):%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("2027-03-27T08:00", ["27 08:00", "28 08:00", "29 08:00"]),
        ("2027-03-27T02:30", ["27 02:30", "28 03:30", "29 02:30"]),
        ("2027-10-30T02:30", ["30 02:30", "31 02:30", "01 02:30"]),
        ("2027-10-30T03:00", ["30 03:00", "31 03:00", "01 03:00"]),
    ],
)
async def test_the_hour_on_the_clock_stays(house: House, claire: Person, first: str, expected: list[str]) -> None:
    await remind(claire.caller(), claire.record, at=first, rule="FREQ=DAILY;COUNT=3")
    start = datetime.fromisoformat(first).replace(tzinfo=PARIS).astimezone(UTC) - timedelta(hours=3)
    assert await told_at(house, start, 60) == expected
    assert rows(house) == {}
    assert len(await told(claire)) == 3


async def test_what_was_missed_is_told_once_if_it_is_not_old(house: House, claire: Person) -> None:
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    hourly = [at + timedelta(days=n) for n in range(10)]
    daily = await remind(claire.caller(), claire.record, title="Chaque jour", at=at.isoformat(), rule="FREQ=DAILY")
    await remind(claire.caller(), claire.record, title="Une fois", at=at.isoformat())
    weekly = await remind(claire.caller(), claire.record, title="Semaine", at=at.isoformat(), rule="FREQ=WEEKLY")
    # Nobody ran for three days and a half: the last day's is told, late; the others wait for their next time.
    assert await tell(house, hourly[3] + timedelta(hours=12)) == 1
    assert await told(claire) == [f"Task/{daily['id']}"]
    following = hourly[7].astimezone(UTC)
    assert rows(house) == {daily["id"]: (hourly[4].astimezone(UTC), None), weekly["id"]: (following, None)}
    assert await tell(house, following + timedelta(days=1) - timedelta(seconds=1)) == 2
    assert await tell(house, following + timedelta(days=8)) == 1, "a day late is too late for the week's"


async def test_many_at_once_tell_each_once(house: House, settings: Settings, database_url: str) -> None:
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    people = [await kin.person(house, given) for given in ("Ada", "Bea", "Cleo")]
    for who in people:
        for n in range(6):
            await remind(who.caller(), who.record, at=at.isoformat(), rule="FREQ=DAILY" if n % 2 else "FREQ=WEEKLY")
    houses = [await opened(settings, database_url, 2) for _ in range(6)]
    counts = await asyncio.gather(*(tell_due(here, at) for here in houses for _ in range(4)))
    assert sum(counts) == 18
    for who in people:
        assert len(await told(who)) == len(set(await told(who))) == 6
    assert all(due_at > at for due_at, _ in rows(house).values())
    for here in houses:
        await here.database.close()


async def test_killed_at_any_step_each_is_told_once(house: House, settings: Settings, database_url: str) -> None:
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    people = [await kin.person(house, given) for given in ("Ada", "Bea")]
    made = {
        who.record: [
            await remind(who.caller(), who.record, at=at.isoformat(), **rule) for rule in ({"rule": "FREQ=DAILY"}, {})
        ]
        for who in people
    }
    words = [sys.executable, "-m", "tests.agenda.teller", database_url, str(settings.key_file), at.isoformat()]
    ran = await asyncio.to_thread(
        subprocess.run, words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 20, "it was killed again and again"
    for who in people:
        assert sorted(await told(who)) == sorted(f"Task/{one['id']}" for one in made[who.record])
        asked = [note.asked for _, note in notes(house, who.record)]
        assert asked.count(f"Patient/{who.record}/$tell-reminders") == 1
        assert kin.mails(house, who.email).count("Votre agenda dans Carnet / Your agenda in Carnet") <= 2
    assert len(rows(house)) == 2
    assert all(due_at == at + timedelta(days=1) for due_at, _ in rows(house).values())


async def test_a_cancelled_appointment_ends_its_reminders(house: House, claire: Person) -> None:
    me, start = claire.caller(), datetime(2027, 1, 4, 8, tzinfo=PARIS)
    visit = await booked(me, claire.record, start)
    about = {"reference": f"Appointment/{visit['id']}"}
    early = await remind(me, claire.record, title="La veille", before="P1D", about=about)
    bags = await remind(me, claire.record, title="Sac", at="2027-01-03T20:00", rule="FREQ=DAILY", about=about)
    answer = await me.post(f"Appointment/{visit['id']}/$cancel-appointment", wish(reason="Empêchement"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["cancelationReason"]["text"] == "Empêchement"
    assert [due_at for _, due_at in await listed(me, claire.record)] == [None, None]
    assert await tell(house, house.now()) == 0
    assert rows(house) == {}
    for one in (early, bags):
        assert (await me.get(f"Task/{one['id']}")).json()["status"] == "cancelled"
    assert await tell(house, start) == 0


async def test_one_cancelled_over_rest_is_not_told(house: House, claire: Person) -> None:
    me, start = claire.caller(), datetime(2027, 1, 4, 8, tzinfo=PARIS)
    visits = [await booked(me, claire.record, start) for _ in range(2)]
    for one in visits:
        await remind(me, claire.record, before="P1D", about={"reference": f"Appointment/{one['id']}"})
    assert (await me.put(f"Appointment/{visits[0]['id']}", {**visits[0], "status": "cancelled"})).status_code == 200
    assert (await me.delete(f"Appointment/{visits[1]['id']}")).status_code == 204
    assert await tell(house, start - timedelta(hours=20)) == 0
    assert rows(house) == {}


async def test_a_moved_appointment_moves_its_reminders(house: House, claire: Person) -> None:
    me, start = claire.caller(), datetime(2027, 1, 14, 8, tzinfo=PARIS)
    visit = await booked(me, claire.record, start)
    about = {"reference": f"Appointment/{visit['id']}"}
    made = await remind(me, claire.record, before="P1D", about=about)
    for moved in (start + timedelta(days=7), start - timedelta(days=7)):
        visit = (await me.put(f"Appointment/{visit['id']}", {**visit, **_times(claire.record, moved)})).json()
        # The store says so to `due.look_again`; here it is said by hand, which changes nothing when it did.
        async with house.parts.installation.database.session() as session:
            await due.look_again(session, claire.record, visit["id"], house.now())
        assert await tell(house, house.now()) == 0
        assert rows(house) == {made["id"]: (moved.astimezone(UTC) - timedelta(days=1), None)}
    assert await tell(house, start - timedelta(days=8)) == 1


def _times(record: str, start: datetime) -> kin.Json:
    made = appointment(record, start)
    return {name: made[name] for name in ("start", "end")}


async def test_of_what_is_hidden_since_nothing_is_said(house: House, claire: Person) -> None:
    """A document kept from the person until it is told: its reminder comes, and shows nothing of it."""
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    hospital, me = house.depositor(), claire.caller()
    body = await deposited(hospital, document(claire.record, await clinic(house)))
    report = f"DocumentReference/{body['id']}"
    made = await remind(me, claire.record, at=at.isoformat(), rule="FREQ=DAILY", about={"reference": report})
    [one] = await parts(me, claire.record)
    assert "about" in one
    hidden = {**body, "securityLabel": [*body["securityLabel"], label("INVISIBLE_PATIENT")]}
    answer = await hospital.put(report, hidden)
    assert answer.status_code == 200, answer.text
    assert (await me.get(report)).status_code == 404
    [one] = await parts(me, claire.record)
    assert "about" not in one
    assert await tell(house, at) == 1
    assert await told(claire) == [f"Task/{made['id']}"]


async def test_what_is_kept_from_representatives_is_not_told_them(house: House, claire: Person) -> None:
    leo = await kin.person(house, "Léo", "Moreau", kin.minor(days=800))
    await kin.represent(leo, claire)
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    open_one = await remind(leo.caller(), leo.record, title="Dentifrice", at=(at + timedelta(hours=1)).isoformat())
    secret = appointment(leo.record, at + timedelta(days=2))
    secret["meta"] = {"security": label("INVISIBLE_REPRESENTANTS_LEGAUX")["coding"]}
    visit = (await software(house, record=leo.record).post("Appointment", secret)).json()
    own = await remind(leo.caller(), leo.record, before="P2D", about={"reference": f"Appointment/{visit['id']}"})
    mother = claire.acting(leo.record)
    assert [title for title, _ in await listed(mother, leo.record)] == ["Dentifrice"]
    before = await _journal(mother, leo)
    assert await tell(house, at) == 1
    assert await told(leo) == [f"Task/{own['id']}"]
    assert await _journal(mother, leo) == before, "not even that something was told"
    assert await tell(house, at + timedelta(hours=1)) == 1
    assert await told(leo) == [f"Task/{open_one['id']}", f"Task/{own['id']}"]
    assert await told_of(mother, leo.record) == [f"Task/{open_one['id']}"]
    assert await _journal(mother, leo) == before + 1


async def _journal(caller: Caller, who: Person) -> int:
    """How many times the service told reminders, as somebody reads the journal."""
    answer = await caller.get(f"AuditEvent?patient={who.record}&_count=200")
    events = [entry["resource"] for entry in answer.json()["entry"] if entry["search"]["mode"] == "match"]
    return sum(_by_service(one) and one["subtype"][0]["code"] == "agenda" for one in events)


def _by_service(event: kin.Json) -> bool:
    return bool(event["agent"][0].get("who", {}).get("display") == "Carnet")


async def test_a_closed_record_waits_and_a_broken_one_keeps_nobody_waiting(house: House, claire: Person) -> None:
    at = datetime(2027, 1, 4, 8, tzinfo=PARIS)
    marc = await kin.person(house, "Marc", "Petit")
    ada = await kin.person(house, "Ada", "Petit")
    for who in (claire, marc, ada):
        await remind(who.caller(), who.record, at=at.isoformat())
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(records).where(records.c.id == claire.record).values(closed=house.now()))
        session.execute(update(records).where(records.c.id == marc.record).values(wrapped=b"broken"))
    house.parts.installation.forget(claire.record)
    house.parts.installation.forget(marc.record)
    assert await tell(house, at) == 1
    assert len(await told(ada)) == 1
    with Session(house.parts.engine) as session:
        left = {row.record: row.due for row in session.execute(select(reminder)).all()}
    assert left == {claire.record: at + timedelta(days=1), marc.record: at}


async def test_one_taken_back_over_rest_is_dropped(house: House, claire: Person) -> None:
    me, at = claire.caller(), datetime(2027, 1, 4, 8, tzinfo=PARIS)
    made = await remind(me, claire.record, at=at.isoformat())
    answer = await me.delete(f"Task/{made['id']}")
    if answer.status_code == 204:
        assert await tell(house, at) == 0
        assert rows(house) == {}
    else:  # only its operations write it
        assert answer.status_code == 403
