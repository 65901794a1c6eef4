"""The calendar of prevention and of the agenda, over HTTP: making and ending its private address, and what is at it.

The rule: who holds the address needs no token; whatever is wrong with it, the answer is the same.
"""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from fhir.outcome import ALL_OK, outcome
from phr.access.installation import Installation
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.prevention import feed

HEADERS = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Disposition": 'inline; filename="carnet.ics"',
}


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking = described.taking([], described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$calendar-address", taking, status_code=201)
    async def make(asked: Asked, id: str) -> Response:
        """Make a private calendar address; the former one of this account ends. It may say titles."""
        titles = (await given(asked, ("titles",))).one("titles", bool) is True
        secret = await feed.make(asked.visit, id, titles=titles)
        url = f"{asked.visit.installation.settings.issuer}/calendar/{secret}.ics"
        made = {"resourceType": "Parameters", "parameter": [{"name": "address", "valueUrl": url}]}
        return answers.json_answer(asked, made, 201)

    @doors.opens("POST", "/Patient/{id:id}/$end-calendar-address", taking)
    async def end(asked: Asked, id: str) -> Response:
        """End it."""
        await given(asked, ())
        await feed.end(asked.visit, id)
        return answers.json_answer(asked, outcome([ALL_OK]))


def router(installation: Installation, clock: Callable[[], datetime]) -> APIRouter:
    """The feed itself (RFC 5545), for whoever has its address."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/calendar/{secret}.ics", methods=["GET", "HEAD"])
    async def calendar(request: Request, secret: str) -> Response:
        found = await feed.read(installation, secret, clock())
        headers = {**HEADERS, "ETag": feed.etag_of(found)}
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
        return Response(found, media_type="text/calendar; charset=utf-8", headers=headers)

    return routes
