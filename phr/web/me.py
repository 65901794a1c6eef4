"""/me: where a person begins. Who sees their record, lending it, its journal, and what waits for their answer.

The rule: it counts what the other pages list.
"""

from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from phr.access.provision import Right
from phr.web import held, notified
from phr.web.api import Api
from phr.web.held import Unread, counted
from phr.web.lines import pieces, professionals
from phr.web.mine import HOME, Mine, opened
from phr.web.pages import Pages
from phr.web.people import PEOPLE, received
from phr.web.words import TEXTS

_WEEK = timedelta(days=7)
_MOST = 50
_PAGES = ("access", "share", "journal", "people", "choices", "notifications", "prescriptions", "messages", "agenda")


def router(server: AuthServer) -> APIRouter:
    """/me."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    @routes.get(HOME)
    async def me(request: Request) -> Response:
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        async with mine.calling() as api:
            try:
                found = await mine.held(api)
            except Unread as unread:
                return mine.unread(unread)
            if mine.mandate(found) is not None:
                return mine.go(PEOPLE)
            seen = await _seen(mine, api)
            waiting = len(await received(mine, api)) if mine.chosen.own else 0
            new = await notified.told(mine, api)
        language = mine.language
        people = sum(not one.own for one in held.of(found, Right.CAREGIVER, Right.LEGAL_REPRESENTATIVE))
        apps = len({one.who for one in held.of(found, Right.APPLICATION)})
        shown = len(pieces(found))
        who = (("professionals", professionals(found)), ("pieces", shown), ("people", people), ("apps", apps))
        codes = len(held.of(found, Right.ACCESS_CODE))
        values = {
            "waiting": counted("me_waiting", waiting, language) if waiting else "",
            "sight": [counted(f"me_{name}", n, language) for name, n in who if n],
            "codes": counted("me_codes", codes, language) if codes else "",
            "seen": seen,
            "new": new,
            "addresses": {name: mine.at(f"{HOME}/{name}") for name in _PAGES},
            "others": [(one, mine.at(HOME, record="" if one.own else one.record)) for one in mine.choices],
        }
        return mine.page("me.html", values)

    return routes


async def _seen(mine: Mine, api: Api) -> str:
    """How often professionals opened the record in the last week, as far as one page of the journal tells."""
    since = (mine.server.clock() - _WEEK).isoformat()
    asked = [("patient", mine.record), ("group", "professionals"), ("date", f"ge{since}"), ("_count", str(_MOST))]
    answer = await api.get(f"AuditEvent?{urlencode(asked)}")
    found = answer.json() if answer.status_code == 200 else {}
    n = sum(one["search"]["mode"] == "match" for one in found.get("entry", ()))
    more = any(link["relation"] == "next" for link in found.get("link", ()))
    if more or not n:
        return TEXTS[mine.language]["me_seen_more" if more else "me_seen_none"].format(n=n)
    return counted("me_seen", n, mine.language)
