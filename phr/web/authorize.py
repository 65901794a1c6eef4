"""The pages between an application and its answer: who is asked, for whose record, and what they allow.

The rule: nobody is sent anywhere but to a registered URI, what is not ticked is not granted, and what is granted on a
record is written in it before the application hears of it.
"""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import terms
from auth.grants import Grant
from auth.message import Answer, Message
from auth.server import AuthServer, Choice
from auth.sessions import Visitor
from phr import applications
from phr.access.installation import Installation
from phr.core.errors import DomainError, Reason
from phr.web.api import CLIENT
from phr.web.pages import Pages, Pairs, form_of, go, origin, query_of, to

_NOT_YOURS = "No application can be connected to this record by this account."


def router(server: AuthServer, terms_version: str | None = None, installation: Installation | None = None) -> APIRouter:
    """/oauth/authorize and /oauth/consent. `terms_version`: what a citizen must have accepted before they decide.

    `installation`: where records are; without one, the pages alone, as some tests serve them.
    """
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)

    def answered(request: Request, answer: Answer) -> Response:
        return pages.refused(request, answer) if answer.location is None else go(answer.location)

    def needs_terms(visitor: Visitor) -> bool:
        if terms_version is None or visitor.account is None:
            return False
        with Session(server.engine) as session:
            return terms.needs_terms(session, server.keys, visitor.account.id, terms_version)

    @routes.get("/oauth/authorize")
    async def authorize(request: Request) -> Response:
        query = query_of(request)
        visitor = await pages.visitor(request)
        asked = await run_in_threadpool(server.consider, Message("GET", query), visitor)
        if isinstance(asked, Answer):
            return answered(request, asked)
        if asked.sign_in or visitor is None:
            return go("/signin/professional" if asked.professional else "/signin", query)
        if await run_in_threadpool(needs_terms, visitor):
            return go("/terms/accept", query)
        values = {
            "app": asked.client.name,
            "person": visitor.name,
            "professional": asked.professional,
            "records": asked.records,
            "asked": asked,
            "service": asked.client.service,
            "renewed": bool(asked.dropped) or any(one.since for one in asked.purposes),
            "destination": _destination(asked.redirect_uri),
            "action": to("/oauth/consent", query),
            "leave": to("/signout", query),
        }
        # Chromium applies form-action to the redirects that follow a post: the client's origin must be in it.
        return pages.page(request, "consent.html", values, form_action=origin(asked.redirect_uri))

    @routes.post("/oauth/authorize")
    async def authorize_by_post(request: Request) -> Response:
        """OpenID Connect Core §3.1.2.1: POST must be supported. Seen again as a GET, which brings our cookies."""
        return go("/oauth/authorize", await form_of(request))

    @routes.post("/oauth/consent")
    async def consent(request: Request) -> Response:
        form = await form_of(request)
        visitor = await pages.visitor(request)
        if visitor is None or not pages.honest(request, form):
            return pages.expired(request)
        if await run_in_threadpool(needs_terms, visitor):
            return go("/terms/accept", query_of(request))
        message, choice = Message("GET", query_of(request)), _chosen(form)
        answer, grant = await run_in_threadpool(server.decide, message, visitor, choice)
        if installation is not None and grant is not None and grant.professional is None:
            try:
                await written(installation, grant)
            except DomainError as error:
                if error.reason not in (Reason.ABSENT, Reason.FORBIDDEN):
                    raise
                answer = Answer(400, {"error": "access_denied", "error_description": _NOT_YOURS})
        return answered(request, answer)

    async def written(installation: Installation, grant: Grant) -> None:
        """The grant, in the record; or no grant: its code is handed to nobody."""
        try:
            await applications.connect(installation, CLIENT, grant, server.clock())
            superseded = await run_in_threadpool(server.supersede, grant)
            await applications.ended(installation, CLIENT, superseded, server.clock())
        except BaseException:
            await run_in_threadpool(server.take_back, grant)
            raise

    return routes


def _chosen(form: Pairs) -> Choice:
    """What was left ticked; nothing when the answer is no."""
    said = dict(form)
    if said.get("decision") != "allow":
        return Choice(record=said.get("record"))
    scopes, purposes = (frozenset(value for name, value in form if name == one) for one in ("scope", "purpose"))
    return Choice(scopes, purposes, said.get("duration", ""), said.get("record"))


def _destination(uri: str) -> str:
    """Where the person goes next, as they can recognise it."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else parts.scheme
