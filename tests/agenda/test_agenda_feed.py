"""The agenda in the private calendar: read by another's parser, through the eyes of who made the address."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar, Event

from phr import codes
from phr.representation import PARIS
from tests import kin
from tests.agenda.diary import ahead, appointment, booked, remind, wish
from tests.house import Caller, House
from tests.kin import Person
from tests.phr.care import software

HIDDEN = {"security": [{"system": codes.VISIBILITY, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


async def address(caller: Caller, record: str, **choice: Any) -> str:
    """A new private address: its path."""
    answer = await caller.post(f"Patient/{record}/$calendar-address", wish(**choice))
    assert answer.status_code == 201, answer.text
    return str(urlsplit(answer.json()["parameter"][0]["valueUrl"]).path)


async def read(house: House, path: str) -> tuple[Calendar, list[Event]]:
    """The calendar, and what it has of the agenda."""
    answer = await house.http.get(path)
    assert answer.status_code == 200, answer.text
    found = Calendar.from_ical(answer.content)
    return found, [one for one in found.events if str(one["URL"]).endswith("/me/agenda")]


async def test_appointments_and_reminders_with_their_rules(house: House, claire: Person) -> None:
    me, start = claire.caller(), ahead(house, 5, 15)
    visit = await booked(me, claire.record, start)
    about = {"reference": f"Appointment/{visit['id']}"}
    await remind(me, claire.record, title="À jeun", before="P1DT2H", about=about)
    await remind(
        me,
        claire.record,
        at="2027-03-26T02:30",
        rule="FREQ=WEEKLY;BYDAY=FR;UNTIL=20271231",
        text="Assise ; au calme",
    )
    calendar, events = await read(house, await address(me, claire.record, titles=True))
    [zone] = calendar.timezones
    assert str(zone["TZID"]) == "Europe/Paris"
    shown = zone.to_tz(lookup_tzid=False)
    for day in ("2027-01-04T08:00", "2027-07-04T08:00", "2027-03-28T04:00", "2027-10-31T04:00"):
        moment = datetime.fromisoformat(day)
        assert moment.replace(tzinfo=shown).utcoffset() == moment.replace(tzinfo=PARIS).utcoffset()
    one, other = sorted(events, key=lambda event: str(event["SUMMARY"]))
    assert (str(one["SUMMARY"]), one.start, one.end) == ("Cardiologue", start, start + timedelta(minutes=30))
    assert one["DTSTART"].params["TZID"] == "Europe/Paris"
    assert str(one["LOCATION"]) == "Dr Anne Leroy, 3 rue des Lilas"
    assert str(one["DESCRIPTION"]) == "Apporter l’ordonnance et le dernier électrocardiogramme."
    assert [alarm.decoded("TRIGGER") for alarm in one.walk("VALARM")] == [-timedelta(days=1, hours=2)]
    assert (str(one["STATUS"]), one["SEQUENCE"], one.DTSTAMP.tzinfo is not None) == ("CONFIRMED", 0, True)
    assert str(other["SUMMARY"]) == "Prendre la tension"
    assert other["DTSTART"].to_ical() == b"20270326T023000"
    assert other["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20271231T225959Z;BYDAY=FR"
    assert str(other["DESCRIPTION"]) == "Assise ; au calme"
    assert [alarm.decoded("TRIGGER") for alarm in other.walk("VALARM")] == [timedelta()]


async def test_without_titles_only_that_it_is_one(house: House, claire: Person) -> None:
    me = claire.caller()
    await booked(me, claire.record, ahead(house, 5, 15))
    await remind(me, claire.record, title="Insuline", text="Cuisse", at=ahead(house, 1).isoformat(), rule="FREQ=DAILY")
    for choice in ({}, {"titles": False}):
        path = await address(me, claire.record, **choice)
        _, events = await read(house, path)
        assert sorted(str(one["SUMMARY"]) for one in events) == ["Rappel", "Rendez-vous"]
        text = (await house.http.get(path)).text.replace("\r\n ", "")
        for said in ("Cardiologue", "Leroy", "ordonnance", "Insuline", "Cuisse", claire.record, "Moreau"):
            assert said not in text
    assert (await me.post(f"{claire.patient}/$calendar-address", wish(titles=True, other="x"))).status_code == 422


async def test_changed_and_cancelled_keep_their_names(house: House, claire: Person) -> None:
    me, start = claire.caller(), ahead(house, 5, 15)
    visit = await booked(me, claire.record, start)
    made = await remind(me, claire.record, at=ahead(house, 1).isoformat(), rule="FREQ=DAILY")
    path = await address(me, claire.record, titles=True)
    before = {str(one["UID"]): one for one in (await read(house, path))[1]}
    assert (await house.http.get(path)).content == (await house.http.get(path)).content
    later = {
        **visit,
        "start": (start + timedelta(hours=1)).isoformat(),
        "end": (start + timedelta(hours=2)).isoformat(),
    }
    assert (await me.put(f"Appointment/{visit['id']}", later)).status_code == 200
    assert (await me.post(f"Appointment/{visit['id']}/$cancel-appointment", wish())).status_code == 200
    assert (await me.post(f"Task/{made['id']}/$end-reminder", wish())).status_code == 200
    after = {str(one["UID"]): one for one in (await read(house, path))[1]}
    assert after.keys() == before.keys()
    assert len(after) == 2
    for name, one in after.items():
        assert str(one["STATUS"]) == "CANCELLED"
        assert one["SEQUENCE"] == (2 if "LOCATION" in one else 1)
        assert one.DTSTAMP >= before[name].DTSTAMP
        assert one.walk("VALARM") == []


async def test_what_is_old_is_not_there(house: House, claire: Person) -> None:
    me = claire.caller()
    await booked(me, claire.record, ahead(house, -30), description="Récent")
    await booked(me, claire.record, ahead(house, -100), description="Ancien")
    _, events = await read(house, await address(me, claire.record, titles=True))
    assert [str(one["SUMMARY"]) for one in events] == ["Récent"]


async def test_each_reads_with_their_own_eyes(house: House, claire: Person) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    await kin.care(jeanne, claire, "consult")
    mine = await address(jeanne.caller(), jeanne.record, titles=True)
    theirs = await address(claire.acting(jeanne.record), jeanne.record, titles=True)
    secret = appointment(jeanne.record, ahead(house, 4), description="Sexologue", meta=HIDDEN)
    made = (await software(house, record=jeanne.record).post("Appointment", secret)).json()
    await remind(
        jeanne.caller(), jeanne.record, title="Y penser", before="P1D", about={"reference": f"Appointment/{made['id']}"}
    )
    await remind(jeanne.caller(), jeanne.record, title="Eau", at=ahead(house, 1).isoformat())
    assert sorted(str(one["SUMMARY"]) for one in (await read(house, mine))[1]) == ["Eau", "Sexologue"]
    assert [str(one["SUMMARY"]) for one in (await read(house, theirs))[1]] == ["Eau"]
    assert "Y penser" not in (await house.http.get(theirs)).text
    assert b"\r\n" in (await house.http.get(mine)).content


async def test_what_people_write_cannot_break_the_calendar(house: House, claire: Person) -> None:
    me = claire.caller()
    nasty = "Rdv\nEND:VEVENT\r\nBEGIN:VEVENT\nSUMMARY:faux; virgule, \\ fin"
    await booked(me, claire.record, ahead(house, 5), description=nasty)
    await remind(me, claire.record, title="a\nATTACH:http://x", at=ahead(house, 1).astimezone(UTC).isoformat())
    calendar, events = await read(house, await address(me, claire.record, titles=True))
    assert len(events) == 2
    assert not any("ATTACH" in one for one in calendar.walk())
