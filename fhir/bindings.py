"""The value sets and targets of FHIR 4.0.1 that the R4B models truncate, omit or widen (`bindings.toml`).

A required binding is either fully known here or not enforced: a truncated list refuses nothing by accident.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fhir.models import Element


@dataclass(frozen=True, slots=True)
class Concepts:
    """A required binding of a CodeableConcept: one coding must have this system and one of these codes."""

    system: str
    codes: frozenset[str]


@cache
def _facts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def exists(owner: str, element: Element) -> bool:
    """Whether 4.0.1 has this element of the type `owner` (R4B added a few)."""
    return f"{owner}.{element.name.removeprefix('_')}" not in _facts()["absent"]


def codes(owner: str, element: Element) -> frozenset[str]:
    """Every code a `code` element may hold; empty when the binding is not required or not enumerable."""
    name = f"{owner}.{element.name}"
    facts = _facts()
    sets: list[str] | None = facts["required"].get(name)
    if sets is not None:
        return frozenset(code for each in sets for code in facts["sets"][each])
    if truncated(element) or name in facts["open"]:
        return frozenset()
    return element.values


def truncated(element: Element) -> bool:
    """Whether the model lists only some of the codes. TRAP: the mark is a last value of "+" or "etc."."""
    return bool(element.values & {"+", "etc."})


def form(owner: str, element: Element) -> re.Pattern[str] | None:
    """The form of codes whose value set is too large to list (ISO 4217, BCP 13)."""
    for each in _facts()["forms"]:
        if f"{owner}.{element.name}" in each["elements"]:
            return re.compile(each["pattern"])
    return None


def concepts(owner: str, element: Element) -> Concepts | None:
    """The required binding of a CodeableConcept element, if it has one."""
    found = _facts()["concepts"].get(f"{owner}.{element.name}")
    return Concepts(found["system"], frozenset(found["codes"])) if found else None


def targets(owner: str, element: Element) -> frozenset[str]:
    """The resource types a reference may name; empty when any."""
    found: list[str] | None = _facts()["targets"].get(f"{owner}.{element.name}")
    return element.targets if found is None else frozenset(found)


@cache
def kinds() -> frozenset[str]:
    """The concrete resource types of FHIR 4.0.1."""
    return frozenset(_facts()["sets"]["resource-types"]) - {"Resource", "DomainResource"}
