"""Texts about prevention: those for me, those that could interest me, and each of them.

The rule: which are whose is what the API says to the person signed in; a text itself is the same for everybody.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.server import AuthServer
from phr.journal_words import day_of
from phr.prevention.contents import CONTENTS
from phr.prevention.words import Language
from phr.web.held import Unread
from phr.web.mine import HOME, Json, Mine, opened
from phr.web.pages import Pages

LIST = f"{HOME}/contents"


def router(server: AuthServer) -> APIRouter:
    """/me/contents and /me/contents/{id}."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(server)

    @routes.get(LIST)
    async def contents(request: Request) -> Response:
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        async with mine.calling() as api:
            answer = await api.get(f"Patient/{mine.record}/$contents?lang={mine.language}")
        if answer.status_code != 200:
            return mine.unread(Unread(answer.status_code))
        listed = answer.json().get("parameter", ())
        values = {
            "lists": [(name, [_line(mine, one) for one in listed if one["name"] == name]) for name in _LISTS],
            "prevention": mine.at(f"{HOME}/prevention"),
        }
        return mine.page("contents.html", values)

    @routes.get(f"{LIST}/{{id}}")
    async def content(request: Request, id: str) -> Response:
        mine = await opened(server, pages, request)
        if isinstance(mine, Response):
            return mine
        one = CONTENTS.get(id)
        if one is None:
            return mine.go(LIST)
        language: Language = "en" if mine.language == "en" else "fr"
        values = {
            "title": getattr(one.title, language),
            "body": one.html(language),
            "updated": day_of(one.updated.isoformat(), language),
            "source": one,
            "back": mine.at(LIST),
        }
        return mine.page("contents_one.html", values)

    return routes


_LISTS = ("for-me", "could-interest")


def _line(mine: Mine, told: Json) -> Mapping[str, str]:
    """A text in a list: its title, and where it is."""
    parts = {part["name"]: part for part in told["part"]}
    return {"title": parts["title"]["valueString"], "address": mine.at(f"{LIST}/{parts['id']['valueId']}")}
