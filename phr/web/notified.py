"""What the page of notifications reads of the API: entries, devices, and how a person is told of each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from phr.notices import ALWAYS
from phr.notifications.entry import KINDS
from phr.preferences import PREFERENCES
from phr.web.account import moment
from phr.web.api import Api
from phr.web.held import Unread, plain
from phr.web.mine import HOME, Json, Mine
from phr.web.words import TEXTS

COUNT = "?_summary=count"
_PLACES: Mapping[str, str] = {
    "access": "access",
    "emergency": "access",
    "document": "journal",
    "delegation": "people",
    "application": "access",
    "prescription": "prescriptions",
    "message": "messages",
    "agenda": "agenda",
    "prevention": "prevention",
}
"""Where a person reads more of each kind, under /me."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, as the page shows it."""

    id: str
    kind: str
    at: str
    moment: str
    read: bool
    address: str


@dataclass(frozen=True, slots=True)
class Thing:
    """A device that is notified."""

    id: str
    kind: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Switch:
    """One way of being told of one kind: its name in the form, what it says, whether it is on."""

    name: str
    label: str
    on: bool


async def lines(mine: Mine, api: Api, *, unread: bool, cursor: str) -> tuple[list[Line], str]:
    """A page of entries, and the cursor of the next one, if there is. Raises Unread."""
    asked = [("unread", "true")] if unread else []
    asked += [("_cursor", cursor)] if cursor else []
    body = await _read(mine, api, f"$notifications?{urlencode(asked)}")
    found = [_line(mine, one) for one in _parts(body, "notification")]
    return found, str(_one(body, "next") or "")


async def count(mine: Mine, api: Api) -> tuple[int, bool]:
    """How many entries are unread, and whether there are more than that. Raises Unread."""
    body = await _read(mine, api, f"$notifications{COUNT}")
    return int(_one(body, "unread")), bool(_one(body, "more"))


async def told(mine: Mine, api: Api) -> str:
    """How many entries are unread, in words. Raises Unread."""
    n, more = await count(mine, api)
    name = "more" if more else "none" if n == 0 else "one" if n == 1 else "many"
    return TEXTS[mine.language][f"me_notifications_{name}"].format(n=n)


async def things(mine: Mine, api: Api) -> tuple[list[Thing], str]:
    """The devices, and the key that a browser subscribes with. Raises Unread."""
    body = await _read(mine, api, "$devices")
    found = []
    for one in _parts(body, "device"):
        since, until = (moment(datetime.fromisoformat(one[name]), mine.language) for name in ("registered", "until"))
        found.append(Thing(one["id"], one.get("platform") or one["kind"], since, until))
    return found, str(_one(body, "key"))


async def switches(mine: Mine, api: Api) -> Mapping[str, Sequence[Switch]]:
    """How the person is told of each kind: `notify` by mail, `push` on their devices. Raises Unread."""
    body = await _read(mine, api, "$preferences")
    on = {one["name"]: one["valueBoolean"] for one in body["parameter"]}
    return {
        channel: [
            Switch(name, plain(PREFERENCES[name].fr if mine.language == "fr" else PREFERENCES[name].en), on[name])
            for name in (f"{channel}-{kind}" for kind in KINDS if kind not in ALWAYS)
        ]
        for channel in ("notify", "push")
    }


def _line(mine: Mine, one: Json) -> Line:
    at = datetime.fromisoformat(one["at"])
    address = mine.at(f"{HOME}/{_PLACES[one['kind']]}")
    return Line(one["id"], one["kind"], at.isoformat(), moment(at, mine.language), one["read"], address)


async def _read(mine: Mine, api: Api, operation: str) -> Json:
    answer = await api.get(f"Patient/{mine.record}/{operation}")
    if answer.status_code != 200:
        raise Unread(answer.status_code)
    return dict(answer.json())


def _parts(body: Json, name: str) -> list[Json]:
    found = [one for one in body.get("parameter", ()) if one["name"] == name]
    return [{part["name"]: _value(part) for part in one["part"]} for one in found]


def _one(body: Json, name: str) -> Any:
    return next((_value(one) for one in body.get("parameter", ()) if one["name"] == name), None)


def _value(part: Json) -> Any:
    return next(value for name, value in part.items() if name.startswith("value"))
