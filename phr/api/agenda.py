"""Appointments and reminders, over HTTP."""

from fastapi.responses import Response

from phr.agenda import appointments, reminders
from phr.agenda.reminder import Reminder, at
from phr.agenda.reminders import Listed
from phr.agenda.wishes import wish
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, Json, given
from phr.core.errors import invalid

WISH = ("title", "text", "at", "rule", "about", "before")


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking = described.taking(described.PREFER, described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$remind", taking, status_code=201)
    async def remind(asked: Asked, id: str) -> Response:
        """A new reminder: once, again and again, or before an appointment."""
        return answers.wrote(asked, await reminders.remind(asked.visit, id, _wish(await given(asked, WISH))))

    @doors.opens("GET", "/Patient/{id:id}/$reminders", described.taking([]))
    async def listed(asked: Asked, id: str) -> Response:
        """The reminders, what comes first on top, each with when it is told next."""
        found = [{"name": "reminder", "part": _parts(one)} for one in await reminders.listed(asked.visit, id)]
        return answers.json_answer(asked, {"resourceType": "Parameters", **({"parameter": found} if found else {})})

    @doors.opens("POST", "/Task/{id:id}/$change-reminder", taking)
    async def change(asked: Asked, id: str) -> Response:
        """What a reminder says from now on, all of it."""
        return answers.wrote(asked, await reminders.change(asked.visit, id, _wish(await given(asked, WISH))))

    @doors.opens("POST", "/Task/{id:id}/$end-reminder", taking)
    async def end(asked: Asked, id: str) -> Response:
        """Tell it no more."""
        await given(asked, ())
        return answers.wrote(asked, await reminders.end(asked.visit, id))

    @doors.opens("POST", "/Task/{id:id}/$snooze-reminder", taking)
    async def snooze(asked: Asked, id: str) -> Response:
        """Tell it again at another time, once."""
        until = (await given(asked, ("until",))).instant("until")
        if until is None:
            raise invalid("Until when?", at("until"), "required")
        return answers.wrote(asked, await reminders.snooze(asked.visit, id, until))

    @doors.opens("POST", "/Appointment/{id:id}/$cancel-appointment", taking)
    async def cancel(asked: Asked, id: str) -> Response:
        """Cancel an appointment, whoever wrote it."""
        reason = (await given(asked, ("reason",))).one("reason", str) or ""
        return answers.wrote(asked, await appointments.cancel(asked.visit, id, reason))


def _wish(said: Given) -> Reminder:
    title, text = said.required("title", str), said.one("text", str) or ""
    about = said.one("about", object)
    if isinstance(about, dict):
        about = about.get("reference")
    if about is not None and not isinstance(about, str):
        raise invalid("A reference is expected.", at("about"))
    when, rule, before = (said.one(name, str) for name in ("at", "rule", "before"))
    return wish(title, text, when, rule, about, before)


def _parts(one: Listed) -> list[Json]:
    found: list[Json] = [{"name": "task", "resource": one.task}]
    if one.due is not None:
        found.append({"name": "due", "valueInstant": one.due.isoformat()})
    if one.about is not None:
        found.append({"name": "about", "resource": one.about})
    return found
