"""The page where a person signs out, sent there by an application or not (OpenID Connect RP-Initiated Logout 1.0)."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth.message import Answer, Message
from auth.server import AuthServer
from phr.web.pages import Pages, Pairs, form_of, go, origin, query_of, to


def router(server: AuthServer) -> APIRouter:
    """/oauth/logout."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)

    async def judged(request: Request, query: Pairs, *, confirmed: bool) -> Response:
        visitor = await pages.visitor(request)
        found = await run_in_threadpool(server.consider_logout, Message("GET", query), visitor)
        if isinstance(found, Answer):
            return pages.refused(request, found)
        if found.confirm and not confirmed:
            values = {"app": found.app, "action": to("/oauth/logout/confirm", query)}
            onward = origin(found.redirect_uri) if found.redirect_uri is not None else ""
            return pages.page(request, "logout.html", values, query=query, form_action=onward)
        done: Response = pages.page(request, "logout.html", {"app": None, "action": None}, query=query)
        if found.redirect_uri is not None:
            done = go(found.redirect_uri)
        if visitor is not None:
            await run_in_threadpool(server.sign_out, request.cookies[pages.session_cookie])
            pages.drop(done, pages.session_cookie)
        return done

    @routes.get("/oauth/logout")
    async def logout(request: Request) -> Response:
        return await judged(request, query_of(request), confirmed=False)

    @routes.post("/oauth/logout")
    async def logout_by_post(request: Request) -> Response:
        """§2: "OPs MUST support the use of the HTTP GET and POST methods". Seen again as a GET, with our cookies."""
        return go("/oauth/logout", await form_of(request))

    @routes.post("/oauth/logout/confirm")
    async def confirm(request: Request) -> Response:
        form = await form_of(request)
        if not pages.honest(request, form):
            return pages.expired(request)
        return await judged(request, query_of(request), confirmed=True)

    return routes
