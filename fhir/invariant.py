"""The few rules between elements that the models do not know, by type (FHIR R4 invariants, named as there).

Each takes a node of sound shape and gives its faults.
"""

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any

from fhir.primitive import Fault

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def period(node: dict[str, Any]) -> list[Fault] | None:
    """per-1: a period starts before it ends, as far as both are known."""
    start, end = node.get("start"), node.get("end")
    if type(start) is not str or type(end) is not str:
        return None
    if "T" in start and "T" in end:
        try:
            wrong = datetime.fromisoformat(start) > datetime.fromisoformat(end)
        except (ValueError, TypeError):  # a leap second, or what the models refuse
            wrong = start[:10] > end[:10]
    else:
        shared = min(len(start), len(end), 10)
        wrong = start[:shared] > end[:shared]
    return [("", "invariant", "A period starts before it ends.")] if wrong else None


def extension(node: dict[str, Any]) -> list[Fault] | None:
    """ext-1: a value or extensions, not both."""
    nested = "extension" in node
    others = len(node) - nested - ("url" in node) - ("id" in node)
    if (others > 0) is nested:
        return [("", "invariant", "An extension has either a value or extensions.")]
    return None


def meta(node: dict[str, Any]) -> list[Fault] | None:
    """A subset of a resource is never written back over the whole (FHIR R4 §3.1.1.5.8)."""
    for tag in node.get("tag", ()):
        if type(tag) is dict and SUBSETTED.items() <= tag.items():
            return [(".tag", "invariant", "A subset of a resource cannot be written.")]
    return None


def bundle(node: dict[str, Any]) -> list[Fault] | None:
    """bdl-9, bdl-10, bdl-11: a document has an identifier, a date, and a Composition first."""
    if node.get("type") != "document":
        return None
    faults: list[Fault] = []
    identifier = node.get("identifier")
    if type(identifier) is not dict or not {"system", "value"} <= identifier.keys():
        faults.append((".identifier", "invariant", "A document has an identifier with its system."))
    if "timestamp" not in node:
        faults.append((".timestamp", "invariant", "A document has the date it was assembled."))
    entries = node.get("entry")
    first = entries[0] if type(entries) is list and entries else None
    resource = first.get("resource") if type(first) is dict else None
    if type(resource) is not dict or resource.get("resourceType") != "Composition":
        faults.append((".entry", "invariant", "The first entry of a document is its Composition."))
    return faults or None


def contained(node: dict[str, Any]) -> list[Fault] | None:
    """dom-2, dom-4, dom-5: what is contained has an id, contains nothing, has no version and no security label."""
    faults: list[Fault] = []
    if "id" not in node:
        faults.append((".id", "required", "A contained resource has an id."))
    if "contained" in node:
        faults.append((".contained", "invariant", "A contained resource contains no other."))
    if type(node.get("meta")) is dict:
        faults += [
            (f".meta.{name}", "invariant", "A contained resource has no version and no security label.")
            for name in ("versionId", "lastUpdated", "security")
            if name in node["meta"]
        ]
    return faults or None


INVARIANTS: MappingProxyType[str, Callable[[dict[str, Any]], list[Fault] | None]] = MappingProxyType(
    {"Bundle": bundle, "Extension": extension, "Meta": meta, "Period": period}
)
