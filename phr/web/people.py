"""Who acts for a person: caregivers and parents, invitations sent and received, and leaving.

The rule: whoever is invited, the page says the same; what was typed stays in the form when it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from phr.access.provision import Right
from phr.delegation import MOST_PARENTS, POWERS
from phr.web import held
from phr.web.api import Api
from phr.web.delegating import Wrong, meant, wish
from phr.web.held import Held, Unread
from phr.web.mine import HOME, Json, Mine, opened, problem_of
from phr.web.pages import Pages, Pairs, form_of
from phr.web.words import TEXTS

PEOPLE = f"{HOME}/people"
_PARIS = ZoneInfo("Europe/Paris")
_DONE = frozenset({"invited", "accepted", "refused", "ended", "cancelled", "changed", "left"})
_TYPED = ("ins", "family", "given", "birth", "until")


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation received, as the page shows it."""

    consent: str
    name: str
    parent: bool
    powers: tuple[str, ...]
    until: str
    expires: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts for the person, or is invited to."""

    consent: str
    who: str
    powers: tuple[str, ...]
    waits: bool
    period: str
    parent: bool
    last: str


def router(server: AuthServer) -> APIRouter:
    """/me/people."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def shown(mine: Mine, problem: str = "", form: Pairs | None = None, status: int = 200) -> Response:
        async with mine.calling() as api:
            try:
                found = await mine.held(api)
            except Unread as unread:
                return mine.unread(unread)
            invitations = await received(mine, api) if mine.chosen.own else []
        own, done, now = mine.mandate(found), mine.done(_DONE), server.clock()
        values: dict[str, object] = {
            "problem": problem,
            "done": f"people_done_{done}" if done and not problem else "",
            "given": {name: dict(form or []).get(name, "") for name in ("do", "consent", *_TYPED)},
            "ticked": [value for name, value in form or [] if name == "power"],
            "action": mine.at(PEOPLE),
            "powers": POWERS,
            "tomorrow": (now.astimezone(_PARIS).date() + timedelta(days=1)).isoformat(),
        }
        if own is not None:
            mandate = _person(own, now, mine.language)
            return mine.page("people_caregiver.html", {**values, "mandate": mandate}, status=status)
        people = [_person(one, now, mine.language) for one in _delegates(found)]
        values |= {
            "invitations": invitations,
            "caregivers": [one for one in people if not one.parent],
            "parents": [one for one in people if one.parent],
            "may_invite_parent": not mine.chosen.own and sum(one.parent for one in people) < MOST_PARENTS,
            "others": [(one.label, mine.at(HOME, record=one.record)) for one in mine.choices if not one.own],
        }
        return mine.page("people.html", values, status=status)

    @routes.get(PEOPLE)
    async def people(request: Request) -> Response:
        mine = await opened(server, pages, request)
        return mine if isinstance(mine, Response) else await shown(mine)

    @routes.post(PEOPLE)
    async def change(request: Request) -> Response:
        form = await form_of(request)
        mine, given = await opened(server, pages, request), dict(form)
        if isinstance(mine, Response):
            return mine
        if not pages.honest(request, form):
            return await shown(mine, "expired", form, 403)
        if given.get("do") == "leave" and "sure" not in given:  # only the person can undo it: asked once more
            values = {"consent": given.get("consent", ""), "action": mine.at(PEOPLE), "back": mine.at(PEOPLE)}
            return mine.page("people_leave.html", values)
        try:
            async with mine.calling() as api:
                operation, body, done = await wish(mine, api, form)
                answer = await api.post(f"Patient/{mine.record}/${operation}", body)
        except Wrong as wrong:
            return await shown(mine, wrong.text, form, 422)
        problem = problem_of(answer)
        if problem is not None:
            return await shown(mine, meant(given["do"], problem), form, answer.status_code)
        return mine.go(PEOPLE, done)

    return routes


async def received(mine: Mine, api: Api) -> list[Invitation]:
    """The invitations that wait for the person's own answer."""
    answer = await api.get(f"Patient/{mine.record}/$invitations")
    listed = answer.json().get("parameter", ()) if answer.status_code == 200 else ()
    return [_invitation(mine, one["part"]) for one in listed]


def _invitation(mine: Mine, parts: Sequence[Json]) -> Invitation:
    said = {one["name"]: next(value for name, value in one.items() if name != "name") for one in parts}
    now, language = mine.server.clock(), mine.language
    until = said.get("until")
    return Invitation(
        consent=said["consent"],
        name=said["from"],
        parent=said["right"] == Right.LEGAL_REPRESENTATIVE,
        powers=tuple(one["valueCode"] for one in parts if one["name"] == "power"),
        until=held.end(None if until is None else datetime.fromisoformat(until), now, language),
        expires=held.end(datetime.fromisoformat(said["expires"]), now, language),
    )


def _delegates(found: Sequence[Held]) -> list[Held]:
    rights = (Right.CAREGIVER, Right.LEGAL_REPRESENTATIVE)
    return held.of(found, *rights) + held.of(found, *rights, status="proposed")


def _person(one: Held, now: datetime, language: str) -> Person:
    waits, texts = one.terms.status == "proposed", TEXTS[language]
    period = held.period(one.terms, now, language)
    if waits and one.expires is not None:
        sent = held.moment(one.terms.since or now, now, language)
        period = texts["people_sent"].format(moment=sent, end=held.end(one.expires, now, language))
    last = "" if one.terms.until is None else (one.terms.until - timedelta(minutes=1)).astimezone(_PARIS).date()
    parent = one.right is Right.LEGAL_REPRESENTATIVE
    who = texts["held_you"] if one.own else one.who or texts[f"access_unnamed_{one.right}"]
    return Person(one.id, who, one.terms.powers, waits, period, parent, str(last))
