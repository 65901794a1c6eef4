"""The only door to fhir.resources: its R4B models, and what their fields say, in our own words.

Everything else reads `Element`s, so that another model library is one file to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, get_args

from pydantic import BaseModel

from fhir.resources.R4B import get_fhir_model_class

ABSTRACT = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Element:
    """One JSON property of a FHIR type.

    `name` is the JSON name (valueQuantity, _status), `path` its FHIRPath name (value, status). Exactly one of
    `primitive` (string, code, date …) and `child` (the name of a type, see `elements`) is set.
    `choice` is "value" for a value[x]. `targets` are the resource types a Reference may name, empty when any;
    `values` the codes the model lists, possibly truncated (see `fhir.bindings`).
    """

    name: str
    path: str
    primitive: str | None
    child: str | None
    many: bool
    required: bool
    summary: bool
    choice: str | None
    targets: frozenset[str]
    values: frozenset[str]


@cache
def model(kind: str) -> type[BaseModel]:
    """The R4B model of a resource type such as "Patient". Raises LookupError for anything else."""
    found = _model(kind)
    if kind in ABSTRACT or not found.has_resource_base():
        raise LookupError("no such resource type")
    return found  # type: ignore[no-any-return]  # fhir.resources types it as its own base


@cache
def elements(name: str) -> Mapping[str, Element]:
    """JSON name → Element, for a resource type, a data type ("HumanName") or a backbone ("ObservationComponent").

    The extensions of primitives ("_status") are elements too. Raises LookupError for an unknown type.
    """
    fields = {
        field.alias or field_name: (field, field.json_schema_extra or {})
        for field_name, field in _model(name).model_fields.items()
        if field_name != "fhir_comments"  # a custom of DSTU1
    }
    choices = {alias: extra["one_of_many"] for alias, (_, extra) in fields.items() if "one_of_many" in extra}
    found = {}
    for alias, (field, extra) in fields.items():
        primitive, child, many = _type(field.annotation)
        bare = alias.removeprefix("_")
        found[alias] = Element(
            name=alias,
            path=choices.get(bare, bare),
            primitive=primitive,
            child=child,
            many=many,
            required=bool(field.is_required() or extra.get("element_required") or extra.get("one_of_many_required")),
            summary=bool(extra.get("summary_element_property")),
            choice=choices.get(alias),
            targets=frozenset(extra.get("enum_reference_types") or ()) - {"Resource"},
            values=frozenset(extra.get("enum_values") or ()),
        )
    return MappingProxyType(found)


def _model(name: str) -> Any:
    if not (name.isascii() and name.isalnum()):
        raise LookupError("no such FHIR type")
    try:
        found = get_fhir_model_class(name)
    except ValueError as error:
        raise LookupError("no such FHIR type") from error
    return found


def _type(annotation: Any) -> tuple[str | None, str | None, bool]:
    """(primitive, child, many) of a field's annotation."""
    many = False
    while True:
        if annotation is bool:
            return "boolean", None, many
        path = getattr(annotation, "_model_klass", None)
        if path is not None:
            return None, str(path).rpartition(".")[2], many
        for mark in getattr(annotation, "__metadata__", ()):
            name = getattr(mark, "__visit_name__", None)
            if name is not None:
                return str(name), None, many
            if hasattr(mark, "uuid_version"):
                return "uuid", None, many
        many = many or getattr(annotation, "__origin__", None) is list
        annotation = next(each for each in get_args(annotation) if each is not NoneType)
