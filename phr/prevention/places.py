"""Where in a TOML file something is said: the line of a key, so that an error can point at it."""

import pathlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Path = tuple[str | int, ...]
"""Keys and positions, as in ("version", 0, "who", "age")."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"unknown field `(.+)`")
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def document(path: pathlib.Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and what it says. Raises ValueError, `file:line: what`."""
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}:{data[: error.start].count(10) + 1}: this is not UTF-8") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT.search(str(error))
        line = found[1] if found is not None and found[1] else text.count("\n") + 1
        raise ValueError(f"{path.name}:{line}: {_AT.sub('', str(error))}") from None


def refused(error: msgspec.ValidationError) -> tuple[Path, str]:
    """Where msgspec refuses what it reads, down to a field that is one too many, and what it says."""
    what, _, pointer = str(error).partition(" - at `")
    unknown = _UNKNOWN.search(what)
    return (*path_of(pointer), *([unknown[1]] if unknown else [])), what


def places(text: str) -> Mapping[Path, int]:
    """The line, from 1, of each table header and each key of a TOML document laid out one key a line."""
    found: dict[Path, int] = {(): 1}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _table(header[2].split("."), header[1] == "[[", counts)
            found[table] = number
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def line_of(known: Mapping[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest of what holds it."""
    while path not in known:
        path = path[:-1]
    return known[path]


def told(path: pathlib.Path, known: Mapping[Path, int], where: Path, what: str) -> str:
    """`file:line: what`."""
    return f"{path.name}:{line_of(known, where)}: {what}"


def path_of(pointer: str) -> Path:
    """`$.version[0].who` as msgspec writes it."""
    return tuple(key or int(position) for key, position in _STEP.findall(pointer))


def _table(names: list[str], repeated: bool, counts: dict[Path, int]) -> Path:
    return tuple(_steps(names, repeated, counts))


def _steps(names: list[str], repeated: bool, counts: dict[Path, int]) -> Iterator[str | int]:
    """The path of a header: an array of tables already begun is entered at its last element."""
    so_far: Path = ()
    for n, name in enumerate(names):
        so_far = (*so_far, name)
        yield name
        if repeated and n == len(names) - 1:
            counts[so_far] = counts.get(so_far, -1) + 1
            for nested in [one for one in counts if one[: len(so_far)] == so_far and one != so_far]:
                del counts[nested]
        if so_far in counts:
            so_far = (*so_far, counts[so_far])
            yield so_far[-1]
