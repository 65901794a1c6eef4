"""Signing in with a passkey alone. The one thing here that needs a script in the browser.

The rule: the script only asks the authenticator and fills a form; what signs in is an ordinary post with a form token.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth import devices
from auth.passkeys import PasskeyRefusal
from auth.server import AuthServer
from auth.signin import SignIn
from phr.web.pages import Pages, form_of, go, onward, query_of, to
from phr.web.second import answer_of, challenge, problem
from phr.web.signin import address_of, admitted


def router(server: AuthServer) -> APIRouter:
    """/signin/passkey and /signin/passkey/options."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages, signing = Pages(server), SignIn(server)

    @routes.post("/signin/passkey/options")
    async def options(request: Request) -> Response:
        if not pages.honest(request, await form_of(request)):
            return problem(403)
        found = await run_in_threadpool(signing.passkey_options, address_of(request))
        return problem(429) if found is None else challenge(found)

    @routes.post("/signin/passkey")
    async def sign_in(request: Request) -> Response:
        form, query = await form_of(request), query_of(request)
        if not pages.honest(request, form):
            return refused(request, "expired", 403)
        agent, device = request.headers.get("user-agent", ""), request.cookies.get(pages.cookie(devices.COOKIE))
        language = pages.language(request, query)
        result = await run_in_threadpool(signing.passkey, answer_of(form), address_of(request), agent, device, language)
        if isinstance(result, PasskeyRefusal):
            return refused(request, result.value, 401)
        return admitted(pages, go(onward(query)), result)

    def refused(request: Request, message: str, status: int) -> Response:
        values = {"message": message, "back": to("/signin", query_of(request))}
        return pages.page(request, "passkey.html", values, status=status)

    return routes
