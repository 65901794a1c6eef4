"""One search parameter read to what it asks of a row: a predicate, a chain of references, or a `_has`.

The rule: understood whole, or Ignored with why, or malformed; never guessed. Diagnostics never repeat a value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fhir import dates, tokens
from fhir.capability import VIRTUAL
from fhir.criteria import DateMatch, HasDate, TokenAny, UpdatedMatch, Word
from fhir.index import normalised
from fhir.parameters import COMMON, KINDS, Kind, Parameter
from fhir.predicate import IdIn, Not, Or, Predicate
from phr.core.errors import malformed

Hashed = Callable[[str], UUID]

LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ESCAPED = re.compile(r"\\([\\,|$])")
_ABSOLUTE = re.compile(r"(https?://|urn:)[^\s]+")
_VALUES, _RANGES, _DEPTH, _ALTERNATIVES = 500, 50, 3, 64
_MODES = {"": "starts", "contains": "contains", "exact": "exact"}


@dataclass(frozen=True, slots=True)
class Chain:
    """`parameter` points at a resource of type `target` that satisfies `criterion`; a tuple of them is any of them."""

    parameter: Parameter
    target: Kind
    criterion: "Criterion"


@dataclass(frozen=True, slots=True)
class Has:
    """Some resource of type `kind` satisfies `criterion` and points here through `parameter` (FHIR R4 §3.1.1.4.13)."""

    kind: Kind
    parameter: Parameter
    criterion: "Criterion"


Criterion = Predicate | tuple[Chain, ...] | Has


class Ignored(Exception):  # noqa: N818  (not an error: FHIR R4 §3.1.1.3)
    """A parameter that is not understood: it is named to the caller, with why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading depends on: the token hashes of the record and of the commons, the clock, this server's URL.

    `known` maps `system|value` identifiers to the Patient ids they are already known to be.
    """

    hashed: Hashed
    commons: Hashed
    now: datetime
    base: str | None
    known: Mapping[str, str]

    def tokens(self, kind: Kind, texts: Iterator[str]) -> TokenAny:
        hashed = self.commons if kind.commons else self.hashed
        return TokenAny(frozenset(map(hashed, texts)))


def criterion(reading: Reading, kind: Kind, key: str, value: str, depth: int = 0) -> Criterion:
    """One decoded pair, from the point of view of `kind`. Raises malformed (400), or Ignored with why."""
    if depth > _DEPTH:
        raise malformed(f"Chains and _has go at most {_DEPTH} deep.")
    if key.startswith("_has:"):
        return _has(reading, kind, key, value, depth)
    head, dot, rest = key.partition(".")
    name, colon, modifier = head.partition(":")
    parameter = COMMON.get(name) or kind.parameters.get(name)
    if parameter is None:
        raise Ignored(f"not a search parameter of {kind.name} here")
    if colon and not modifier:
        raise malformed(f"{name} has an empty modifier.")
    if dot:
        return _chain(reading, kind, parameter, modifier, rest, value, depth)
    return _simple(reading, kind, parameter, modifier, value)


def _has(reading: Reading, kind: Kind, key: str, value: str, depth: int) -> Has:
    parts = key.split(":", 3)
    if len(parts) != 4:
        raise malformed("_has is written _has:Type:reference:parameter.")
    source = KINDS.get(parts[1])
    parameter = source.parameters.get(parts[2]) if source else None
    if source is None or parameter is None or kind.name not in parameter.targets or source.name in VIRTUAL:
        raise Ignored(f"names no served reference to {kind.name}")
    return Has(source, parameter, criterion(reading, source, parts[3], value, depth + 1))


def _chain(
    reading: Reading, kind: Kind, parameter: Parameter, modifier: str, rest: str, value: str, depth: int
) -> Criterion:
    if parameter.type != "reference" or (modifier and modifier not in parameter.targets):
        raise Ignored("not a reference to that type")
    targets = tuple(name for name in (parameter.targets if not modifier else (modifier,)) if name not in VIRTUAL)
    person = reading.known.get("|".join(map(unescaped, split(value, "|"))))
    if rest == "identifier" and person is not None and "Patient" in targets:
        found = f"Patient/{person}"
        return reading.tokens(kind, iter((tokens.literal(parameter.name, found),)))
    chains = []
    for target in map(KINDS.__getitem__, targets):
        try:
            chains.append(Chain(parameter, target, criterion(reading, target, rest, value, depth + 1)))
        except Ignored:
            continue
    if not chains:
        raise Ignored("no type it points at has that parameter")
    if sum(map(_breadth, chains)) > _ALTERNATIVES:
        raise malformed("The chain has too many meanings: name the types it passes through.")
    return tuple(chains)


def _breadth(chain: Chain) -> int:
    return sum(map(_breadth, chain.criterion)) if isinstance(chain.criterion, tuple) else 1


def _simple(reading: Reading, kind: Kind, parameter: Parameter, modifier: str, value: str) -> Predicate:
    name = parameter.name
    if name in ("_id", "_lastUpdated") and modifier:
        raise Ignored("no such modifier here")
    if modifier == "missing":
        return _missing(reading, kind, parameter, value)
    values = list(split(value, ","))
    if len(values) > _VALUES or not all(values):
        raise malformed(f"{name} has an empty value, or too many.")
    if name == "_id":
        ids = frozenset(map(unescaped, values))
        if not all(LOGICAL_ID.fullmatch(id_) for id_ in ids):
            raise malformed("_id is not a logical id.")
        return IdIn(ids)
    if parameter.type == "date":
        return _any_date(reading, parameter, modifier, values)
    if parameter.type == "string":
        return _any_word(parameter, modifier, [unescaped(text) for text in values])
    forms: Iterator[str]
    if parameter.type == "token" and modifier in ("", "not", "of-type"):
        read = _typed_identifier if modifier == "of-type" else _token
        forms = (read(name, text) for text in values)
    elif parameter.type == "reference" and modifier == "identifier":
        forms = (_token(tokens.logical(name), text) for text in values)
    elif parameter.type == "reference" and modifier in ("", *parameter.targets):
        forms = (_reference(reading, name, modifier, unescaped(text)) for text in values)
    elif parameter.type == "uri" and not modifier:
        forms = (tokens.literal(name, unescaped(text)) for text in values)
    else:
        raise Ignored("no such modifier here")
    found = reading.tokens(kind, forms)
    return Not(found) if modifier == "not" else found


def _missing(reading: Reading, kind: Kind, parameter: Parameter, value: str) -> Predicate:
    if value not in ("true", "false"):
        raise malformed(f"{parameter.name}:missing is true or false.")
    has: Predicate = HasDate(parameter.name)
    if parameter.type != "date":
        has = reading.tokens(kind, iter((tokens.presence(parameter.name),)))
    return Not(has) if value == "true" else has


def _either(found: list[Predicate]) -> Predicate:
    """Any of them. Each number of them is another statement to compile: there are few."""
    if len(found) > _RANGES:
        raise malformed(f"At most {_RANGES} dates or words at a time.")
    return found[0] if len(found) == 1 else Or(tuple(found))


def _any_date(reading: Reading, parameter: Parameter, modifier: str, values: list[str]) -> Predicate:
    if modifier:
        raise Ignored("no such modifier here")
    asked = [dates.asked(text, reading.now) for text in values]
    if parameter.name == "_lastUpdated":
        return _either([UpdatedMatch(p, dates.instant(low), dates.instant(high)) for p, low, high in asked])
    return _either([DateMatch(parameter.name, prefix, low, high) for prefix, low, high in asked])


def _any_word(parameter: Parameter, modifier: str, values: list[str]) -> Predicate:
    if modifier not in _MODES:
        raise Ignored("no such modifier here")
    words = values if modifier == "exact" else [normalised(text) for text in values]
    if not all(words):
        raise malformed(f"{parameter.name} holds neither letters nor digits.")
    return _either([Word(parameter.name, _MODES[modifier], word) for word in words])


def split(value: str, mark: str) -> Iterator[str]:
    """Split on unescaped marks (FHIR R4 §3.1.1.4.4), keeping the escapes."""
    part = ""
    for piece in re.findall(r"\\.|.", value, re.DOTALL):
        if piece == mark:
            yield part
            part = ""
        else:
            part += piece
    yield part


def unescaped(text: str) -> str:
    r"""Undo the escapes of a search value: `\,` `\|` `\$` `\\`."""
    return _ESCAPED.sub(r"\1", text)


def _token(name: str, text: str) -> str:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise malformed(f"{name.partition(':')[0]} is written code, system|code, |code or system|.")
    return tokens.coded(name, parts[0], parts[1]) if len(parts) == 2 else tokens.coded(name, None, parts[0])


def _typed_identifier(name: str, text: str) -> str:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) != 3 or not all(parts):
        raise malformed(f"{name}:of-type is written system|code|value.")
    return tokens.of_type(name, *parts)


def _reference(reading: Reading, name: str, type_: str, text: str) -> str:
    found = tokens.local(text, reading.base)
    if found is not None and type_ in ("", found[0]):
        return tokens.literal(name, "/".join(found))
    if found is None and LOGICAL_ID.fullmatch(text):
        return tokens.literal(name, f"{type_}/{text}" if type_ else text)
    if found is None and _ABSOLUTE.fullmatch(text):
        return tokens.literal(name, text)
    raise malformed(f"{name} is not a reference of that type.")
