"""The pages where a citizen proves who they are. They work without JavaScript, passkeys aside."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth.message import Answer, Message
from auth.server import Asked, AuthServer, SignInRefusal
from auth.sessions import LIFETIME
from phr.web.pages import Pages, Pairs, asks, form_of, go, onward, query_of, to


def router(server: AuthServer) -> APIRouter:
    """/signin and /signout."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)

    def signin_page(request: Request, query: Pairs, app: str | None, problem: str | None, name: str) -> Response:
        values = {"app": app, "problem": problem, "name": name, "action": to("/signin", query)}
        status = {None: 200, "throttled": 429}.get(problem, 401 if problem == "wrong" else 400)
        return pages.page(request, "signin.html", values, status=status, query=query)

    @routes.get("/signin")
    async def signin(request: Request) -> Response:
        query = query_of(request)
        app, refusal = await application(query)
        return signin_page(request, query, app, None, "") if refusal is None else answered(request, refusal)

    @routes.post("/signin")
    async def sign_in(request: Request) -> Response:
        query = query_of(request)
        form = await form_of(request)
        given = dict(form)
        name = given.get("name", "")
        app, refusal = await application(query)
        if refusal is not None:
            return answered(request, refusal)
        if not pages.honest(request, form):
            return signin_page(request, query, app, "expired", name)
        address = request.client.host if request.client else "unknown"
        agent = request.headers.get("user-agent", "")
        result = await run_in_threadpool(server.sign_in, name, given.get("password", ""), address, agent)
        if isinstance(result, SignInRefusal):
            return signin_page(request, query, app, result.value, name)
        response = go(onward(query))
        pages.admit(response, result, LIFETIME)
        return response

    @routes.post("/signout")
    async def sign_out(request: Request) -> Response:
        form = await form_of(request)
        secret = request.cookies.get(pages.session_cookie)
        response = go("/oauth/authorize", query_of(request))
        if secret and pages.honest(request, form):
            await run_in_threadpool(server.sign_out, secret)
            pages.drop(response, pages.session_cookie)
        return response

    def answered(request: Request, answer: Answer) -> Response:
        return pages.refused(request, answer) if answer.location is None else go(answer.location)

    async def application(query: Pairs) -> tuple[str | None, Answer | None]:
        """The name of the app behind a sign-in, or the answer to a request that cannot succeed anyway."""
        kept = [(name, value) for name, value in query if name != "prompt"]
        if not asks(kept):
            return None, None
        asked = await run_in_threadpool(server.consider, Message("GET", kept), None)
        return (asked.client.name, None) if isinstance(asked, Asked) else (None, asked)

    return routes
