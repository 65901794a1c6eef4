"""What is being ordered, by the value sets it is in: the draft orders of a CDS Hooks call."""

from collections.abc import Sequence

from phr.prevention.codes import sets_of
from phr.prevention.elements import Json, codings, objects, texts

_ORDERED = ("code", "medicationCodeableConcept", "vaccineCode", "productCodeableConcept", "codeCodeableConcept")
"""Where resources that may be ordered say what."""


def ordered(orders: object, selected: Sequence[str]) -> list[frozenset[str]]:
    """The value sets of each order of a Bundle that is selected (`Type/id`); of all when none is."""
    entries = objects(orders.get("entry")) if isinstance(orders, dict) else iter(())
    resources = [one for entry in entries for one in objects(entry.get("resource"))]
    chosen = [one for one in resources if f"{one.get('resourceType')}/{one.get('id')}" in selected]
    found = (_sets(one) for one in (chosen if selected else resources))
    return [sets for sets in found if sets]


def _sets(order: Json) -> frozenset[str]:
    """By its codes, and by the names of products; a medication it refers to is one it contains."""
    reference = next(objects(order.get("medicationReference")), {}).get("reference")
    inside = [one for one in objects(order.get("contained")) if reference == f"#{one.get('id')}"]
    concepts = [one.get(name) for one in (order, *inside) for name in _ORDERED]
    pairs = [pair for concept in concepts for pair in codings(concept)]
    return sets_of(pairs, [text for concept in concepts for text in texts(concept)])
