"""What a referenced service declares to the people it serves: who publishes it, and each purpose with what it needs.

The rule: a purpose is granted as it was declared. What is kept of each declaration with a grant tells when it changes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from auth import scopes

_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_VERBS = {"read": frozenset("rs"), "write": frozenset("cud")}


class Status(StrEnum):
    """The life of a service in the catalogue, in the words of the field."""

    EN_LIGNE = "EN_LIGNE"
    HORS_LIGNE = "HORS_LIGNE"
    DEREFERENCEE = "DEREFERENCEE"
    PRESERIE = "PRESERIE"
    SUSPENDUE = "SUSPENDUE"


STOPPED = frozenset({Status.DEREFERENCEE, Status.SUSPENDUE})
"""Its tokens are refused, at once."""


class Direction(StrEnum):
    """Which way data goes: out of the record, into it, or both."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One purpose a person grants or not. `scopes`: the SMART scopes it needs, and `profile` if it needs a name."""

    code: str
    label_fr: str
    label_en: str
    description_fr: str
    description_en: str
    direction: Direction
    scopes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that is declared: another text is another purpose."""
        said = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()

    def narrowed(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """What it needs among the scopes asked, in the order asked: never more than either says."""
        found: dict[str, None] = {}
        for one in asked:
            wanted = scopes.parse(one)
            if wanted is None:
                found |= {one: None} if one in self.scopes else {}
                continue
            for declared in map(scopes.parse, self.scopes):
                both = None if declared is None else _both(wanted, declared)
                found |= {} if both is None else {one if both == wanted else str(both): None}
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An entry of the catalogue. `terms`: where its terms of use are; without purposes, its scopes are its only one."""

    publisher: str
    description_fr: str
    description_en: str
    version: str
    status: Status
    terms: str | None = None
    purposes: tuple[Purpose, ...] = ()


def read(given: Mapping[str, Any]) -> Service:
    """A service from JSON or TOML. Raises ValueError: what is missing, unknown, of another type, or unsound."""
    _only(given, Service, "a service")
    listed = given.get("purposes", ())
    for one in listed if isinstance(listed, list | tuple) else ():
        _only(one, Purpose, "a purpose")
    try:
        made = msgspec.convert(dict(given), Service)
    except msgspec.ValidationError as error:
        raise ValueError(f"service: {error}") from None
    _judge(made)
    return made


def kept(service: Service) -> dict[str, Any]:
    """A service as JSON to store: `read` gives it back."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(service)))
    return found


def digests(service: Service | None) -> dict[str, str]:
    """The digest of each purpose by its code; nothing of software that declares none."""
    return {} if service is None else {one.code: one.digest for one in service.purposes}


def _both(one: scopes.Scope, other: scopes.Scope) -> scopes.Scope | None:
    verbs = one.verbs & other.verbs
    if one.context != other.context or not verbs or len({one.kind, other.kind} - {"*"}) > 1:
        return None
    kind = other.kind if one.kind == "*" else one.kind
    return scopes.Scope(one.context, kind, verbs, tuple(dict.fromkeys((*one.query, *other.query))))


def _only(given: object, kind: type, what: str) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} is a table of names and values")
    unknown = sorted(set(given) - {field.name for field in fields(kind)})
    if unknown:
        raise ValueError(f"{what} has no {unknown[0]}")


def _judge(service: Service) -> None:
    said = [service.publisher, service.description_fr, service.description_en, service.version]
    if not all(text.strip() and text.isprintable() for text in said):
        raise ValueError("a service has a publisher, a description and a version that people can read")
    if service.terms is not None and urlsplit(service.terms).scheme != "https":
        raise ValueError("the terms of a service are at an https address")
    if len({one.code for one in service.purposes}) < len(service.purposes):
        raise ValueError("two purposes of a service have the same code")
    for purpose in service.purposes:
        _judge_purpose(purpose)


def _judge_purpose(purpose: Purpose) -> None:
    code = purpose.code
    if _CODE.fullmatch(code) is None:
        raise ValueError(f"a purpose's code is lower case letters, digits and dashes: {code!r}")
    texts = (purpose.label_fr, purpose.label_en, purpose.description_fr, purpose.description_en)
    if not all(text.strip() and text.isprintable() for text in texts):
        raise ValueError(f"purpose {code} says what it is in French and in English")
    parsed = [scopes.parse(one) for one in purpose.scopes if one != scopes.PROFILE]
    if not parsed or any(one is None or one.context != "patient" for one in parsed):
        raise ValueError(f"purpose {code} needs patient scopes, and besides them {scopes.PROFILE} at most")
    verbs = frozenset[str]().union(*(one.verbs for one in parsed if one is not None))
    ways = {name for name, letters in _VERBS.items() if verbs & letters}
    if ways != ({"read", "write"} if purpose.direction is Direction.BOTH else {purpose.direction.value}):
        raise ValueError(f"purpose {code} says {purpose.direction.value}, which is not what its scopes do")
