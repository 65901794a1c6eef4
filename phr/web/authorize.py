"""The pages between an application and its answer: who is asked, for whose record, and what they allow.

The rule: nobody is sent anywhere but to a registered URI, and what is not ticked is not granted.
"""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth.message import Answer, Message
from auth.server import AuthServer
from phr.web.pages import Pages, form_of, go, query_of, to


def router(server: AuthServer) -> APIRouter:
    """/oauth/authorize and /oauth/consent."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)

    def answered(request: Request, answer: Answer) -> Response:
        return pages.refused(request, answer) if answer.location is None else go(answer.location)

    @routes.get("/oauth/authorize")
    async def authorize(request: Request) -> Response:
        query = query_of(request)
        visitor = await pages.visitor(request)
        asked = await run_in_threadpool(server.consider, Message("GET", query), visitor)
        if isinstance(asked, Answer):
            return answered(request, asked)
        if asked.sign_in or visitor is None:
            return go("/signin", query)
        values = {
            "app": asked.client.name,
            "person": visitor.name,
            "asked": asked.scopes,
            "destination": _destination(asked.redirect_uri),
            "action": to("/oauth/consent", query),
            "leave": to("/signout", query),
        }
        # Chromium applies form-action to the redirects that follow a post: the client's origin must be in it.
        return pages.page(request, "consent.html", values, form_action=_origin(asked.redirect_uri))

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
        allowed = dict(form).get("decision") == "allow"
        ticked = frozenset(value for name, value in form if name == "scope" and allowed)
        answer = await run_in_threadpool(server.decide, Message("GET", query_of(request)), visitor, ticked)
        return answered(request, answer)

    return routes


def _origin(uri: str) -> str:
    """A CSP source: scheme, host and port, or a private-use scheme alone."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def _destination(uri: str) -> str:
    """Where the person goes next, as they can recognise it."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else parts.scheme
