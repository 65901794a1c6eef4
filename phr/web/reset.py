"""The pages of a forgotten password: the name, the second factor, the new password.

The rule: the first page answers the same to every name. The link's secret is in the path: the access log holds route
patterns only, and no page sends a referrer.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth.reset import CHOICE_LIFETIME, Reset, ResetRefusal
from auth.second import Purpose, Refusal
from auth.server import AuthServer
from auth.signin import SignIn
from phr.web.pages import Pages, form_of, go, query_of, to
from phr.web.second import SecondPage, answer_of, way_of
from phr.web.signin import address_of

CHOICE_COOKIE = "carnet_reset"


def router(server: AuthServer) -> APIRouter:
    """/reset, /reset/new, /reset/done and /reset/{ticket}."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages, signing, reset = Pages(server), SignIn(server), Reset(server)
    second = SecondPage(pages, signing, Purpose.RESET, "reset_second_title", "reset_second_intro")
    cookie = pages.cookie(CHOICE_COOKIE)

    def first_page(request: Request, problem: str | None, status: int = 200) -> Response:
        values = {
            "problem": problem,
            "action": to("/reset", query_of(request)),
            "back": to("/signin", query_of(request)),
        }
        return pages.page(request, "reset.html", values, status=status)

    def choice_page(request: Request, problem: str | None, status: int = 200) -> Response:
        values = {"problem": problem, "action": to("/reset/new", query_of(request))}
        return pages.page(request, "reset_new.html", values, status=status)

    @routes.get("/reset")
    async def forgotten(request: Request) -> Response:
        return first_page(request, None)

    @routes.post("/reset")
    async def ask(request: Request) -> Response:
        form, query = await form_of(request), query_of(request)
        if not pages.honest(request, form):
            return first_page(request, "expired", 400)
        language = pages.language(request, query)
        await run_in_threadpool(reset.ask, dict(form).get("name", ""), address_of(request), language, link)
        return pages.page(request, "reset_sent.html", {"back": to("/signin", query)})

    def link(secret: str) -> str:
        return f"{server.issuer}/reset/{secret}"

    @routes.get("/reset/new")
    async def choice(request: Request) -> Response:
        if not await run_in_threadpool(reset.chooses, request.cookies.get(cookie, "")):
            return first_page(request, ResetRefusal.GONE.value, 400)
        return choice_page(request, None)

    @routes.post("/reset/new")
    async def choose(request: Request) -> Response:
        form, query = await form_of(request), query_of(request)
        if not pages.honest(request, form):
            return choice_page(request, "expired", 400)
        secret, language = request.cookies.get(cookie, ""), pages.language(request, query)
        result = await run_in_threadpool(reset.choose, secret, dict(form).get("password", ""), language)
        if isinstance(result, ResetRefusal):
            return first_page(request, result.value, 400)
        if result is not None:
            return choice_page(request, result.value, 400)
        response = go("/reset/done", query)
        pages.drop(response, cookie)
        pages.drop(response, pages.session_cookie)
        return response

    @routes.get("/reset/done")
    async def done(request: Request) -> Response:
        return pages.page(request, "reset_done.html", {"signin": to("/signin", query_of(request))})

    @routes.get("/reset/{ticket}")
    async def proof(request: Request, ticket: str) -> Response:
        wait = await run_in_threadpool(signing.waiting, ticket, Purpose.RESET)
        if wait is None:
            return first_page(request, ResetRefusal.GONE.value, 400)
        return second.show(request, wait, f"/reset/{ticket}")

    @routes.post("/reset/{ticket}")
    async def prove(request: Request, ticket: str) -> Response:
        form, query, path = await form_of(request), query_of(request), f"/reset/{ticket}"
        wait = await run_in_threadpool(signing.waiting, ticket, Purpose.RESET)
        if wait is None:
            return first_page(request, ResetRefusal.GONE.value, 400)
        if not pages.honest(request, form):
            return second.show(request, wait, path, None, "expired", 400)
        if "choose" in dict(form):
            return await second.choose(request, ticket, wait, path, dict(form)["choose"])
        way, language = way_of(form), pages.language(request, query)
        result = await run_in_threadpool(reset.prove, ticket, way or "", answer_of(form), language)
        if result is Refusal.GONE:
            return first_page(request, ResetRefusal.GONE.value, 400)
        if isinstance(result, Refusal):
            return second.refused(request, wait, path, way, result)
        response = go("/reset/new", query)
        pages.keep(response, cookie, result, CHOICE_LIFETIME)
        return response

    @routes.post("/reset/{ticket}/options")
    async def options(request: Request, ticket: str) -> Response:
        return await second.options(request, ticket)

    return routes
