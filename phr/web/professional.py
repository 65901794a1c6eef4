"""The pages where a professional signs in: at their provider, then saying in which activity, and for whom.

The rule: the person chooses among their activities, always, and sees who they are taken for before going on.
"""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import assistants, backchannel, provider_sessions, psc, relying, sessions, tickets
from auth.assistants import Offer
from auth.backchannel import LogoutRefused
from auth.professionals import Professional
from auth.providers import Failure, Provider, ProviderError
from auth.relying import Arrived
from auth.server import AuthServer
from phr.core.settings import Settings
from phr.web import provider as provider_pages
from phr.web.pages import PRIVATE, Pages, Pairs, asks, form_of, go, onward, query_of, to
from phr.web.provider import Way, failed, language_of

SIGN_IN = "/signin/professional"
CALLBACK = "/signin/professional/callback"
ACTIVITY = "/signin/professional/activity"
LOGOUT = "/oauth/providers/professional/logout"
HOME = "/professional/assistants"
RETURNS = ("/pro/redeem", "/pro/pharmacy", "/pro/prevention")
"""Our own pages that send a professional to sign in, and have them back."""
_KEPT = ("ui_locales", "iss", "launch")
"""What they have back with them: the language, and what a SMART launch is (`phr.web.launched`)."""
WAY = Way(SIGN_IN, CALLBACK, "carnet_professional")
CHOICE_COOKIE = "carnet_activity"
CHOICE_LIFETIME = timedelta(minutes=10)
_PURPOSE = "activity"


def router(server: AuthServer, provider: Provider | None, settings: Settings) -> APIRouter:
    """/signin/professional and its steps, and where the provider tells that somebody left."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)
    away, choice = pages.cookie(WAY.cookie), pages.cookie(CHOICE_COOKIE)

    @routes.get(SIGN_IN)
    async def leave(request: Request) -> Response:
        if provider is None:
            return pages.page(request, "provider.html", {"message": "provider_none", "again": None}, status=404)
        return await provider_pages.leave(pages, request, server, provider, WAY, psc.REQUEST)

    @routes.get(CALLBACK)
    async def come_back(request: Request) -> Response:
        if provider is None:
            return go(SIGN_IN)
        try:
            secret, query = await run_in_threadpool(arrive, provider, request.cookies.get(away, ""), query_of(request))
        except ProviderError as error:
            return failed(pages, request, error.failure, SIGN_IN)
        response = go(ACTIVITY, language_of(query))
        pages.drop(response, away)
        pages.keep(response, choice, secret, CHOICE_LIFETIME)
        return response

    def arrive(provider: Provider, secret: str, answer: Pairs) -> tuple[str, Pairs]:
        """Judge who came, and keep what they may choose among. Raises ProviderError."""
        arrived = relying.finish(server, provider, secret, answer)
        if arrived.acr not in psc.ACCEPTED:
            raise ProviderError(Failure.LEVEL)
        activities = _activities(arrived, sandbox=settings.sandbox)
        query: Pairs = [(name, value) for name, value in arrived.kept["query"]]
        now = server.clock()
        with Session(server.engine) as session, session.begin():
            offers = assistants.offers(session, server.keys, activities)
            values = {
                "offers": [_kept(offer) for offer in offers],
                "query": query,
                "issuer": arrived.issuer,
                "sub": arrived.claims["sub"],
                "sid": arrived.claims.get("sid"),
                "acr": arrived.acr,
                "amr": list(arrived.amr),
                "at": arrived.at.timestamp(),
            }
            return tickets.issue(session, server.keys, _PURPOSE, values, CHOICE_LIFETIME, now), query

    @routes.get(ACTIVITY)
    async def activities(request: Request) -> Response:
        waiting = await run_in_threadpool(read, request.cookies.get(choice, ""))
        return go(SIGN_IN) if waiting is None else shown(request, waiting, None)

    def read(secret: str) -> tickets.Values | None:
        with Session(server.engine) as session:
            return tickets.read(session, server.keys, _PURPOSE, secret, server.clock())

    def shown(request: Request, waiting: tickets.Values, problem: str | None) -> Response:
        offers = [_offer(kept) for kept in waiting["offers"]]
        values = {"offers": offers, "person": offers[0].person, "action": ACTIVITY, "problem": problem}
        return pages.page(request, "activity.html", values, status=200 if problem is None else 400)

    @routes.post(ACTIVITY)
    async def choose(request: Request) -> Response:
        form, secret = await form_of(request), request.cookies.get(choice, "")
        waiting = await run_in_threadpool(read, secret)
        if waiting is None:
            return go(SIGN_IN)
        if not pages.honest(request, form):
            return shown(request, waiting, "expired")
        chosen = dict(form).get("activity", "")
        if not (chosen.isascii() and chosen.isdecimal() and len(chosen) < 5 and int(chosen) < len(waiting["offers"])):
            return shown(request, waiting, "activity_missing")
        made = await run_in_threadpool(admit, secret, int(chosen), request.headers.get("user-agent", ""))
        if made is None:
            return shown(request, waiting, "activity_gone")
        query: Pairs = [(name, value) for name, value in waiting["query"]]
        response = go(_after(query))
        pages.drop(response, choice)
        pages.admit(response, made, sessions.PROFESSIONAL_LIFETIME)
        return response

    def admit(secret: str, chosen: int, agent: str) -> str | None:
        """Open the session, bound to the provider's and, for an assistant, to the naming. None: it stands no more."""
        now, keys = server.clock(), server.keys
        until = now + sessions.PROFESSIONAL_LIFETIME
        with Session(server.engine) as session, session.begin():
            waiting = tickets.take(session, keys, _PURPOSE, secret, now)
            offer = None if waiting is None else _offer(waiting["offers"][chosen])
            if waiting is None or offer is None or not assistants.holds(session, keys, offer):
                return None
            proof = sessions.Proof(tuple(waiting["amr"]), waiting["acr"], datetime.fromtimestamp(waiting["at"], UTC))
            holder = offer.professional or offer.person
            helper = None if offer.professional is None else offer.person
            made, cookie = sessions.start(session, keys, holder, proof, agent, now, helper)
            marks = provider_sessions.marks(keys, waiting["issuer"], waiting)
            if helper is not None:
                marks.append(provider_sessions.assistance(keys, holder.id, helper.id))
            provider_sessions.bind_session(session, marks, made, holder.subject(keys), until)
            return cookie

    @routes.post(LOGOUT)
    async def left(request: Request) -> Response:
        """OpenID Connect Back-Channel Logout 1.0 §2.8: 200, or 400; `Cache-Control: no-store`."""
        token = dict(await form_of(request)).get("logout_token", "")
        if provider is None or not token:
            return _refused("invalid_request")
        try:
            await run_in_threadpool(backchannel.receive, server, provider, token)
        except LogoutRefused as error:
            return _refused("invalid_request", str(error))
        except ProviderError:
            return _refused("invalid_request", "the token's signature cannot be verified")
        return Response(status_code=200, headers={"Cache-Control": "no-store"})

    return routes


def _after(query: Pairs) -> str:
    """One of our own pages that asked for the sign-in, the application's request, or the professional's page."""
    there = dict(query).get("next", "")
    if there in RETURNS:
        return to(there, [(name, value) for name, value in query if name in _KEPT])
    return onward(query) if asks(query) else to(HOME, query)


def _activities(arrived: Arrived, *, sandbox: bool) -> tuple[Professional, ...]:
    try:
        found = psc.professionals(arrived.userinfo, sandbox=sandbox)
    except ValueError as error:
        raise ProviderError(Failure.USERINFO) from error
    if arrived.claims.get("SubjectNameID", found[0].id) != found[0].id:
        raise ProviderError(Failure.USERINFO)
    return found


def _kept(offer: Offer) -> dict[str, object]:
    return {
        "person": offer.person.claim(),
        "professional": None if offer.professional is None else offer.professional.claim(),
    }


def _offer(kept: dict[str, object]) -> Offer:
    holder = kept["professional"]
    return Offer(Professional.of_claim(kept["person"]), None if holder is None else Professional.of_claim(holder))


def _refused(error: str, description: str = "") -> Response:
    body = {"error": error} | ({"error_description": description} if description else {})
    return JSONResponse(body, 400, dict(PRIVATE))
