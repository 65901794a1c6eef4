"""Less of a resource, and marked so: `_summary` and `_elements` (FHIR R4 §3.1.1.5.8, §3.1.1.5.9).

Mandatory elements, id, meta and what changes the meaning of the rest always stay. The SUBSETTED tag says that
what remains cannot be written back.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fhir import models
from fhir.invariant import SUBSETTED
from fhir.models import Element
from phr.core.errors import malformed

MODES = ("true", "text", "data", "count", "false")

_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})
_WHOLE = frozenset({"Extension", "FHIRPrimitiveExtension", "Resource"})


def summarise(resource: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """A new resource with what `_summary=mode` leaves; its parts are shared with the one given.

    true: the elements FHIR marks as summary, at every level. text: the narrative and what is mandatory.
    data: all but the narrative. false: everything, unmarked. `count` is the search's own business: DomainError
    (400) here, as for an unknown mode.
    """
    if mode == "false":
        return dict(resource)
    elements = models.elements(resource["resourceType"])
    if mode == "true":
        return _marked(_summary(resource, elements))
    if mode == "text":
        return _marked(_kept(resource, elements, frozenset({"text"})))
    if mode == "data":
        return _marked({name: value for name, value in resource.items() if name != "text"})
    if mode == "count":
        raise malformed("_summary=count applies to searches.")
    raise malformed("_summary is one of true, text, data, count and false.")


def select(resource: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A new resource with the top-level elements named, by JSON name or, for value[x], "value".

    A name the type does not have selects nothing; its parts are shared with the one given.
    """
    return _marked(_kept(resource, models.elements(resource["resourceType"]), frozenset(names)))


def _kept(resource: Mapping[str, Any], elements: Mapping[str, Element], names: frozenset[str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in resource.items()
        if name in _ALWAYS
        or (element := elements[name.removeprefix("_")]).required
        or element.name in names
        or element.path in names
    }


def _summary(node: Mapping[str, Any], elements: Mapping[str, Element]) -> dict[str, Any]:
    kept = {}
    for name, value in node.items():
        if name in ("resourceType", "modifierExtension"):
            kept[name] = value
            continue
        bare = elements[name.removeprefix("_")]
        if not (bare.summary or bare.required):
            continue
        child = elements[name].child
        if child is None or child in _WHOLE:
            kept[name] = value
        elif isinstance(value, list):
            inner = models.elements(child)
            if items := [shorter for each in value if (shorter := _summary(each, inner))]:
                kept[name] = items
        elif shorter := _summary(value, models.elements(child)):
            kept[name] = shorter
    return kept


def _marked(resource: dict[str, Any]) -> dict[str, Any]:
    meta = dict(resource.get("meta", {}))
    tags = meta.get("tag", [])
    if not any(SUBSETTED.items() <= tag.items() for tag in tags):
        meta["tag"] = [*tags, dict(SUBSETTED)]
    return {**resource, "meta": meta}
