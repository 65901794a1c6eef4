"""An agenda as RFC 5545 writes it: appointments with their alarms, reminders with their rules.

The rule: what is not in the reader's sight is not there; without `titles` nothing is said but that it is an appointment
or a reminder. What was cancelled stays for a while, so that whoever has it learns it will not be.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Component, Event, Timezone, TimezoneDaylight, TimezoneStandard, vRecur
from icalendar.enums import CLASS, STATUS

from fhir.predicate import KindIn
from fhir.search import Page, page_of
from fhir.stored import Stored
from phr import operated
from phr.access.visit import Deed
from phr.agenda.acting import Json
from phr.agenda.place import place_of
from phr.agenda.reminder import ENDED, OVER, Reminder, read
from phr.agenda.reminders import reminders
from phr.agenda.schedule import Times
from phr.agenda.wall import Before, wall_of
from phr.representation import PARIS

KEPT = timedelta(days=90)
"""How long what is past or cancelled stays in a calendar."""
MOST = 500
APPOINTMENT, REMINDER = "Rendez-vous", "Rappel"
_STATUS = {"proposed": STATUS.TENTATIVE, "pending": STATUS.TENTATIVE, "waitlist": STATUS.TENTATIVE}
_SHIFTS = (
    (TimezoneDaylight, "19810329T020000", 3, 1, 2, "CEST"),
    (TimezoneStandard, "19961027T030000", 10, 2, 1, "CET"),
)


async def events(deed: Deed, *, titles: bool) -> list[Component]:
    """What the reader sees of the agenda, from some weeks ago on; with it, the time zone it is written in."""
    page = page_of(deed.view.inside, Page(KindIn(frozenset({"Appointment"})), limit=MOST))
    rows = [Stored.from_row(row) for row in (await deed.fetch(page))[:MOST]]
    deed.touched += [f"Appointment/{row.id}" for row in rows]
    listed = [(one.task, said) for one in await reminders(deed) if (said := read(one.task)) is not None]
    since, made = deed.visit.now - KEPT, list[Component]()
    for appointment in (row.json(deed.view.keyring) for row in rows):
        early = [said for task, said in listed if said.about == f"Appointment/{appointment['id']}" and _runs(task)]
        if "start" in appointment and datetime.fromisoformat(appointment["start"]) >= since:
            made.append(_appointment(deed, appointment, [one.before for one in early if one.before], titles))
    for task, said in listed:
        if said.times is not None and _recent(task, said.times, since):
            made.append(_reminder(deed, task, said, said.times, titles))
    return [_paris(), *made] if made else []


def _runs(task: Mapping[str, object]) -> bool:
    return task["status"] != ENDED


def _recent(task: Json, times: Times, since: datetime) -> bool:
    """Whether a reminder comes or came lately; one that was ended, whether it was lately."""
    if _runs(task):
        return times.after(since) is not None
    return datetime.fromisoformat(task["meta"]["lastUpdated"]) >= since


def _appointment(deed: Deed, body: Json, early: Sequence[Before], titles: bool) -> Event:
    start = datetime.fromisoformat(body["start"])
    end = datetime.fromisoformat(body["end"]) if "end" in body else None
    status = STATUS.CANCELLED if body["status"] in OVER else _STATUS.get(body["status"], STATUS.CONFIRMED)
    event = _event(deed, "appointment", body, start, body.get("description") if titles else None, APPOINTMENT, status)
    _say(event, "DTEND", end.astimezone(PARIS) if end is not None and end > start else None)
    if titles:
        _say(event, "LOCATION", place_of(body))
        _say(event, "DESCRIPTION", body.get("patientInstruction"))
    for one in () if status is STATUS.CANCELLED else early:
        event.add_component(_alarm(-timedelta(days=one.days) - one.exact, str(event["SUMMARY"])))
    return event


def _reminder(deed: Deed, task: Json, said: Reminder, times: Times, titles: bool) -> Event:
    status = STATUS.CONFIRMED if _runs(task) else STATUS.CANCELLED
    start = times.start.replace(tzinfo=PARIS)
    event = _event(deed, "reminder", task, start, said.title if titles else None, REMINDER, status)
    event.add("TRANSP", "TRANSPARENT")
    _say(event, "RRULE", vRecur.from_ical(str(times.rule)) if times.rule is not None else None)
    _say(event, "DESCRIPTION", said.text if titles else None)
    if _runs(task):
        event.add_component(_alarm(timedelta(), str(event["SUMMARY"])))
    return event


def _say(event: Event, name: str, value: object) -> None:
    """Add a property that has a value."""
    if value:
        event.add(name, value)


def _event(deed: Deed, what: str, body: Json, start: datetime, title: str | None, name: str, status: STATUS) -> Event:
    mark = operated.keys_of(deed).hashed(f"calendar|{what}|{body['id']}")
    return Event.new(
        uid=f"{mark}@carnet",
        stamp=datetime.fromisoformat(body["meta"]["lastUpdated"]).astimezone(UTC),
        sequence=int(body["meta"]["versionId"]) - 1,
        start=start if start.tzinfo is PARIS else wall_of(start).replace(tzinfo=PARIS),
        summary=title or name,
        status=status,
        url=f"{deed.visit.installation.settings.issuer}/me/agenda",
        classification=CLASS.PRIVATE,
    )


def _alarm(trigger: timedelta, text: str) -> Alarm:
    alarm = Alarm.new(description=text)
    alarm.add("ACTION", "DISPLAY")
    alarm.add("TRIGGER", trigger)
    return alarm


def _paris() -> Timezone:
    """Europe/Paris since 1996: it changes on the last Sundays of March and October (directive 2000/84/CE)."""
    zone = Timezone()
    zone.add("TZID", "Europe/Paris")
    for kind, first, month, before, after, name in _SHIFTS:
        shift = kind()
        shift.add("DTSTART", datetime.strptime(first, "%Y%m%dT%H%M%S"))  # noqa: DTZ007  # RFC 5545 §3.6.5: local
        shift.add("TZOFFSETFROM", timedelta(hours=before))
        shift.add("TZOFFSETTO", timedelta(hours=after))
        shift.add("TZNAME", name)
        shift.add("RRULE", vRecur(FREQ="YEARLY", BYMONTH=month, BYDAY="-1SU"))
        zone.add_component(shift)
    return zone
