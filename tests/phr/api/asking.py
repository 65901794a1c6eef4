"""What the tests of the API say again and again: a weight, a refusal, a page, all the pages."""

from typing import Any

import httpx

from fhir.validation import validate
from tests.house import FHIR_JSON, Caller, observation

Json = dict[str, Any]
NEVER = "000-00000000000070008000000000000000"
IDENTIFIER = {"system": "urn:example:scale", "value": "w-1"}


def identified(record: str, value: str = "w-1", **more: Any) -> Json:
    return observation(record, identifier=[{**IDENTIFIER, "value": value}], **more)


def refused(answer: httpx.Response, status: int) -> Json:
    """A failure told as FHIR tells it. The first issue."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith(FHIR_JSON)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert validate("OperationOutcome", body) == ()
    assert "Traceback" not in answer.text
    issue: Json = body["issue"][0]
    return issue


def matches(page: Json, mode: str = "match") -> list[Json]:
    return [one["resource"] for one in page.get("entry", ()) if one["search"]["mode"] == mode]


async def found(caller: Caller, path: str) -> set[str]:
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert validate("Bundle", page) == ()
    assert matches(page, "outcome") == [], path
    return {one["id"] for one in matches(page)}


async def told(caller: Caller, path: str) -> list[str]:
    page = (await caller.get(path)).json()
    return [issue["diagnostics"] for one in matches(page, "outcome") for issue in one["issue"]]


async def created(app: Caller, body: Json) -> Json:
    answer = await app.post(body["resourceType"], body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def pages(caller: Caller, path: str) -> list[list[str]]:
    seen = []
    while path:
        page = (await caller.get(path)).json()
        seen.append([one["id"] for one in matches(page)])
        path = next((one["url"].partition("/fhir/")[2] for one in page["link"] if one["relation"] == "next"), "")
    return seen
