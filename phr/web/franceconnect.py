"""The pages where a citizen signs in at a provider like FranceConnect, and comes back to their own record or to none.

The rule: nothing on these pages tells whether a record or an account exists for an identity that opens none.
"""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import devices, enrolment, franceconnect, relying, sessions, traits
from auth.accounts import Account
from auth.franceconnect import Unopened
from auth.providers import Failure, Provider, ProviderError
from auth.relying import Arrived
from auth.server import AuthServer
from auth.sessions import Proof
from auth.traits import Traits
from phr.access.installation import Installation
from phr.traits import match
from phr.web import provider as provider_pages
from phr.web.pages import Pages, Pairs, go, onward, query_of, to
from phr.web.provider import Way, failed

SIGN_IN = "/signin/franceconnect"
CALLBACK = "/signin/franceconnect/callback"
WAY = Way(SIGN_IN, CALLBACK, "carnet_franceconnect")


def router(server: AuthServer, provider: Provider | None, installation: Installation) -> APIRouter:
    """/signin/franceconnect and its way back."""
    routes = APIRouter(tags=["sign-in"], include_in_schema=False)
    pages = Pages(server)
    away = pages.cookie(WAY.cookie)
    lowest = installation.settings.fc_acr

    @routes.get(SIGN_IN)
    async def leave(request: Request) -> Response:
        query = query_of(request)
        if provider is None:
            values = {"message": "provider_fc_none", "again": to("/signin", query)}
            return pages.page(request, "provider.html", values, status=404)
        return await provider_pages.leave(pages, request, server, provider, WAY, franceconnect.request(lowest))

    @routes.get(CALLBACK)
    async def come_back(request: Request) -> Response:
        if provider is None:
            return go(SIGN_IN)
        secret, answer = request.cookies.get(away, ""), query_of(request)
        try:
            arrived = await run_in_threadpool(relying.finish, server, provider, secret, answer)
            if not franceconnect.enough(arrived.acr, lowest):
                raise ProviderError(Failure.LEVEL)
        except ProviderError as error:
            return failed(pages, request, error.failure, SIGN_IN)
        told = traits.of_claims(arrived.userinfo)
        record = None if told is None else await _matched(told)
        response = await run_in_threadpool(opened, request, arrived, told, record)
        pages.drop(response, away)
        return response

    async def _matched(told: Traits) -> str | None:
        async with installation.database.session() as session:
            return await match(session, installation, told)

    def opened(request: Request, arrived: Arrived, told: Traits | None, record: str | None) -> Response:
        """Into the account, on to enrolment, or nowhere."""
        query: Pairs = [(name, value) for name, value in arrived.kept["query"]]
        now, keys = server.clock(), server.keys
        with Session(server.engine) as session, session.begin():
            found = franceconnect.open_account(session, keys, arrived, record, now)
            if isinstance(found, Account):
                return signed_in(request, session, arrived, found, query, now)
            if isinstance(found, Unopened) or record is None or told is None:
                values = {"message": "provider_unmatched", "again": to("/enrol", query)}
                return pages.page(request, "provider.html", values, status=403, query=query)
            secret = franceconnect.hand_over(session, keys, arrived, record, told, now)
        response: Response = go("/enrol/details", query)
        pages.keep(response, pages.cookie(enrolment.COOKIE), secret, enrolment.LIFETIME)
        return response

    def signed_in(
        request: Request, session: Session, arrived: Arrived, account: Account, query: Pairs, now: datetime
    ) -> Response:
        agent, language = request.headers.get("user-agent", ""), pages.language(request, query)
        proof = Proof(arrived.amr, arrived.acr, arrived.at)
        secret = sessions.start(session, server.keys, account, proof, agent, now)[1]
        known = pages.cookie(devices.COOKIE)
        device = devices.greet(session, server.keys, account, request.cookies.get(known), agent, language, now)
        response = go(onward(query))
        pages.admit(response, secret, sessions.LIFETIME)
        pages.keep(response, known, device, devices.LIFETIME)
        return response

    return routes
