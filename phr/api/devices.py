"""The devices that are pushed to, over HTTP."""

from typing import Any
from uuid import UUID

from fastapi.responses import Response

from fhir.outcome import ALL_OK, outcome
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, given
from phr.core.errors import absent
from phr.notifications import registering, web_push
from phr.notifications.device import Device
from phr.notifications.registering import FIELDS

Json = dict[str, Any]


def open_doors(doors: Doors) -> None:
    """The operations of this page."""
    taking = described.taking([], described.RESOURCE)

    @doors.opens("GET", "/Patient/{id:id}/$devices", described.taking([]))
    async def devices(asked: Asked, id: str) -> Response:
        """The reader's devices that are pushed to, and the key with which a browser subscribes."""
        found = await registering.listed(asked.visit, id)
        key = {"name": "key", "valueString": web_push.public_key(asked.visit.installation.system_keys)}
        return _answer(asked, [key, *map(_told, found)])

    @doors.opens("POST", "/Patient/{id:id}/$register-device", taking, status_code=201)
    async def register(asked: Asked, id: str) -> Response:
        """Push to a device what the reader is told of this record; again: refresh it."""
        said = await given(asked, ("kind", *(name for names in FIELDS.values() for name in names)))
        kind = said.coded("kind") or ""
        reached = {name: said.required(name, str) for name in {*FIELDS.get(kind, ()), *said.values} - {"kind"}}
        made = await registering.register(asked.visit, id, kind, reached)
        return _answer(asked, [{"name": "device", "valueString": made.hex}], 201)

    @doors.opens("POST", "/Patient/{id:id}/$remove-device", taking)
    async def remove(asked: Asked, id: str) -> Response:
        """Push to this device no more."""
        said = await given(asked, ("device",))
        said.required("device", str)
        await registering.remove(asked.visit, id, *named(said, "device"))
        return answers.json_answer(asked, outcome([ALL_OK]))


def named(said: Given, name: str) -> list[UUID]:
    """The ids that are named. One that is no id of ours is absent, as one that is not in sight."""
    try:
        return [UUID(text) for text in said.every(name, str)]
    except ValueError:
        raise absent() from None


def _told(one: Device) -> Json:
    platform = [{"name": "platform", "valueCode": one.reached["platform"]}] if "platform" in one.reached else []
    instants = {"registered": one.created, "refreshed": one.seen, "until": one.until}
    return {
        "name": "device",
        "part": [
            {"name": "id", "valueString": one.id.hex},
            {"name": "kind", "valueCode": one.kind},
            {"name": "client", "valueString": one.client},
            *platform,
            *({"name": name, "valueInstant": at.isoformat(timespec="milliseconds")} for name, at in instants.items()),
        ],
    }


def _answer(asked: Asked, listed: list[Json], status: int = 200) -> Response:
    return answers.json_answer(asked, {"resourceType": "Parameters", "parameter": listed}, status)
