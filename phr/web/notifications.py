"""The person's centre of notifications, how they are told of each kind, and the devices that are notified.

The rule: what a device is told is asked here and nowhere else; a script subscribes the browser, and the page works
without it, but for that.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from auth.server import AuthServer
from fhir.operation import parameters
from phr.preferences import PREFERENCES
from phr.web import notified
from phr.web.api import Api
from phr.web.held import Unread
from phr.web.mine import HOME, Json, Mine, mark, opened, problem_of
from phr.web.pages import Pages, Pairs, form_of, query_of

NOTIFICATIONS = f"{HOME}/notifications"
_ONE = {"read": "notification-read", "unread": "notification-unread", "delete": "notification-delete"}
_DONE = frozenset({*_ONE, "all", "kept", "device", "removed"})
_GIVEN = ("endpoint", "p256dh", "auth")


def router(server: AuthServer) -> APIRouter:
    """/me/notifications."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    async def shown(mine: Mine, problem: str = "", status: int = 200) -> Response:
        asked = dict(query_of(mine.request))
        unread, cursor = asked.get("show") == "unread", asked.get("from", "")
        async with mine.calling() as api:
            try:
                mandate = mine.mandate(await mine.held(api))
                lines, more = await notified.lines(mine, api, unread=unread, cursor=cursor)
                waiting, beyond = await notified.count(mine, api)
                things, key = await notified.things(mine, api)
                switches = {} if mandate is not None else await notified.switches(mine, api)
            except Unread as failed:
                return mine.unread(failed)
        done = mine.done(_DONE)
        kept = [("show", "unread")] if unread else []
        values = {
            "problem": problem,
            "done": f"notifications_done_{done}" if done and not problem else "",
            "lines": lines,
            "unread": unread,
            "waiting": waiting,
            "beyond": beyond,
            "more": mine.at(NOTIFICATIONS, *kept, ("from", more)) if more else "",
            "newest": mine.at(NOTIFICATIONS, *kept) if cursor else "",
            "every": mine.at(NOTIFICATIONS),
            "only": mine.at(NOTIFICATIONS, ("show", "unread")),
            "switches": switches,
            "things": things,
            "key": key,
            "mark": mark(mine.record),
            "action": mine.at(NOTIFICATIONS),
            "device": mine.at(f"{NOTIFICATIONS}/device"),
            "turned": mine.at(NOTIFICATIONS, ("done", "device")),
            "chosen": mine.chosen,
            "locales": mine.locales,
        }
        query: Pairs = [*([] if mine.chosen.own else [("record", mine.record)]), *kept]
        query += [("ui_locales", mine.locales)] if mine.locales else []
        return pages.page(mine.request, "notifications.html", values, status=status, query=query, script=True)

    @routes.get(NOTIFICATIONS)
    async def notifications(request: Request) -> Response:
        mine = await opened(server, pages, request)
        return mine if isinstance(mine, Response) else await shown(mine)

    @routes.post(NOTIFICATIONS)
    async def change(request: Request) -> Response:
        form = await form_of(request)
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        if not pages.honest(request, form):
            return await shown(mine, "expired", 403)
        operation, body, done = _wish(form)
        async with mine.calling() as api:
            answer = await api.post(f"Patient/{mine.record}/${operation}", body)
        problem = problem_of(answer)
        return mine.go(NOTIFICATIONS, done) if problem is None else await shown(mine, problem, answer.status_code)

    @routes.post(f"{NOTIFICATIONS}/device")
    async def device(request: Request) -> Response:
        """What the page's script asks: to notify this browser, or to go on."""
        form = await form_of(request)
        mine = await opened(server, pages, request)
        if isinstance(mine, Response) or not pages.honest(request, form):
            return JSONResponse({}, 403)
        async with mine.calling() as api:
            return await _registered(mine, api, dict(form))

    return routes


async def _registered(mine: Mine, api: Api, given: Mapping[str, str]) -> Response:
    body = parameters(kind="web-push", **{name: given.get(name, "") for name in _GIVEN})
    answer = await api.post(f"Patient/{mine.record}/$register-device", body)
    made = answer.json().get("parameter", [{}])[0].get("valueString", "")
    return JSONResponse({"device": made}, answer.status_code)


def _wish(form: Pairs) -> tuple[str, Json, str]:
    """The operation that a form asks, its body, and what is said once it is done."""
    do, _, named = dict(form).get("do", "").partition(":")
    if do == "all":
        return "notification-read-all", parameters(), "all"
    if do == "remove":
        return "remove-device", parameters(device=named), "removed"
    if do == "preferences":
        was, on = ({value for name, value in form if name == wanted} for wanted in ("was", "on"))
        known = [value for name, value in form if name == "shown" and value in PREFERENCES]
        return "preferences", parameters(**{one: one in on for one in known if (one in on) is not (one in was)}), "kept"
    return _ONE.get(do, _ONE["read"]), parameters(notification=named), do if do in _ONE else "read"
