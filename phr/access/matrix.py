"""The access matrix: which document types, and which other resources, a profession is entitled to see.

The rule: what the matrix does not say is not seen. It is data (`matrix.toml`, or the file of PHR_ACCESS_MATRIX), each
cell with its source; a word in it that is not known stops the start. docs/access-matrix.md says how to read it.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from auth.professionals import Professional
from fhir import tokens
from fhir.criteria import TokenAny
from fhir.parameters import KINDS
from fhir.predicate import And, Categorised, CategoryIn, KindIn, Not, Nothing, Or, Predicate

FILE = Path(__file__).with_name("matrix.toml")
DOCUMENT, CONTENT = frozenset({"DocumentReference"}), frozenset({"Binary"})
UNGIVEN = DOCUMENT | CONTENT | {"AuditEvent", "Consent", "Subscription"}
"""Never a matter of profession: documents go by their types, and who sees the record is its person's business."""

_NOS = Path(__file__).parent.parent / "nos"
_BEARING = re.compile(r"([A-Za-z]+)\?([a-z-]+)=([^|\s]+)\|")
_SKILL = re.compile(r"[A-Z]{1,5}\d{1,3}")
_DEFAULTS = {"every": True, "none": False}
Code = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so, and when. `verified`: read in the text itself; `ours`: nobody's word, a choice of this file."""

    title: str
    date: date
    verified: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """Whether a profession sees a document type, and who says so."""

    sees: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Line:
    """One profession's line. `every`: it sees document types but those in `types`; else those in `types` alone.

    `types`: (system, code) in each form a document may carry; `kinds`: the FHIR types it sees besides documents;
    `coded`: (FHIR type, search token) of those it sees when they bear a code of one system, and not else.
    `default` and `cells` say where each answer comes from: of the types not listed, and of those that are.
    """

    every: bool
    types: frozenset[Code]
    kinds: frozenset[str]
    default: Cell | None = None
    cells: Mapping[Code, Cell] = field(default_factory=dict)
    coded: frozenset[tuple[str, str]] = frozenset()

    def cell(self, system: str, code: str) -> Cell | None:
        """What is said of a document type, under either form of its system."""
        return self.cells.get((system, code), self.default)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The lines, by (table of the profession, code, skill); skill "" for whatever skill."""

    lines: Mapping[tuple[str, str, str], Line]

    def line(self, who: Professional) -> Line | None:
        """The line of a professional: of their skill, else of their profession; None when it shows nothing."""
        found = self.lines.get((who.system, who.profession, who.skill))
        found = found or self.lines.get((who.system, who.profession, ""))
        return found if found is not None and (found.every or found.types or found.kinds or found.coded) else None

    def entitled(self, who: Professional, hashed: Callable[[str], UUID]) -> Predicate:
        """What of a record this profession is entitled to see, whatever else allows or forbids it."""
        line = self.line(who)
        if line is None:
            return Nothing()
        types = {hashed(tokens.category(system, code)) for system, code in line.types}
        bearers = line.kinds if not line.every else frozenset(KINDS) - line.kinds - DOCUMENT
        # The content of a resource that is no document has that resource's type as its category.
        kinds = {hashed(tokens.category(tokens.RESOURCE_TYPES, kind)) for kind in bearers}
        document, content = CategoryIn(frozenset(types)), CategoryIn(frozenset(types | kinds))
        coded = (
            (KindIn(frozenset({kind})), TokenAny(frozenset({hashed(token)}))) for kind, token in sorted(line.coded)
        )
        return Or(
            (
                And((KindIn(DOCUMENT), Not(document) if line.every else document)),
                And((KindIn(CONTENT), Categorised(), Not(content) if line.every else content)),
                KindIn(line.kinds),
                *map(And, coded),
            )
        )


def load(path: Path = FILE) -> Matrix:
    """The matrix of a file. Raises ValueError, which names the file and the entry, and OSError."""
    try:
        return _matrix(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _matrix(read: Mapping[str, Any]) -> Matrix:
    _stated(read, "title", str, "the file")
    _stated(read, "date", date, "the file")
    sources = {name: _source(f"sources.{name}", row) for name, row in _tables(read, "sources")}
    kinds = {name: _kinds(f"kinds.{name}", row) for name, row in _stated(read, "kinds", dict, "the file").items()}
    systems = {
        name: _system(f"systems.{name}", row) for name, row in _stated(read, "systems", dict, "the file").items()
    }
    words = _Words(sources, kinds, systems)
    lines: dict[tuple[str, str, str], Line] = {}
    for n, row in enumerate(_stated(read, "profession", list, "the file")):
        where = f"profession[{n}] ({row.get('name', '?')})"
        line = _line(where, row, words)
        for key in _keys(where, row):
            if key in lines:
                raise ValueError(f"{where}: {key[1]} of {key[0]} has a line already")
            lines[key] = line
    return Matrix(lines)


@dataclass(frozen=True, slots=True)
class _Words:
    """What the lines refer to by name. `systems`: the two forms of each code system of document types."""

    sources: Mapping[str, Source]
    kinds: Mapping[str, frozenset[str]]
    systems: Mapping[str, tuple[str, ...]]


def _keys(where: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    system = _stated(row, "system", str, where)
    for code in _stated(row, "codes", list, where):
        if (system, code) not in _professions():
            raise ValueError(f"{where}: {code!r} is no profession of {system!r} (JDV_J65)")
        for skill in row.get("skills", [""]):
            if "skills" in row and not _SKILL.fullmatch(skill):
                raise ValueError(f"{where}: {skill!r} is no code of a skill (TRE_R01)")
            yield system, code, skill


def _line(where: str, row: Mapping[str, Any], words: _Words) -> Line:
    _known(where, row, ("system", "codes", "skills", "name", "documents", "source", "kinds", "cell"))
    _stated(row, "name", str, where)
    documents = _stated(row, "documents", str, where)
    if documents not in _DEFAULTS:
        raise ValueError(f"{where}: documents is every or none, not {documents!r}")
    default = Cell(_DEFAULTS[documents], _named(where, row, words))
    cells: dict[Code, Cell] = {}
    for by in ("classes", "types"):  # a type said by name is said again after its class
        said: set[Code] = set()
        for n, given in enumerate(row.get("cell", ())):
            place = f"{where}.cell[{n}]"
            _known(place, given, ("sees", "source", "classes", "types"))
            cell = Cell(_stated(given, "sees", bool, place), _named(place, given, words))
            for forms in _meant(place, by, given.get(by, ()), words):
                if said & set(forms):
                    raise ValueError(f"{place}: {forms[0][1]!r} is said twice")
                said |= set(forms)
                cells |= dict.fromkeys(forms, cell)
    differing = frozenset(code for code, cell in cells.items() if cell.sees is not default.sees)
    kinds: set[str] = set()
    for name in _stated(row, "kinds", list, where):
        if name not in words.kinds:
            raise ValueError(f"{where}: no group of kinds is named {name!r}")
        kinds |= words.kinds[name]
    coded = frozenset(found for word in kinds if (found := _coded(word)) is not None)
    return Line(default.sees, differing, frozenset(one for one in kinds if "?" not in one), default, cells, coded)


def _meant(where: str, by: str, given: Iterable[str], words: _Words) -> Iterator[tuple[Code, ...]]:
    """The document types of a cell, each in all its forms."""
    for word in given:
        name, _, code = word.partition("|")
        if by == "types" and name not in words.systems:
            raise ValueError(f"{where}: no code system is named {name!r}")
        found = [
            tuple((form, one) for form in forms)
            for (forms, one), group in document_types().items()
            if (group == word if by == "classes" else forms == words.systems[name] and one == code)
        ]
        if not found:
            raise ValueError(f"{where}: {word!r} is none of the {by} of JDV_J66")
        yield from found


def _named(where: str, row: Mapping[str, Any], words: _Words) -> Source:
    name = _stated(row, "source", str, where)
    if name not in words.sources:
        raise ValueError(f"{where}: no source is named {name!r}")
    return words.sources[name]


def _source(where: str, row: Mapping[str, Any]) -> Source:
    _known(where, row, ("title", "date", "verified", "ours"))
    verified, ours = _stated(row, "verified", bool, where), row.get("ours", False)
    if verified and ours:
        raise ValueError(f"{where}: what is ours is nobody's text to verify")
    return Source(_stated(row, "title", str, where), _stated(row, "date", date, where), verified, bool(ours))


def _kinds(where: str, listed: Iterable[str]) -> frozenset[str]:
    for word in listed:
        kind = word.partition("?")[0]
        if kind not in KINDS or KINDS[kind].commons:
            raise ValueError(f"{where}: {kind!r} is no resource type of a record")
        if kind in UNGIVEN:
            raise ValueError(f"{where}: {kind!r} is never given to a profession")
        if word != kind and _coded(word) is None:
            raise ValueError(f"{where}: {word!r} is not written Type?parameter=system|")
    return frozenset(listed)


def _coded(word: str) -> tuple[str, str] | None:
    """The type, and what its rows are searched by, of `Type?parameter=system|`: what bears a code of this system."""
    found = _BEARING.fullmatch(word)
    parameter = KINDS[found[1]].parameters.get(found[2]) if found is not None else None
    if found is None or parameter is None or parameter.type != "token":
        return None
    return found[1], tokens.coded(found[2], found[3], "")


def _system(where: str, forms: Iterable[str]) -> tuple[str, ...]:
    for known, _ in document_types():
        if set(known) == set(forms):
            return known
    raise ValueError(f"{where}: not all the forms, and only they, of a code system of document types")


def _tables(read: Mapping[str, Any], name: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    tables: Mapping[str, Mapping[str, Any]] = _stated(read, name, dict, "the file")
    return tables.items()


def _stated(row: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    found = row.get(name)
    if not isinstance(found, kind) or found == "":
        raise ValueError(f"{where}: {name} is missing, or is no {kind.__name__}")
    return found


def _known(where: str, row: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in row:
        if name not in names:
            raise ValueError(f"{where}: {name!r} is not understood")


@cache
def document_types() -> Mapping[tuple[tuple[str, ...], str], str]:
    """Every document type of JDV_J66: (the forms of its system, its code) to its class."""
    return {(forms, row[0]): row[2] for forms, row in _concepts("document_types")}


@cache
def _professions() -> frozenset[Code]:
    """Every profession of JDV_J65, as (table, code); the roles of TRE_A00 are nobody's profession."""
    found = {(forms[0].split("/NOS/")[1].partition("-")[0], row[0]) for forms, row in _concepts("roles")}
    return frozenset(one for one in found if one[0] != "TRE_A00")


def _concepts(table: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    for include in tomllib.loads((_NOS / f"{table}.toml").read_text(encoding="utf-8"))["include"]:
        forms = (include["system"], *([f"urn:oid:{include['oid']}"] if "oid" in include else []))
        for row in include["concepts"]:
            yield forms, row
