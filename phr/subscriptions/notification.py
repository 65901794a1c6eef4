"""What a subscriber is told: a history Bundle whose first entry says where the subscription stands (R5 Backport, R4).

The rule: an event is its number, its time and, at most, the address of a resource; never anything of what it holds.
Source: HL7, Subscriptions R5 Backport 1.1.0, profiles backport-subscription-notification-r4 and -status-r4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from phr.subscriptions.wish import GUIDE

Json = dict[str, Any]
Kind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a subscription stands. `told`: how many events it was told of. `topic`: a canonical, not said if empty."""

    id: str
    topic: str
    status: str
    told: int


@dataclass(frozen=True, slots=True)
class Said:
    """One event, as it is told: `focus` None when it is not, or no longer, for the subscriber."""

    number: int
    at: datetime
    focus: str | None


def instant(at: datetime) -> str:
    """A FHIR instant, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def status(standing: Standing, kind: Kind, base: str, events: Sequence[Said] = ()) -> Json:
    """Parameters: backport-subscription-status-r4."""
    listed: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{standing.id}"}},
        *([{"name": "topic", "valueCanonical": standing.topic}] if standing.topic else []),
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.told)},
        *(_event(one, base) for one in events),
    ]
    profile = f"{GUIDE}/StructureDefinition/backport-subscription-status-r4"
    return {"resourceType": "Parameters", "id": str(uuid4()), "meta": {"profile": [profile]}, "parameter": listed}


def notification(standing: Standing, kind: Kind, base: str, now: datetime, events: Sequence[Said] = ()) -> Json:
    """The Bundle that is sent, or answered to `$events`."""
    said = status(standing, kind, base, events)
    asked = {"method": "GET", "url": f"{base}/Subscription/{standing.id}/$status"}
    entry = {"fullUrl": f"urn:uuid:{said['id']}", "resource": said, "request": asked, "response": {"status": "200"}}
    return {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": instant(now),
        "entry": [entry],
    }


def statuses(standings: Sequence[Standing], base: str) -> Json:
    """The answer to `$status`: a searchset."""
    listed = [status(one, "query-status", base) for one in standings]
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": {"mode": "match"}} for one in listed]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return {**bundle, "entry": entries} if entries else bundle


def _event(one: Said, base: str) -> Json:
    part: list[Json] = [
        {"name": "event-number", "valueString": str(one.number)},
        {"name": "timestamp", "valueInstant": instant(one.at)},
    ]
    if one.focus is not None:
        part.append({"name": "focus", "valueReference": {"reference": f"{base}/{one.focus}"}})
    return {"name": "notification-event", "part": part}
