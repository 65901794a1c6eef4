"""What is due in a practice, over HTTP: a professional's own patients, or how many they are."""

from typing import Any, cast
from urllib.parse import urlencode

from fastapi.responses import Response

from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.journal_words import preferred
from phr.prevention import practice
from phr.prevention.words import Language

Json = dict[str, Any]
_KEPT = ("rule", "theme", "status", "lang")
"""What a next link repeats: none of it is about anybody."""
_TOLD = described.taking(
    [
        {"in": "query", "name": "rule", "description": "Ids of rules, comma-separated.", "schema": {"type": "string"}},
        {"in": "query", "name": "theme", "description": "Only these, comma-separated.", "schema": {"type": "string"}},
        {"in": "query", "name": "status", "description": "Else due and overdue.", "schema": {"type": "string"}},
        {"in": "query", "name": "summary", "description": "How many, not who.", "schema": {"enum": ["count"]}},
        *described.PAGING,
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("GET", "/Patient/$due", _TOLD)
    async def due(asked: Asked) -> Response:
        """Which of a professional's patients are due for what: CarePlans, or counts by rule and status."""
        language = cast(Language, preferred(asked.first("lang"), asked.header("accept-language")))
        wanted = practice.asked(asked.pairs, language)
        if wanted.counting:
            return answers.json_answer(asked, _counts(await practice.count(asked.visit, wanted), wanted.rules.version))
        return answers.json_answer(asked, _collection(asked, await practice.due(asked.visit, wanted, asked.pairs)))


def _collection(asked: Asked, page: practice.Page) -> Json:
    bundle: Json = {"resourceType": "Bundle", "type": "collection"}
    if page.next is not None:
        kept = [(name, value) for name, value in asked.pairs if name in _KEPT]
        link = f"{asked.base}/Patient/$due?{urlencode([*kept, ('_cursor', page.next)])}"
        bundle["link"] = [{"relation": "next", "url": link}]
    entries = [{"resource": plan} for plan in page.plans]
    return bundle | ({"entry": entries} if entries else {})


def _counts(found: practice.Count, version: str) -> Json:
    counted = [
        {
            "name": "count",
            "part": [
                {"name": "rule", "valueCode": rule},
                {"name": "status", "valueCode": status.value},
                {"name": "patients", "valueInteger": many},
            ],
        }
        for (rule, status), many in sorted(found.counted.items())
    ]
    told = [
        {"name": "ruleset", "valueString": version},
        {"name": "people", "valueInteger": found.people},
        {"name": "cut", "valueBoolean": found.cut},
    ]
    return {"resourceType": "Parameters", "parameter": [*told, *counted]}
