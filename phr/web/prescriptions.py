"""The person's prescriptions: each in plain words, its code to show, sending it to a pharmacy and taking it back.

The rule: what the pages show and do, the API shows and does to who is signed in.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.criterion import LOGICAL_ID
from phr.web import prescription_shown as shown
from phr.web import sending
from phr.web.api import Api
from phr.web.held import Unread
from phr.web.mine import Mine, opened
from phr.web.pages import Pages, Pairs, form_of
from phr.web.prescription_shown import PRESCRIPTIONS

Shows = Callable[[Mine, Api], Awaitable[Response]]


def router(server: AuthServer) -> APIRouter:
    """/me/prescriptions and the pages below it."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def answered(request: Request, id: str, shows: Shows, form: Pairs | None = None) -> Response:
        """What is shown to who is there, of the record they mean."""
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        if id and LOGICAL_ID.fullmatch(id) is None:
            return shown.absent(mine)
        if form is not None and not pages.honest(request, form):
            return pages.expired(request)
        async with mine.calling() as api:
            try:
                return await shows(mine, api)
            except Unread as unread:
                return shown.absent(mine) if unread.status == 404 and id else mine.unread(unread)

    @routes.get(PRESCRIPTIONS)
    async def home(request: Request) -> Response:
        return await answered(request, "", shown.home)

    @routes.get(f"{PRESCRIPTIONS}/pharmacy")
    async def usual(request: Request) -> Response:
        return await answered(request, "", sending.choosing)

    @routes.post(f"{PRESCRIPTIONS}/pharmacy")
    async def choose(request: Request) -> Response:
        form = await form_of(request)
        return await answered(request, "", lambda mine, api: sending.chosen(mine, api, form), form)

    @routes.get(f"{PRESCRIPTIONS}/{{id}}")
    async def one(request: Request, id: str) -> Response:
        return await answered(request, id, lambda mine, api: shown.one(mine, api, id))

    @routes.post(f"{PRESCRIPTIONS}/{{id}}")
    async def take_back(request: Request, id: str) -> Response:
        form = await form_of(request)
        return await answered(request, id, lambda mine, api: shown.take_back(mine, api, id, form), form)

    @routes.get(f"{PRESCRIPTIONS}/{{id}}/paper")
    async def paper(request: Request, id: str) -> Response:
        return await answered(request, id, lambda mine, api: shown.paper(mine, api, id))

    @routes.get(f"{PRESCRIPTIONS}/{{id}}/code")
    async def code(request: Request, id: str) -> Response:
        return await answered(request, id, lambda mine, api: shown.code(mine, api, id))

    @routes.post(f"{PRESCRIPTIONS}/{{id}}/code")
    async def renew(request: Request, id: str) -> Response:
        form = await form_of(request)
        return await answered(request, id, lambda mine, api: shown.renew(mine, api, id, form), form)

    @routes.get(f"{PRESCRIPTIONS}/{{id}}/send")
    async def choose_to_send(request: Request, id: str) -> Response:
        return await answered(request, id, lambda mine, api: sending.choosing(mine, api, id))

    @routes.post(f"{PRESCRIPTIONS}/{{id}}/send")
    async def send(request: Request, id: str) -> Response:
        form = await form_of(request)
        return await answered(request, id, lambda mine, api: sending.chosen(mine, api, form, id), form)

    return routes
