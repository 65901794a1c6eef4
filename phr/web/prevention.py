"""My prevention: what is due, what is asked, what comes, a life drawn; the vaccination card, the child's examinations.

The rule: a page shows what `$prevention` answers to who is signed in, and sends what they say to the API; it decides
nothing, and what was typed is given back when it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.operation import parameters
from fhir.parameters import KINDS
from phr.access.right import ALLOWED, may_act_for
from phr.prevention import dates, paper
from phr.prevention.canonical import RULE
from phr.prevention.elements import by_person
from phr.prevention.facts import FACTS
from phr.web import mine as own
from phr.web import prevention_card, prevention_life, prevention_sheet
from phr.web.api import Api
from phr.web.held import Unread, counted
from phr.web.mine import HOME, Mine, Shows, problem_of
from phr.web.pages import PRIVATE, Pages, Pairs, form_of, go, query_of
from phr.web.prevention_plan import THEMES, Plan, named_day, plan_of
from phr.web.words import TEXTS

PREVENTION = f"{HOME}/prevention"
MONTHS = (1, 3, 6, 12)
"""How long "later" may be."""
GROWN = 18
_SAYS = {"done": "said", "later": "later", "not-concerned": "set-aside", "declined": "set-aside"}
"""What may be said of a recommendation, and which words answer."""
_DONE = frozenset({*_SAYS.values(), "answered", "unknown", "ended", "undone"})
_TYPED = ("do", "rule", "fact", "on", "months", "at")
_FACT = "fact."
"""What a question's field is called, before the name of the fact."""
TAKEN_BACK = "entered-in-error"
_ASKED_BY_DATE = "pregnancy-start"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a form asks of the API, and what the page says once it is done; or what is wrong with it.

    Without an operation there is nothing to ask; without `done`, the answer is shown.
    """

    operation: str = ""
    body: Json | None = None
    done: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What this person reads of the record; whether they may say what was done or is not wanted, and answer questions.

    A caregiver may what their powers reach: a Task for the one, an Observation for the other.
    """

    plan: Plan
    born: date | None
    says: bool
    answers: bool

    @property
    def minor(self) -> bool:
        """Whether it is a child's record."""
        return self.born is not None and dates.add(self.born, GROWN * 12) > self.plan.day


def router(server: AuthServer) -> APIRouter:
    """/me/prevention and the pages below it."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def answered(request: Request, shows: Shows) -> Response:
        """What is shown to who is there, of the record they mean."""
        return await own.answered(server, pages, request, shows)

    @routes.get(PREVENTION)
    async def home(request: Request) -> Response:
        return await answered(request, _home)

    @routes.post(PREVENTION)
    async def change(request: Request) -> Response:
        form = await form_of(request)

        async def changed(mine: Mine, api: Api) -> Response:
            if not pages.honest(request, form):
                return await _refused(mine, api, "expired", form, 403)
            return await _change(mine, api, form)

        return await answered(request, changed)

    @routes.get(f"{PREVENTION}/rule/{{id}}")
    async def rule(request: Request, id: str) -> Response:
        return await answered(request, lambda mine, api: _rule(mine, api, id))

    @routes.get(f"{PREVENTION}/vaccinations")
    async def vaccinations(request: Request) -> Response:
        return await answered(request, _vaccinations)

    @routes.get(f"{PREVENTION}/examinations")
    async def examinations(request: Request) -> Response:
        return await answered(request, _examinations)

    @routes.get(f"{PREVENTION}/print")
    async def printed(request: Request) -> Response:
        return await answered(request, _printed)

    return routes


async def _home(mine: Mine, api: Api, problem: str = "", form: Pairs | None = None, status: int = 200) -> Response:
    seen, theme = await _seen(mine, api), dict(query_of(mine.request)).get("theme", "")
    theme = theme if theme in THEMES else ""
    plan = seen.plan.of(theme)
    themes = [("", mine.at(PREVENTION))]
    themes += [(name, mine.at(PREVENTION, ("theme", name))) for name in THEMES if seen.plan.of(name).near]
    values = {
        "plan": plan,
        "theme": theme,
        "themes": themes,
        "counts": _counts(plan, mine.language),
        "questions": plan.questions(),
        "facts": FACTS,
        "life": prevention_life.life_of(plan, seen.born, mine.language),
        "links": {name: mine.at(f"{PREVENTION}/{name}") for name in ("vaccinations", "examinations", "print")},
    }
    return mine.page("prevention.html", {**_common(mine, seen, problem, form), **values}, status=status)


async def _rule(
    mine: Mine, api: Api, id: str, problem: str = "", form: Pairs | None = None, status: int = 200
) -> Response:
    seen = await _seen(mine, api)
    one = seen.plan.get(id)
    if one is None:
        return mine.page("prevention_absent.html", {"back": mine.at(PREVENTION)}, status=404)
    return mine.page("prevention_rule.html", {**_common(mine, seen, problem, form), "one": one}, status=status)


async def _vaccinations(mine: Mine, api: Api) -> Response:
    seen, doses = await _seen(mine, api), await prevention_card.doses(api, mine.record)
    values = {"card": prevention_card.card(seen.plan), "doses": doses, "print": mine.at(f"{PREVENTION}/print")}
    return mine.page("prevention_vaccinations.html", {**_common(mine, seen), **values})


async def _examinations(mine: Mine, api: Api) -> Response:
    seen = await _seen(mine, api)
    listed = prevention_card.examinations(seen.plan) if seen.minor else ()
    return mine.page("prevention_examinations.html", {**_common(mine, seen), "listed": listed})


async def _printed(mine: Mine, api: Api) -> Response:
    seen, doses = await _seen(mine, api), await prevention_card.doses(api, mine.record)
    texts, label = TEXTS[mine.language], mine.chosen.label
    title = texts["prevention_title"] if mine.chosen.own else f"{texts['prevention_title_other']}{label}"
    sheet = prevention_sheet.sheet_of(title, label, seen.plan, doses, mine.language)
    headers = {**PRIVATE, "Content-Disposition": 'inline; filename="prevention.pdf"'}
    return Response(paper.printed(sheet, mine.server.clock()), media_type="application/pdf", headers=headers)


async def _change(mine: Mine, api: Api, form: Pairs) -> Response:
    """Ask what a form asks; the page it leads to, or the same one with what is wrong."""
    given = dict(form)
    if given.get("do") == "answer":
        return await _answered(mine, api, form)
    wish = _wish(given, dates.day(mine.server.clock()))
    if wish.problem:
        return await _refused(mine, api, wish.problem, form, 400)
    if wish.done == "undone":
        answer = await _undone(mine, api, given.get("rule", ""))
        if answer is None:
            return await _refused(mine, api, "me_over", form, 404)
    elif wish.operation:
        answer = await api.post(f"Patient/{mine.record}/{wish.operation}", wish.body or parameters())
    else:
        answer = None
    if answer is not None:
        problem = _problem(answer)
        if problem is not None:
            return await _refused(mine, api, problem, form, answer.status_code)
        if not wish.done:
            [address] = [one["valueUrl"] for one in answer.json()["parameter"] if one["name"] == "address"]
            return mine.page("prevention_calendar.html", {"address": address, "back": mine.at(PREVENTION)})
    below = f"/rule/{given['rule']}" if given.get("at") else ""
    return go(mine.at(f"{PREVENTION}{below}", ("done", wish.done)))


async def _answered(mine: Mine, api: Api, form: Pairs) -> Response:
    """Keep what was answered to the questions; what is left blank stays asked. If one is wrong none is kept, and all
    are shown."""
    day, bodies = dates.day(mine.server.clock()), dict[str, Json]()
    for fact, text in _answers(form).items():
        body, problem = _answer(fact, text, day)
        if body is None:
            return await _home(mine, api, problem, [*form, ("fact", fact)], 400)
        bodies[fact] = body
    for fact, body in bodies.items():
        answer = await api.post(f"Patient/{mine.record}/$answer-prevention", body)
        problem = _problem(answer) or ""
        if problem:
            return await _home(mine, api, problem, [*form, ("fact", fact)], answer.status_code)
    return go(mine.at(PREVENTION, ("done", "answered" if bodies else "unknown")))


def _answers(form: Pairs) -> dict[str, str]:
    """What was answered, by fact."""
    return {name.removeprefix(_FACT): text for name, text in form if name.startswith(_FACT) and text}


async def _undone(mine: Mine, api: Api, rule: str) -> httpx.Response | None:
    """Take back the last thing that was said of a rule; None when nothing was. Raises Unread."""
    asked = urlencode([("patient", mine.record), ("code", f"{RULE}|{rule}"), ("_count", "200")])
    found = await api.get(f"Task?{asked}")
    if found.status_code != 200:
        raise Unread(found.status_code)
    tasks = [one["resource"] for one in found.json().get("entry", ()) if one["search"]["mode"] == "match"]
    standing = [one for one in tasks if one["status"] != TAKEN_BACK and by_person(one)]
    last = max(standing, key=lambda one: str(one.get("authoredOn", "")), default=None)
    return None if last is None else await api.put(f"Task/{last['id']}", {**last, "status": TAKEN_BACK})


async def _refused(mine: Mine, api: Api, problem: str, form: Pairs, status: int) -> Response:
    given = dict(form)
    if given.get("at"):
        return await _rule(mine, api, given.get("rule", ""), problem, form, status)
    return await _home(mine, api, problem, form, status)


def _wish(given: Mapping[str, str], day: date) -> Wish:
    do = given.get("do", "")
    if do == "address":
        return Wish("$calendar-address")
    if do == "end-address":
        return Wish("$end-calendar-address", done="ended")
    if do == "undo":
        return Wish(done="undone")
    return _say(do, given, day) if do in _SAYS else Wish(problem="prevention_answer_missing")


def _say(said: str, given: Mapping[str, str], day: date) -> Wish:
    """What a person says of a recommendation."""
    values: dict[str, Json] = {"rule": {"valueCode": given.get("rule", "")}, "said": {"valueCode": said}}
    if said == "done":
        on, problem = _past(given.get("on", ""), day)
        if on is None:
            return Wish(problem=problem)
        values["on"] = {"valueDate": on.isoformat()}
    if said == "later":
        months = next((n for n in MONTHS if str(n) == given.get("months")), MONTHS[0])
        values["until"] = {"valueDate": dates.add(day, months).isoformat()}
    return Wish("$answer-prevention", parameters(**values), _SAYS[said])


def _answer(fact: str, text: str, day: date) -> tuple[Json | None, str]:
    """What the API is told of an answer; or what is wrong with it."""
    if fact == _ASKED_BY_DATE:
        on, problem = _past(text, day)
        told: Any = None if on is None else {"on": {"valueDate": on.isoformat()}}
    else:
        told, problem = {"yes": {"value": True}, "no": {"value": False}}.get(text), "prevention_answer_missing"
    return (None, problem) if told is None else (parameters(fact={"valueCode": fact}, **told), "")


def _past(text: str, day: date) -> tuple[date | None, str]:
    """A day that was typed, today at the latest; or what is wrong with it."""
    if not text:
        return None, "prevention_on_missing"
    try:
        on = date.fromisoformat(text)
    except ValueError:
        return None, "prevention_on_wrong"
    return (on, "") if on <= day else (None, "prevention_on_wrong")


def _problem(answer: httpx.Response) -> str | None:
    """What the API refused, as the name of a text."""
    if answer.status_code == 403:
        return "prevention_forbidden"
    if answer.status_code == 422 and "'on'" in "".join(answer.json()["issue"][0].get("expression", ())):
        return "prevention_on_wrong"
    return problem_of(answer)


async def _seen(mine: Mine, api: Api) -> Seen:
    """Raises Unread."""
    day = dates.day(mine.server.clock())
    advised = await api.get(f"Patient/{mine.record}/$prevention?on={day}&lang={mine.language}")
    patient = await api.get(f"Patient/{mine.record}")
    for answer in (advised, patient):
        if answer.status_code != 200:
            raise Unread(answer.status_code)
    birth = patient.json().get("birthDate", "")
    born = date.fromisoformat(birth) if len(birth) == 10 else None
    mandate = None if mine.chosen.own else mine.mandate(await mine.held(api))
    powers = None if mandate is None else frozenset(mandate.terms.powers)
    says, answers = (may_act_for(powers, KINDS[kind]) is ALLOWED for kind in ("Task", "Observation"))
    return Seen(plan_of(advised.json(), day), born, says, answers)


def _common(mine: Mine, seen: Seen, problem: str = "", form: Pairs | None = None) -> Mapping[str, object]:
    """What every page of prevention needs."""
    typed, done = dict(form or []), mine.done(_DONE)
    return {
        "seen": seen,
        "problem": problem,
        "given": {name: typed.get(name, "") for name in _TYPED},
        "answers": _answers(form or []),
        "done": f"prevention_done_{done}" if done and not problem else "",
        "months": MONTHS,
        "days_told": lambda done: prevention_sheet.days_told(done, mine.language),
        "named": lambda day: named_day(day, mine.language),
        "page_of": lambda one: mine.at(f"{PREVENTION}/rule/{one.id}"),
        "action": mine.at(PREVENTION),
        "back": mine.at(PREVENTION),
    }


def _counts(plan: Plan, language: str) -> list[str]:
    """How many things are to be done, and asked."""
    found = (("now", len(plan.now)), ("ask", len(plan.questions())))
    return [counted(f"prevention_count_{name}", n, language) for name, n in found if n]
