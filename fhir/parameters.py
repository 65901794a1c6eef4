"""The resource types served, what each is searched by: one registry for indexing, search, routes, metadata.

The facts are in parameters.toml. What is not declared is neither indexed, nor searched, nor announced.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

TYPES = ("token", "date", "reference", "string", "uri")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: `type` one of TYPES, element `paths` (fhir.paths), `targets` served types."""

    name: str
    type: str
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One resource type. `commons`: of no record. `patient_paths` name the person (none: the context does).

    `happened` are the paths of the clinical period, best first; `category` those of the document type.
    """

    name: str
    commons: bool
    patient_paths: tuple[str, ...]
    happened: tuple[str, ...]
    category: tuple[str, ...]
    parameters: Mapping[str, Parameter]


def _parameter(name: str, line: str, served: tuple[str, ...]) -> Parameter:
    facts, _, targets = line.partition(" ->")
    type_, *paths = facts.split()
    if type_ not in TYPES or not paths:
        raise ValueError(f"parameters.toml: {name}")
    named = served if targets.strip() == "*" else tuple(targets.split())
    if not set(named) <= set(served):
        raise ValueError(f"parameters.toml: {name} targets a type that is not served")
    return Parameter(name, type_, tuple(paths), named)


def _kind(name: str, facts: dict[str, Any], served: tuple[str, ...]) -> Kind:
    parameters = {key: _parameter(key, line, served) for key, line in facts.get("search", {}).items()}
    return Kind(
        name=name,
        commons=facts["commons"],
        patient_paths=tuple(facts.get("people", ())),
        happened=tuple(facts.get("happened", ())),
        category=tuple(facts.get("category", ())),
        parameters=MappingProxyType(parameters),
    )


def _load() -> Mapping[str, Kind]:
    tables = tomllib.loads(Path(__file__).with_name("parameters.toml").read_text("utf-8"))
    served = tuple(tables)
    return MappingProxyType({name: _kind(name, facts, served) for name, facts in tables.items()})


KINDS: Mapping[str, Kind] = _load()
"""Every served type by name, in the order of the CapabilityStatement."""

COMMON: Mapping[str, Parameter] = MappingProxyType(
    {
        "_id": Parameter("_id", "token", ("id",)),
        "_lastUpdated": Parameter("_lastUpdated", "date", ("meta.lastUpdated",)),
        "_security": Parameter("_security", "token", ("meta.security",)),
        "_tag": Parameter("_tag", "token", ("meta.tag",)),
        "_profile": Parameter("_profile", "uri", ("meta.profile",)),
    }
)
"""What every type is searched by (FHIR R4 §3.1.1.4.1). `_id` and `_lastUpdated` are columns, not tokens."""
