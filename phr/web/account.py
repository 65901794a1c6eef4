"""A citizen's own page: the browsers that are signed in, the applications that have access, and ending each or all.

The rule: ending an access asks for nothing more than being signed in, and takes effect at the next request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import grants, logout, sessions
from auth.accounts import Account
from auth.agreements import NEVER
from auth.devices import named
from auth.grants import Grant
from auth.server import AuthServer
from auth.sessions import Visitor
from phr import applications
from phr.access.installation import Installation
from phr.web.api import CLIENT
from phr.web.pages import Pages, Pairs, form_of, go, query_of, to

_PARIS = ZoneInfo("Europe/Paris")
_ENDED = ("device", "app", "all")


@dataclass(frozen=True, slots=True)
class Held:
    """What has access to an account. `labels`: what the people of the records are called; None for one's own."""

    browsers: tuple[Visitor, ...]
    grants: tuple[Grant, ...]
    labels: Mapping[str, str | None]


def held(server: AuthServer, account: Account) -> Held:
    """Everything that is signed in to an account or has access through it."""
    keys, now = server.keys, server.clock()
    with Session(server.engine) as session:
        browsers = sessions.of_account(session, keys, account.id, now)
        granted = grants.of_account(session, keys, account.id, now)
        records = server.records(session, keys, account, now)
    return Held(tuple(browsers), tuple(granted), {one.record: None if one.own else one.label for one in records})


def end_browsers(server: AuthServer, account: UUID, ids: frozenset[UUID] | None, but: UUID | None = None) -> None:
    """End these browser sessions of an account, all when None, and what hangs on them; `but` stays."""
    now = server.clock()
    with Session(server.engine) as session, session.begin():
        standing = sessions.of_account(session, server.keys, account, now)
        ended = [one for one in standing if one.id != but and (ids is None or one.id in ids)]
        for one in ended:
            logout.end(server, session, one, now)
        sessions.end(session, account, [one.id for one in ended])


def end_grants(server: AuthServer, account: UUID, ids: frozenset[UUID] | None) -> list[Grant]:
    """Take back these grants of an account, all when None; which they were. Another account's are left alone."""
    now = server.clock()
    with Session(server.engine) as session, session.begin():
        standing = grants.of_account(session, server.keys, account, now)
        taken = [grant for grant in standing if ids is None or grant.id in ids]
        if ids is None:
            grants.revoke_all(session, account, now)
        for grant in taken:
            grants.revoke(session, grant.id, now)
    return taken


def router(server: AuthServer, installation: Installation | None = None) -> APIRouter:
    """/account and /account/end. `installation`: where records say which applications were connected."""
    routes = APIRouter(tags=["account"], include_in_schema=False)
    pages = Pages(server)

    async def withdrawn(account: UUID, ids: frozenset[UUID] | None) -> None:
        """The access stops first, whatever the record; then the record says so."""
        taken = await run_in_threadpool(end_grants, server, account, ids)
        if installation is not None:
            await applications.ended(installation, CLIENT, taken, server.clock())

    @routes.get("/account")
    async def account(request: Request) -> Response:
        query = query_of(request)
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", _language_of(query))
        found = await run_in_threadpool(held, server, visitor.account)
        ended = next((value for name, value in query if name == "ended"), "")
        return shown(request, visitor, found, f"account_ended_{ended}" if ended in _ENDED else None)

    def shown(request: Request, visitor: Visitor, found: Held, done: str | None) -> Response:
        kept = _language_of(query_of(request))
        language = pages.language(request, kept)
        values = {
            "person": visitor.name,
            "here": visitor.id,
            "browsers": sorted(found.browsers, key=lambda one: one.id != visitor.id),
            "apps": [replace(one, expires=None) if one.expires == NEVER else one for one in found.grants],
            "labels": found.labels,
            "named": lambda agent: named(agent, language),
            "day": lambda at: day(at, language),
            "moment": lambda at: moment(at, language),
            "done": done,
            "action": to("/account/end", kept),
            "security": to("/account/security", kept),
            "mine": to("/me", kept),
        }
        return pages.page(request, "account.html", values, query=kept)

    @routes.post("/account/end")
    async def end(request: Request) -> Response:
        form = await form_of(request)
        kept = _language_of(query_of(request))
        visitor = await pages.visitor(request)
        if visitor is None or visitor.account is None:
            return go("/signin", kept)
        if not pages.honest(request, form):
            return pages.expired(request)
        browsers, apps = _ids(form, "session"), _ids(form, "grant")
        if "all" in dict(form):
            await run_in_threadpool(end_browsers, server, visitor.subject, None, visitor.id)
            await withdrawn(visitor.subject, None)
            return go("/account", [*kept, ("ended", "all")])
        if apps:
            await withdrawn(visitor.subject, apps)
            return go("/account", [*kept, ("ended", "app")])
        await run_in_threadpool(end_browsers, server, visitor.subject, browsers)
        if visitor.id not in browsers:
            return go("/account", [*kept, ("ended", "device")])
        response = go("/signin", kept)
        pages.drop(response, pages.session_cookie)
        return response

    return routes


def day(at: datetime, language: str) -> str:
    """A day as a page shows it, in Paris: 22/11/2026, 22 November 2026."""
    return at.astimezone(_PARIS).strftime("%d/%m/%Y" if language == "fr" else "%-d %B %Y")


def moment(at: datetime, language: str) -> str:
    """A day and a time as a page shows them, in Paris: 22/11/2026 à 14:42."""
    between = "à" if language == "fr" else "at"
    return f"{day(at, language)} {between} {at.astimezone(_PARIS):%H:%M}"


def _ids(form: Pairs, name: str) -> frozenset[UUID]:
    found = set()
    for key, value in form:
        try:
            found |= {UUID(value)} if key == name else set()
        except ValueError:
            continue
    return frozenset(found)


def _language_of(query: Pairs) -> Pairs:
    return [(name, value) for name, value in query if name == "ui_locales"]
