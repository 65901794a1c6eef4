"""Lending one's record for a while: what, how long and to whom; the code, drawn large; the codes that run.

The rule: the page does what the operations of the API do, as the person signed in; a code is on the page that its form
answers and nowhere else: no address, no cookie.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.choices import RecordChoice
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.access.consent import PROFESSIONALS, RPPS
from phr.access.provision import Right
from phr.access.right import MASK
from phr.documents import labels
from phr.masks import CATEGORIES
from phr.web import redeem
from phr.web.account import moment
from phr.web.api import Api, calling
from phr.web.held import Unread, held, mandate
from phr.web.mine import chosen_of, records_of
from phr.web.pages import Pages, Pairs, form_of, go, query_of, to
from phr.web.people import PEOPLE
from phr.web.redeem import asking, resources, right, told, until
from phr.web.words import TEXTS

HOME = "/me/share"
END = f"{HOME}/end"
DURATIONS = (15, 60, 24 * 60, 7 * 24 * 60, 30 * 24 * 60)
"""Minutes: from a consultation to a month."""
USUAL = 24 * 60
_PROFESSIONS = tuple(
    sorted(name.removeprefix("profession_") for name in TEXTS["fr"] if re.match(r"profession_\d", name))
)
_DOCUMENTS = 100

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, the records they may open, and the one they mean."""

    visitor: Visitor
    choices: Sequence[RecordChoice]
    mine: RecordChoice


@dataclass(frozen=True, slots=True)
class Running:
    """A code that runs, as the list shows it: what it lends, to whom, until when, and who used it."""

    consent: str
    what: str
    whom: str
    until: str
    users: tuple[str, ...]


def router(server: AuthServer) -> APIRouter:
    """/me/share for a citizen, and /pro/redeem for a professional."""
    routes = APIRouter(include_in_schema=False)
    routes.include_router(redeem.router(server))
    pages = Pages(server)

    async def person(request: Request, record: str | None) -> Person | Response:
        """Who asks; or where they go: nobody is signed in, they have no record, or a caregiver, who never shares."""
        visitor, locales = await pages.visitor(request), _locales(query_of(request))
        if visitor is None or visitor.account is None:
            return go("/signin", locales)
        choices = await records_of(server, visitor.account)
        if not choices:
            return go("/account", locales)
        mine = chosen_of(choices, record)
        if not mine.own:
            async with calling(server, request, visitor, mine.record) as api:
                try:
                    found = await held(api, mine.record, visitor.account.id, server.clock())
                except Unread:
                    found = []
            if mandate(found) is not None:
                return go(PEOPLE, [("record", mine.record), *locales])
        return Person(visitor, choices, mine)

    async def form_page(
        request: Request, who: Person, problem: str | None = None, form: Pairs | None = None, status: int = 200
    ) -> Response:
        mine = who.mine
        query = query_of(request)
        language = pages.language(request, query)
        async with calling(server, request, who.visitor, mine.record) as api:
            documents, consents = await _documents(api, mine.record, language), await _consents(api, mine.record)
        values = {
            "choices": who.choices,
            "mine": mine,
            "here": to(HOME, _locales(query)),
            "end": to(END, _locales(query)),
            "account": to("/account", _locales(query)),
            "locales": dict(_locales(query)).get("ui_locales", ""),
            "problem": problem,
            "done": "share_ended" if "ended" in dict(query) else None,
            "categories": [(code, part.fr if language == "fr" else part.en) for code, part in CATEGORIES.items()],
            "documents": documents,
            "durations": DURATIONS,
            "professions": [(code, TEXTS[language][f"profession_{code}"]) for code in _PROFESSIONS],
            "running": _running(consents, server.clock(), language),
            "form": _kept(form or []),
            "ticked": set(form or []),
        }
        return pages.page(request, "share.html", values, status=status, script=True)

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        who = await person(request, dict(query_of(request)).get("record"))
        return await form_page(request, who) if isinstance(who, Person) else who

    @routes.post(HOME)
    async def share(request: Request) -> Response:
        form = await form_of(request)
        who = await person(request, dict(form).get("record"))
        if not isinstance(who, Person):
            return who
        if not pages.honest(request, form):
            return await form_page(request, who, "expired", form, 403)
        wish, problem = _wish(form)
        if problem is not None:
            return await form_page(request, who, problem, form, 400)
        async with calling(server, request, who.visitor, who.mine.record) as api:
            answer = await api.post(f"Patient/{who.mine.record}/$share", wish)
        if answer.status_code != 201:
            return await form_page(request, who, _refusal(answer.json()), form, answer.status_code)
        return code_page(request, who.mine, told(answer.json()))

    def code_page(request: Request, mine: RecordChoice, made: Mapping[str, Any]) -> Response:
        query = query_of(request)
        language = pages.language(request, query)
        values = {
            "mine": mine,
            "halves": made["code"].split("-"),
            "drawing": made["svg"],
            "link": made["link"],
            "until": moment(datetime.fromisoformat(made["until"]), language),
            "consent": made["consent"]["id"],
            "end": to(END, _locales(query)),
            "home": to(HOME, [("record", mine.record), *_locales(query)]),
        }
        return pages.page(request, "share_code.html", values, status=201, script=True)

    @routes.post(END)
    async def end(request: Request) -> Response:
        form = await form_of(request)
        given = dict(form)
        who = await person(request, given.get("record"))
        if not isinstance(who, Person):
            return who
        if not pages.honest(request, form):
            return await form_page(request, who, "expired", status=403)
        record = who.mine.record
        async with calling(server, request, who.visitor, record) as api:
            answer = await api.post(f"Patient/{record}/$revoke-code", asking("consent", given.get("consent", "")))
        if answer.status_code != 200:
            return await form_page(request, who, "share_not_ended", status=answer.status_code)
        return go(HOME, [("record", record), ("ended", "yes"), *_locales(query_of(request))])

    return routes


def _wish(form: Pairs) -> tuple[Json, str | None]:
    """The Parameters of a filled form, and what is missing in it."""
    given = dict(form)
    minutes = given.get("minutes", "")
    listed: list[Json] = [
        {"name": "minutes", "valueInteger": int(minutes) if minutes in map(str, DURATIONS) else USUAL}
    ]
    listed.append({"name": "once", "valueBoolean": "several" not in given})
    what = given.get("what", "")
    chosen = [value for name, value in form if name == what]
    match what:
        case "all":
            listed.append({"name": "all", "valueBoolean": True})
        case "category" | "document" if chosen:
            listed += [{"name": what, "valueString": value} for value in chosen]
        case _:
            return {}, "share_what_missing"
    match given.get("whom", ""):
        case "profession":
            listed.append({"name": "profession", "valueCode": given.get("profession", "")})
        case "professional":
            number = "".join(given.get("professional", "").split())
            if not number:
                return {}, "share_professional_wrong"
            system = RPPS if number.isascii() and number.isdecimal() and len(number) == 11 else PROFESSIONALS
            listed.append({"name": "professional", "valueIdentifier": {"system": system, "value": number}})
    return {"resourceType": "Parameters", "parameter": listed}, None


def _kept(form: Pairs) -> Mapping[str, str]:
    """What the form shows at first, or again."""
    return {"what": "all", "whom": "anyone", "minutes": str(USUAL), "profession": "", "professional": "", **dict(form)}


def _refusal(outcome: Json) -> str:
    where = str(outcome.get("issue", [{}])[0].get("expression", ""))
    return "share_professional_wrong" if "'professional'" in where else "share_refused"


async def _consents(api: Api, record: str) -> list[Json]:
    answer = await api.get(f"Consent?patient={record}&status=active&_sort=-_lastUpdated&_count=200")
    return resources(answer.json()) if answer.status_code == 200 else []


async def _documents(api: Api, record: str, language: str) -> list[redeem.Document]:
    """The latest documents that may be lent: not those that are masked."""
    answer = await api.get(f"DocumentReference?patient={record}&_sort=-date&_count={_DOCUMENTS}")
    found = resources(answer.json()) if answer.status_code == 200 else []
    return [redeem.document(one, language) for one in found if MASK not in labels(one)]


def _running(consents: Iterable[Json], now: datetime, language: str) -> list[Running]:
    listed = [one for one in consents if until(one) is not None and (until(one) or now) > now]
    users: dict[str, list[str]] = {}
    for one in listed:
        if right(one) == Right.CODE_LEASE:
            source = str(one.get("sourceReference", {}).get("reference", "")).removeprefix("Consent/")
            users.setdefault(source, []).append(_actor(one))
    return [
        Running(
            consent=one["id"],
            what=_what(one, language),
            whom=_whom(one, language),
            until=moment(until(one) or now, language),
            users=tuple(users.get(one["id"], ())),
        )
        for one in listed
        if right(one) == Right.ACCESS_CODE
    ]


def _actor(consent: Json) -> str:
    actors = consent["provision"].get("actor", ())
    named = actors[0]["reference"] if actors else {}
    return str(named.get("display") or named.get("identifier", {}).get("value", ""))


def _what(consent: Json, language: str) -> str:
    text, provision = TEXTS[language], consent["provision"]
    lent = {(c["system"], c["code"]) for one in provision.get("code", ()) for c in one["coding"]}
    if lent:
        names = [
            part.fr if language == "fr" else part.en for part in CATEGORIES.values() if lent.issuperset(part.codes)
        ]
        return ", ".join(names) or text["share_some_types"]
    documents = [one for one in provision.get("data", ()) if one["reference"]["reference"].startswith("DocumentRef")]
    if not documents:
        return text["share_all"]
    return text["share_one_document" if len(documents) == 1 else "share_some_documents"].format(n=len(documents))


def _whom(consent: Json, language: str) -> str:
    text = TEXTS[language]
    named = _actor(consent)
    if named:
        return text["share_for_professional"].format(number=named)
    professions = [one["code"] for one in consent["provision"].get("purpose", ())]
    if professions:
        return text.get(f"profession_{professions[0]}", text["profession_other"])
    return text["share_for_anyone"]


def _locales(query: Pairs) -> Pairs:
    return [(name, value) for name, value in query if name == "ui_locales"]
