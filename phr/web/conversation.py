"""One thread of the person's messages: what was said, answering, closing it, putting it away, taking a message back.

The rule: opening the page reads what it shows; every other thing it does is a button of a form of ours.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from fhir.criterion import LOGICAL_ID
from fhir.operation import parameters
from phr.messages.reports import REASONS
from phr.messages.thread import OPEN
from phr.web import correspondence
from phr.web.api import Api
from phr.web.correspondence import MESSAGES, problem_of, sending
from phr.web.held import Unread
from phr.web.mine import Json, Mine, opened
from phr.web.pages import PRIVATE, Pages, Pairs, query_of
from phr.web.upload import Uploaded, upload_of

_ACTS: Mapping[str, tuple[str, Json, str]] = {
    "close": ("close-thread", parameters(), "closed"),
    "archive": ("archive-thread", parameters(archived=True), "archived"),
    "unarchive": ("archive-thread", parameters(archived=False), "unarchived"),
    "silence": ("archive-thread", parameters(unsubscribed=True), "silenced"),
    "hear": ("archive-thread", parameters(unsubscribed=False), "heard"),
}
"""What a button does to the thread: the operation, what it is given, what the page says then."""
_DONE = frozenset({"sent", "recalled", "reported", *(done for _, _, done in _ACTS.values())})
_PASSED_ON = frozenset({"content-type", "content-disposition", "content-security-policy"})


def router(server: AuthServer) -> APIRouter:
    """/me/messages/{id} and the files of its messages."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def answered(request: Request, id: str, shows: Callable[[Mine, Api], Awaitable[Response]]) -> Response:
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        if LOGICAL_ID.fullmatch(id) is None:
            return mine.unread(Unread(404))
        async with mine.calling() as api:
            try:
                return await shows(mine, api)
            except Unread as unread:
                return mine.unread(unread)

    @routes.get(f"{MESSAGES}/{{id}}")
    async def thread(request: Request, id: str) -> Response:
        return await answered(request, id, partial(_shown, id=id))

    @routes.post(f"{MESSAGES}/{{id}}")
    async def act(request: Request, id: str) -> Response:
        form, files = await upload_of(request, correspondence.LARGEST)

        async def done(mine: Mine, api: Api) -> Response:
            if not pages.honest(request, form):
                return pages.expired(request)
            answer, said = await _asked(mine, api, id, form, files)
            if answer is None or not answer.is_success:
                problem, status = ("me_refused", 422) if answer is None else (problem_of(answer), answer.status_code)
                late = said == "recalled" and status == 409
                return await _shown(mine, api, id, "messages_too_late" if late else problem, form, status)
            return mine.go(MESSAGES if said == "archived" else f"{MESSAGES}/{id}", said)

        return await answered(request, id, done)

    @routes.get(f"{MESSAGES}/{{id}}/file/{{binary}}")
    async def file(request: Request, id: str, binary: str) -> Response:
        async def content(mine: Mine, api: Api) -> Response:
            found = await api.get(f"Binary/{binary}", accept="*/*")
            if found.status_code != 200:
                return mine.unread(Unread(found.status_code))
            kept = {name: value for name, value in found.headers.items() if name in _PASSED_ON}
            return Response(found.content, 200, {**kept, **PRIVATE, "X-Content-Type-Options": "nosniff"})

        return await answered(request, binary, content)

    return routes


async def _asked(
    mine: Mine, api: Api, id: str, form: Pairs, files: list[Uploaded]
) -> tuple[httpx.Response | None, str]:
    """Do what a form asks: the API's answer, and what the page says when it is done; None: it asks nothing known."""
    do, _, message = dict(form).get("do", "").partition(":")
    if do == "reply":
        return await correspondence.send(mine, api, [*form, ("thread", id)], files), "sent"
    if do in _ACTS:
        operation, body, said = _ACTS[do]
        return await api.post(f"Communication/{id}/${operation}", body), said
    if LOGICAL_ID.fullmatch(message) is None:
        return None, ""
    if do == "recall":
        return await api.post(f"Communication/{message}/$recall-message", parameters()), "recalled"
    if do == "report":
        body = parameters(reason=dict(form).get("reason", ""))
        return await api.post(f"Communication/{message}/$report-message", body), "reported"
    return None, ""


async def _shown(
    mine: Mine, api: Api, id: str, problem: str = "", form: Pairs | None = None, status: int = 200
) -> Response:
    start = dict(query_of(mine.request)).get("from", "")
    path = f"Communication/{id}/$thread"
    told = await correspondence.told(api, f"{path}?{urlencode([('_cursor', start)])}" if start else path)
    named = {one["name"]: one for one in told}
    header, now = named["thread"]["resource"], mine.server.clock()
    found = [await correspondence.said(mine, api, one, now) for one in told if one["name"] == "message"]
    if any(one.unread for one in found):
        await api.post(f"Communication/{id}/$read-thread", parameters())
    older, here, done = correspondence.cursor(told), f"{MESSAGES}/{id}", mine.done(_DONE)
    values = {
        "subject": header["topic"]["text"],
        "whom": correspondence.parties(mine, header),
        "takes_part": correspondence.takes_part(header),
        "is_open": header["status"] == OPEN,
        "messages": found,
        "away": named["archived"]["valueBoolean"],
        "silent": named["unsubscribed"]["valueBoolean"],
        "reasons": sorted(REASONS),
        "older": mine.at(here, ("from", older)) if older else "",
        "action": mine.at(here),
        "list": mine.at(MESSAGES),
        "given": {"text": dict(form or []).get("text", "")},
        "problem": problem,
        "done": f"messages_done_{done}" if done and not problem else "",
        **await sending(mine, api, form),
    }
    return mine.page("messages_thread.html", values, status)
