"""Which application wrote a resource: a tag in its `meta`, set by the server alone, by which it is searched and erased.

The rule: the tag names the application whose words the version holds; to mask what another wrote, or to end it, changes
no word of it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fhir import tokens
from fhir.record import RecordKeys
from phr.access.consent import CLIENT
from phr.access.reader import Person, Reader
from phr.documents import only_visibility_changed

Json = dict[str, Any]
_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def stamped(reader: Reader, body: Json, before: Json | None) -> Json:
    """The body with the tag of the application that writes it, whatever tag of ours it came with.

    `before`: the version it replaces, None or empty when it is new. Software of others (a hospital's, a professional's)
    is known by its author, and leaves no tag.
    """
    kept = _tagged(body, _ours(before or {}))
    if not isinstance(reader, Person) or (before and only_visibility_changed(before, kept)):
        return kept
    return _tagged(body, [{"system": CLIENT, "code": reader.client}])


def mark(keys: RecordKeys, client: str) -> UUID:
    """The search token of what an application wrote, in this record."""
    return keys.hashed(tokens.coded("_tag", CLIENT, client))


def provenance_of(resource: Mapping[str, Any], record: str) -> Json:
    """FHIR R4 Provenance of a version: when, and by which application in the name of the person of the record."""
    meta = resource["meta"]
    target = f"{resource['resourceType']}/{resource['id']}/_history/{meta['versionId']}"
    agents = [
        {
            "type": {"coding": [{"system": _AGENT, "code": "author"}]},
            "who": {"type": "Device", "identifier": {"system": CLIENT, "value": tag["code"]}},
            "onBehalfOf": {"reference": f"Patient/{record}"},
        }
        for tag in _ours(resource)
    ]
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": meta["lastUpdated"],
        "agent": agents,
    }


def _ours(resource: Mapping[str, Any]) -> list[Json]:
    return [tag for tag in _tags(resource) if tag.get("system") == CLIENT]


def _tags(resource: Mapping[str, Any]) -> list[Json]:
    meta = resource.get("meta")
    listed = meta.get("tag") if isinstance(meta, dict) else None
    return [tag for tag in listed if isinstance(tag, dict)] if isinstance(listed, list) else []


def _tagged(body: Json, ours: list[Json]) -> Json:
    others = [tag for tag in _tags(body) if tag.get("system") != CLIENT]
    if _tags(body) == [*others, *ours]:
        return body
    meta = {name: value for name, value in body.get("meta", {}).items() if name != "tag"}
    tags = [*others, *ours]
    kept = meta | ({"tag": tags} if tags else {})
    rest = {name: value for name, value in body.items() if name != "meta"}
    return {**rest, "meta": kept} if kept else rest
