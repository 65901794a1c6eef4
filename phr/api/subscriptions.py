"""FHIR Subscriptions, over HTTP: made, changed, deleted, and asked where they stand."""

from email.utils import format_datetime
from typing import Any

from fastapi.responses import Response

from fhir.parameters import Kind
from phr.api import answers, described
from phr.api.asked import Asked, resource_of
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.core.errors import malformed
from phr.subscriptions import finding, owned, replay
from phr.subscriptions.asking import KIND
from phr.subscriptions.held import Held


def open_doors(doors: Doors) -> None:
    """What a Subscription has of its own; it is read and searched as any other type (`phr.api.fhir`)."""
    told = described.taking([])

    @doors.opens("POST", "/Subscription", described.taking([], described.RESOURCE), status_code=201)
    async def create(asked: Asked) -> Response:
        """Ask to be told; the signing key is in this answer alone."""
        made = await owned.create(asked.visit, asked.claims, await _body(asked))
        address = f"{asked.base}/Subscription/{made.id}/_history/{made.version}"
        return _answer(asked, made, 201, {"Location": address}, secret=True)

    @doors.opens("PUT", "/Subscription/{id:id}", described.taking(described.MATCH, described.RESOURCE))
    async def update(asked: Asked, id: str) -> Response:
        """Switch it off, or ask for it anew with this token."""
        body, if_match = await _body(asked), asked.header("if-match")
        return _answer(asked, await owned.update(asked.visit, asked.claims, id, body, if_match), 200, {})

    @doors.opens("DELETE", "/Subscription/{id:id}", described.taking([]), status_code=204)
    async def delete(asked: Asked, id: str) -> Response:
        """Be told no more."""
        await owned.delete(asked.visit, id)
        return Response(status_code=204, headers=answers.PRIVATE)

    @doors.opens("GET", "/Subscription/$status", told)
    @doors.opens("POST", "/Subscription/$status", told)
    async def status_of_all(asked: Asked) -> Response:
        """Where one's own subscriptions stand: all, or those of `id`, or in `status`."""
        said = await _said(asked, "id", "status")
        ids, wanted = ([value for name, value in said if name == one] for one in ("id", "status"))
        return answers.json_answer(asked, await replay.status_of_all(asked.visit, ids, wanted, asked.base))

    @doors.opens("GET", "/Subscription/{id:id}/$status", told)
    @doors.opens("POST", "/Subscription/{id:id}/$status", told)
    async def status(asked: Asked, id: str) -> Response:
        """Where a subscription stands."""
        await _said(asked, "id", "status")
        return answers.json_answer(asked, await replay.status_of(asked.visit, id, asked.base))

    @doors.opens("GET", "/Subscription/{id:id}/$events", told)
    @doors.opens("POST", "/Subscription/{id:id}/$events", told)
    async def events(asked: Asked, id: str) -> Response:
        """What a subscriber was told, again: `eventsSinceNumber`, `eventsUntilNumber`, both included."""
        said = dict(await _said(asked, "eventsSinceNumber", "eventsUntilNumber", "content"))
        since, until = said.get("eventsSinceNumber"), said.get("eventsUntilNumber")
        return answers.json_answer(asked, await replay.events(asked.visit, id, since, until, asked.base))


async def read(asked: Asked, id: str) -> Response:
    """One of the reader's own, as it stands."""
    held, stands = await owned.read(asked.visit, id)
    return answers.json_answer(asked, held.shown(stands=stands), 200, _version(held))


async def search(asked: Asked) -> Response:
    """The reader's own."""
    return answers.json_answer(asked, await finding.search(asked.visit, asked.pairs, asked.base, strict=asked.strict))


def is_ours(kind: Kind) -> bool:
    """Whether a type is served here, and not stored as the others are."""
    return kind is KIND


async def _body(asked: Asked) -> dict[str, Any]:
    body = await resource_of(asked, asked.visit.installation.settings.resource_bytes)
    if body.get("resourceType") != KIND.name:
        raise malformed("The resource is not of the type in the address.", "resourceType")
    return body


async def _said(asked: Asked, *names: str) -> list[tuple[str, str]]:
    """The parameters of an operation that changes nothing: in the address, or in a Parameters body."""
    if asked.request.method == "GET":
        return [(name, value) for name, value in asked.pairs if name in names]
    said = await given(asked, names)
    return [(name, value) for name in names for value in said.every(name, str)]


def _answer(asked: Asked, held: Held, status: int, headers: dict[str, str], *, secret: bool = False) -> Response:
    return answers.json_answer(asked, held.shown(secret=secret), status, {**_version(held), **headers})


def _version(held: Held) -> dict[str, str]:
    return {"ETag": held.etag, "Last-Modified": format_datetime(held.updated, usegmt=True)}
