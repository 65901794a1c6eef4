"""/account/security: the password, passkeys, the authenticator application and recovery codes of a citizen.

The rule: anyone signed in may look; whoever changes something has shown a second factor in the last ten minutes.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth import rfc9470
from auth.factors import Kind
from auth.security import Security
from auth.server import AuthServer
from auth.sessions import Visitor
from auth.totp import Enrolment
from phr import qr
from phr.web.pages import Pages, Pairs, form_of, go, query_of, to
from phr.web.second import answer_of, challenge, problem

HOME = "/account/security"

Handler = Callable[[Request, Visitor], Awaitable[Response]]


def fresh(visitor: Visitor, now: datetime) -> bool:
    """Whether the visitor showed a second factor recently enough to change what proves who they are."""
    return rfc9470.fresh(visitor.proof.acr, visitor.proof.at, now)


def proven_again(path: str, query: Pairs) -> Response:
    """Send somebody to show a second factor again, and then to `path`."""
    return go("/signin/again", [*query, ("next", path)])


def router(server: AuthServer) -> APIRouter:
    """/account/security and what is under it."""
    routes = APIRouter(tags=["account"], include_in_schema=False)
    pages, security = Pages(server), Security(server)

    async def for_citizen(request: Request, handler: Handler, back: str | None = None) -> Response:
        """Serve a signed-in citizen; `back`, where a change is made, asks for a fresh proof and then leads there."""
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", query_of(request))
        if back is not None and not fresh(visitor, server.clock()):
            return proven_again(back, query_of(request))
        return await handler(request, visitor)

    def page(request: Request, template: str, *, status: int = 200, script: bool = False, **values: object) -> Response:
        known = {"problem": None, "home": to(HOME, query_of(request)), "here": to(request.url.path, query_of(request))}
        return pages.page(request, template, known | values, status=status, script=script)

    async def home_page(request: Request, visitor: Visitor, told: str | None = None) -> Response:
        found = await run_in_threadpool(security.factors, visitor.subject)
        return page(
            request,
            "security.html",
            told=told,
            passkeys=[one for one in found if one.kind is Kind.PASSKEY],
            applications=[one for one in found if one.kind is Kind.TOTP],
            codes=sum(one.kind is Kind.RECOVERY for one in found),
            remove=to(f"{HOME}/remove", query_of(request)),
            account=to("/account", query_of(request)),
            at={part: to(f"{HOME}/{part}", query_of(request)) for part in ("password", "passkey", "totp", "recovery")},
        )

    def done(request: Request) -> Response:
        return go(HOME, query_of(request))

    def language(request: Request) -> str:
        return pages.language(request, query_of(request))

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        return await for_citizen(request, home_page)

    @routes.get(f"{HOME}/password")
    async def password_form(request: Request) -> Response:
        async def shown(request: Request, visitor: Visitor) -> Response:
            return page(request, "security_password.html", name=visitor.name)

        return await for_citizen(request, shown, f"{HOME}/password")

    @routes.post(f"{HOME}/password")
    async def password(request: Request) -> Response:
        async def change(request: Request, visitor: Visitor) -> Response:
            form = await form_of(request)
            given = dict(form)
            if not pages.honest(request, form):
                return page(request, "security_password.html", name=visitor.name, problem="expired", status=400)
            old, new = given.get("old", ""), given.get("password", "")
            refusal = await run_in_threadpool(security.change_password, visitor, old, new, language(request))
            if refusal is None:
                return await home_page(request, visitor, "password_changed")
            return page(request, "security_password.html", name=visitor.name, problem=refusal.value, status=400)

        return await for_citizen(request, change, f"{HOME}/password")

    @routes.get(f"{HOME}/passkey")
    async def passkey_form(request: Request) -> Response:
        async def shown(request: Request, visitor: Visitor) -> Response:
            return passkey_page(request, None)

        return await for_citizen(request, shown, f"{HOME}/passkey")

    def passkey_page(request: Request, problem: str | None, status: int = 200) -> Response:
        options = to(f"{HOME}/passkey/options", query_of(request))
        return page(request, "security_passkey.html", options=options, problem=problem, status=status, script=True)

    @routes.post(f"{HOME}/passkey/options")
    async def passkey_options(request: Request) -> Response:
        visitor = await pages.visitor(request)
        honest = pages.honest(request, await form_of(request))
        if visitor is None or visitor.account is None or not honest or not fresh(visitor, server.clock()):
            return problem(403)
        return challenge(await run_in_threadpool(security.passkey_options, visitor))

    @routes.post(f"{HOME}/passkey")
    async def passkey(request: Request) -> Response:
        async def add(request: Request, visitor: Visitor) -> Response:
            form = await form_of(request)
            if not pages.honest(request, form):
                return passkey_page(request, "expired", 400)
            label = dict(form).get("label", "")
            refusal = await run_in_threadpool(security.add_passkey, visitor, answer_of(form), label, language(request))
            return done(request) if refusal is None else passkey_page(request, refusal.value, 400)

        return await for_citizen(request, add, f"{HOME}/passkey")

    @routes.get(f"{HOME}/totp")
    async def totp_form(request: Request) -> Response:
        async def begin(request: Request, visitor: Visitor) -> Response:
            return totp_page(request, await run_in_threadpool(security.begin_totp, visitor), None)

        return await for_citizen(request, begin, f"{HOME}/totp")

    def totp_page(request: Request, enrolment: Enrolment, problem: str | None, label: str = "") -> Response:
        groups = [enrolment.secret[place : place + 4] for place in range(0, len(enrolment.secret), 4)]
        return page(
            request,
            "security_totp.html",
            status=200 if problem is None else 400,
            problem=problem,
            ticket=enrolment.ticket,
            secret=" ".join(groups),
            drawing=qr.svg(enrolment.uri, alone=False),
            label=label,
        )

    @routes.post(f"{HOME}/totp")
    async def totp(request: Request) -> Response:
        async def confirm(request: Request, visitor: Visitor) -> Response:
            form = await form_of(request)
            given = dict(form)
            enrolment = await run_in_threadpool(security.begun_totp, visitor, given.get("ticket", ""))
            if enrolment is None or not pages.honest(request, form):
                return totp_page(request, await run_in_threadpool(security.begin_totp, visitor), "expired")
            code, label = answer_of(form), given.get("label", "")
            if not await run_in_threadpool(security.confirm_totp, visitor, enrolment, code, label, language(request)):
                return totp_page(request, enrolment, "totp_wrong", label)
            return done(request)

        return await for_citizen(request, confirm, f"{HOME}/totp")

    @routes.get(f"{HOME}/recovery")
    async def recovery_form(request: Request) -> Response:
        async def shown(request: Request, visitor: Visitor) -> Response:
            return page(request, "security_codes.html", codes=None)

        return await for_citizen(request, shown, f"{HOME}/recovery")

    @routes.post(f"{HOME}/recovery")
    async def recovery(request: Request) -> Response:
        async def renew(request: Request, visitor: Visitor) -> Response:
            if not pages.honest(request, await form_of(request)):
                return page(request, "security_codes.html", codes=None, problem="expired", status=400)
            codes = await run_in_threadpool(security.renew_recovery, visitor, language(request))
            return page(request, "security_codes.html", codes=codes)

        return await for_citizen(request, renew, f"{HOME}/recovery")

    @routes.post(f"{HOME}/remove")
    async def remove(request: Request) -> Response:
        async def forget(request: Request, visitor: Visitor) -> Response:
            form = await form_of(request)
            if not pages.honest(request, form):
                return pages.expired(request)
            which = dict(form).get("factor", "")
            if which == Kind.RECOVERY.value:
                await run_in_threadpool(security.remove_recovery, visitor, language(request))
            elif (id := _uuid(which)) is not None:  # noqa: A001
                await run_in_threadpool(security.remove, visitor, id, language(request))
            return done(request)

        return await for_citizen(request, forget, HOME)

    return routes


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
