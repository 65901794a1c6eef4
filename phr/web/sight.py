"""Who sees my record: everybody who does, why and until when, each with the button that ends it.

The rule: one button for each, and what it does is said before; ending asks for nothing more than being signed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.operation import parameters
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, Actor
from phr.access.provision import Right
from phr.web import held
from phr.web.api import Api
from phr.web.held import Held, Unread
from phr.web.lines import ROLES, Purposes, sections
from phr.web.mine import HOME, Json, Mine, opened, problem_of
from phr.web.pages import Pages, form_of

ACCESS = f"{HOME}/access"
MOST = 10
"""The longest list that is shown whole: more are one click further, so that the next list is not lost below."""
_DONE = frozenset({"ended", "revoked", "blocked", "allowed", "designated", "withdrawn", "erased", "undelegated"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a button asks of the API: an operation of the record, and what the page says once it is done."""

    operation: str
    body: Json
    done: str


def router(server: AuthServer) -> APIRouter:
    """/me/access."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def shown(
        mine: Mine, problem: str = "", form: Mapping[str, str] | None = None, status: int = 200
    ) -> Response:
        async with mine.calling() as api:
            try:
                found = await mine.held(api)
            except Unread as unread:
                return mine.unread(unread)
            if mine.mandate(found) is not None:
                return mine.go(f"{HOME}/people")
            purposes = await _purposes(api.http, found, mine.language)
        given, done = form or {}, mine.done(_DONE)
        values = {
            "sections": sections(found, purposes, server.clock(), mine.language),
            "problem": problem,
            "given": {name: given.get(name, "") for name in ("do", "what", "role", "number", "name")},
            "done": f"access_done_{done}" if done and not problem else "",
            "action": mine.at(ACCESS),
            "most": MOST,
        }
        return mine.page("access.html", values, status=status)

    @routes.get(ACCESS)
    async def access(request: Request) -> Response:
        mine = await opened(server, pages, request)
        return mine if isinstance(mine, Response) else await shown(mine)

    @routes.post(ACCESS)
    async def change(request: Request) -> Response:
        form = await form_of(request)
        mine, given = await opened(server, pages, request), dict(form)
        if isinstance(mine, Response):
            return mine
        if not pages.honest(request, form):
            return await shown(mine, "expired", given, 403)
        async with mine.calling() as api:
            wish = await _wish(mine, api, given)
            if wish is None:
                return await shown(mine, "me_over", given, 404)
            if given["do"] == "erase" and "sure" not in given:  # it cannot be undone: asked once more
                values = {"consent": given["consent"], "action": mine.at(ACCESS), "back": mine.at(ACCESS)}
                return mine.page("access_erase.html", values)
            answer = await api.post(f"Patient/{mine.record}/${wish.operation}", wish.body)
        problem = problem_of(answer)
        if problem is None and wish.operation == "withdraw-application" and not _ended(answer):
            return await shown(mine, "access_app_not_mine", given, 409)
        return mine.go(ACCESS, wish.done) if problem is None else await shown(mine, problem, given, answer.status_code)

    return routes


async def _wish(mine: Mine, api: Api, given: Mapping[str, str]) -> Wish | None:
    """What a form asks; None when what it is about is over, or was never there."""
    do = given.get("do", "")
    if do in _TYPED:
        return _TYPED[do](given)
    try:
        found = await mine.held(api)
    except Unread:
        return None
    about = next((one for one in found if one.id == given.get("consent")), None)
    return _CHOSEN[do](about) if about is not None and do in _CHOSEN else None


def _block(actor: Actor | None) -> Wish:
    return Wish("block", parameters(**_named(actor)), "blocked")


def _designate(actor: Actor | None, role: str) -> Wish:
    return Wish("designate", parameters(role=role, **_named(actor)), "designated")


def _withdraw(one: Held, *, erase: bool) -> Wish:
    client = "" if one.terms.actor is None else one.terms.actor.value
    body = parameters(client=client, erase=erase)
    return Wish("withdraw-application", body, "erased" if erase else "withdrawn")


def _named(actor: Actor | None) -> Json:
    """A professional or a structure, as the API takes one."""
    if actor is None:
        return {}
    what = "professional" if actor.system in (PROFESSIONALS, RPPS) else "structure"
    identifier = {"valueIdentifier": {"system": actor.system, "value": actor.value}}
    return {what: identifier, **({"name": actor.display} if actor.display else {})}


def _typed(given: Mapping[str, str], what: str) -> Actor:
    number, name = "".join(given.get("number", "").split()).upper(), given.get("name", "").strip()
    if what == "structure":
        return Actor(FINESS, number, name)
    return Actor(RPPS if len(number) == 11 else PROFESSIONALS, number, name)


_TYPED: Mapping[str, Callable[[Mapping[str, str]], Wish]] = {
    "block-typed": lambda given: _block(_typed(given, given.get("what", ""))),
    "designate-typed": lambda given: _designate(_typed(given, "professional"), given.get("role") or ROLES[0]),
}
"""What is asked of somebody whose number is typed."""
_CHOSEN: Mapping[str, Callable[[Held], Wish]] = {
    "end": lambda one: Wish("end-access", parameters(consent=one.id), "ended"),
    "revoke": lambda one: Wish("revoke-code", parameters(consent=one.id, leases=True), "revoked"),
    "undelegate": lambda one: Wish("end-delegation", parameters(consent=one.id), "undelegated"),
    "withdraw": partial(_withdraw, erase=False),
    "erase": partial(_withdraw, erase=True),
    "allow": lambda one: Wish("allow", parameters(**_named(one.terms.actor)), "allowed"),
    "block": lambda one: _block(one.terms.actor),
    "block-structure": lambda one: _block(one.terms.organization),
    "treating-physician": lambda one: _designate(one.terms.actor, "treating-physician"),
    "administrator": lambda one: _designate(one.terms.actor, "administrator"),
}
"""What is asked of somebody in a list."""


def _ended(answer: httpx.Response) -> bool:
    """Whether withdrawing an application ended anything: who connected it withdraws it."""
    return any(one["name"] == "ended" and one.get("valueInteger") for one in answer.json()["parameter"])


async def _purposes(http: httpx.AsyncClient, found: Sequence[Held], language: str) -> Purposes:
    """What the applications said of each of their purposes, from the public catalogue."""
    if not held.of(found, Right.APPLICATION):
        return {}
    services = (await http.get("/catalogue")).json()["services"]
    return {(one["client"], two["code"]): str(two["label"][language]) for one in services for two in one["purposes"]}
