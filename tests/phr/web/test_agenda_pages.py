"""The forms of the agenda, without scripts; and what they say, in plain words."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from icalendar import Calendar

from phr.agenda.recurrence import parse
from phr.agenda.schedule import Times
from phr.agenda.wall import before
from phr.web import agenda_words
from phr.web.words import TEXTS
from tests import kin
from tests.agenda.diary import ahead, booked, listed, parts
from tests.deposit import clinic, deposited, document
from tests.house import House
from tests.kin import Person
from tests.phr.care import software
from tests.phr.web.household import browser, read, sections

FR = TEXTS["fr"]
PAGE = "/me/agenda"


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


def _token(page: httpx.Response, path: str) -> str:
    found = re.search(rf'href="({re.escape(path)}/[0-9a-f]+[^"]*)"', page.text)
    assert found is not None, page.text
    return found[1]


async def test_an_appointment_is_added_changed_and_cancelled(house: House, claire: Person) -> None:
    day, me = ahead(house, 5), claire.caller()
    report = await deposited(house.depositor(), document(claire.record, await clinic(house)))
    form = {"title": "Cardiologue", "day": f"{day:%Y-%m-%d}", "hour": "15:00", "minutes": "45", "who": "Dr Leroy"}
    form |= {"place": "3 rue des Lilas", "preparation": "Ordonnance", "document": report["id"], "early": "P1D"}
    async with browser(house, claire.account) as there:
        told = await there.does(PAGE, do="add-visit", **form)
        assert FR["agenda_done_added"] in told
        assert "15\u00a0h – 15\u00a0h\u00a045".replace("\u00a0", " ") in told.replace("\u00a0", " ")
        [made] = (await me.get(f"Appointment?patient={claire.record}")).json()["entry"]
        body = made["resource"]
        assert body["patientInstruction"] == "Ordonnance"
        assert body["supportingInformation"] == [{"reference": f"DocumentReference/{report['id']}"}]
        assert [one["actor"].get("display") for one in body["participant"]] == [None, "Dr Leroy", "3 rue des Lilas"]
        [early] = await parts(me, claire.record)
        assert early["due"] == (day - timedelta(days=1)).replace(hour=15).astimezone(ZoneInfo("UTC")).isoformat()
        page = await there.get(PAGE)
        assert "1 jour avant" in sections(page)["alarms"]
        path = _token(page, f"{PAGE}/visit")
        one = f"visit/{path.rpartition('/')[2]}"
        changed = {**form, "do": "change-visit", "at": one, "hour": "16:30", "place": "", "preparation": ""}
        assert FR["agenda_done_changed"] in await there.does(PAGE, **changed)
        body = (await me.get(f"Appointment/{body['id']}")).json()
        assert "patientInstruction" not in body
        assert datetime.fromisoformat(body["start"]) == day.replace(hour=16, minute=30)
        assert FR["agenda_done_reminded"] in await there.does(PAGE, do="remind-visit", at=one, early="PT1H")
        assert len(await listed(me, claire.record)) == 2
        wrong = await there.send(PAGE, **{**changed, "hour": "midi"})
        assert (wrong.status_code, FR["agenda_when_missing"] in read(wrong)) == (400, True)
        assert FR["agenda_done_cancelled"] in await there.does(PAGE, do="cancel-visit", at=one)
        assert [due for _, due in await listed(me, claire.record)] == [None, None]
        assert "annulé" in read(await there.get(PAGE))


async def test_a_reminder_is_changed_put_off_and_stopped(house: House, claire: Person) -> None:
    day, me = ahead(house, 5), claire.caller()
    form = {"title": "Marcher", "day": f"{day:%Y-%m-%d}", "hour": "18:00", "repeat": "daily", "step": "2", "until": ""}
    async with browser(house, claire.account) as there:
        await there.does(PAGE, do="add-alarm", **form)
        page = await there.get(PAGE)
        assert "tous les 2 jours à 18" in sections(page)["alarms"]
        path = _token(page, f"{PAGE}/alarm")
        at = f"alarm/{path.rpartition('/')[2]}"
        await there.does(PAGE, **{**form, "do": "change-alarm", "at": at, "repeat": "last-day", "step": "1"})
        assert "tous les mois, le dernier jour à 18" in sections(await there.get(PAGE))["alarms"]
        assert FR["agenda_done_snoozed"] in await there.does(PAGE, do="snooze-alarm", at=at, **{"for": "3"})
        [(_, due)] = await listed(me, claire.record)
        assert due is not None
        assert datetime.fromisoformat(due) - house.now() < timedelta(hours=3)
        assert FR["agenda_done_unreminded"] in await there.does(PAGE, do="end-alarm", at=at)
        assert await listed(me, claire.record) == [("Marcher", None)]
        for wrong, said in (
            ({"day": "2020-01-01", "repeat": "once"}, "gone_by"),
            ({"until": "2020-01-01"}, "rule_wrong"),
        ):
            answer = await there.send(PAGE, do="add-alarm", **{**form, **wrong})
            assert (answer.status_code, FR[f"agenda_{said}"] in read(answer)) == (422, True), said
        assert (await there.send(PAGE, do="end-alarm", at="alarm/none")).status_code == 404
        assert (await there.http.post(PAGE, data={"do": "end-alarm", "at": at})).status_code == 403


async def test_who_consults_sees_and_who_keeps_changes(house: House, claire: Person) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    await booked(jeanne.caller(), jeanne.record, ahead(house, 4))
    consent = await kin.care(jeanne, claire, "consult")
    where = f"{PAGE}?record={jeanne.record}"
    async with browser(house, claire.account) as there:
        page = await there.get(where)
        assert "Cardiologue" in read(page)
        assert FR["agenda_add_visit"] not in read(page)
        ended = await jeanne.caller().post(f"{jeanne.patient}/$end-delegation", kin.parameters(consent=consent))
        assert ended.status_code == 200
        await kin.care(jeanne, claire, "consult", "agenda")
        page = await there.get(where)
        assert FR["agenda_add_visit"] in read(page)
        path = _token(page, f"{PAGE}/visit")
        at = f"visit/{path.partition('?')[0].rpartition('/')[2]}"
        assert (await there.get(path.replace("&amp;", "&"))).status_code == 200
        day = f"{ahead(house, 5):%Y-%m-%d}"
        answer = await there.send(where, do="change-visit", title="Autre", day=day, hour="08:00", at=at)
        assert (answer.status_code, FR["agenda_not_yours"] in read(answer)) == (403, True)
        assert FR["agenda_done_reminded"] in await there.does(where, do="remind-visit", early="P1D", at=at)
        assert FR["agenda_done_added"] in await there.does(where, do="add-visit", title="Kiné", day=day, hour="09:00")
        assert FR["agenda_done_cancelled"] in await there.does(where, do="cancel-visit", at=at)


async def test_a_professionals_appointment_is_shown_and_cancelled(house: House, claire: Person) -> None:
    doctor = software(house, record=claire.record)
    made = await booked(doctor, claire.record, ahead(house, 4))
    async with browser(house, claire.account) as there:
        page = await there.get(PAGE)
        assert "Cardiologue" in read(page)
        path = _token(page, f"{PAGE}/visit")
        at = f"visit/{path.rpartition('/')[2]}"
        form = {"title": "Autre", "day": "2030-01-01", "hour": "08:00", "at": at}
        answer = await there.http.get(path)
        assert answer.status_code == 200
        answer = await there.http.post(PAGE, data={"csrf": _csrf(answer), "do": "change-visit", **form})
        assert (answer.status_code, FR["agenda_not_yours"] in read(answer)) == (403, True)
        answer = await there.http.post(PAGE, data={"csrf": _csrf(answer), "do": "cancel-visit", "at": at})
        assert answer.status_code == 303
    assert (await doctor.get(f"Appointment/{made['id']}")).json()["status"] == "cancelled"


def _csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found is not None
    return found[1]


async def test_the_calendar_address_says_what_was_chosen(house: House, claire: Person) -> None:
    await booked(claire.caller(), claire.record, ahead(house, 4))
    async with browser(house, claire.account) as there:
        for titles, expected in (("no", "Rendez-vous"), ("yes", "Cardiologue")):
            page = await there.send(PAGE, do="address", titles=titles)
            found = re.search(r'value="(http[^"]+/calendar/[^"]+)"', page.text)
            assert found is not None
            calendar = await there.http.get(urlsplit(found[1]).path)
            assert expected in [str(one["SUMMARY"]) for one in Calendar.from_ical(calendar.content).events]
        assert found is not None
        assert FR["agenda_done_closed"] in await there.does(PAGE, do="end-address")
        assert (await there.http.get(urlsplit(found[1]).path)).status_code == 404


@pytest.mark.parametrize("month", ["2026-13", "x", "1999-01", "0001-01"])
async def test_a_month_that_is_none_is_this_one(house: House, claire: Person, month: str) -> None:
    async with browser(house, claire.account) as there:
        page = await there.get(f"{PAGE}?month={month}")
        assert page.status_code == 200
        assert 'aria-current="date"' in page.text
        later = await there.get(f"{PAGE}?month=2031-02")
        assert "février 2031" in read(later)


@pytest.mark.parametrize(
    ("rule", "fr", "en"),
    [
        ("FREQ=WEEKLY;BYDAY=MO", "tous les lundis à 8 h", "every Monday at 08:00"),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "tous les lundis et jeudis à 8 h", "every Monday and Thursday at 08:00"),
        ("FREQ=WEEKLY", "tous les mardis à 8 h", "every Tuesday at 08:00"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "tous les jours à 8 h", "every day at 08:00"),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR",
            "toutes les 2 semaines, le vendredi à 8 h",
            "every 2 weeks, on Friday at 08:00",
        ),
        ("FREQ=DAILY;INTERVAL=3;COUNT=4", "tous les 3 jours à 8 h, 4 fois", "every 3 days at 08:00, 4 times"),
        ("FREQ=MONTHLY", "tous les mois, le 1er à 8 h", "every month, on day 1 at 08:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "tous les mois, le 31 à 8 h", "every month, on day 31 at 08:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "tous les mois, le dernier jour à 8 h", "every month, on the last day at 08:00"),
        (
            "FREQ=MONTHLY;BYDAY=2TU",
            "tous les mois, le deuxième mardi à 8 h",
            "every month, on the second Tuesday at 08:00",
        ),
        ("FREQ=YEARLY", "tous les ans, le 1er décembre à 8 h", "every year, on 1 December at 08:00"),
        (
            "FREQ=DAILY;UNTIL=20261231",
            "tous les jours à 8 h, jusqu’au jeudi 31 décembre 2026",
            "every day at 08:00, until Thursday 31 December 2026",
        ),
    ],
)
def test_a_rule_is_said_in_plain_words(rule: str, fr: str, en: str) -> None:
    times = Times(datetime.fromisoformat("2026-12-01T08:00"), parse(rule))
    assert agenda_words.repeated(times, "fr").replace("\u00a0", " ") == fr
    assert agenda_words.repeated(times, "en") == en


def test_how_long_before_is_said_in_plain_words() -> None:
    said = [agenda_words.early(before(text), "fr") for text in ("P1D", "P2DT3H", "PT90M", "PT0M")]
    assert said == ["1 jour avant", "2 jours 3 heures avant", "1 heure 30 minutes avant", "Au moment du rendez-vous"]


def test_every_text_is_said_in_both_languages() -> None:
    named = [{name for name in texts if name.startswith("agenda_")} for texts in TEXTS.values()]
    assert named[0] == named[1]
    templates = sorted((Path(agenda_words.__file__).parent / "templates").glob("agenda*.html"))
    assert len(templates) == 5
    used = {name for path in templates for name in re.findall(r"text\.(\w+)", path.read_text())}
    assert used - TEXTS["fr"].keys() == {"replace"} - {"replace"}
