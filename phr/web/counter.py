"""A prescription at a pharmacy's counter: its lines, what may be dispensed of each, and recording what is.

The rule: what was typed is given back when it is refused, with the rule that refuses it; what proves that the pharmacy
took the prescription stays in a cookie of this browser that no script reads.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from auth.sessions import PROFESSIONAL_LIFETIME
from fhir.criterion import LOGICAL_ID
from fhir.operation import parameters
from phr.access.consent import STRUCTURES, Actor
from phr.prevention import dates
from phr.web import dispensing, papers
from phr.web.api import Api, Json
from phr.web.dispensing import Entry, Unclear
from phr.web.mine import mark
from phr.web.moves import KEY, move, new_key, problem_of
from phr.web.pages import Pages, Pairs, form_of, go
from phr.web.practising import Practising, languages, practising
from phr.web.prescribed import answered
from phr.web.prescribed_lines import values_of
from phr.web.words import TEXTS

PHARMACY = "/pro/pharmacy"
REFUSALS = ("out-of-stock", "not-dispensed-here", "doubtful", "illegible", "refused-by-patient")
"""Why a pharmacy rejects a prescription, in the order the page says them (`phr.prescription.moves.REASONS`)."""
_MOVES = ("accept", "dispense", "release", "reject", "complete")
_STALE = "pharmacy_stale"
"""What the browser keeps proves nothing more: a colleague let the prescription go, and took it again."""
_GONE = ("release", "reject")
"""After which the pharmacy sees the prescription no more."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What went wrong, for the page: a text, what was typed, and in which line."""

    problem: str = ""
    form: tuple[tuple[str, str], ...] = ()
    line: str = ""
    status: int = 200


def router(server: AuthServer) -> APIRouter:
    """/pro/pharmacy/{id}."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def served(request: Request, id: str, form: Pairs | None) -> Response:
        here = await practising(server, pages, request)
        if here is None:
            return go(PHARMACY, languages(request))
        if LOGICAL_ID.fullmatch(id) is None:
            return _absent(here)
        async with here.calling() as api:
            if form is None:
                return await _page(here, api, id, Refused())
            if not pages.honest(request, form):
                return await _page(here, api, id, Refused("expired", form=tuple(form), status=403))
            return await _change(here, api, id, form)

    @routes.get(f"{PHARMACY}/{{id}}")
    async def one(request: Request, id: str) -> Response:
        return await served(request, id, None)

    @routes.get(f"{PHARMACY}/{{id}}/paper")
    async def paper(request: Request, id: str) -> Response:
        here = await practising(server, pages, request)
        if here is None:
            return go(PHARMACY, languages(request))
        if LOGICAL_ID.fullmatch(id) is None:
            return _absent(here)
        async with here.calling() as api:
            found = answered(await api.get(f"Task/{id}/$prescription"), here.language)
            return (found and found.document and await papers.paper(api, found.document)) or _absent(here)

    @routes.post(f"{PHARMACY}/{{id}}")
    async def change(request: Request, id: str) -> Response:
        return await served(request, id, await form_of(request))

    return routes


async def _change(here: Practising, api: Api, id: str, form: Pairs) -> Response:
    """Make the move a form asks."""
    given = dict(form)
    do, secret = given.get("do", ""), here.request.cookies.get(_cookie(here, id), "")
    if do not in _MOVES:
        return _absent(here)
    try:
        body = await _wish(here, api, id, do, secret, form)
    except Unclear as unclear:
        return await _page(here, api, id, Refused(unclear.text, form=tuple(form), line=unclear.line, status=422))
    answer = await move(api, f"Task/{id}/${do}", body, given.get(KEY, ""))
    problem = problem_of(answer, "pharmacy")
    if problem is not None:
        line = ""
        if do == "dispense" and answer.status_code == 422:
            where = "".join(answer.json()["issue"][0].get("expression", ()))
            problem, line = dispensing.refused(await _entries(here, api, id, form), where)
        elif do != "accept" and answer.status_code == 403:
            problem = _STALE
        return await _page(here, api, id, Refused(problem, tuple(form), line, answer.status_code))
    response = here.go(PHARMACY if do in _GONE else f"{PHARMACY}/{id}", do)
    if do == "accept":
        proof = values_of(answer.json()["parameter"])["secret"]
        here.pages.keep(response, _cookie(here, id), proof, PROFESSIONAL_LIFETIME)
    elif do != "dispense":
        here.pages.drop(response, _cookie(here, id))
    return response


async def _wish(here: Practising, api: Api, id: str, do: str, secret: str, form: Pairs) -> Json:
    """The Parameters of a move. Raises Unclear."""
    if not secret and do not in ("accept", "reject"):
        raise Unclear(_STALE, "")
    match do:
        case "accept":
            return parameters()
        case "reject":
            reason = dict(form).get("reason", "")
            if reason not in REFUSALS:
                raise Unclear("pharmacy_reason_missing", "reject")
            return parameters(reason={"valueCode": reason}, secret=secret or None)
        case "dispense":
            said = await _entries(here, api, id, form)
            return dispensing.body(secret, dispensing.dispenses(said, TEXTS[here.language]))
    return parameters(secret=secret)


async def _entries(here: Practising, api: Api, id: str, form: Pairs) -> list[Entry]:
    found = answered(await api.get(f"Task/{id}/$prescription"), here.language)
    return dispensing.entries(found.lines if found else (), form)


async def _page(here: Practising, api: Api, id: str, refused: Refused) -> Response:
    one = answered(await api.get(f"Task/{id}/$prescription"), here.language)
    if one is None:
        return _absent(here, refused)
    ours = one.owner is not None and one.owner.name == Actor(STRUCTURES, here.who.structure).name
    done = here.done(_MOVES)
    values = {
        "one": one,
        "ours": ours,
        "proven": _cookie(here, id) in here.request.cookies and refused.problem != _STALE,
        "entries": dispensing.entries(one.lines, list(refused.form)),
        "refused": refused,
        "problem": refused.problem,
        "done": f"pharmacy_done_{done}" if done and not refused.problem else "",
        "reasons": dispensing.REASONS,
        "substitutions": dispensing.SUBSTITUTIONS,
        "refusals": REFUSALS,
        "today": dates.day(here.server.clock()).isoformat(),
        "key": new_key(),
        "action": here.at(f"{PHARMACY}/{id}"),
        "back": here.at(PHARMACY),
        "paper": here.at(f"{PHARMACY}/{id}/paper"),
    }
    return here.page("pharmacy_prescription.html", values, refused.status)


def _absent(here: Practising, refused: Refused = Refused()) -> Response:
    values = {"problem": refused.problem or "pharmacy_problem_404", "back": here.at(PHARMACY)}
    return here.page("pharmacy_absent.html", values, refused.status if refused.problem else 404)


def _cookie(here: Practising, id: str) -> str:
    return here.pages.cookie(f"carnet_taken_{mark(id)}")
