"""The page on which a professional names assistants, ends their naming, and signs out.

The rule: only the professional in person; an assistant names nobody.
"""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import assistants
from auth.assistants import Naming, NamingRefusal
from auth.professionals import Professional
from auth.server import AuthServer
from auth.sessions import Visitor
from phr.core.settings import Settings
from phr.web.pages import Pages, form_of, go, query_of
from phr.web.professional import HOME, SIGN_IN


def router(server: AuthServer, settings: Settings) -> APIRouter:
    """/professional/assistants."""
    routes = APIRouter(tags=["professionals"], include_in_schema=False)
    pages = Pages(server)

    async def person(request: Request) -> tuple[Visitor, Professional] | None:
        visitor = await pages.visitor(request)
        return None if visitor is None or visitor.professional is None else (visitor, visitor.professional)

    async def shown(
        request: Request, visitor: Visitor, mine: Professional, problem: str | None = None, number: str = ""
    ) -> Response:
        named = [] if visitor.assistant is not None else await run_in_threadpool(listed, mine)
        values = {
            "professional": mine,
            "assistant": visitor.assistant,
            "named": named,
            "problem": problem,
            "number": number,
            "action": HOME,
        }
        return pages.page(request, "assistants.html", values, status=200 if problem is None else 400)

    async def left(request: Request) -> Response:
        await run_in_threadpool(server.sign_out, request.cookies.get(pages.session_cookie, ""))
        response = pages.page(request, "professional_left.html", {"again": SIGN_IN})
        pages.drop(response, pages.session_cookie)
        return response

    def listed(mine: Professional) -> list[Naming]:
        with Session(server.engine) as session:
            return assistants.of(session, server.keys, mine)

    def named(mine: Professional, number: str) -> Naming | NamingRefusal:
        with Session(server.engine) as session, session.begin():
            return assistants.name(session, server.keys, mine, number, server.clock(), sandbox=settings.sandbox)

    def dismissed(mine: Professional, id: UUID) -> bool:
        with Session(server.engine) as session, session.begin():
            return assistants.dismiss(session, server.keys, mine, id, server.clock())

    @routes.get(HOME)
    async def show(request: Request) -> Response:
        found = await person(request)
        return go(SIGN_IN) if found is None else await shown(request, *found)

    @routes.post(HOME)
    async def change(request: Request) -> Response:
        form = await form_of(request)
        found = await person(request)
        if found is None:
            return go(SIGN_IN)
        visitor, mine = found
        if not pages.honest(request, form):
            return await shown(request, visitor, mine, "expired")
        given = dict(form)
        if "leave" in given:
            return await left(request)
        if visitor.assistant is not None:
            return await shown(request, visitor, mine, NamingRefusal.NOT_ENTITLED.value)
        if "end" in given:
            await run_in_threadpool(dismissed, mine, _id(given["end"]))
            return go(HOME, query_of(request))
        made = await run_in_threadpool(named, mine, given.get("number", ""))
        if isinstance(made, NamingRefusal):
            return await shown(request, visitor, mine, made.value, given.get("number", ""))
        return go(HOME, query_of(request))

    return routes


def _id(text: str) -> UUID:
    """The id in a form; one that nobody has when it is not an id."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
