"""A professional with only a browser: typing an access code, then the documents it lends, each opened there.

The rule: the page shows what the API shows this professional, and nothing else; a code is posted, never in an address,
and a link's fragment never leaves the browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from auth.sessions import Visitor
from fhir import tokens
from fhir.criterion import LOGICAL_ID
from phr.access.consent import RIGHT
from phr.access.provision import Right
from phr.web.account import day, moment
from phr.web.api import calling
from phr.web.pages import Pages, Pairs, form_of, go, query_of, to
from phr.web.professional import SIGN_IN

HOME = "/pro/redeem"
RECORD = "/pro/record"
_PROBLEMS = {404: "redeem_wrong", 422: "redeem_wrong", 429: "redeem_too_many", 403: "redeem_not_entitled"}
_INLINE = ("application/pdf", "image/jpeg", "image/png", "text/plain")
_PASSED_ON = ("content-type", "content-security-policy", "content-disposition")
_PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A browser's PDF viewer does not open in a sandbox; what it shows has no scripts of this origin."""
_MOST = 200

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a list shows it. `content`: the id of its Binary, if it is kept here."""

    id: str
    title: str
    kind: str
    day: str
    content: str | None


def router(server: AuthServer) -> APIRouter:
    """/pro/redeem, and /pro/record for what it opened."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def professional(request: Request) -> Visitor | None:
        visitor = await pages.visitor(request)
        return None if visitor is None or visitor.professional is None else visitor

    def shown(request: Request, visitor: Visitor | None, problem: str | None = None, status: int = 200) -> Response:
        query = query_of(request)
        values = {
            "visitor": visitor,
            "problem": problem,
            "action": to(HOME, _locales(query)),
            "sign_in": to(SIGN_IN, [("next", HOME), *_locales(query)]),
        }
        return pages.page(request, "redeem.html", values, status=status, script=True)

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        # No redirect: a browser would carry the fragment, and the code in it, to the provider's address.
        return shown(request, await professional(request))

    @routes.post(HOME)
    async def redeem(request: Request) -> Response:
        form, visitor = await form_of(request), await professional(request)
        if visitor is None:
            return shown(request, None, status=401)
        if not pages.honest(request, form):
            return shown(request, visitor, "expired", 403)
        async with calling(server, request, visitor, None) as api:
            answer = await api.post("Patient/$redeem", asking("code", dict(form).get("code", "")))
        if answer.status_code not in (200, 201):
            return shown(request, visitor, _PROBLEMS.get(answer.status_code, "redeem_failed"), answer.status_code)
        record = answer.json()["patient"]["reference"].removeprefix("Patient/")
        return go(f"{RECORD}/{record}", _locales(query_of(request)))

    @routes.get(f"{RECORD}/{{record}}")
    async def opened(request: Request, record: str) -> Response:
        visitor, query = await professional(request), query_of(request)
        if visitor is None:
            return go(HOME, _locales(query))
        if LOGICAL_ID.fullmatch(record) is None:
            return shown(request, visitor, "redeem_over", 404)
        language, now = pages.language(request, query), server.clock()
        async with calling(server, request, visitor, None) as api:
            leases = resources((await api.get(f"Consent?patient={record}&status=active&_count=200")).json())
            patient = await api.get(f"Patient/{record}")
            found = await api.get(f"DocumentReference?patient={record}&_sort=-date&_count={_MOST}")
        ends = [end for one in leases if right(one) == Right.CODE_LEASE and (end := until(one)) and end > now]
        if not ends or patient.status_code != 200 or found.status_code != 200:
            return shown(request, visitor, "redeem_over", 404)
        values = {
            "person": person_of(patient.json(), language),
            "record": record,
            "until": moment(max(ends), language),
            "documents": [document(one, language) for one in resources(found.json())],
            "more": any(link["relation"] == "next" for link in found.json()["link"]),
            "content": f"{RECORD}/{record}/content",
            "home": to(HOME, _locales(query)),
        }
        return pages.page(request, "redeem_record.html", values)

    @routes.get(f"{RECORD}/{{record}}/content/{{id}}")
    async def content(request: Request, record: str, id: str) -> Response:
        visitor = await professional(request)
        if visitor is None:
            return go(HOME)
        if LOGICAL_ID.fullmatch(id) is None:
            return shown(request, visitor, "redeem_over", 404)
        async with calling(server, request, visitor, None) as api:
            answer = await api.get(f"Binary/{id}", accept="*/*")
        if answer.status_code != 200:
            return shown(request, visitor, "redeem_over", 404)
        kept = {name: value for name, value in answer.headers.items() if name in _PASSED_ON}
        return Response(answer.content, 200, {**kept, **_opened_in_place(kept), **_PRIVATE})

    return routes


_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def _opened_in_place(headers: Mapping[str, str]) -> dict[str, str]:
    """What a browser can show is shown there; the rest is saved. The API judged the type by its magic number."""
    media = headers.get("content-type", "").partition(";")[0]
    if media not in _INLINE:
        return {}
    name = headers["content-disposition"].replace("attachment", "inline", 1)
    return {"content-disposition": name} | (
        {"content-security-policy": _PDF_POLICY} if media == "application/pdf" else {}
    )


def asking(name: str, value: str) -> Json:
    """A Parameters resource of one string."""
    return {"resourceType": "Parameters", "parameter": [{"name": name, "valueString": value}]}


def told(body: Json) -> dict[str, Any]:
    """Names to values, of a Parameters resource that names each once."""
    return {
        one["name"]: next(value for name, value in one.items() if name != "name") for one in body.get("parameter", ())
    }


def resources(bundle: Json) -> list[Json]:
    """The matches of a searchset."""
    return [one["resource"] for one in bundle.get("entry", ()) if one.get("search", {}).get("mode") == "match"]


def right(consent: Json) -> str | None:
    """The code of the right a Consent is about."""
    coded = [coding for one in consent.get("category", ()) for coding in one.get("coding", ())]
    return next((coding["code"] for coding in coded if coding.get("system") == RIGHT), None)


def until(consent: Json) -> datetime | None:
    """When a right of ours ends."""
    end = consent.get("provision", {}).get("period", {}).get("end", "")
    return datetime.fromisoformat(end) if "T" in end else None


def document(body: Json, language: str) -> Document:
    """A DocumentReference, in a line."""
    attachments = [one["attachment"] for one in body.get("content", ())]
    coded = body.get("type", {}).get("coding", [{}])[0]
    kind = str(body.get("type", {}).get("text") or coded.get("display") or coded.get("code", ""))
    titles = [body.get("description"), *(one.get("title") for one in attachments), kind]
    contents = [found for one in attachments if (found := tokens.local(one.get("url", ""))) is not None]
    return Document(
        id=body["id"],
        title=next((str(one) for one in titles if one), body["id"]),
        kind=kind,
        day=_day(body.get("date", ""), language),
        content=next((id for name, id in contents if name == "Binary"), None),  # noqa: A001
    )


def _day(text: str, language: str) -> str:
    return day(datetime.fromisoformat(text), language) if "T" in text else text


def person_of(patient: Json, language: str) -> dict[str, str]:
    """How a person is called, and when they were born, in words."""
    name: Json = next(iter(patient.get("name", ())), {})
    told_name = " ".join([*name.get("given", ())[:1], name.get("family", "")]).strip()
    return {"name": told_name, "birth": _birth(patient.get("birthDate", ""), language)}


def _birth(text: str, language: str) -> str:
    return day(datetime.fromisoformat(f"{text}T12:00:00+00:00"), language) if len(text) == 10 else text


def _locales(query: Pairs) -> Pairs:
    return [(name, value) for name, value in query if name == "ui_locales"]
