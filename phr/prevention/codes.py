"""Value sets: by which codes and product names what a rule speaks of is known in a record (`codes/*.toml`).

The rule: each code says where it comes from and whether that was verified; a set counts as those that include it.
"""

import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from phr.prevention.rule import Words

CODES = Path(__file__).with_name("codes")


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One code. `prefix`: and every code of its system that begins so."""

    system: str
    code: str
    display: str
    source: str
    verified: bool
    prefix: bool = False


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: dict[str, str]
    includes: list[str] = []
    names: list[str] = []
    code: list[Code] = []


@dataclass(frozen=True, slots=True)
class ValueSet:
    """What counts as one thing. `includes`: other sets; `names`: of products, folded."""

    name: str
    title: Words
    includes: frozenset[str]
    names: tuple[str, ...]
    codes: tuple[Code, ...]


def folded(text: str) -> str:
    """Without accents, case nor anything but letters and digits, one space between words."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())


def load(folder: Path = CODES) -> Mapping[str, ValueSet]:
    """Every value set of a folder, by name. Raises ValueError, naming the file."""
    found: dict[str, ValueSet] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, table in tomllib.loads(path.read_text("utf-8")).items():
            try:
                form = msgspec.convert(table, _Form)
                title = Words(form.title["fr"], form.title["en"])
            except (msgspec.ValidationError, KeyError) as error:
                raise ValueError(f"{path.name}: {name}: {error}") from None
            if name in found:
                raise ValueError(f"{path.name}: {name} is in two files")
            names = tuple(map(folded, form.names))
            found[name] = ValueSet(name, title, frozenset(form.includes), names, tuple(form.code))
    for one in found.values():
        unknown = one.includes - found.keys()
        if unknown:
            raise ValueError(f"{one.name} includes sets that are nowhere: {', '.join(sorted(unknown))}")
    return MappingProxyType(found)


VALUE_SETS = load()


def _upward(sets: Mapping[str, ValueSet]) -> dict[str, frozenset[str]]:
    """For each set, itself and all those that include it, however far."""
    found: dict[str, frozenset[str]] = {}
    for name in sets:
        above, waiting = set[str](), [name]
        while waiting:
            here = waiting.pop()
            if here not in above:
                above.add(here)
                waiting += [one.name for one in sets.values() if here in one.includes]
        found[name] = frozenset(above)
    return found


ABOVE = MappingProxyType(_upward(VALUE_SETS))
"""For each set, itself and those it counts as."""


def _by_code() -> tuple[dict[tuple[str, str], set[str]], list[tuple[str, str, str]]]:
    exact: dict[tuple[str, str], set[str]] = defaultdict(set)
    prefixes = []
    for one in VALUE_SETS.values():
        for code in one.codes:
            exact[code.system, code.code].add(one.name)
            if code.prefix:
                prefixes.append((code.system, code.code, one.name))
    return dict(exact), prefixes


_EXACT, _PREFIXES = _by_code()
_NAMES = tuple((f" {name} ", one.name) for one in VALUE_SETS.values() for name in one.names)


def sets_of(codings: Iterable[tuple[str, str]], names: Iterable[str] = ()) -> frozenset[str]:
    """Every set that (system, code) pairs are in, or that a text names a product of; with those that include them."""
    found: set[str] = set()
    for system, code in codings:
        found |= _EXACT.get((system, code), set())
        found.update(name for theirs, start, name in _PREFIXES if theirs == system and code.startswith(start))
    for text in names:
        said = f" {folded(text)} "
        found.update(name for product, name in _NAMES if product in said)
    return frozenset().union(*(ABOVE[name] for name in found))
