"""Value sets: by which codes and product names what a rule speaks of is known in a record (`codes/*.toml`).

The rule: each code says where it comes from and whether that was verified; a set counts as those that include it. A
file that says anything else is refused, with file and line.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from phr.prevention import places
from phr.prevention.form import WordsForm
from phr.prevention.rule import Words

CODES = Path(__file__).with_name("codes")
ATC = "http://www.whocc.no/atc"
NUVA = "https://smt.esante.gouv.fr/terminologie-nuva"
SAME = MappingProxyType(
    {
        "https://smt.esante.gouv.fr/terminologie-atc": ATC,
        "urn:oid:2.16.840.1.113883.6.73": ATC,
        "http://smt.esante.gouv.fr/terminologie-nuva": NUVA,
        "urn:oid:1.3.6.1.4.1.48601.1.1.1": NUVA,
    }
)
"""Other names that records give to a system: of the French terminology server, OIDs. The files use one."""


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One code. `prefix`: and every code of its system that begins so."""

    system: str
    code: str
    display: str
    source: str
    verified: bool
    prefix: bool = False


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: WordsForm
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
    """Every value set of a folder, by name. Raises ValueError: one line for each fault, `file:line: what`."""
    found: dict[str, ValueSet] = {}
    included: list[tuple[str, frozenset[str]]] = []  # where in a file, and which sets
    faults: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            text, tables = places.document(path)
        except ValueError as error:
            faults.append(str(error))
            continue
        lines = places.places(text)
        for name, table in tables.items():
            try:
                form = msgspec.convert(table, _Form)
            except msgspec.ValidationError as error:
                where, what = places.refused(error)
                faults.append(places.told(path, lines, (name, *where), what))
                continue
            faults += (places.told(path, lines, (name, *where), what) for where, what in _faults(form))
            if name in found:
                faults.append(places.told(path, lines, (name,), f"{name} is in two files"))
            title, names = Words(form.title.fr, form.title.en), tuple(map(folded, form.names))
            found[name] = ValueSet(name, title, frozenset(form.includes), names, tuple(form.code))
            included.append((places.told(path, lines, (name, "includes"), ""), frozenset(form.includes)))
    for at, sets in included:
        faults += (f"{at}{one} is not a value set of codes/" for one in sorted(sets - found.keys()))
    if faults:
        raise ValueError("\n".join(faults))
    return MappingProxyType(found)


def _faults(form: _Form) -> Iterator[tuple[places.Path, str]]:
    """What is said and cannot be."""
    if not (form.title.fr.strip() and form.title.en.strip()):
        yield ("title",), "a title in both languages"
    if not all(map(folded, form.names)):
        yield ("names",), "a name has letters or digits"
    seen = set[tuple[str, str]]()
    for n, one in enumerate(form.code):
        if not (one.system.startswith(("http://", "https://", "urn:")) and one.code.strip() == one.code != ""):
            yield ("code", n), "a code has a system, which is a URI, and no spaces around it"
        if one.system in SAME:
            yield ("code", n), f"this system is said {SAME[one.system]}"
        if (one.system, one.code) in seen:
            yield ("code", n), f"{one.code} is there twice"
        seen.add((one.system, one.code))


try:
    VALUE_SETS = load()
except ValueError as error:  # nothing runs on codes that cannot be read; this says where
    raise SystemExit(str(error)) from None


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
    for said, code in codings:
        system = SAME.get(said, said)
        found |= _EXACT.get((system, code), set())
        found.update(name for theirs, start, name in _PREFIXES if theirs == system and code.startswith(start))
    for text in names:
        said = f" {folded(text)} "
        found.update(name for product, name in _NAMES if product in said)
    return frozenset().union(*(ABOVE[name] for name in found))
