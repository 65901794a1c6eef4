"""Where a Reference points (FHIR R4 §2.3.0.1), and whether its element may point there.

Judges the form and the type it names; whether the target exists and may be seen is for those who resolve it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir import bindings
from fhir.primitive import Fault

_LITERAL = re.compile(r"([A-Z][A-Za-z]{2,40})/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?").fullmatch
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{2,40})\?\S+").fullmatch
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+").fullmatch
_ABSOLUTE_TYPE = re.compile(r"/([A-Z][A-Za-z]{2,40})/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$").search


@dataclass(frozen=True, slots=True)
class Scope:
    """What a resource contains, id → resource type, and whether we are inside one of the contained."""

    contained: Mapping[str, str]
    nested: bool = False


def judge(node: Mapping[str, Any], targets: frozenset[str], scope: Scope) -> list[Fault] | None:
    """The faults of a Reference of sound shape, `targets` being the types it may name (empty: any).

    A fragment must name a contained resource; urn:uuid, urn:oid, absolute and conditional references are left
    to be resolved elsewhere.
    """
    literal = node.get("reference")
    named = None
    if type(literal) is str:
        if literal.startswith("urn:uuid:"):
            pass
        elif match := _LITERAL(literal) or _CONDITIONAL(literal):
            named = match[1]
        elif literal == "#":
            return None if scope.nested else _fault("not-found", "Only a contained resource refers to its container.")
        elif literal.startswith("#"):
            named = scope.contained.get(literal[1:])
            if named is None:
                return _fault("not-found", "No contained resource has this id.")
        elif not _ABSOLUTE(literal):
            return _fault("value", "A reference is Type/id, #id, a URN or a URL.")
        elif (match := _ABSOLUTE_TYPE(literal)) and match[1] in bindings.kinds():
            named = match[1]
    declared = node.get("type")
    if named is None:
        if targets and declared in bindings.kinds() and declared not in targets:
            return [(".type", "value", "The element may not refer to this type of resource.")]
        return None
    if named not in (targets or bindings.kinds()):
        return _fault("value", "The element may not refer to this type of resource.")
    if declared in bindings.kinds() and declared != named:
        return [(".type", "value", "The reference names another type.")]
    return None


def _fault(code: str, diagnostics: str) -> list[Fault]:
    return [(".reference", code, diagnostics)]
