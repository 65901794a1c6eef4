"""Texts about prevention, over HTTP: those for a person, and those that could interest them."""

from typing import Any

from fastapi.responses import Response

from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.journal_words import preferred
from phr.prevention import contents
from phr.prevention.contents import Content
from phr.prevention.words import Language

Json = dict[str, Any]
_LANG = {"in": "query", "name": "lang", "description": "fr or en.", "schema": {"enum": ["fr", "en"]}}


def open_doors(doors: Doors) -> None:
    """$contents."""

    @doors.opens("GET", "/Patient/{id:id}/$contents", described.taking([_LANG]))
    async def offered(asked: Asked, id: str) -> Response:
        """Parameters `for-me` and `could-interest`: id, title, text (Markdown), updated, source, link, rules."""
        language: Language = "en" if preferred(asked.first("lang"), asked.header("accept-language")) == "en" else "fr"
        found = await contents.recommended(asked.visit, id)
        listed = [_told("for-me", one, language) for one in found.for_me]
        listed += [_told("could-interest", one, language) for one in found.could_interest]
        body = {"resourceType": "Parameters", **({"parameter": listed} if listed else {})}
        return answers.json_answer(asked, body, headers={"Content-Language": language})


def _told(name: str, one: Content, language: Language) -> Json:
    parts: list[Json] = [
        {"name": "id", "valueId": one.id},
        {"name": "title", "valueString": getattr(one.title, language)},
        {"name": "text", "valueMarkdown": getattr(one.text, language)},
        {"name": "updated", "valueDate": one.updated.isoformat()},
        {"name": "source", "valueString": one.source},
        {"name": "link", "valueUrl": one.link},
        {"name": "verified", "valueBoolean": one.verified},
        *({"name": "rule", "valueCode": rule} for rule in one.rules),
    ]
    return {"name": name, "part": parts}
