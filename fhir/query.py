"""Search parameters read to a value: what is asked of the rows, what is brought along, and what was not understood.

The rule: a parameter is understood whole, or named in `ignored`, or refused as malformed; never guessed. Diagnostics
never repeat a searched value. Tokens are hashed here, so a Query holds nothing in clear but `understood`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fhir import tokens
from fhir.capability import VIRTUAL
from fhir.criterion import LOGICAL_ID, Chain, Has, Hashed, Ignored, Reading, criterion, split, unescaped
from fhir.parameters import COMMON, KINDS, Kind, Parameter
from fhir.predicate import Predicate
from phr.core.errors import malformed

__all__ = ["Chain", "Has", "Include", "Query", "RecordAsk", "Sort", "parse", "record_asked"]

LARGEST_COUNT = 200
"""The largest page: a greater `_count` is clamped to it."""

_PAIRS = 100
_ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TOTALS = ("none", "estimate", "accurate")
_SUMMARIES = ("true", "text", "data", "count", "false")
SKIPPED = ("_format", "_pretty")
"""Parameters of the answer's form, which search nothing."""


@dataclass(frozen=True, slots=True)
class Include:
    """`_include` (or `_revinclude` when `reverse`). `source` None: of any type; `parameter` None: any reference."""

    source: Kind | None
    parameter: Parameter | None
    target: Kind | None
    iterate: bool
    reverse: bool


@dataclass(frozen=True, slots=True)
class Sort:
    """Order by a date parameter, `_lastUpdated` or `_id`."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One search. `criteria`, `chains` and `has` are all to be met; each of `chains` is a tuple of alternatives.

    `ignored`: (name, why). `understood`: the pairs used, for the self link; the only searched values in clear.
    """

    kind: Kind
    criteria: tuple[Predicate, ...] = ()
    chains: tuple[tuple[Chain, ...], ...] = ()
    has: tuple[Has, ...] = ()
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int | None = None
    total: str = "none"
    summary: str | None = None
    elements: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    cursor: str | None = None
    understood: tuple[tuple[str, str], ...] = ()

    @property
    def counting(self) -> bool:
        """Whether only the number of matches is wanted: `_count=0` says the same as `_summary=count`."""
        return self.summary == "count" or self.count == 0

    @property
    def counted(self) -> bool:
        """Whether the number of matches is wanted: an estimate is given exactly."""
        return self.counting or self.total != "none"


@dataclass(frozen=True, slots=True)
class RecordAsk:
    """Whose record a search names: a Patient id, an identifier `system|value`, or both (they must then agree)."""

    patient: str | None
    identifier: str | None


@dataclass(slots=True)
class _Draft:
    criteria: list[Predicate] = field(default_factory=list)
    chains: list[tuple[Chain, ...]] = field(default_factory=list)
    has: list[Has] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    sort: list[Sort] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    single: dict[str, str] = field(default_factory=dict)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    understood: list[tuple[str, str]] = field(default_factory=list)


def parse(
    kind: Kind,
    pairs: Sequence[tuple[str, str]],
    hashed: Hashed,
    now: datetime,
    *,
    commons: Hashed | None = None,
    base: str | None = None,
    known: Mapping[str, str] | None = None,
) -> Query:
    """Read decoded (name, value) pairs. Raises malformed (400) for a known parameter with an unreadable value.

    `hashed` and `commons` hash under the record's and the commons' token keys; `base` is this server's own FHIR URL;
    `known` maps `system|value` identifiers already resolved by the caller to Patient ids, sparing a chain.
    """
    reading = Reading(hashed, commons or hashed, now, base, known or {})
    draft = _Draft()
    if len(pairs) > _PAIRS:
        raise malformed(f"At most {_PAIRS} search parameters at a time.")
    for name, value in pairs:
        _refuse_unprintable(name, value)
        if name in SKIPPED:
            continue
        try:
            _take(reading, kind, draft, name, value)
        except Ignored as why:
            draft.ignored.append((name, str(why)))
        else:
            if name != "_cursor":
                draft.understood.append((name, value))
    count = draft.single.get("_count")
    return Query(
        kind=kind,
        criteria=tuple(draft.criteria),
        chains=tuple(draft.chains),
        has=tuple(draft.has),
        includes=tuple(include for include in draft.includes if not include.reverse),
        revincludes=tuple(include for include in draft.includes if include.reverse),
        sort=tuple(sort for n, sort in enumerate(draft.sort) if sort.name not in {s.name for s in draft.sort[:n]}),
        count=None if count is None else min(int(count), LARGEST_COUNT),
        total=draft.single.get("_total", "none"),
        summary=draft.single.get("_summary"),
        elements=tuple(dict.fromkeys(draft.elements)),
        ignored=tuple(draft.ignored),
        cursor=draft.single.get("_cursor"),
        understood=tuple(draft.understood),
    )


def _refuse_unprintable(*texts: str) -> None:
    """NUL and lone surrogates can be neither stored nor hashed."""
    if any("\0" in text or any("\ud800" <= c <= "\udfff" for c in text) for text in texts):
        raise malformed("A search parameter holds a character that is not text.")


def _take(reading: Reading, kind: Kind, draft: _Draft, name: str, value: str) -> None:
    head, _, modifier = name.partition(":")
    if head in ("_include", "_revinclude"):
        draft.includes.append(_include(kind, head == "_revinclude", modifier, value))
    elif name == "_sort":
        draft.sort.extend(list(_sorts(kind, value)))
    elif name == "_elements":
        draft.elements.extend(_elements(value))
    elif name in ("_count", "_total", "_summary", "_cursor"):
        _single(draft, name, value)
    else:
        asked = criterion(reading, kind, name, value)
        if isinstance(asked, Predicate):
            draft.criteria.append(asked)
        elif isinstance(asked, Has):
            draft.has.append(asked)
        else:
            draft.chains.append(asked)


def _single(draft: _Draft, name: str, value: str) -> None:
    good = {
        "_count": value.isascii() and value.isdecimal() and len(value) <= 9,
        "_total": value in _TOTALS,
        "_summary": value in _SUMMARIES,
        "_cursor": value != "",
    }
    if not good[name] or draft.single.setdefault(name, value) != value:
        raise malformed(f"{name} does not have one acceptable value.")


def _elements(value: str) -> list[str]:
    names = value.split(",")
    if not all(_ELEMENT.fullmatch(name) for name in names):
        raise malformed("_elements is a list of element names.")
    return names


def _sorts(kind: Kind, value: str) -> Iterator[Sort]:
    for text in value.split(","):
        name = text.removeprefix("-")
        parameter = COMMON.get(name) or kind.parameters.get(name)
        if parameter is None or (parameter.type != "date" and name != "_id"):
            raise Ignored("only dates, _lastUpdated and _id have an order here")
        yield Sort(name, text.startswith("-"))


def _include(kind: Kind, reverse: bool, modifier: str, value: str) -> Include:
    if modifier not in ("", "iterate"):
        raise Ignored("no such modifier")
    iterate = modifier == "iterate"
    if value == "*" and not reverse:
        return Include(None, None, None, iterate, reverse)
    type_, _, rest = value.partition(":")
    name, _, target_name = rest.partition(":")
    source, target = KINDS.get(type_), KINDS.get(target_name)
    parameter = source.parameters.get(name) if source else None
    if source is None or source.name in VIRTUAL or (target_name and target is None):
        raise Ignored("names a type that is not served")
    if name != "*" and (parameter is None or parameter.type != "reference"):
        raise Ignored("names no reference parameter of that type")
    if parameter and target and target.name not in parameter.targets:
        raise Ignored("that parameter does not point at that type")
    if not iterate and (reverse or source is not kind):
        aimed = parameter is None or kind.name in parameter.targets
        if not reverse or not aimed or target not in (None, kind):
            raise Ignored("does not start from the type searched; :iterate may be meant")
    return Include(source, parameter, target, iterate, reverse)


def _names_person(kind: Kind, parameter: Parameter) -> bool:
    def bare(paths: Sequence[str]) -> set[str]:
        return {re.sub(r"\[[^\]]*\]", "", path) for path in paths}

    return "Patient" in parameter.targets and not bare(parameter.paths).isdisjoint(bare(kind.patient_paths))


def record_asked(kind: Kind, pairs: Sequence[tuple[str, str]], base: str | None = None) -> RecordAsk | None:
    """Whose record a search on `kind` names, None when it names none. Raises malformed when it names two.

    From `patient=`, `subject=`, `patient.identifier=`, `subject:Patient.identifier=`, `patient:identifier=` and their
    like through the kind's patient parameters; on Patient itself from `_id` and `identifier`. An identifier without
    its system names nobody.
    """
    ids: set[str] = set()
    identifiers: set[str] = set()
    for name, value in pairs:
        _refuse_unprintable(name, value)
        way = _way_to_person(kind, name)
        if way is None:
            continue
        wanted, bare_id = way
        for text in split(value, ","):
            if wanted == "identifier":
                parts = [unescaped(part) for part in split(text, "|")]
                if len(parts) == 2 and all(parts):
                    identifiers.add("|".join(parts))
                continue
            found = tokens.local(unescaped(text), base)
            if found is not None and found[0] == "Patient":
                ids.add(found[1])
            elif bare_id and LOGICAL_ID.fullmatch(text):
                ids.add(text)
    if len(ids) > 1 or len(identifiers) > 1:
        raise malformed("A search opens one record: it names several people.")
    if not ids and not identifiers:
        return None
    return RecordAsk(next(iter(ids), None), next(iter(identifiers), None))


def _way_to_person(kind: Kind, key: str) -> tuple[str, bool] | None:
    """("id" or "identifier", whether a bare id will do), when the key names the record's person."""
    head, _, rest = key.partition(".")
    name, _, modifier = head.partition(":")
    if kind.name == "Patient":
        return {"_id": ("id", True), "identifier": ("identifier", False)}.get(key)
    parameter = kind.parameters.get(name)
    if parameter is None or not _names_person(kind, parameter):
        return None
    if (modifier, rest) in (("identifier", ""), ("", "identifier"), ("Patient", "identifier")):
        return "identifier", False
    if modifier in ("", "Patient") and rest in ("", "_id"):
        plain = name in ("patient", "subject") or parameter.targets == ("Patient",)
        return "id", plain or modifier == "Patient" or rest == "_id"
    return None
