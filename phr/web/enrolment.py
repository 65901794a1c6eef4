"""The pages where a citizen makes their account: the invitation, how they will sign in, the code sent by e-mail.

The rule: the steps stand in a ticket whose secret only this browser's cookie has; what is refused says what to change,
beside the field it is about, and never whether somebody is known here.
"""

import re
from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from auth import devices, sessions
from auth.enrolment import COOKIE, LIFETIME, Details, Enrolled, Enrolment, EnrolmentRefusal, Field
from auth.invitations import InvitationRefusal
from auth.mailed_codes import CodeRefusal
from auth.server import AuthServer
from phr.web.pages import Pages, Pairs, form_of, go, onward, query_of, to

_NO_FAULT: Mapping[str, str] = {}


def router(server: AuthServer, terms_version: str) -> APIRouter:
    """/enrol and its steps, /terms and /terms/accept."""
    routes = APIRouter(tags=["enrolment"], include_in_schema=False)
    pages = Pages(server)
    enrolment = Enrolment(server, terms_version)
    cookie = pages.cookie(COOKIE)

    def begin_page(request: Request, problem: str | None, given: Mapping[str, str]) -> Response:
        values = {
            "problem": problem,
            "problem_here": problem in ("enrol_wrong",),
            "given": {name: given.get(name, "") for name in ("code", "ins", "birth")},
            "action": to("/enrol", query_of(request)),
            "signin": to("/signin", query_of(request)),
        }
        return pages.page(request, "enrol.html", values, status=_status(problem))

    def details_page(
        request: Request, problem: str | None, given: Mapping[str, str], faults: Mapping[str, str] = _NO_FAULT
    ) -> Response:
        problem = "enrol_check" if faults and problem is None else problem
        values = {
            "problem": problem,
            "faults": {name.value: faults.get(name.value) for name in Field},
            "given": {name: given.get(name, "") for name in ("login", "email", "first")},
            "terms_version": terms_version,
            "action": to("/enrol/details", query_of(request)),
            "terms": to("/terms", _language_of(query_of(request))),
        }
        return pages.page(request, "enrol_details.html", values, status=_status(problem))

    def verify_page(request: Request, problem: str | None, email: str, *, sent: bool = False) -> Response:
        values = {
            "problem": problem,
            "problem_here": problem in ("code_wrong", "code_spent"),
            "email": email,
            "sent": sent,
            "action": to("/enrol/verify", query_of(request)),
            "back": to("/enrol/details", query_of(request)),
        }
        return pages.page(request, "enrol_verify.html", values, status=_status(problem))

    def gone(request: Request) -> Response:
        return begin_page(request, EnrolmentRefusal.GONE.value, {})

    @routes.get("/enrol")
    async def begin(request: Request) -> Response:
        return begin_page(request, None, {})

    @routes.post("/enrol")
    async def redeem(request: Request) -> Response:
        form = await form_of(request)
        given = dict(form)
        if not pages.honest(request, form):
            return begin_page(request, "expired", given)
        typed = given.get("code", ""), given.get("ins", ""), birth_date(given.get("birth", ""))
        result = await run_in_threadpool(enrolment.redeem, *typed, _address(request))
        if isinstance(result, InvitationRefusal):
            return begin_page(request, "throttled" if result is InvitationRefusal.THROTTLED else "enrol_wrong", given)
        if isinstance(result, EnrolmentRefusal):
            return begin_page(request, result.value, {})
        response = go("/enrol/details", query_of(request))
        pages.keep(response, cookie, result, LIFETIME)
        return response

    @routes.get("/enrol/details")
    async def details(request: Request) -> Response:
        pending = await run_in_threadpool(enrolment.pending, request.cookies.get(cookie, ""))
        if pending is None:
            return go("/enrol", query_of(request))
        return details_page(request, None, {"login": pending.login, "email": pending.email, "first": pending.given})

    @routes.post("/enrol/details")
    async def choose(request: Request) -> Response:
        form = await form_of(request)
        given = dict(form)
        if not pages.honest(request, form):
            return details_page(request, "expired", given)
        chosen = Details(
            given.get("login", ""), given.get("email", ""), given.get("password", ""), given.get("terms", "")
        )
        secret, language = request.cookies.get(cookie, ""), pages.language(request, query_of(request))
        result = await run_in_threadpool(enrolment.choose, secret, chosen, language, _address(request))
        if result is EnrolmentRefusal.GONE:
            return gone(request)
        if isinstance(result, EnrolmentRefusal):
            return details_page(request, result.value, given)
        if result is not None:
            return details_page(request, None, given, {name.value: fault for name, fault in result.items()})
        return go("/enrol/verify", query_of(request))

    @routes.get("/enrol/verify")
    async def verify(request: Request) -> Response:
        pending = await run_in_threadpool(enrolment.pending, request.cookies.get(cookie, ""))
        if pending is None or not pending.asked:
            return go("/enrol/details", query_of(request))
        return verify_page(request, None, pending.email)

    @routes.post("/enrol/verify")
    async def verified(request: Request) -> Response:
        form = await form_of(request)
        secret = request.cookies.get(cookie, "")
        pending = await run_in_threadpool(enrolment.pending, secret)
        if pending is None or not pending.asked:
            return gone(request)
        if not pages.honest(request, form):
            return verify_page(request, "expired", pending.email)
        language = pages.language(request, query_of(request))
        if "again" in dict(form):
            refusal = await run_in_threadpool(enrolment.again, secret, language)
            return verify_page(request, None if refusal is None else refusal.value, pending.email, sent=refusal is None)
        return await finished(request, dict(form).get("code", ""), pending.email, language)

    async def finished(request: Request, code: str, email: str, language: str) -> Response:
        secret, known = request.cookies.get(cookie, ""), request.cookies.get(pages.cookie(devices.COOKIE))
        agent = request.headers.get("user-agent", "")
        result = await run_in_threadpool(enrolment.verify, secret, code, agent, known, language)
        if isinstance(result, CodeRefusal):
            return verify_page(request, result.value, email)
        if result is EnrolmentRefusal.LOGIN_TAKEN:
            return details_page(request, None, {"email": email}, {Field.LOGIN.value: result.value})
        if not isinstance(result, Enrolled):
            return begin_page(request, result.value, {})
        response = go("/enrol/done", query_of(request))
        pages.admit(response, result.session, sessions.LIFETIME)
        pages.keep(response, pages.cookie(devices.COOKIE), result.device, devices.LIFETIME)
        pages.drop(response, cookie)
        return response

    @routes.get("/enrol/done")
    async def done(request: Request) -> Response:
        query = query_of(request)
        if await pages.visitor(request) is None:
            return go("/signin", query)
        security = to("/account/security", _language_of(query))
        return pages.page(request, "enrol_done.html", {"onward": onward(query), "security": security})

    @routes.get("/terms")
    async def terms(request: Request) -> Response:
        return pages.page(request, "terms.html", {"version": terms_version})

    def accept_page(request: Request, problem: str | None) -> Response:
        values = {
            "problem": problem,
            "version": terms_version,
            "action": to("/terms/accept", query_of(request)),
            "leave": to("/signout", query_of(request)),
        }
        return pages.page(request, "terms_accept.html", values, status=_status(problem))

    @routes.get("/terms/accept")
    async def new_terms(request: Request) -> Response:
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", query_of(request))
        if not await run_in_threadpool(enrolment.needs_terms, visitor.account.id):
            return go(onward(query_of(request)))
        return accept_page(request, None)

    @routes.post("/terms/accept")
    async def accepted(request: Request) -> Response:
        form = await form_of(request)
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", query_of(request))
        if not pages.honest(request, form):
            return accept_page(request, "expired")
        if dict(form).get("terms") != terms_version:
            return accept_page(request, "enrol_terms_missing")
        await run_in_threadpool(enrolment.accept_terms, visitor.account.id)
        return go(onward(query_of(request)))

    return routes


def birth_date(typed: str) -> str:
    """YYYY-MM-DD from a date as people type it (17/05/1985, 17 5 1985, 1985-05-17); as typed when it is none."""
    parts = re.findall(r"[0-9]+", typed)
    if len(parts) == 1 and len(parts[0]) == 8:
        parts = [parts[0][:2], parts[0][2:4], parts[0][4:]]
    if len(parts) == 3 and len(parts[0]) == 4:
        parts.reverse()
    try:
        day, month, year = (int(part[:4]) for part in parts)
        return date(year, month, day).isoformat()
    except ValueError:
        return typed[:20]


def _status(problem: str | None) -> int:
    return {None: 200, "throttled": 429}.get(problem, 400)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _language_of(query: Pairs) -> Pairs:
    return [(name, value) for name, value in query if name == "ui_locales"]
