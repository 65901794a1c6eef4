"""Whether a resource may be stored: our own walk over the JSON, then the R4B model. The models judge, never rewrite.

An issue names the element by its FHIRPath and repeats no value. The walk is planned once per type; a sound
resource costs it one dictionary lookup and one check an element.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from fhir import bindings, invariant, models, reference
from fhir.models import Element
from fhir.primitive import CHECKS, Check, Fault, fault, wrong
from fhir.reference import Scope
from phr.core.errors import Issue

MOST_ISSUES = 100

# Faults of shape, on which the models could stumble instead of judging.
_SHAPE = frozenset({"structure", "not-supported"})
_TELLABLE = re.compile(r"_?[a-z][A-Za-z]{0,39}").fullmatch
_EMPTY = "An element is never empty."
_MESSAGES = {
    "missing": ("required", "A required element is missing."),
    "model_field_validation.missing": ("required", "A required element is missing."),
    "extra_forbidden": ("structure", "Unknown element."),
    "greater_than_equal": ("value", "The number is out of range."),
    "less_than_equal": ("value", "The number is out of range."),
}


def validate(kind: str, resource: dict[str, Any]) -> tuple[Issue, ...]:
    """What keeps this JSON from being an R4 resource of type `kind`: nothing when empty. Never raises.

    Judges shape, cardinality, primitives, required bindings, reference targets and contained resources, against
    FHIR 4.0.1. Does not resolve references, and does not check profiles or invariants beyond `fhir.invariant`.
    """
    try:
        if type(resource) is not dict or resource.get("resourceType") != kind:
            faults = [(".resourceType", "invalid", "Another resource type is expected.")]
        elif not _supported(kind):
            faults = [(".resourceType", "not-supported", "Not a resource type of FHIR R4.")]
        else:
            faults = _resource(resource, None) or []
            if not any(code in _SHAPE for _, code, _ in faults):
                known = {path for path, _, _ in faults}
                faults += [each for each in _model(kind, resource) if each[0] not in known]
    except RecursionError:
        faults = [("", "too-costly", "The resource is nested too deep.")]
    root = kind if kind.isascii() and kind.isalnum() else "Resource"
    return tuple(Issue(code, text, root + path) for path, code, text in faults[:MOST_ISSUES])


class _Plan:
    """The checks of one type, by JSON name."""

    __slots__ = ("checks", "elements", "rule")

    def __init__(self, name: str) -> None:
        self.elements = models.elements(name)
        self.rule = invariant.INVARIANTS.get(name)
        self.checks: Mapping[str, Check] = {
            each.name: _check(name, each) for each in self.elements.values() if bindings.exists(name, each)
        }

    def walk(self, node: dict[str, Any], scope: Any) -> list[Fault] | None:
        """The faults of a non-empty object of this type."""
        faults: list[Fault] | None = None
        checks = self.checks
        for name, value in node.items():
            check = checks.get(name)
            if check is None or (found := check(value, scope)) is not None:
                faults = faults or []
                if check is None:
                    shown = f".{name}" if _TELLABLE(name) else ""
                    faults.append((shown, "structure", "Unknown element."))
                elif len(faults) < MOST_ISSUES:
                    prefix = f".{self.elements[name].path}"
                    faults += [
                        (prefix + path, code if code != "null" else "structure", text)
                        for path, code, text in found or ()
                        if code != "null" or not _extended(node.get(f"_{name}"), path)
                    ]
        if not faults and self.rule is not None:
            return self.rule(node)
        return faults or None


@cache
def _plan(name: str) -> _Plan:
    return _Plan(name)


def _extended(siblings: Any, path: str) -> bool:
    """Whether a null of a primitive array (at path "[i]") stands for a value that has only extensions."""
    index = int(path[1:-1])
    return type(siblings) is list and index < len(siblings) and type(siblings[index]) is dict


def _check(owner: str, element: Element) -> Check:
    """The check of one element, all its repetitions."""
    if element.primitive is not None:
        one = _primitive(owner, element)
    elif element.child == "Resource":
        one = _contained if element.name == "contained" else _resource
    elif element.child == "Reference":
        one = _reference(bindings.targets(owner, element))
    elif (concepts := bindings.concepts(owner, element)) is not None:
        one = _concept(concepts)
    else:
        one = _object(element.child or "")
    return _list(one, element) if element.many else one


def _primitive(owner: str, element: Element) -> Check:
    lenient = CHECKS[element.primitive or ""]
    if element.primitive != "code":
        return lenient
    codes, form = bindings.codes(owner, element), bindings.form(owner, element)
    if not codes and form is None:
        return lenient

    def check(value: Any, scope: Any) -> list[Fault] | None:
        if type(value) is str and (value in codes if form is None else form.fullmatch(value)):
            return None
        return lenient(value, scope) or fault("code-invalid", "Not a code of the required value set.")

    return check


def _object(name: str) -> Check:
    walk: Callable[[dict[str, Any], Any], list[Fault] | None] | None = None
    bare = name == "FHIRPrimitiveExtension"

    def check(value: Any, scope: Any) -> list[Fault] | None:
        nonlocal walk
        if type(value) is not dict:
            return wrong("an object")
        if not value or (len(value) == 1 and "id" in value and not bare):
            return fault("value", _EMPTY)  # ele-1
        if walk is None:
            walk = _plan(name).walk
        return walk(value, scope)

    return check


def _list(one: Check, element: Element) -> Check:
    primitive, extensions = element.primitive is not None, element.child == "FHIRPrimitiveExtension"

    def check(value: Any, scope: Any) -> list[Fault] | None:
        if type(value) is not list:
            return wrong("an array")
        if not value:
            return fault("value", _EMPTY)
        faults: list[Fault] | None = None
        for index, item in enumerate(value):
            if item is None and (primitive or extensions):
                found = None if extensions else fault("null", "A null stands only beside an extension.")
            else:
                found = one(item, scope)
            if found is not None:
                faults = faults or []
                faults += [(f"[{index}]{path}", code, text) for path, code, text in found]
                if len(faults) > MOST_ISSUES:
                    break
        if extensions and faults is None and not any(value):
            return fault("value", _EMPTY)
        return faults

    return check


def _reference(targets: frozenset[str]) -> Check:
    sound = _object("Reference")

    def check(value: Any, scope: Scope) -> list[Fault] | None:
        return sound(value, scope) or reference.judge(value, targets, scope)

    return check


def _concept(concepts: bindings.Concepts) -> Check:
    sound = _object("CodeableConcept")

    def check(value: Any, scope: Any) -> list[Fault] | None:
        found = sound(value, scope)
        if found is None and not any(
            coding.get("system") == concepts.system and coding.get("code") in concepts.codes
            for coding in value.get("coding", ())
        ):
            return fault("code-invalid", "No coding of the required value set.")
        return found

    return check


@cache
def _supported(kind: str) -> bool:
    try:
        models.model(kind)
    except LookupError:
        return False
    return kind in bindings.kinds()


def _resource(value: Any, _: Any) -> list[Fault] | None:
    """A resource of its own, as an entry's: fragments are looked up in what it contains."""
    if type(value) is not dict:
        return wrong("an object")
    within = value.get("contained")
    found = {
        each["id"]: each["resourceType"]
        for each in (within if type(within) is list else ())
        if type(each) is dict and type(each.get("id")) is str and type(each.get("resourceType")) is str
    }
    faults = _typed(value, Scope(found))
    if type(within) is list and len(found) < len(within) and not faults:
        return [(".contained", "invariant", "Two contained resources have the same id.")]
    return faults


def _contained(value: Any, scope: Scope) -> list[Fault] | None:
    if type(value) is not dict:
        return wrong("an object")
    faults = _typed(value, Scope(scope.contained, nested=True))
    return (faults or []) + (invariant.contained(value) or []) or None


def _typed(value: dict[str, Any], scope: Scope) -> list[Fault] | None:
    kind = value.get("resourceType")
    if type(kind) is not str or not _supported(kind):
        return [(".resourceType", "not-supported", "Not a resource type of FHIR R4.")]
    return _plan_of_resource(kind).walk(value, scope)


@cache
def _plan_of_resource(kind: str) -> _Plan:
    plan = _Plan(kind)
    plan.checks = {**plan.checks, "resourceType": lambda value, scope: None}
    return plan


def _model(kind: str, resource: dict[str, Any]) -> list[Fault]:
    """What the R4B model says, told in paths and words that hold no input."""
    try:
        models.model(kind).model_validate(resource)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [_told(kind, resource, each["type"], each["loc"]) for each in told[:MOST_ISSUES]]
        return list(dict.fromkeys(faults))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return [("", "invalid", "The resource cannot be read.")]
    return []


def _told(kind: str, node: Any, error: str, location: tuple[int | str, ...]) -> Fault:
    """One error of the model. Its location is followed as far as it makes sense in FHIR."""
    path, owner = "", kind
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
            node = node[step] if type(node) is list and step < len(node) else None
            continue
        element = _elements(owner, node).get(step)
        if element is None:
            break
        path += f".{element.path}"
        node = node.get(step) if type(node) is dict else None
        owner = element.child or ""
    if error == "value_error" and type(node) is dict:
        return _choice(path, _elements(owner, node), node)
    code, text = _MESSAGES.get(error, ("value", "The value does not have the form its type requires."))
    return path, code, text


def _elements(owner: str, node: Any) -> Mapping[str, Element]:
    """The elements of a node: a resource says itself what it is, and the walk has seen that it exists."""
    if owner == "Resource":
        owner = node.get("resourceType", "") if type(node) is dict else ""
    return models.elements(owner) if owner else {}


def _choice(path: str, elements: Mapping[str, Element], node: dict[str, Any]) -> Fault:
    """The models say only that a value[x] is given twice or not at all: find which."""
    given: dict[str, int] = {each.choice: 0 for each in elements.values() if each.choice and each.required}
    for name in node:
        if (element := elements.get(name)) is not None and element.choice:
            given[element.choice] = given.get(element.choice, 0) + 1
    for choice, count in given.items():
        if count > 1:
            return f"{path}.{choice}", "structure", "Only one type of this element may be given."
    for choice, count in given.items():
        if count == 0:
            return f"{path}.{choice}", "required", "A required element is missing."
    return path, "value", "The value does not have the form its type requires."
