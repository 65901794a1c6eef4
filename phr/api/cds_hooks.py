"""CDS Hooks 2.0: cards of prevention for the professional who opens a patient's file, or orders something.

The rule: when the call carries a token of ours, the facts are those of the record as that professional sees it; else
those the call brought, and nothing of ours is read. Never both.
"""

import logging
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from auth.cds_hooks import client_of
from auth.clients import Client
from auth.rfc6750 import ChallengeError, Gate
from auth.server import AuthServer
from fhir import wire
from phr.access.installation import Installation
from phr.api.asked import body_of, content_type, visiting
from phr.core.errors import DomainError, Issue, Reason, absent, malformed
from phr.journal_words import preferred
from phr.prevention import cards, orders, prefetch
from phr.prevention.dates import day
from phr.prevention.person import Person
from phr.prevention.reading import read
from phr.prevention.rulebook import RULES
from phr.prevention.words import Language

log = logging.getLogger("carnet")

Json = dict[str, Any]
PATH = "/cds-services"
VIEW, SELECT = "carnet-prevention-patient-view", "carnet-prevention-order-select"
_HOOKS = {VIEW: "patient-view", SELECT: "order-select"}
_TITLES = {VIEW: "Prévention : ce qui est dû", SELECT: "Prévention : ce qui est prescrit"}
_TOLD = {
    VIEW: "Vaccines, screenings and check-ups that are due or overdue, and the questions to ask.",
    SELECT: "Whether what is ordered was done already, is too early, contraindicated, or due.",
}
_OUTCOMES = ("accepted", "overridden")
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a service. `orders`: the value sets of what is ordered; None when a file is opened."""

    name: str
    patient: str
    language: Language
    orders: list[frozenset[str]] | None = None


def discovery() -> Json:
    """What GET /cds-services answers."""
    return {
        "services": [
            {
                "hook": hook,
                "title": _TITLES[name],
                "description": _TOLD[name],
                "id": name,
                "prefetch": prefetch.TEMPLATES,
            }
            for name, hook in _HOOKS.items()
        ]
    }


def router(server: AuthServer, installation: Installation) -> APIRouter:
    """/cds-services."""
    routes = APIRouter(tags=["cds-hooks"])
    gate = Gate(server)
    visitor = visiting(installation, gate, lambda: server.clock())
    base = f"{server.issuer}/fhir"

    async def called(request: Request, id: str, path: str) -> tuple[Client, Json]:
        """Who calls, and what they say. Raises ABSENT, UNAUTHENTICATED, MEDIA_TYPE, TOO_LARGE, SYNTAX."""
        if id not in _HOOKS:
            raise absent()
        url, header = f"{server.issuer}{path}", request.headers.get("authorization")
        client = await run_in_threadpool(client_of, server, header, url)
        if content_type(request) != "application/json":
            raise DomainError(Reason.MEDIA_TYPE, Issue("not-supported", "The body is application/json."))
        settings = installation.settings
        return client, wire.decode(await body_of(request, settings.transaction_bytes), settings.json_depth)

    async def in_our_record(request: Request, client: Client, said: Json, patient: str) -> tuple[bool, Person | None]:
        """Whether the call carries a professional's token of ours, and what they see of the patient.

        A token that is not ours, is over, bound to a key or another software's is as if it were not there.
        """
        given, place = said.get("fhirAuthorization"), said.get("fhirServer")
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not isinstance(place, str) or place.rstrip("/") != base:
            return False, None
        try:
            asked = await visitor(_bearing(request, token))
        except ChallengeError:
            return False, None
        ours = asked.claims.client == client.id and asked.claims.professional is not None
        if not ours or not await run_in_threadpool(server.stands, asked.claims):
            return False, None
        try:
            return True, await read(asked.visit, patient, "$prevention")
        except DomainError as error:
            if error.reason not in (Reason.ABSENT, Reason.FORBIDDEN):
                raise
            raise prefetch.unknown() from None

    @routes.get(PATH)
    async def services() -> JSONResponse:
        """Discovery."""
        return JSONResponse(discovery())

    @routes.post(f"{PATH}/{{id}}")
    async def call(request: Request, id: str) -> JSONResponse:
        """The cards of one call."""
        client, said = await called(request, id, f"{PATH}/{id}")
        asked = _call(id, said, cast(Language, preferred(None, request.headers.get("accept-language"))))
        ours, person = await in_our_record(request, client, said, asked.patient)
        if not ours:
            person = prefetch.brought(said.get("prefetch"), asked.patient)
        telling = cards.Telling(asked.language, asked.name, f"{server.issuer}{cards.APP}" if ours else None)
        found = [] if person is None else _cards(asked, person, day(server.clock()), telling)
        headers = {"Cache-Control": "no-store", "Content-Language": asked.language}
        return JSONResponse({"cards": found}, headers=headers)

    @routes.post(f"{PATH}/{{id}}/feedback")
    async def feedback(request: Request, id: str) -> JSONResponse:
        """What became of cards: how many were accepted and overridden goes to the log, and nothing is kept."""
        _, said = await called(request, id, f"{PATH}/{id}/feedback")
        listed = said.get("feedback")
        if not isinstance(listed, list) or not listed or not all(map(_is_feedback, listed)):
            text = "feedback lists cards, each with its outcome (accepted or overridden) and outcomeTimestamp."
            raise malformed(text, "feedback")
        outcomes = [one["outcome"] for one in listed]
        log.info("cards of %s: %d accepted, %d overridden", id, *(outcomes.count(one) for one in _OUTCOMES))
        return JSONResponse({})

    return routes


def _bearing(request: Request, token: str) -> Request:
    """The same request, as the professional's software would make it of our API."""
    kept = [pair for pair in request.scope["headers"] if pair[0] not in (b"authorization", b"dpop")]
    bearer = (b"authorization", b"Bearer " + token.encode(errors="replace"))
    return Request({**request.scope, "headers": [*kept, bearer]})


def _is_feedback(said: Any) -> bool:
    """Whether it has what CDS Hooks 2.0 requires of a Feedback."""
    texts = isinstance(said, dict) and all(isinstance(said.get(name), str) for name in ("card", "outcomeTimestamp"))
    return texts and said.get("outcome") in _OUTCOMES


def _text(said: Json, name: str) -> str:
    """A required text. Raises SYNTAX."""
    found = said.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= _MOST_TEXT:
        raise malformed(f"{name} is required.", name)
    return found


def _call(id: str, said: Json, language: Language) -> Call:
    """Raises SYNTAX."""
    if said.get("hook") != _HOOKS[id]:
        raise malformed(f"hook is {_HOOKS[id]}.", "hook")
    name, context = f"{id}/{_text(said, 'hookInstance')}", said.get("context")
    context = context if isinstance(context, dict) else {}
    patient, _ = _text(context, "patientId"), _text(context, "userId")
    if id == VIEW:
        return Call(name, patient, language)
    drafts, selected = context.get("draftOrders"), context.get("selections", [])
    if not isinstance(drafts, dict) or not isinstance(selected, list):
        raise malformed("draftOrders is required: a Bundle; selections are a list.", "context")
    return Call(name, patient, language, orders.ordered(drafts, [one for one in selected if isinstance(one, str)]))


def _cards(call: Call, person: Person, on: date, telling: cards.Telling) -> list[Json]:
    if call.orders is None:
        return cards.patient_view(RULES, person, on, telling)
    return cards.order_select(RULES, person, on, telling, call.orders)
