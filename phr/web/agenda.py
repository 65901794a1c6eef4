"""The person's appointments and reminders: a month drawn, what comes, what is past; adding, changing, cancelling.

The rule: a page shows and does what the API shows and does to who is signed in, and what was typed is given back when
it is refused.
"""

from datetime import date, timedelta
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from phr.access.right import AGENDA
from phr.prevention.dates import day
from phr.web import agenda_form, agenda_words
from phr.web import mine as own
from phr.web.agenda_asking import DONE, ask
from phr.web.agenda_form import Filled, Wrong
from phr.web.agenda_month import first_of, month_of
from phr.web.agenda_reading import Agenda, Alarm, Visit, agenda_of
from phr.web.api import Api
from phr.web.mine import HOME, Mine, Shows
from phr.web.pages import Pages, Pairs, form_of, query_of

PLACE = f"{HOME}/agenda"
PAST = timedelta(days=366)
"""How far back the page looks."""


def router(server: AuthServer) -> APIRouter:
    """/me/agenda, and the pages that change one appointment or one reminder."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def answered(request: Request, shows: Shows) -> Response:
        return await own.answered(server, pages, request, shows)

    @routes.get(PLACE)
    async def home(request: Request) -> Response:
        return await answered(request, _home)

    @routes.get(f"{PLACE}/{{kind}}/{{mark}}")
    async def one(request: Request, kind: str, mark: str) -> Response:
        return await answered(request, partial(_one, kind=kind, mark=mark))

    @routes.post(PLACE)
    async def change(request: Request) -> Response:
        form = await form_of(request)

        async def changed(mine: Mine, api: Api) -> Response:
            if not pages.honest(request, form):
                return await _refused(mine, api, "expired", form, 403)
            return await _change(mine, api, form)

        return await answered(request, changed)

    return routes


async def _agenda(mine: Mine, api: Api) -> Agenda:
    today = day(mine.server.clock())
    first = first_of(dict(query_of(mine.request)).get("month", ""), today)
    return await agenda_of(api, mine.record, min(first, today - PAST), mine.language)


async def _home(mine: Mine, api: Api, problem: str = "", form: Pairs | None = None, status: int = 200) -> Response:
    now, language = mine.server.clock(), mine.language
    today, agenda = day(now), await _agenda(mine, api)
    month = month_of(agenda, first_of(dict(query_of(mine.request)).get("month", ""), today), today, language)
    do = dict(form or []).get("do", "")
    filled, empty = agenda_form.again(form or [], today), agenda_form.blank(today)
    values = {
        **await _common(mine, api, agenda, problem),
        "month": month,
        "before": mine.at(PLACE, ("month", month.before)),
        "after": mine.at(PLACE, ("month", month.after)),
        "coming": agenda.coming(now),
        "past": agenda.past(now),
        "running": [one for one in agenda.alarms if one.due is not None],
        "over": [one for one in agenda.alarms if one.due is None],
        "do": do if problem else "",
        "visit_form": filled if do == "add-visit" else empty,
        "alarm_form": filled if do == "add-alarm" else empty,
    }
    return mine.page("agenda.html", values, status=status)


async def _one(
    mine: Mine, api: Api, kind: str, mark: str, problem: str = "", form: Pairs | None = None, status: int = 200
) -> Response:
    """The page that changes one appointment or one reminder; or says that it is there no more."""
    agenda, today = await _agenda(mine, api), day(mine.server.clock())
    found = agenda.visit(mark) if kind == "visit" else agenda.alarm(mark) if kind == "alarm" else None
    values = await _common(mine, api, agenda, problem)
    if found is None:
        return mine.page("agenda_absent.html", values, status=404)
    filled = _filled(found, today) if form is None else agenda_form.again(form, today)
    return mine.page("agenda_one.html", {**values, "kind": kind, "one": found, "filled": filled}, status=status)


def _filled(found: Visit | Alarm, today: date) -> Filled:
    if isinstance(found, Visit):
        return agenda_form.of_visit(found, today)
    return agenda_form.of_reminder(found.said, today)


async def _common(mine: Mine, api: Api, agenda: Agenda, problem: str) -> dict[str, object]:
    language = mine.language
    mandate = None if mine.chosen.own else mine.mandate(await mine.held(api))
    done = mine.done(DONE)
    return {
        "problem": problem,
        "done": f"agenda_done_{done}" if done else "",
        "action": mine.at(PLACE),
        "home": mine.at(PLACE),
        "link": lambda kind, one: mine.at(f"{PLACE}/{kind}/{one}"),
        "documents": agenda.documents,
        "titles": {one.id: one.title for one in agenda.documents},
        "keeps": mandate is None or AGENDA in mandate.terms.powers,
        "moment": partial(agenda_words.moment, language=language),
        "clock": partial(agenda_words.clock, language=language),
        "weekday": partial(agenda_words.day, language=language),
        "often": partial(agenda_words.repeated, language=language),
        "early": partial(agenda_words.early, language=language),
        "earlier": [(value, agenda_words.early_of(value, language)) for value in agenda_form.EARLY],
        "forms": agenda_form,
    }


async def _change(mine: Mine, api: Api, form: Pairs) -> Response:
    """Ask what a form asks; the page it leads to, or the same one with what is wrong."""
    try:
        asked = await ask(mine, api, await _agenda(mine, api), form)
    except Wrong as wrong:
        return await _refused(mine, api, str(wrong), form, 400)
    if asked.problem:
        return await _refused(mine, api, asked.problem, form, asked.status)
    if asked.address:
        return mine.page("agenda_calendar.html", {"address": asked.address, "back": mine.at(PLACE)})
    return mine.go(PLACE, asked.done)


async def _refused(mine: Mine, api: Api, problem: str, form: Pairs, status: int) -> Response:
    given = dict(form)
    kind, _, mark = given.get("at", "").partition("/")
    if mark:
        return await _one(mine, api, kind, mark, problem, form, status)
    return await _home(mine, api, problem, form, status)
