"""The pages between an application and its answer: who is asked, for whose record, and what they allow.

The rule: nobody is sent anywhere but to a registered URI, and what is not ticked is not granted.
"""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import terms
from auth.message import Answer, Message
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.web.pages import Pages, form_of, go, origin, query_of, to


def router(server: AuthServer, terms_version: str | None = None) -> APIRouter:
    """/oauth/authorize and /oauth/consent. `terms_version`: what a citizen must have accepted before they decide."""
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
            "asked": asked.scopes,
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
        allowed = dict(form).get("decision") == "allow"
        ticked = frozenset(value for name, value in form if name == "scope" and allowed)
        message, record = Message("GET", query_of(request)), dict(form).get("record")
        answer = await run_in_threadpool(server.decide, message, visitor, ticked, record)
        return answered(request, answer)

    return routes


def _destination(uri: str) -> str:
    """Where the person goes next, as they can recognise it."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else parts.scheme
