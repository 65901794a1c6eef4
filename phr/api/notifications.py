"""The centre of notifications and its devices, over HTTP."""

from typing import Any
from uuid import UUID

from fastapi.responses import Response

from fhir.outcome import ALL_OK, outcome
from phr.api import answers, described, devices
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.core.errors import malformed
from phr.notifications import centre
from phr.notifications.entry import KINDS, Entry
from phr.reading import page_size

Json = dict[str, Any]
_NAMES = ("unread", "kind", "_count", "_cursor", "_summary", "_format", "_pretty")
_LISTED = described.taking(
    [
        {"in": "query", "name": "unread", "description": "Those alone.", "schema": {"enum": ["true", "false"]}},
        {"in": "query", "name": "kind", "description": "Comma-separated.", "schema": {"type": "string"}},
        {"in": "query", "name": "_summary", "description": "How many are unread.", "schema": {"enum": ["count"]}},
        *described.PAGING,
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking = described.taking([], described.RESOURCE)

    @doors.opens("GET", "/Patient/{id:id}/$notifications", _LISTED)
    async def notifications(asked: Asked, id: str) -> Response:
        """What the reader was told of this record, newest first; or how many they did not read."""
        query = _query(asked)
        if query.get("_summary") == "count":
            return _answer(asked, _counted(await centre.unread(asked.visit, id)))
        kinds, most = [one for one in query.get("kind", "").split(",") if one], page_size(query.get("_count"))
        unread, cursor = query.get("unread") == "true", query.get("_cursor")
        found = await centre.listed(asked.visit, id, unread=unread, kinds=kinds, most=most, cursor=cursor)
        more = [] if found.next is None else [{"name": "next", "valueString": found.next}]
        return _answer(asked, [*map(_told, found.found), *more])

    @doors.opens("POST", "/Patient/{id:id}/$notification-read", taking)
    async def read(asked: Asked, id: str) -> Response:
        """These were read."""
        await centre.mark(asked.visit, id, await _ids(asked), read=True)
        return _done(asked)

    @doors.opens("POST", "/Patient/{id:id}/$notification-unread", taking)
    async def unread(asked: Asked, id: str) -> Response:
        """These were not read."""
        await centre.mark(asked.visit, id, await _ids(asked), read=False)
        return _done(asked)

    @doors.opens("POST", "/Patient/{id:id}/$notification-read-all", taking)
    async def read_all(asked: Asked, id: str) -> Response:
        """Every one in sight was read."""
        await given(asked, ())
        await centre.mark_all(asked.visit, id)
        return _done(asked)

    @doors.opens("POST", "/Patient/{id:id}/$notification-delete", taking)
    async def delete(asked: Asked, id: str) -> Response:
        """Take these out of the centre."""
        await centre.delete(asked.visit, id, await _ids(asked))
        return _done(asked)

    devices.open_doors(doors)


def _query(asked: Asked) -> dict[str, str]:
    found = dict(asked.pairs)
    kinds = {one for one in found.get("kind", "").split(",") if one}
    well = found.get("unread", "false") in ("true", "false") and found.get("_summary", "count") == "count"
    if not set(found) <= set(_NAMES) or len(found) != len(asked.pairs) or not kinds <= set(KINDS) or not well:
        raise malformed(f"What may be asked: unread, _summary=count, _count, _cursor, kind ({', '.join(KINDS)}).")
    return found


async def _ids(asked: Asked) -> list[UUID]:
    return devices.named(await given(asked, ("notification",)), "notification")


def _told(one: Entry) -> Json:
    about = [{"name": "about", "valueReference": {"reference": one.about}}] if one.about else []
    return {
        "name": "notification",
        "part": [
            {"name": "id", "valueString": one.id.hex},
            {"name": "kind", "valueCode": one.kind},
            {"name": "at", "valueInstant": one.at.isoformat(timespec="milliseconds")},
            {"name": "read", "valueBoolean": one.read},
            *about,
        ],
    }


def _counted(n: int) -> list[Json]:
    more = n == centre.COUNTED
    return [{"name": "unread", "valueInteger": n}, {"name": "more", "valueBoolean": more}]


def _answer(asked: Asked, listed: list[Json], status: int = 200) -> Response:
    body = {"resourceType": "Parameters", **({"parameter": listed} if listed else {})}
    return answers.json_answer(asked, body, status)


def _done(asked: Asked) -> Response:
    return answers.json_answer(asked, outcome([ALL_OK]))
