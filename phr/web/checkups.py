"""My check-up: the questionnaire of one's age, one theme at a time, kept at each step, then shown to a professional.

The rule: what is typed is kept as it goes, as a response in progress; a question may always be passed over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.criterion import LOGICAL_ID
from phr.access.consent import PROFESSIONALS, RPPS
from phr.access.provision import Right
from phr.checkup_answers import Answers, answers_of, response_of
from phr.checkup_paper import TYPE, said
from phr.journal_words import day_of
from phr.prevention.dates import day
from phr.questionnaires import CANONICAL, QUESTIONNAIRES, Questionnaire, Theme, at_age
from phr.web import held
from phr.web.api import Api
from phr.web.checkup_form import day_named, fields_of, progress, themes_of, typed
from phr.web.held import Held, Unread
from phr.web.mine import HOME, Json, Mine, opened, problem_of
from phr.web.pages import PRIVATE, Pages, form_of, go, query_of
from phr.web.redeem import resources
from phr.web.words import TEXTS

CHECK_UP = f"{HOME}/check-up"
ANSWER, REVIEW, CONTENT = f"{CHECK_UP}/answer", f"{CHECK_UP}/review", f"{CHECK_UP}/content"
PLAN = "83869-8"
"""LOINC: Plan personnalisé de prévention, which the professional sends back (JDV_J66-TypeCode-DMP)."""
_DONE = frozenset({"completed", "kept", "shared", "deleted"})
_PASSED_ON = frozenset({"content-type", "content-disposition"})
_LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Past:
    """A completed questionnaire: its PDF, and who sees it."""

    id: str
    title: str
    day: str
    content: str
    seen: Sequence[str]


@dataclass(frozen=True, slots=True)
class Papers:
    """What the record holds of check-ups, newest first; the Patient's birth date."""

    born: date | None
    responses: Sequence[Json]
    papers: Sequence[Json]
    plans: Sequence[Json]

    def begun(self) -> tuple[Json, Questionnaire] | None:
        """The response that waits to be finished, and its questionnaire."""
        for one in self.responses:
            made = _made(one)
            if one["status"] == "in-progress" and made is not None:
                return one, made
        return None

    def finished(self) -> list[Json]:
        """Those that were completed."""
        return [one for one in self.responses if one["status"] in ("completed", "amended")]

    def paper_of(self, response: Json) -> Json | None:
        """The PDF of a response."""
        name = {"reference": f"QuestionnaireResponse/{response['id']}"}
        return next((one for one in self.papers if name in one.get("context", {}).get("related", ())), None)


def router(server: AuthServer) -> APIRouter:
    """/me/check-up."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def home(
        mine: Mine, problem: str = "", status: int = 200, typed: Mapping[str, str] | None = None
    ) -> Response:
        async with mine.calling() as api:
            try:
                found, rights = await _papers(mine, api), await mine.held(api)
            except Unread as unread:
                return mine.unread(unread)
        today, language, begun = day(server.clock()), mine.language, found.begun()
        made = None if found.born is None else at_age(found.born, today)
        done = mine.done(_DONE)
        values = {
            "problem": problem,
            "done": f"checkup_done_{done}" if done and not problem else "",
            "typed": {"do": "", "response": "", "number": "", **(typed or {})},
            "made": made and getattr(made.title, language),
            "begun": None if begun is None else begun[0]["id"],
            "progress": None if begun is None else progress(begun[1], answers_of(begun[1], begun[0])),
            "next": None if made is not None else _next(found.born, today, language),
            "past": [_past(one, found, rights, language) for one in found.finished()],
            "plans": [_plan(one, language) for one in found.plans],
            "decides": mine.mandate(rights) is None,
            "addresses": {
                "home": mine.at(CHECK_UP),
                "answer": mine.at(ANSWER),
                "prevention": mine.at(f"{HOME}/prevention"),
                "access": mine.at(f"{HOME}/access"),
            },
            "content": lambda binary: mine.at(f"{CONTENT}/{binary}"),
        }
        return mine.page("checkup.html", values, status=status)

    @routes.get(CHECK_UP)
    async def shown(request: Request) -> Response:
        mine = await opened(server, pages, request)
        return mine if isinstance(mine, Response) else await home(mine)

    @routes.post(CHECK_UP)
    async def act(request: Request) -> Response:
        form = await form_of(request)
        mine, given = await opened(server, pages, request), dict(form)
        if isinstance(mine, Response):
            return mine
        if not pages.honest(request, form):
            return await home(mine, "expired", 403)
        do, response = given.get("do", ""), given.get("response", "")
        async with mine.calling() as api:
            try:
                found = await _papers(mine, api)
            except Unread as unread:
                return mine.unread(unread)
            match do:
                case "start":
                    return await start(mine, api, found)
                case "share":
                    answer = await api.post(f"Patient/{mine.record}/$share-check-up", _sharing(response, given))
                case _:
                    answer = await api.post("", _deleting(response, found))
        problem = problem_of(answer)
        if problem == "me_refused" and do == "share":
            problem = "checkup_masked"
        if problem is not None:
            return await home(mine, problem, answer.status_code, given)
        return mine.go(CHECK_UP, "shared" if do == "share" else "deleted")

    async def start(mine: Mine, api: Api, found: Papers) -> Response:
        """Go on with what waits, or begin: from the record, and from what was answered the last time."""
        if found.begun() is not None:
            return go(mine.at(ANSWER))
        answer = await api.get(f"Patient/{mine.record}/$populate-check-up")
        if answer.status_code == 200:
            filled = answer.json()
            made = QUESTIONNAIRES[_id(filled)]
            last = next((one for one in found.finished() if _made(one) is made), {})
            answers = {**answers_of(made, last), **answers_of(made, filled)}
            answer = await api.post("QuestionnaireResponse", response_of(made, answers, mine.record, "in-progress"))
        problem = problem_of(answer)
        return go(mine.at(ANSWER)) if problem is None else await home(mine, problem, answer.status_code)

    async def waiting(request: Request) -> tuple[Mine, Json, Questionnaire] | Response:
        """Who is there and what they have begun to answer; or where they are sent."""
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        async with mine.calling() as api:
            try:
                begun = (await _papers(mine, api)).begun()
            except Unread as unread:
                return mine.unread(unread)
        return mine.go(CHECK_UP) if begun is None else (mine, *begun)

    @routes.get(ANSWER)
    async def answer(request: Request) -> Response:
        there = await waiting(request)
        if isinstance(there, Response):
            return there
        mine, response, made = there
        answers = answers_of(made, response)
        themes = themes_of(made, answers)
        return step(mine, made, answers, themes, _step(request, themes), {}, "")

    def step(
        mine: Mine,
        made: Questionnaire,
        answers: Answers,
        themes: Sequence[Theme],
        n: int,
        wrong: Mapping[str, str],
        problem: str,
    ) -> Response:
        theme, language = themes[n], mine.language
        values = {
            "title": getattr(made.title, language),
            "theme": getattr(theme.title, language),
            "hint": "" if theme.hint is None else getattr(theme.hint, language),
            "fields": fields_of(theme, answers, wrong, language),
            "step": n + 1,
            "steps": len(themes),
            "problem": problem,
            "action": mine.at(ANSWER, ("step", str(n + 1))),
        }
        return mine.page(
            "checkup_answer.html", values, status=200 if not problem else 403 if problem == "expired" else 400
        )

    @routes.post(ANSWER)
    async def keep(request: Request) -> Response:
        form, there = await form_of(request), await waiting(request)
        if isinstance(there, Response):
            return there
        mine, response, made = there
        before = answers_of(made, response)
        themes = themes_of(made, before)
        n = _step(request, themes)
        answers, wrong = typed(themes[n], before, form)
        if not pages.honest(request, form):
            return step(mine, made, answers, themes, n, wrong, "expired")
        if wrong:
            return step(mine, made, answers, themes, n, wrong, "checkup_wrong")
        body = {**response_of(made, answers, mine.record, "in-progress"), "id": response["id"]}
        async with mine.calling() as api:
            kept = await api.put(f"QuestionnaireResponse/{response['id']}", body)
        if problem := problem_of(kept):
            return await home(mine, problem, kept.status_code)
        whither = dict(form).get("go", "")
        if whither == "later":
            return mine.go(CHECK_UP, "kept")
        # An answer may have closed a theme, or opened one.
        now = [theme.id for theme in themes_of(made, answers)]
        here = now.index(themes[n].id) + (-1 if whither == "back" else 1)
        return go(mine.at(ANSWER, ("step", str(max(here, 0) + 1))) if here < len(now) else mine.at(REVIEW))

    def review(mine: Mine, response: Json, made: Questionnaire, problem: str = "", status: int = 200) -> Response:
        answers, language = answers_of(made, response), mine.language
        listed = []
        for n, theme in enumerate(themes_of(made, answers)):
            asked = [one for one in theme.items if one.asked(answers)]
            lines = [
                (getattr(one.text, language), said(one, answers[one.id], language))
                for one in asked
                if one.id in answers
            ]
            title, address = getattr(theme.title, language), mine.at(ANSWER, ("step", str(n + 1)))
            listed.append((title, lines, len(asked) - len(lines), address))
        values = {
            "title": getattr(made.title, language),
            "themes": listed,
            "problem": problem,
            "action": mine.at(REVIEW),
            "later": mine.at(CHECK_UP, ("done", "kept")),
        }
        return mine.page("checkup_review.html", values, status=status)

    @routes.get(REVIEW)
    async def reviewed(request: Request) -> Response:
        there = await waiting(request)
        return there if isinstance(there, Response) else review(*there)

    @routes.post(REVIEW)
    async def complete(request: Request) -> Response:
        form, there = await form_of(request), await waiting(request)
        if isinstance(there, Response):
            return there
        mine, response, made = there
        if not pages.honest(request, form):
            return review(mine, response, made, "expired", 403)
        whole = {**response_of(made, answers_of(made, response), mine.record, "in-progress"), "id": response["id"]}
        body = {"resourceType": "Parameters", "parameter": [{"name": "response", "resource": whole}]}
        async with mine.calling() as api:
            done = await api.post(f"Patient/{mine.record}/$complete-check-up?lang={mine.language}", body)
        if problem := problem_of(done):
            empty = problem == "me_refused" and not answers_of(made, response)
            return review(mine, response, made, "checkup_empty" if empty else problem, done.status_code)
        return mine.go(CHECK_UP, "completed")

    @routes.get(f"{CONTENT}/{{id}}")
    async def content(request: Request, id: str) -> Response:
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        if LOGICAL_ID.fullmatch(id) is None:
            return mine.go(CHECK_UP)
        async with mine.calling() as api:
            found = await api.get(f"Binary/{id}", accept="*/*")
        if found.status_code != 200:
            return await home(mine, "me_over", 404)
        kept = {name: value for name, value in found.headers.items() if name in _PASSED_ON}
        return Response(found.content, 200, {**kept, **PRIVATE, "X-Content-Type-Options": "nosniff"})

    return routes


def _id(response: Json) -> str:
    """The id of the questionnaire that a response answers, whatever its version was."""
    return str(response.get("questionnaire")).rpartition("/")[2].partition("|")[0]


def _made(response: Json) -> Questionnaire | None:
    """That questionnaire, as it is today: what was answered to the one before still counts where it fits."""
    return QUESTIONNAIRES.get(_id(response))


async def _papers(mine: Mine, api: Api) -> Papers:
    """Raises Unread."""
    asked = f"patient={mine.record}&_count=100"
    found = []
    for path in (
        f"QuestionnaireResponse?{asked}",
        f"DocumentReference?{asked}&status=current&type={_LOINC}|{TYPE}",
        f"DocumentReference?{asked}&status=current&type={_LOINC}|{PLAN}&_sort=-date",
    ):
        answer = await api.get(path)
        if answer.status_code != 200:
            raise Unread(answer.status_code)
        found.append(resources(answer.json()))
    patient = await api.get(f"Patient/{mine.record}")
    if patient.status_code != 200:
        raise Unread(patient.status_code)
    ours = [one for one in found[0] if str(one.get("questionnaire")).startswith(f"{CANONICAL}/check-up-")]
    return Papers(day_named(patient.json().get("birthDate")), ours, found[1], found[2])


def _next(born: date | None, today: date, language: str) -> str:
    """When the next check-up is, in words; nothing when there is none to come, or the age is not known."""
    coming = sorted(one.start.after(born) for one in QUESTIONNAIRES.values()) if born is not None else []
    first = next((one for one in coming if one > today), None)
    return "" if first is None else TEXTS[language]["checkup_next"].format(day=day_of(first.isoformat(), language))


def _step(request: Request, themes: Sequence[Theme]) -> int:
    asked = dict(query_of(request)).get("step", "1")
    return min(max(int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 4 else 1, 1), len(themes)) - 1


def _past(response: Json, found: Papers, rights: Sequence[Held], language: str) -> Past:
    made = _made(response)
    name = f"QuestionnaireResponse/{response['id']}"
    return Past(
        response["id"],
        "" if made is None else getattr(made.title, language),
        day_of(str(response.get("authored", ""))[:10], language),
        _content(found.paper_of(response)),
        [one.who for one in held.of(rights, Right.CARE_RELATION) if name in one.terms.data],
    )


def _plan(document: Json, language: str) -> tuple[str, str]:
    """The day of a prevention plan, and its content."""
    return day_of(str(document.get("date", ""))[:10], language), _content(document)


def _content(document: Json | None) -> str:
    """The id of the Binary of a document; empty without one."""
    contents: list[Json] = [] if document is None else document.get("content", [])
    url = str(contents[0]["attachment"].get("url", "")) if contents else ""
    return url.removeprefix("Binary/") if url.startswith("Binary/") else ""


def _sharing(id: str, given: Mapping[str, str]) -> Json:
    number = "".join(given.get("number", "").split())
    system = RPPS if number.isascii() and number.isdecimal() and len(number) == 11 else PROFESSIONALS
    listed: list[Any] = [
        {"name": "response", "valueString": f"QuestionnaireResponse/{id}"},
        {"name": "professional", "valueIdentifier": {"system": system, "value": number}},
    ]
    return {"resourceType": "Parameters", "parameter": listed}


def _deleting(id: str, found: Papers) -> Json:
    """A transaction that deletes a response and its PDF; nothing of what is not one of these."""
    listed = [one for one in found.responses if one["id"] == id]
    papers = [paper for one in listed if (paper := found.paper_of(one)) is not None]
    names = [f"{one['resourceType']}/{one['id']}" for one in (*papers, *listed)]
    entries = [{"request": {"method": "DELETE", "url": name}} for name in names]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
