"""Where in a TOML file something is said: the line of a key, so that an error can point at it."""

import re
from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
"""Keys and positions, as in ("version", 0, "who", "age")."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")


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
