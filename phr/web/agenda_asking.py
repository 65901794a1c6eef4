"""What the forms of an agenda ask of the API, and what became of it.

The rule: one form, one thing; of an appointment and the reminder before it, the first stands without the other.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from fhir.operation import parameters
from phr.web import agenda_form
from phr.web.agenda_form import Wrong
from phr.web.agenda_reading import Agenda
from phr.web.api import Api
from phr.web.mine import Mine, problem_of
from phr.web.pages import Pairs

DONE = frozenset({"added", "changed", "cancelled", "reminded", "unreminded", "snoozed", "closed"})
SNOOZES = {"1": timedelta(hours=1), "3": timedelta(hours=3), "24": timedelta(days=1)}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was done, as the page says it; or what is wrong; or the address that was made."""

    done: str = ""
    problem: str = ""
    status: int = 200
    address: str = ""


async def ask(mine: Mine, api: Api, agenda: Agenda, form: Pairs) -> Asked:
    """Do what a form asks. Raises Wrong when something is missing in it."""
    given = dict(form)
    mark = given.get("at", "").partition("/")[2] or given.get("one", "")
    match given.get("do", ""):
        case "add-visit":
            return await _add_visit(mine, api, form)
        case "add-alarm":
            return _of(await api.post(f"Patient/{mine.record}/$remind", agenda_form.reminder(form)), "reminded")
        case "change-visit" if (visit := agenda.visit(mark)) is not None:
            body = agenda_form.appointment(form, mine.record, visit.json)
            answer = await api.put(f"Appointment/{quote(visit.id)}", body)
            problem = "agenda_not_yours" if answer.status_code == 403 else ""
            return Asked(problem=problem, status=403) if problem else _of(answer, "changed")
        case "cancel-visit" if (visit := agenda.visit(mark)) is not None:
            return _of(await api.post(f"Appointment/{quote(visit.id)}/$cancel-appointment", parameters()), "cancelled")
        case "remind-visit" if (visit := agenda.visit(mark)) is not None:
            return await _before(mine, api, f"Appointment/{visit.id}", [*form, ("title", visit.title)])
        case "change-alarm" if (alarm := agenda.alarm(mark)) is not None:
            times = alarm.said.times
            body = agenda_form.reminder(form, alarm.said.about, None if times is None else times.rule)
            return _of(await api.post(f"Task/{quote(alarm.id)}/$change-reminder", body), "changed")
        case "end-alarm" if (alarm := agenda.alarm(mark)) is not None:
            return _of(await api.post(f"Task/{quote(alarm.id)}/$end-reminder", parameters()), "unreminded")
        case "snooze-alarm" if (alarm := agenda.alarm(mark)) is not None:
            until = mine.server.clock() + SNOOZES.get(given.get("for", ""), SNOOZES["1"])
            body = parameters(until={"valueInstant": until.isoformat(timespec="milliseconds")})
            return _of(await api.post(f"Task/{quote(alarm.id)}/$snooze-reminder", body), "snoozed")
        case "address":
            return await _address(mine, api, titles=given.get("titles") == "yes")
        case "end-address":
            return _of(await api.post(f"Patient/{mine.record}/$end-calendar-address", parameters()), "closed")
    return Asked(problem="me_over", status=404)


async def _add_visit(mine: Mine, api: Api, form: Pairs) -> Asked:
    """An appointment, then its reminder if one is wanted."""
    answer = await api.post("Appointment", agenda_form.appointment(form, mine.record))
    found = _of(answer, "added")
    if found.problem or not dict(form).get("early"):
        return found
    early = await _before(mine, api, f"Appointment/{answer.json()['id']}", form)
    # Too late to be told before it: the appointment stands.
    return found if early.status == 422 else early if early.problem else found


async def _before(mine: Mine, api: Api, about: str, form: Pairs) -> Asked:
    named = [(name, value) for name, value in form if name in ("title", "early")]
    if not dict(named).get("early"):
        raise Wrong("agenda_early_missing")
    return _of(await api.post(f"Patient/{mine.record}/$remind", agenda_form.reminder(named, about)), "reminded")


async def _address(mine: Mine, api: Api, *, titles: bool) -> Asked:
    answer = await api.post(f"Patient/{mine.record}/$calendar-address", parameters(titles=titles))
    if answer.status_code != 201:
        return _of(answer, "")
    return Asked(address=next(one["valueUrl"] for one in answer.json()["parameter"] if one["name"] == "address"))


_REFUSALS = {
    "'at'": "agenda_gone_by",
    "'before'": "agenda_too_late",
    "'rule'": "agenda_rule_wrong",
    "'title'": "agenda_long",
}


def _of(answer: httpx.Response, done: str) -> Asked:
    problem = problem_of(answer)
    if problem is None:
        return Asked(done=done)
    if answer.status_code == 422:
        where = str(answer.json()["issue"][0].get("expression", ""))
        problem = next((text for part, text in _REFUSALS.items() if part in where), problem)
    return Asked(problem=problem, status=answer.status_code)
