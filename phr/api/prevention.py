"""Prevention, over HTTP: what is advised to a person, and what they or a professional say of it."""

from datetime import date
from typing import cast

from fastapi.responses import Response

from phr.api import answers, described, parameters
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.core.errors import invalid
from phr.journal_words import preferred
from phr.prevention import careplan
from phr.prevention.answers import Said, answer
from phr.prevention.words import Language

ANSWERED = ("rule", "said", "fact", "value", "on", "until", "reason")
_TOLD = described.taking(
    [
        {"in": "query", "name": "on", "description": "A day; today in Paris.", "schema": {"type": "string"}},
        {"in": "query", "name": "lang", "description": "Before Accept-Language.", "schema": {"enum": ["fr", "en"]}},
        {"in": "query", "name": "theme", "description": "Only these, comma-separated.", "schema": {"type": "string"}},
        {"in": "query", "name": "status", "description": "Only these, comma-separated.", "schema": {"type": "string"}},
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("GET", "/Patient/{id:id}/$prevention", _TOLD)
    async def advised(asked: Asked, id: str) -> Response:
        """What is recommended to the person, as far as the reader sees the record: a CarePlan of proposals."""
        language = cast(Language, preferred(asked.first("lang"), asked.header("accept-language")))
        wanted = careplan.wanted(asked.pairs, language, strict=asked.strict)
        found = await careplan.prevention(asked.visit, id, wanted)
        return answers.json_answer(asked, found, headers={"Content-Language": language})

    taking = described.taking(described.PREFER, described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$answer-prevention", taking, status_code=201)
    async def answered(asked: Asked, id: str) -> Response:
        """Say of a rule that it was done, is not for one, is for later, is declined; or whether a fact holds."""
        said = _said(await parameters.given(asked, ANSWERED))
        return answers.wrote(asked, await answer(asked.visit, id, said, asked.base))


def _said(given: parameters.Given) -> Said:
    return Said(
        rule=given.coded("rule"),
        said=given.coded("said"),
        fact=given.coded("fact"),
        value=given.one("value", bool),
        on=_day(given, "on"),
        until=_day(given, "until"),
        reason=given.one("reason", str),
    )


def _day(given: parameters.Given, name: str) -> date | None:
    """A day, or None. Raises CONTENT (422)."""
    text = given.one(name, str)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise invalid("A day is expected: YYYY-MM-DD.", f"Parameters.parameter.where(name = '{name}')") from None
