"""What is kept of a resource beside its seal: hashed tokens, dates, words of the commons, flags, references.

The rule: nothing of a record leaves here in clear but dates and flags. Flags deny on doubt: a label counts by its
code, whatever its system.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from fhir import dates as calendar
from fhir import paths, tokens
from fhir.parameters import COMMON, KINDS, Kind, Parameter

Hashed = Callable[[str], UUID]
"""The keyed hash of a token under its record's key (or the commons')."""

_BLANK = re.compile(r"[\W_]+")
_MASKED, _FROM_PATIENT, _FROM_PROXIES = (
    "MASQUE_PS",
    "INVISIBLE_PATIENT",
    "INVISIBLE_REPRESENTANTS_LEGAUX",
)
_PARTS = {
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": ("text", "line", "city", "district", "state", "postalCode", "country"),
}


@dataclass(frozen=True, slots=True)
class References:
    """The references of a resource by where they point, each once (in no promised order).

    local: `Type/id` (versions dropped; `Binary/id` attachment URLs count). contained: `#x`. absolute: http(s).
    urn: urn:… . other: anything else, conditional references among them.
    """

    local: tuple[str, ...]
    contained: tuple[str, ...]
    absolute: tuple[str, ...]
    urn: tuple[str, ...]
    other: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The search values of one version of a resource, as its row keeps them. Dates in microseconds since 1970."""

    tokens: frozenset[UUID]
    dates: dict[str, list[tuple[int, int]]]
    words: dict[str, list[str]]
    happened: tuple[int, int] | None
    category: UUID | None
    masked: bool
    hidden_from_patient: bool
    hidden_from_proxies: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """`probe`: the one element that must stand below the root, when there is one: most are absent."""

    parameter: Parameter
    first: paths.Step
    rest: tuple[paths.Step, ...]
    probe: str | None


@dataclass(frozen=True, slots=True)
class _Plan:
    roots: dict[str, tuple[_Entry, ...]]
    truths: tuple[tuple[Parameter, paths.Path], ...]


@cache
def _plan(kind: Kind) -> _Plan:
    """A kind's parameters by the root element they start from: what is absent costs nothing."""
    roots: dict[str, list[_Entry]] = {}
    truths = []
    for parameter in (*kind.parameters.values(), *(COMMON[n] for n in ("_security", "_tag", "_profile"))):
        for path in map(paths.compiled, parameter.paths):
            if path.truth:
                truths.append((parameter, path))
                continue
            first, *rest = path.steps
            probe = rest[0].names[0] if rest and len(rest[0].names) == 1 else None
            for name in first.names:
                roots.setdefault(name, []).append(_Entry(parameter, first, tuple(rest), probe))
    return _Plan({name: tuple(entries) for name, entries in roots.items()}, tuple(truths))


def index(kind: Kind, resource: Mapping[str, Any], hashed: Hashed, base: str | None = None) -> Index:
    """Index one resource, already judged valid. `base`: this server's own URL, folded in references.

    Raises malformed on a date that cannot be read. Costs one walk of the elements a parameter starts from.
    """
    found: set[str] = set()
    dates: dict[str, list[tuple[int, int]]] = {}
    words: dict[str, list[str]] = {}
    plan = _plan(kind)
    for root, value in resource.items():
        whole = value if isinstance(value, list) else [value]
        for entry in plan.roots.get(root, ()):
            values = whole
            if entry.probe is not None and isinstance(value, dict) and entry.probe not in value:
                continue
            if entry.first.filters:
                values = [item for item in values if entry.first.keeps(item)]
            if entry.rest:
                values = paths.walk(values, entry.rest)
            if values:
                _gather(entry.parameter, values, found, dates, words, base)
    for parameter, path in plan.truths:
        _gather(parameter, paths.evaluate(path, resource), found, dates, words, base)
    for ranges in dates.values():
        ranges.sort()
    labels = _labels(resource)
    return Index(
        tokens=frozenset(map(hashed, found)),
        dates=dates,
        words=words,
        happened=happened(kind, resource),
        category=_category(kind, resource, hashed),
        masked=_MASKED in labels,
        hidden_from_patient=_FROM_PATIENT in labels,
        hidden_from_proxies=_FROM_PROXIES in labels,
    )


def _gather(
    parameter: Parameter,
    values: list[Any],
    found: set[str],
    dates: dict[str, list[tuple[int, int]]],
    words: dict[str, list[str]],
    base: str | None,
) -> None:
    name = parameter.name
    if parameter.type == "date":
        ranges = [span for value in values if (span := calendar.ranges(value)) is not None]
        if ranges:
            dates.setdefault(name, []).extend(ranges)
        return
    found.add(tokens.presence(name))
    if parameter.type == "token":
        for value in values:
            tokens.add_tokens(found, name, value)
    elif parameter.type == "reference":
        for value in values:
            tokens.add_references(found, name, value, base)
    elif parameter.type == "uri":
        for value in values:
            tokens.add_uris(found, name, value)
    else:
        raw = [text for value in values for text in _texts(value)]
        words.setdefault(f"{name}:exact", []).extend(raw)
        words.setdefault(name, []).extend(word for text in raw if (word := normalised(text)))


def normalised(text: str) -> str:
    """Casefolded, without accents, punctuation or repeated blanks (FHIR R4 §3.1.1.4.8)."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _BLANK.sub(" ", plain.casefold()).strip()


def _texts(value: Any) -> Iterator[str]:
    """The strings of a string, or the parts of a HumanName or an Address, each on its own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        parts = _PARTS["HumanName"] if "family" in value or "given" in value else _PARTS["Address"]
        for part in parts:
            inside = value.get(part)
            yield from (item for item in (inside if isinstance(inside, list) else [inside]) if item)


def happened(kind: Kind, resource: Mapping[str, Any]) -> tuple[int, int] | None:
    """The clinical period: the hull of the first path of `kind.happened` that bears a date."""
    for text in kind.happened:
        values = paths.evaluate(paths.compiled(text), resource)
        ranges = [span for value in values if (span := calendar.ranges(value)) is not None]
        if ranges:
            return min(low for low, _ in ranges), max(high for _, high in ranges)
    return None


def _codings(concepts: Any) -> Iterator[dict[str, Any]]:
    """The codings of a list of Codings and CodeableConcepts."""
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        if isinstance(concept, dict):
            inside = concept.get("coding")
            yield from (c for c in inside if isinstance(c, dict)) if isinstance(inside, list) else (concept,)


def _category(kind: Kind, resource: Mapping[str, Any], hashed: Hashed) -> UUID | None:
    for coding in _codings(list(paths.values(kind.category, resource))):
        if isinstance(coding.get("code"), str):
            return hashed(tokens.category(str(coding.get("system") or ""), coding["code"]))
    return None


def _labels(resource: Mapping[str, Any]) -> frozenset[str]:
    """The codes of meta.security and securityLabel, trimmed and upper-cased; a text alone counts too."""
    meta = resource.get("meta")
    concepts = [meta.get("security") if isinstance(meta, dict) else None, resource.get("securityLabel")]
    return frozenset(
        text.strip().upper()
        for listed in concepts
        if listed is not None
        for coding in (*_codings(listed), *(listed if isinstance(listed, list) else ()))
        if isinstance(coding, dict)
        for text in (coding.get("code"), coding.get("text"))
        if isinstance(text, str)
    )


def references_of(resource: Mapping[str, Any]) -> References:
    """Every reference of a resource, contained resources included, the entries of a document Bundle left alone.

    A document is sealed as one piece: its references are resolved inside it (FHIR R4 §3.3).
    """
    whole = resource.get("resourceType") != "Bundle"
    local: dict[str, None] = {}
    contained, absolute, urn, other = [], [], [], []
    for reference in dict.fromkeys(
        _literals(resource if whole else {k: v for k, v in resource.items() if k != "entry"})
    ):
        if reference.startswith("urn:"):
            urn.append(reference)
        elif (found := tokens.local(reference)) is not None:
            local[f"{found[0]}/{found[1]}"] = None
        elif reference.startswith("#"):
            contained.append(reference)
        elif reference.startswith(("http://", "https://")):
            absolute.append(reference)
        else:
            other.append(reference)
    return References(tuple(local), tuple(contained), tuple(absolute), tuple(urn), tuple(other))


def _literals(resource: Mapping[str, Any]) -> list[str]:
    """Written flat: it visits every element of what is stored."""
    found = []
    nodes: list[Mapping[str, Any]] = [resource]
    for node in nodes:
        if "reference" in node and type(node["reference"]) is str:
            found.append(node["reference"])
        if "url" in node and type(node["url"]) is str and node["url"].startswith("Binary/"):
            found.append(node["url"])
        for child in node.values():
            if type(child) is dict:
                nodes.append(child)
            elif type(child) is list:
                nodes += [item for item in child if type(item) is dict]
    return found


def referenced(parameter: Parameter, resource: Mapping[str, Any], base: str | None = None) -> tuple[str, ...]:
    """The served resources a reference parameter points at, as `Type/id`, for includes and chains."""
    found = []
    for value in paths.values(parameter.paths, resource):
        literal = value.get("reference") if isinstance(value, dict) else value
        pair = tokens.local(literal, base) if isinstance(literal, str) else None
        if pair is not None and pair[0] in KINDS:
            found.append(f"{pair[0]}/{pair[1]}")
    return tuple(dict.fromkeys(found))


def patients_of(kind: Kind, resource: Mapping[str, Any], base: str | None = None) -> tuple[str, ...]:
    """The ids of the Patients a resource says it is about: more than one is for the caller to refuse."""
    named = Parameter("people", "reference", kind.patient_paths, ("Patient",))
    found = (reference.split("/") for reference in referenced(named, resource, base))
    return tuple(logical_id for name, logical_id in found if name == "Patient")
