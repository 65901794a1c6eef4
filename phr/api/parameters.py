"""A FHIR Parameters body, read once: names to values, each of one expected type, and nothing that was not understood.

The rule: a parameter that is not known, or given too often, is refused by name (422): what it asked would be lost.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from phr.api.asked import Asked, resource_of
from phr.core.errors import invalid, malformed

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of an operation. `values`: of each name, the values in order (value[x], resource or parts)."""

    values: Mapping[str, tuple[Any, ...]] = field(repr=False)

    def one(self, name: str, kind: type) -> Any:
        """The one value of this type, or None when it is not given. Raises CONTENT (422)."""
        found = self.values.get(name, ())
        if len(found) > 1:
            raise invalid("This parameter is given once.", _at(name))
        return self._typed(name, kind, found[0]) if found else None

    def required(self, name: str, kind: type) -> Any:
        """The one value of this type. Raises CONTENT (422) when it is not there."""
        found = self.one(name, kind)
        if found is None or found == "":
            raise invalid("This parameter is required.", _at(name), "required")
        return found

    def every(self, name: str, kind: type) -> tuple[Any, ...]:
        """All the values of this type."""
        return tuple(self._typed(name, kind, value) for value in self.values.get(name, ()))

    def instant(self, name: str) -> datetime | None:
        """An instant with its time zone, or None. Raises CONTENT (422)."""
        text = self.one(name, str)
        try:
            found = None if text is None else datetime.fromisoformat(text)
        except ValueError:
            found = None
        if text is not None and (found is None or found.tzinfo is None):
            raise invalid("An instant with its time zone is expected.", _at(name))
        return found

    def coded(self, name: str) -> str | None:
        """A code, given as code, string, Coding or CodeableConcept (its first coding)."""
        found = self.one(name, object)
        if isinstance(found, dict):
            listed = found.get("coding", [found])
            found = listed[0].get("code") if listed and isinstance(listed[0], dict) else None
        if found is not None and not isinstance(found, str):
            raise invalid("A code is expected.", _at(name))
        return found

    def _typed(self, name: str, kind: type, value: Any) -> Any:
        wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        if wrong:
            raise invalid(f"This parameter is a {kind.__name__}.", _at(name))
        return value


async def given(asked: Asked, known: Collection[str]) -> Given:
    """The Parameters in the body, of these names only. Raises SYNTAX, CONTENT, MEDIA_TYPE, TOO_LARGE."""
    body = await resource_of(asked, asked.visit.installation.settings.resource_bytes)
    if body.get("resourceType") != "Parameters":
        raise malformed("A Parameters resource is expected here.", "resourceType")
    return read(body, known)


def read(body: Json, known: Collection[str]) -> Given:
    """The same, of a resource at hand."""
    values: dict[str, list[Any]] = {}
    listed = body.get("parameter", [])
    for one in listed if isinstance(listed, list) else [None]:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise malformed("Each parameter has a name.", "Parameters.parameter")
        if one["name"] not in known:
            raise invalid(f"The parameters of this operation are: {', '.join(sorted(known))}.", "Parameters.parameter")
        found = [value for name, value in one.items() if name.startswith("value") or name in ("resource", "part")]
        if len(found) != 1:
            raise invalid("A parameter has one value.", _at(one["name"]))
        values.setdefault(one["name"], []).append(found[0])
    return Given({name: tuple(many) for name, many in values.items()})


def _at(name: str) -> str:
    return f"Parameters.parameter.where(name = '{name}')"
