"""The person's messages: the list of their threads, and writing a new one. One thread is `phr.web.conversation`.

The rule: what the pages show and do, the API shows and does to who is signed in; nothing of a message is in an address.
"""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from phr.web import conversation, correspondence
from phr.web import mine as own
from phr.web.api import Api
from phr.web.correspondence import MESSAGES, problem_of, sending
from phr.web.mine import Json, Mine, Shows
from phr.web.pages import Pages, Pairs, query_of
from phr.web.upload import upload_of

NEW = f"{MESSAGES}/new"
_FILLED = ("text", "subject", "to")


def router(server: AuthServer) -> APIRouter:
    """/me/messages and the pages below it."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def answered(request: Request, shows: Shows) -> Response:
        return await own.answered(server, pages, request, shows)

    @routes.get(MESSAGES)
    async def messages(request: Request) -> Response:
        return await answered(request, _listed)

    @routes.get(NEW)
    async def new(request: Request) -> Response:
        return await answered(request, _writing)

    @routes.post(NEW)
    async def start(request: Request) -> Response:
        form, files = await upload_of(request, correspondence.LARGEST)

        async def started(mine: Mine, api: Api) -> Response:
            if not pages.honest(request, form):
                return pages.expired(request)
            if not dict(form).get("to"):
                return await _writing(mine, api, "messages_to", form, 422)
            answer = await correspondence.send(mine, api, form, files)
            if not answer.is_success:
                return await _writing(mine, api, problem_of(answer), form, answer.status_code)
            told = {one["name"]: one for one in answer.json()["parameter"]}
            sent = told["thread"]["valueReference"]["reference"].removeprefix("Communication/")
            return mine.go(f"{MESSAGES}/{sent}", "sent")

        return await answered(request, started)

    routes.include_router(conversation.router(server))  # after the rest: `new` is no thread
    return routes


async def _listed(mine: Mine, api: Api) -> Response:
    asked = dict(query_of(mine.request))
    away = asked.get("show") == "archived"
    pairs = [("_cursor", asked["from"])] if "from" in asked else [("archived", str(away).lower())]
    told = await correspondence.told(api, f"Patient/{mine.record}/$threads?{urlencode(pairs)}")
    lines = [correspondence.line(mine, one) for one in told if one["name"] == "thread"]
    older, show = correspondence.cursor(told), [("show", "archived")] if away else []
    values: dict[str, Any] = {
        "threads": [(one, mine.at(f"{MESSAGES}/{one.id}")) for one in lines],
        "unread": sum(one.unread > 0 for one in lines),
        "away": away,
        "new": mine.at(NEW),
        "current": mine.at(MESSAGES),
        "archived": mine.at(MESSAGES, ("show", "archived")),
        "older": mine.at(MESSAGES, *show, ("from", older)) if older else "",
        "done": "messages_done_archived" if mine.done({"archived"}) else "",
    }
    return mine.page("messages.html", values)


async def _writing(mine: Mine, api: Api, problem: str = "", form: Pairs | None = None, status: int = 200) -> Response:
    """The page of a new message: whom it is for is searched by name, then chosen."""
    given = dict(form or [])
    name = given.get("q") or dict(query_of(mine.request)).get("q", "")
    found: list[Json] = []
    if name.strip():
        answer = await api.get(f"Patient/{mine.record}/$recipients?{urlencode([('name', name)])}")
        found = answer.json().get("parameter", []) if answer.status_code == 200 else []
    values = {
        "q": name,
        "recipients": [correspondence.recipient(one) for one in found],
        "given": {field: given.get(field, "") for field in _FILLED},
        "problem": problem,
        "here": mine.at(NEW),
        "list": mine.at(MESSAGES),
        **await sending(mine, api, form),
    }
    return mine.page("messages_new.html", values, status)
