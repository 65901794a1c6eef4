"""My choices: what a person says once for all (emergencies, new documents, e-mails, research), and what they mask.

The rule: a form changes what was touched, and nothing that somebody else changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.operation import parameters
from phr.access.provision import Right
from phr.masks import CATEGORIES, EVERY_DOCUMENT, SECTIONS, Part
from phr.preferences import PREFERENCES
from phr.web import held
from phr.web.api import Api
from phr.web.held import Held, Unread, plain
from phr.web.mine import HOME, Json, Mine, opened, problem_of
from phr.web.pages import Pages, Pairs, form_of

CHOICES = f"{HOME}/choices"
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "emergencies": ("ETREAT", "BTG", "MASKED"),
    "documents": ("default-masked",),
    "mails": tuple(name for name in PREFERENCES if name.startswith("notify-")),
    "reminders": tuple(name for name in PREFERENCES if name.startswith("remind-")),
    "prescriptions": ("tell-prescriber",),
    "research": tuple(name for name in PREFERENCES if name.startswith("research-")),
}
_PARTS: Mapping[str, Part] = {
    "all": EVERY_DOCUMENT,
    **{f"section:{code}": part for code, part in SECTIONS.items()},
    **{f"category:{code}": part for code, part in CATEGORIES.items()},
}
_FORMS = frozenset({*_GROUPS, "masks"})
_DONE = frozenset({"kept", "masked"})


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch of a form: its name there, what it says, whether it is on."""

    name: str
    label: str
    on: bool


def router(server: AuthServer) -> APIRouter:
    """/me/choices."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def shown(mine: Mine, problem: str = "", form: Pairs | None = None, status: int = 200) -> Response:
        async with mine.calling() as api:
            try:
                found = await mine.held(api)
                if mine.mandate(found) is not None:
                    return mine.go(f"{HOME}/people")
                preferred = await _preferences(mine, api)
            except Unread as unread:
                return mine.unread(unread)
        done, kept, do = mine.done(_DONE), _states(form or []), dict(form or []).get("do", "")
        now = {**preferred, **_masked(found)}
        standing = {name: kept.get(name, on) for name, on in now.items()}
        values = {
            "problem": problem,
            "which": do if do in _FORMS else "",
            "done": f"choices_done_{done}" if done and not problem else "",
            "groups": {name: _preferred(names, standing, mine.language) for name, names in _GROUPS.items()},
            "masks": {
                kind: _parts([name for name in _PARTS if name.startswith(kind)], standing, mine.language)
                for kind in ("all", "section", "category")
            },
            "now": now,
            "action": mine.at(CHOICES),
        }
        return mine.page("me_choices.html", values, status=status)

    @routes.get(CHOICES)
    async def choices(request: Request) -> Response:
        mine = await opened(server, pages, request)
        return mine if isinstance(mine, Response) else await shown(mine)

    @routes.post(CHOICES)
    async def change(request: Request) -> Response:
        form = await form_of(request)
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        if not pages.honest(request, form):
            return await shown(mine, "expired", form, 403)
        touched = _touched(form)
        async with mine.calling() as api:
            for operation, body in _wishes(touched):
                answer = await api.post(f"Patient/{mine.record}/${operation}", body)
                problem = problem_of(answer)
                if problem is not None:
                    return await shown(mine, problem, form, answer.status_code)
        return mine.go(CHOICES, "masked" if any(name in _PARTS for name in touched) else "kept")

    return routes


def _states(form: Pairs) -> Mapping[str, bool]:
    """How a form's switches stand, by name."""
    on = {value for name, value in form if name == "on"}
    return {value: value in on for name, value in form if name == "shown"}


def _touched(form: Pairs) -> Mapping[str, bool]:
    """What was changed since the page was made."""
    was = {value for name, value in form if name == "was"}
    return {name: on for name, on in _states(form).items() if on is not (name in was)}


def _wishes(touched: Mapping[str, bool]) -> list[tuple[str, Json]]:
    """The operations that a form asks: preferences in one, then what is masked, then what is shown again."""
    preferred = {name: on for name, on in touched.items() if name in PREFERENCES}
    wishes: list[tuple[str, Json]] = [("preferences", parameters(**preferred))] if preferred else []
    for operation, wanted in (("mask", True), ("unmask", False)):
        names = [name for name, on in touched.items() if name in _PARTS and on is wanted]
        listed = [_part(name) for name in names]
        wishes += [(operation, {**parameters(), "parameter": listed})] if listed else []
    return wishes


def _part(name: str) -> Json:
    kind, _, code = name.partition(":")
    return {"name": kind, "valueBoolean": True} if kind == "all" else {"name": kind, "valueString": code}


async def _preferences(mine: Mine, api: Api) -> Mapping[str, bool]:
    """Every preference, as it holds now. Raises Unread."""
    answer = await api.get(f"Patient/{mine.record}/$preferences")
    if answer.status_code != 200:
        raise Unread(answer.status_code)
    return {one["name"]: one["valueBoolean"] for one in answer.json()["parameter"]}


def _masked(found: Sequence[Held]) -> Mapping[str, bool]:
    """Which parts are masked as a whole, as the Consents say."""
    said = {(frozenset(one.terms.kinds), frozenset(one.terms.codes)) for one in held.of(found, Right.MASK)}
    return {name: (frozenset(part.kinds), frozenset(part.codes)) in said for name, part in _PARTS.items()}


def _preferred(names: Sequence[str], states: Mapping[str, bool], language: str) -> list[Switch]:
    known = [(name, PREFERENCES[name]) for name in names if name in states]
    return [Switch(name, plain(one.fr if language == "fr" else one.en), states[name]) for name, one in known]


def _parts(names: Sequence[str], states: Mapping[str, bool], language: str) -> list[Switch]:
    return [
        Switch(name, plain(part.fr if language == "fr" else part.en), states[name])
        for name, part in ((name, _PARTS[name]) for name in names)
    ]
