"""The pages where a citizen proves who they are. They work without JavaScript, passkeys aside.

The rule: between the password and the second factor a browser holds a ticket in a cookie, and no session.
"""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth import devices
from auth.message import Answer, Message
from auth.second import LIFETIME as PENDING_LIFETIME
from auth.second import Purpose, Refusal, Way
from auth.server import Asked, AuthServer
from auth.sessions import LIFETIME, Visitor
from auth.signin import Admitted, Pending, SignIn, SignInRefusal
from phr.web.pages import Pages, Pairs, asks, form_of, go, onward, query_of, to
from phr.web.second import SecondPage, answer_of, way_of

PENDING_COOKIE = "carnet_pending"
AGAIN_COOKIE = "carnet_again"
AGAIN_FOR = ("/account", "/oauth/authorize")
"""Where a fresh proof may lead back to."""


def router(server: AuthServer, *, franceconnect: bool = False) -> APIRouter:
    """/signin, its second factor, /signin/again and /signout. `franceconnect`: offer the public identity provider."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages, signing = Pages(server), SignIn(server)
    second = SecondPage(pages, signing, Purpose.SIGN_IN, "second_title", "second_intro")
    again = SecondPage(pages, signing, Purpose.AGAIN, "again_title", "again_intro")
    pending_cookie, again_cookie = pages.cookie(PENDING_COOKIE), pages.cookie(AGAIN_COOKIE)

    def signin_page(request: Request, query: Pairs, app: str | None, problem: str | None, name: str) -> Response:
        values = {
            "app": app,
            "problem": problem,
            "name": name,
            "action": to("/signin", query),
            "passkey_action": to("/signin/passkey", query),
            "passkey_options": to("/signin/passkey/options", query),
            "forgotten": to("/reset", _language_of(query)),
            "enrol": to("/enrol", query),
            "franceconnect": to("/signin/franceconnect", query) if franceconnect else None,
        }
        status = {None: 200, "throttled": 429}.get(problem, 401 if problem == "wrong" else 400)
        return pages.page(request, "signin.html", values, status=status, query=query, script=True)

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
        result = await run_in_threadpool(signing.password, name, given.get("password", ""), address_of(request))
        if isinstance(result, SignInRefusal):
            return signin_page(request, query, app, result.value, name)
        return await asked_for_second(request, query, result)

    async def asked_for_second(request: Request, query: Pairs, pending: Pending) -> Response:
        """On to the second factor. Who has only their e-mail finds the code there without asking."""
        if pending.ways == (Way.MAIL,):
            # Refused when too many were sent: the page says so at the next try, and the latest code may still do.
            await run_in_threadpool(signing.send_code, pending.secret, pages.language(request, query))
        response = go("/signin/second", query)
        pages.keep(response, pending_cookie, pending.secret, PENDING_LIFETIME)
        return response

    async def gone(request: Request) -> Response:
        query = query_of(request)
        app, refusal = await application(query)
        if refusal is not None:
            return answered(request, refusal)
        return signin_page(request, query, app, Refusal.GONE.value, "")

    @routes.get("/signin/second")
    async def second_factor(request: Request) -> Response:
        wait = await run_in_threadpool(signing.waiting, request.cookies.get(pending_cookie, ""))
        return go("/signin", query_of(request)) if wait is None else second.show(request, wait, "/signin/second")

    @routes.post("/signin/second")
    async def shown(request: Request) -> Response:
        form, secret, query = await form_of(request), request.cookies.get(pending_cookie, ""), query_of(request)
        wait = await run_in_threadpool(signing.waiting, secret)
        if wait is None:
            return await gone(request)
        if not pages.honest(request, form):
            return second.show(request, wait, "/signin/second", None, "expired", 400)
        if "choose" in dict(form):
            return await second.choose(request, secret, wait, "/signin/second", dict(form)["choose"])
        way, agent = way_of(form), request.headers.get("user-agent", "")
        device, language = request.cookies.get(pages.cookie(devices.COOKIE)), pages.language(request, query)
        result = await run_in_threadpool(signing.second, secret, way or "", answer_of(form), agent, device, language)
        if result is Refusal.GONE:
            return await gone(request)
        if isinstance(result, Refusal):
            return second.refused(request, wait, "/signin/second", way, result)
        response = admitted(pages, go(onward(query)), result)
        pages.drop(response, pending_cookie)
        return response

    @routes.post("/signin/second/options")
    async def second_options(request: Request) -> Response:
        return await second.options(request, request.cookies.get(pending_cookie, ""))

    @routes.get("/signin/again")
    async def prove_again(request: Request) -> Response:
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", _language_of(query_of(request)))
        secret = request.cookies.get(again_cookie, "")
        wait = await run_in_threadpool(signing.waiting, secret, Purpose.AGAIN)
        if wait is not None and wait.values["session"] == str(visitor.id):
            return again.show(request, wait, "/signin/again")
        pending = await run_in_threadpool(signing.again, visitor)
        made = None if pending is None else await run_in_threadpool(signing.waiting, pending.secret, Purpose.AGAIN)
        if pending is None or made is None:
            return pages.expired(request)
        response = again.show(request, made, "/signin/again")
        pages.keep(response, again_cookie, pending.secret, PENDING_LIFETIME)
        return response

    @routes.post("/signin/again")
    async def proven_again(request: Request) -> Response:
        form, secret, query = await form_of(request), request.cookies.get(again_cookie, ""), query_of(request)
        visitor = await pages.visitor(request)
        wait = await run_in_threadpool(signing.waiting, secret, Purpose.AGAIN)
        if visitor is None or wait is None or not pages.honest(request, form):
            return go("/signin/again", query)
        if "choose" in dict(form):
            return await again.choose(request, secret, wait, "/signin/again", dict(form)["choose"])
        refusal = await run_in_threadpool(proven, request, visitor, secret, form)
        if refusal is Refusal.GONE:
            return go("/signin/again", query)
        if refusal is not None:
            return again.refused(request, wait, "/signin/again", way_of(form), refusal)
        response = go(_back(query))
        pages.drop(response, again_cookie)
        return response

    def proven(request: Request, visitor: Visitor, secret: str, form: Pairs) -> Refusal | None:
        mine, language = request.cookies.get(pages.session_cookie, ""), pages.language(request, query_of(request))
        return signing.prove(visitor, mine, secret, way_of(form) or "", answer_of(form), language)

    @routes.post("/signin/again/options")
    async def again_options(request: Request) -> Response:
        return await again.options(request, request.cookies.get(again_cookie, ""))

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


def admitted(pages: Pages, response: Response, who: Admitted) -> Response:
    """Give the browser its session, and the mark by which it is known next time."""
    pages.admit(response, who.session, LIFETIME)
    pages.keep(response, pages.cookie(devices.COOKIE), who.device, devices.LIFETIME)
    return response


def address_of(request: Request) -> str:
    """The network address a request comes from."""
    return request.client.host if request.client else "unknown"


def _language_of(query: Pairs) -> Pairs:
    return [(name, value) for name, value in query if name == "ui_locales"]


def _back(query: Pairs) -> str:
    """Where a fresh proof was asked: one of our own pages, and nothing else whatever the address says."""
    asked = dict(query).get("next", "")
    parts = urlsplit(asked)
    ours = not parts.scheme and not parts.netloc and "\\" not in asked
    inside = any(parts.path == path or parts.path.startswith(f"{path}/") for path in AGAIN_FOR)
    return asked if ours and inside else "/account"
