"""What a Subscription asks (R4, in the shape of the Subscriptions R5 Backport guide), read strictly.

The rule: what is not understood is refused, for it would be believed. Source: HL7, Subscriptions R5 Backport 1.1.0,
profile backport-subscription.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phr.core.errors import invalid
from phr.events import Topic
from phr.subscriptions.channel import headers

Json = dict[str, Any]

GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport"
PROFILE = f"{GUIDE}/StructureDefinition/backport-subscription"
_FILTER, _CONTENT, _HEARTBEAT, _TIMEOUT, _MOST = (
    f"{GUIDE}/StructureDefinition/backport-{name}"
    for name in ("filter-criteria", "payload-content", "heartbeat-period", "timeout", "max-count")
)
CONTENTS = ("id-only", "empty")
SHORTEST_BEAT, LONGEST_BEAT = 60, 7 * 86_400
LONGEST_TIMEOUT = 10
_FILTERS = re.compile(r"(?:(?P<kind>[A-Z][A-Za-z]+)\?)?(?P<name>_id|patient|subject|owner|recipient)=(?P<value>[^&=]+)")
PARTIES = frozenset({Topic.MESSAGE, Topic.PRESCRIPTION})
"""Topics of what is sent to somebody outside of the record."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked. `patient`: the id of the person it is about, `to`: or `Type/id` of whom things are sent to; of

    neither, the person's own record. `content`: id-only or empty. `heartbeat` and `timeout` in seconds.
    """

    topic: Topic
    patient: str | None
    to: str | None
    content: str
    heartbeat: int | None
    timeout: int
    status: str


def wish_of(body: Mapping[str, Any]) -> Wish:
    """Read a valid R4 Subscription. Raises CONTENT (422), naming the element."""
    channel = body["channel"]
    if channel.get("type") != "rest-hook" or "_type" in channel:
        raise invalid("Only rest-hook is spoken.", "Subscription.channel.type", "not-supported")
    if channel.get("payload") != "application/fhir+json":
        raise invalid("The payload is application/fhir+json.", "Subscription.channel.payload", "not-supported")
    if body.get("status") not in ("requested", "active", "off"):
        raise invalid("The status is asked as requested, or off.", "Subscription.status")
    topic = next((one for one in Topic if one.canonical == body["criteria"]), None)
    if topic is None:
        raise invalid("The criteria is the canonical URL of a topic.", "Subscription.criteria", "not-supported")
    patient, to = _filter(topic, _values(body.get("_criteria"), _FILTER, "valueString"))
    content = _one(channel.get("_payload"), _CONTENT, "valueCode", "Subscription.channel.payload")
    if content not in CONTENTS:
        listed = " or ".join(CONTENTS)
        raise invalid(f"The payload's content is {listed}.", "Subscription.channel.payload", "not-supported")
    beat = _one(channel, _HEARTBEAT, "valueUnsignedInt", "Subscription.channel")
    if beat is not None and not SHORTEST_BEAT <= beat <= LONGEST_BEAT:
        raise invalid(f"A heartbeat is every {SHORTEST_BEAT} to {LONGEST_BEAT} s.", "Subscription.channel", "value")
    timeout = _one(channel, _TIMEOUT, "valueUnsignedInt", "Subscription.channel")
    _known(channel.get("extension", ()), (_HEARTBEAT, _TIMEOUT, _MOST))
    seconds = min(max(timeout or LONGEST_TIMEOUT, 1), LONGEST_TIMEOUT)
    headers(channel.get("header", ()))
    return Wish(topic, patient, to, content, beat, seconds, body["status"])


def _filter(topic: Topic, said: Sequence[str]) -> tuple[str | None, str | None]:
    where = "Subscription.criteria"
    if not said:
        return None, None
    found = _FILTERS.fullmatch(said[0]) if len(said) == 1 else None
    if found is None:
        raise invalid("One filter: Patient?_id=, patient=, owner= or recipient=.", where, "not-supported")
    value = found["value"]
    if found["name"] in ("owner", "recipient"):
        kind, _, identifier = value.partition("/")
        if topic not in PARTIES or kind not in ("Organization", "Practitioner") or not identifier:
            raise invalid("This topic is not about what is sent to an Organization or a Practitioner.", where)
        return None, value
    if found["name"] == "_id" and found["kind"] not in (None, "Patient"):
        raise invalid("By _id, a Patient is named.", where, "not-supported")
    return value.removeprefix("Patient/"), None


def _values(element: Any, url: str, value: str) -> list[Any]:
    listed = element.get("extension", ()) if isinstance(element, dict) else ()
    return [one[value] for one in listed if one.get("url") == url and value in one]


def _one(element: Any, url: str, value: str, where: str) -> Any:
    found = _values(element, url, value)
    if len(found) > 1:
        raise invalid("This extension is given once.", where)
    return found[0] if found else None


def _known(extensions: Sequence[Mapping[str, Any]], known: Sequence[str]) -> None:
    if any(one.get("url") not in known for one in extensions):
        raise invalid("This extension is not understood.", "Subscription.channel.extension", "not-supported")
