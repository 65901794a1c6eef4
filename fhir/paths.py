"""Element paths over plain JSON, compiled once, walked for every resource: the forms search parameters need.

`a.b` (arrays flattened), `value[x:Period,dateTime]`, `telecom[system=email]`, `actor[is=Patient]`, and a
final `?` that makes one boolean of the value: true unless absent or false.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

_STEP = re.compile(r"(?P<name>\w+)(?P<choice>\[x:(?P<types>[\w,]+)\])?(?P<filters>(?:\[\w+=[^\]]+\])*)")
_FILTER = re.compile(r"\[(\w+)=([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Step:
    """One element: its JSON names (several for a choice) and what its values must satisfy.

    ("is", "Patient") keeps references to that type, any other filter objects whose property has the value.
    """

    names: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]

    def keeps(self, value: Any) -> bool:
        """Whether the value passes the filters."""
        return all(_passes(value, name, wanted) for name, wanted in self.filters)


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `truth` is the final `?`."""

    steps: tuple[Step, ...]
    truth: bool


def _passes(value: Any, name: str, wanted: str) -> bool:
    if not isinstance(value, dict):
        return False
    if name == "is":
        return referenced_type(value) == wanted
    return value.get(name) == wanted


def referenced_type(reference: Mapping[str, Any]) -> str | None:
    """The type a Reference points at: from its literal (`Patient/1`, `http://a/Patient/1`), else `type`."""
    literal = reference.get("reference")
    if isinstance(literal, str) and "/" in literal:
        parts = literal.partition("/_history/")[0].split("/")
        return parts[-2]
    named = reference.get("type")
    return named if isinstance(named, str) else None


def _split(text: str) -> list[str]:
    """Split on the dots outside brackets: a filter may hold a URL."""
    parts = re.findall(r"(?:[^.\[]|\[[^\]]*\])+", text)
    if not parts or ".".join(parts) != text:
        raise ValueError(f"not an element path: {text}")
    return parts


@cache
def compiled(text: str) -> Path:
    """Compile a path of parameters.toml, a trusted text. Raises ValueError when it is not one."""
    truth = text.endswith("?")
    steps = []
    for part in _split(text.removesuffix("?")):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ValueError(f"not an element path: {text}")
        name, types = match["name"], match["types"]
        names = tuple(name + kind[0].upper() + kind[1:] for kind in types.split(",")) if types else (name,)
        steps.append(Step(names, tuple(_FILTER.findall(match["filters"]))))
    return Path(tuple(steps), truth)


def walk(value: Any, steps: tuple[Step, ...]) -> list[Any]:
    """The values below `value` along the steps, in document order, arrays flattened, nulls dropped."""
    found = list(value) if isinstance(value, list) else [value]
    for step in steps:
        below: list[Any] = []
        for node in found:
            if not isinstance(node, dict):
                continue
            for name in step.names:
                if name in node:
                    child = node[name]
                    if isinstance(child, list):
                        below += child
                    else:
                        below.append(child)
        found = [child for child in below if step.keeps(child)] if step.filters else below
        if not found:
            return found
    return [child for child in found if child is not None]


def evaluate(path: Path, resource: Mapping[str, Any]) -> list[Any]:
    """The values of a path in a resource; for a truth path exactly one boolean."""
    found = walk(resource, path.steps)
    if path.truth:
        return [any(value is not False for value in found)]
    return found


def values(texts: tuple[str, ...], resource: Mapping[str, Any]) -> Iterator[Any]:
    """The values of several paths, in order."""
    for text in texts:
        yield from evaluate(compiled(text), resource)
