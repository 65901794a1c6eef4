"""A person's prevention as a professional opens it from their own software: why, what was said, and saying otherwise.

The rule: a launch context opens nothing by itself; the page shows and does what the API shows and does to this
professional. Which recommendation a card led to stays in the fragment of the address.
"""

import json
from collections.abc import Sequence
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth.server import AuthServer
from fhir.criterion import LOGICAL_ID
from fhir.operation import parameters
from phr.prevention.canonical import RULE
from phr.prevention.cards import APP
from phr.prevention.dates import day
from phr.prevention.elements import by_person
from phr.prevention.rulebook import RULES
from phr.prevention.statements import BY_PROFESSIONAL
from phr.web.api import Api
from phr.web.pages import Pages, Pairs, form_of, go, query_of
from phr.web.practising import Practising, practising
from phr.web.prevention import TAKEN_BACK
from phr.web.prevention_plan import Plan, named_day, plan_of
from phr.web.prevention_sheet import days_told
from phr.web.professional import SIGN_IN
from phr.web.redeem import RECORD, person_of, resources

OPINIONS = ("contraindicated", "indicated")
"""What a professional says, in the order the page offers it."""
_DONE = ("said", "undone")
_PROBLEMS = {403: "launched_forbidden", 404: "redeem_over", 422: "launched_reason_missing"}


def router(server: AuthServer) -> APIRouter:
    """/pro/prevention, which software launches, and the page of one record that it leads to."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    @routes.get(APP)
    async def launch(request: Request) -> Response:
        """SMART App Launch 2.2 §2.0.3: `iss`, our own FHIR base, and `launch`."""
        query = query_of(request)
        here = await practising(server, pages, request)
        if here is None:
            return go(SIGN_IN, [("next", APP), *query])
        given = dict(query)
        if given.get("iss", "").rstrip("/") != f"{server.issuer}/fhir":
            return here.page("launched_absent.html", {"problem": "launched_elsewhere"}, 400)
        found = await run_in_threadpool(server.take_over, given.get("launch", ""), here.visitor)
        if found is None:
            return here.page("launched_absent.html", {"problem": "launched_over"}, 400)
        if LOGICAL_ID.fullmatch(found.record) is None:
            return _absent(here)
        return go(f"{here.at(_path(found.record))}{_fragment(found.app_context)}")

    @routes.get(_path("{record}"))
    async def shown(request: Request, record: str) -> Response:
        return await served(request, record, None)

    @routes.post(_path("{record}"))
    async def say(request: Request, record: str) -> Response:
        return await served(request, record, await form_of(request))

    async def served(request: Request, record: str, form: Pairs | None) -> Response:
        here = await practising(server, pages, request)
        if here is None:
            return go(SIGN_IN)
        if LOGICAL_ID.fullmatch(record) is None:
            return _absent(here)
        async with here.calling() as api:
            if form is None:
                return await _page(here, api, record)
            if not pages.honest(request, form):
                return await _page(here, api, record, "expired", form, 403)
            return await _say(here, api, record, form)

    return routes


def _path(record: str) -> str:
    return f"{RECORD}/{record}/prevention"


def _fragment(context: str) -> str:
    """Where on the page a card leads: the rule that its `appContext` names."""
    try:
        said = json.loads(context) if context else {}
    except ValueError:
        return ""
    rule = said.get("rule") if isinstance(said, dict) else None
    return f"#{rule}" if isinstance(rule, str) and rule.isascii() and rule.replace("-", "").isalnum() else ""


def _absent(here: Practising) -> Response:
    return here.page("launched_absent.html", {"problem": "redeem_over"}, 404)


async def _page(
    here: Practising, api: Api, record: str, problem: str = "", form: Sequence[tuple[str, str]] = (), status: int = 200
) -> Response:
    """The page; `form`: what was typed and refused, given back."""
    on, language = day(here.server.clock()), here.language
    advised = await api.get(f"Patient/{record}/$prevention?on={on}&lang={language}")
    patient = await api.get(f"Patient/{record}")
    if advised.status_code != 200 or patient.status_code != 200:
        return _absent(here)
    plan, done = plan_of(advised.json(), on), here.done(_DONE)
    values = {
        "person": person_of(patient.json(), language),
        "plan": plan,
        "groups": _groups(plan),
        "opinions": OPINIONS,
        "named": lambda day: named_day(day, language),
        "days_told": lambda done: days_told(done, language),
        "action": here.at(_path(record)),
        "given": {name: dict(form).get(name, "") for name in ("rule", "said", "reason", "undo")},
        "problem": problem,
        "done": f"launched_done_{done}" if done and not problem else "",
    }
    return here.page("launched.html", values, status)


def _groups(plan: Plan) -> list[tuple[str, Sequence[object]]]:
    """What is to be done, to be asked, soon; then all the rest."""
    near = {"now": plan.now, "ask": [one for one in plan.all if one.status == "ask"], "soon": plan.soon}
    told = {one.id for found in near.values() for one in found}
    return [*near.items(), ("rest", [one for one in plan.all if one.id not in told])]


async def _say(here: Practising, api: Api, record: str, form: Pairs) -> Response:
    """What a professional says of a recommendation, with why."""
    given = dict(form)
    undo = "undo" in given
    rule, word, reason = (given.get(name, "") for name in ("rule", "said", "reason"))
    if RULES.get(rule) is None:
        return _absent(here)
    if undo:
        answer = await _undone(api, record, rule)
    elif word in BY_PROFESSIONAL:
        body = parameters(rule={"valueCode": rule}, said={"valueCode": word}, reason=reason)
        answer = await api.post(f"Patient/{record}/$answer-prevention", body)
    else:
        return await _page(here, api, record, "launched_said_missing", form, 400)
    if answer is None or not answer.is_success:
        status = 404 if answer is None else answer.status_code
        problem = "launched_undo_gone" if undo and status == 404 else _PROBLEMS.get(status, "me_unavailable")
        return await _page(here, api, record, problem, form, status)
    return go(f"{here.at(_path(record), ('done', 'undone' if undo else 'said'))}#{rule}")


async def _undone(api: Api, record: str, rule: str) -> httpx.Response | None:
    """Take back what a professional said last of a rule, which its author alone may; None when nothing was."""
    asked = urlencode([("patient", record), ("code", f"{RULE}|{rule}"), ("_count", "200")])
    answer = await api.get(f"Task?{asked}")
    found = resources(answer.json()) if answer.status_code == 200 else []
    theirs = [one for one in found if one["status"] != TAKEN_BACK and not by_person(one)]
    last = max(theirs, key=lambda one: str(one.get("authoredOn", "")), default=None)
    return None if last is None else await api.put(f"Task/{last['id']}", {**last, "status": TAKEN_BACK})
