"""The calendar of prevention at its private address: what it says, through whose eyes, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from icalendar import Calendar
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from auth.tables import account as accounts
from phr import codes
from phr.access.journal import Note, Tag
from phr.api import calendar_feed as door
from phr.api import faults
from phr.prevention.dates import day
from phr.prevention.feed import CLIENT, SUMMARY, calendar_feed
from phr.representation import PARIS, majority
from tests import kin
from tests.house import Caller, House
from tests.kin import Person
from tests.phr.care import notes, software
from tests.phr.living_and_dying import proven

Json = dict[str, Any]
NOTHING: Json = {"resourceType": "Parameters"}
BORN = "1948-11-02"


@pytest.fixture
async def jeanne(house: House) -> Person:
    return await kin.person(house, "Jeanne", "Lefèvre", BORN)


async def make(caller: Caller, record: str) -> str:
    """A new address: its path."""
    answer = await caller.post(f"Patient/{record}/$calendar-address", NOTHING)
    assert answer.status_code == 201, answer.text
    [one] = answer.json()["parameter"]
    assert one["name"] == "address"
    return str(urlsplit(one["valueUrl"]).path)


async def days(house: House, path: str) -> list[date]:
    """The days a calendar shows, in order."""
    answer = await house.http.get(path)
    assert answer.status_code == 200, answer.text
    return sorted(one.start for one in Calendar.from_ical(answer.content).events)


async def planned(caller: Caller, record: str) -> list[date]:
    """The days `$prevention` tells, once for each thing: due, to come, and when who said later wants to hear of it."""
    answer = await caller.get(f"Patient/{record}/$prevention")
    found, today = [], date.fromisoformat(answer.json()["created"])
    for activity in answer.json()["activity"]:
        [advice] = activity["detail"]["extension"]
        said = [(one["url"], next(v for name, v in one.items() if name != "url")) for one in advice["extension"]]
        clauses = {value for name, value in said if name == "clause"}
        known = dict(said)
        told = known.get("until") if "later" in clauses else known.get("due")
        if told is None or (known["status"] == "ask" and "later" not in clauses):
            continue
        if known["status"] in ("due", "overdue") or date.fromisoformat(told) > today:
            found.append(date.fromisoformat(told))
    return sorted(found)


async def say(caller: Caller, record: str, **codes: str) -> None:
    """Answer a recommendation, or a question."""
    kinds = {"on": "valueDate", "until": "valueDate"}
    listed = [{"name": name, kinds.get(name, "valueCode"): value} for name, value in codes.items()]
    body = {"resourceType": "Parameters", "parameter": listed}
    answer = await caller.post(f"Patient/{record}/$answer-prevention", body)
    assert answer.status_code == 201, answer.text


async def gone(house: House, path: str) -> None:
    """This address is answered as one that never was, to the letter."""
    never = await house.http.get(f"/calendar/{'x' * 43}.ics")
    answer = await house.http.get(path)
    assert (answer.status_code, never.status_code) == (404, 404)
    assert answer.content == never.content
    assert dict(answer.headers) == dict(never.headers)


def rows(house: House) -> int:
    """How many addresses there are."""
    with Session(house.parts.engine) as session:
        return int(session.execute(select(func.count()).select_from(calendar_feed)).scalar_one())


async def test_the_calendar_says_when_and_never_of_what(house: House, jeanne: Person) -> None:
    path = await make(jeanne.caller(), jeanne.record)
    answer = await house.http.get(path)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    found = Calendar.from_ical(answer.content)
    assert (found["VERSION"], found["PRODID"]) == ("2.0", "-//Carnet//Prevention//FR")
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT12H\r\n" in answer.text
    events = found.events
    assert len(events) >= 4
    for one in events:
        assert set(one) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "URL", "CLASS", "TRANSP"}
        assert str(one["SUMMARY"]) == SUMMARY
        assert type(one.start) is date
        assert one.end - one.start == timedelta(days=1)
        assert str(one["URL"]) == f"{house.settings.issuer}/me/prevention"
        assert one.DTSTAMP is not None
        assert one.DTSTAMP.tzinfo is not None
    assert len({str(one["UID"]) for one in events}) == len(events)
    # Several vaccines are due at 65: one line in the calendar, or it would be told how much there is to do.
    wanted = await planned(jeanne.caller(), jeanne.record)
    assert len(wanted) > len(set(wanted)) == len(events)
    assert {one.start for one in events} == set(wanted)
    care = (await jeanne.caller().get(f"{jeanne.patient}/$prevention")).json()["activity"]
    words = [one["detail"]["code"] for one in care]
    told = [*(one["coding"][0]["code"] for one in words), *(one["text"] for one in words), jeanne.record, "vaccin"]
    unfolded = answer.text.replace("\r\n ", "").lower()
    assert [one for one in told if one.lower() in unfolded] == []
    # RFC 5545 §3.1: lines end with CRLF and hold 75 octets.
    lines = answer.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)


async def test_what_did_not_change_is_not_sent_again(house: House, jeanne: Person) -> None:
    path = await make(jeanne.caller(), jeanne.record)
    first = await house.http.get(path)
    again = await house.http.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    # RFC 9110 §9.3.2: some calendars ask whether it is there before they read it.
    asked = await house.http.head(path)
    assert (asked.status_code, dict(asked.headers)) == (200, dict(first.headers))
    assert (await house.http.head(f"/calendar/{'x' * 43}.ics")).status_code == 404
    today, known = day(house.now()).isoformat(), {"If-None-Match": first.headers["etag"]}
    await say(jeanne.caller(), jeanne.record, rule="vaccine-zoster-65", said="declined", on=today)
    # The other vaccine of that day is still due: nobody learns from the calendar that this one is not.
    assert (await house.http.get(path, headers=known)).status_code == 304
    await say(jeanne.caller(), jeanne.record, rule="vaccine-pneumococcal-65", said="declined", on=today)
    changed = await house.http.get(path, headers=known)
    assert changed.status_code == 200
    names = [{str(one["UID"]) for one in Calendar.from_ical(one.content).events} for one in (first, changed)]
    assert names[1] < names[0]
    assert len(names[0] - names[1]) == 1
    assert set(await days(house, path)) == set(await planned(jeanne.caller(), jeanne.record))
    until = (house.now() + timedelta(days=40)).date()
    await say(jeanne.caller(), jeanne.record, rule="vaccine-rsv-75", said="later", until=until.isoformat())
    assert until in await days(house, path)
    assert set(await days(house, path)) == set(await planned(jeanne.caller(), jeanne.record))


async def test_making_another_ends_the_former_and_ending_ends_it(house: House, jeanne: Person) -> None:
    mine, me = await make(jeanne.caller(), jeanne.record), jeanne.caller()
    claire = await kin.person(house, "Claire", "Moreau")
    await kin.care(jeanne, claire, "consult")
    theirs = await make(claire.acting(jeanne.record), jeanne.record)
    other = await make(me, jeanne.record)
    assert other != mine
    await gone(house, mine)
    assert await days(house, other) == await days(house, theirs)
    secret = other.removeprefix("/calendar/").removesuffix(".ics")
    assert len(secret) == 43
    with Session(house.parts.engine) as session:
        kept = session.execute(select(calendar_feed)).all()
    assert len(kept) == 2
    assert secret not in str(kept)
    for _ in range(2):
        answer = await me.post(f"{jeanne.patient}/$end-calendar-address", NOTHING)
        assert answer.status_code == 200
    await gone(house, other)
    assert await days(house, theirs)
    for wrong in (secret[:-1], secret + "A", secret.swapcase(), "%00", "é" * 43):
        await gone(house, f"/calendar/{wrong}.ics")


async def test_two_made_at_once_leave_one(house: House, jeanne: Person) -> None:
    me = jeanne.caller()
    made = await asyncio.gather(*(make(me, jeanne.record) for _ in range(4)))
    assert len(set(made)) == 4
    assert rows(house) == 1


async def test_each_reads_with_their_own_eyes(house: House, jeanne: Person) -> None:
    """What is kept from representatives changes the person's calendar, and not the one of who cares for them."""
    claire = await kin.person(house, "Claire", "Moreau")
    await kin.care(jeanne, claire, "consult", "documents")
    mine = await make(jeanne.caller(), jeanne.record)
    theirs = await make(claire.acting(jeanne.record), jeanne.record)
    before = (await house.http.get(theirs)).content
    vaccine = {
        "resourceType": "Immunization",
        "meta": {"security": [{"system": codes.VISIBILITY, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]},
        "status": "completed",
        "vaccineCode": {"text": "SHINGRIX"},
        "patient": {"reference": jeanne.patient},
        "occurrenceDateTime": (house.now() - timedelta(days=20)).date().isoformat(),
    }
    answer = await software(house, record=jeanne.record).post("Immunization", vaccine)
    assert answer.status_code == 201, answer.text
    assert (await house.http.get(theirs)).content == before
    assert set(await days(house, mine)) == set(await planned(jeanne.caller(), jeanne.record))
    assert await days(house, mine) != await days(house, theirs)


async def test_once_the_right_ends_nothing_is_left(house: House, jeanne: Person) -> None:
    claire = await kin.person(house, "Claire", "Moreau")
    consent = await kin.care(jeanne, claire, "consult")
    path = await make(claire.acting(jeanne.record), jeanne.record)
    assert await days(house, path)
    ended = await jeanne.caller().post(f"{jeanne.patient}/$end-delegation", kin.parameters(consent=consent))
    assert ended.status_code == 200, ended.text
    await gone(house, path)
    assert rows(house) == 0
    await kin.care(jeanne, claire, "consult")
    await gone(house, path)


async def test_a_caregiver_who_may_not_consult_has_none(house: House, jeanne: Person) -> None:
    claire = await kin.person(house, "Claire", "Moreau")
    consent = await kin.care(jeanne, claire, "consult", "agenda")
    path = await make(claire.acting(jeanne.record), jeanne.record)
    narrowed = kin.parameters(consent=consent, power=("agenda",))
    assert (await jeanne.caller().post(f"{jeanne.patient}/$change-delegation", narrowed)).status_code == 200
    await gone(house, path)
    answer = await claire.acting(jeanne.record).post(f"{jeanne.patient}/$calendar-address", NOTHING)
    assert answer.status_code == 404


async def test_the_calendar_of_a_child_ends_when_they_are_of_age(house: House) -> None:
    claire = await kin.person(house, "Claire", "Moreau")
    leo = await kin.person(house, "Léo", "Moreau", kin.minor(days=3), account=False)
    await kin.represent(leo, claire)
    path, of_age = await make(claire.acting(leo.record), leo.record), majority(date.fromisoformat(leo.born))
    async with at(house, of_age - timedelta(seconds=1)) as before, at(house, of_age) as after:
        assert Calendar.from_ical((await before.get(path)).content).events
        assert (await after.get(path)).status_code == 404
    await gone(house, path)


@asynccontextmanager
async def at(house: House, now: datetime) -> AsyncIterator[httpx.AsyncClient]:
    """The same address, at another moment."""
    app = FastAPI()
    faults.install(app)
    app.include_router(door.router(house.parts.installation, lambda: now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=house.settings.issuer) as http:
        yield http


async def test_a_closed_record_and_a_disabled_account_show_nothing(house: House, jeanne: Person) -> None:
    path = await make(jeanne.caller(), jeanne.record)
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(accounts).where(accounts.c.id == jeanne.account).values(disabled=True))
    await gone(house, path)
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(accounts).where(accounts.c.id == jeanne.account).values(disabled=False))
    assert await days(house, path)
    closed = await proven(house, jeanne.record, jeanne.account).post(f"{jeanne.patient}/$close", NOTHING)
    assert closed.status_code == 200, closed.text
    await gone(house, path)


async def test_the_days_go_by_and_names_stay(house: House, jeanne: Person) -> None:
    path, now = await make(jeanne.caller(), jeanne.record), datetime.combine(day(house.now()), time(10), PARIS)
    later, next_day = now + timedelta(hours=3), now + timedelta(days=1)
    async with at(house, now) as today, at(house, later) as tonight, at(house, next_day) as tomorrow:
        first, same, second = await today.get(path), await tonight.get(path), await tomorrow.get(path)
    assert first.content == same.content
    assert first.headers["etag"] != second.headers["etag"]
    names = [{str(one["UID"]) for one in Calendar.from_ical(one.content).events} for one in (first, second)]
    assert names[0] & names[1]
    assert Calendar.from_ical(first.content)["UID"] == Calendar.from_ical(second.content)["UID"]


async def test_only_who_reads_the_whole_record_makes_an_address(house: House, jeanne: Person) -> None:
    wish = f"{jeanne.patient}/$calendar-address"
    marc = await kin.person(house, "Marc", "Petit")
    refused = {
        403: [
            jeanne.caller(scopes=("patient/Immunization.rs", "patient/Patient.rs")),
            jeanne.caller(scopes=("patient/*.cud",)),
            software(house),
            house.operator(),
            house.depositor(),
        ],
        404: [marc.caller(), marc.acting(jeanne.record)],
        401: [replace(jeanne.caller(), token="none")],
    }
    for status, callers in refused.items():
        for caller in callers:
            for operation in (wish, wish.replace("$calendar", "$end-calendar")):
                assert (await caller.post(operation, NOTHING)).status_code == status
    assert rows(house) == 0
    unknown = await jeanne.caller().post(wish, kin.parameters(detailed=True))
    assert unknown.status_code == 422


async def test_the_journal_says_who_reads_the_calendar(house: House, jeanne: Person) -> None:
    claire = await kin.person(house, "Claire", "Moreau")
    consent = await kin.care(jeanne, claire, "consult")
    mine = await make(jeanne.caller(), jeanne.record)
    theirs = await make(claire.acting(jeanne.record), jeanne.record)
    await days(house, mine)
    await days(house, theirs)
    await jeanne.caller().post(f"{jeanne.patient}/$end-delegation", kin.parameters(consent=consent))
    await gone(house, theirs)
    found = [note for tag, note in notes(house, jeanne.record) if tag is Tag.PREVENTION]
    assert [(one.asked, one.client, one.reader, one.refused) for one in found] == [
        ("Patient/$calendar-address", "app", "Citizen", ""),
        ("Patient/$calendar-address", "app", "Delegate", ""),
        ("Patient/$calendar", CLIENT, "Citizen", ""),
        ("Patient/$calendar", CLIENT, "Delegate", ""),
        ("Patient/$calendar", CLIENT, "Delegate", "not-entitled"),
    ]
    assert [_whom(one) for one in found] == ["", str(claire.account), "", str(claire.account), str(claire.account)]
    await days(house, mine)
    told = await jeanne.caller().get(f"AuditEvent?patient={jeanne.record}&_count=50")
    assert told.text.count("l’adresse privée du calendrier") >= 3
    assert mine.split("/")[-1].removesuffix(".ics") not in told.text


def _whom(note: Note) -> str:
    return note.actors[0].id if note.actors else ""
