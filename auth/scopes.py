"""SMART App Launch 2.2 scopes, as values. The rule: a scope that cannot be enforced is refused, never ignored."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

OPENID = "openid"
FHIR_USER = "fhirUser"
PROFILE = "profile"
OFFLINE = "offline_access"
LAUNCH = "launch"
LAUNCH_PATIENT = "launch/patient"
PLAIN = (OPENID, FHIR_USER, PROFILE, OFFLINE, LAUNCH, LAUNCH_PATIENT)
"""Scopes that are a word (OpenID Connect Core 1.0 §5.4 and §11, SMART App Launch 2.2)."""

_RESOURCE = re.compile(
    r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(?:(c?r?u?d?s?)(?:\?([\x21-\x7e]{1,1000}))?|(read|write|\*))",
    re.ASCII,
)
_FIRST = {"read": "rs", "write": "cud", "*": "cruds"}
_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})+", re.ASCII)
_RESERVED = frozenset('"#&+<>?[\\]^`{}')
_CLEAR = "/:|,.-_~!$'()*;=@"


@dataclass(frozen=True, slots=True)
class Scope:
    """`context/kind.verbs?query`: kind is a FHIR type or `*`, verbs among c, r, u, d, s, query decoded search pairs."""

    context: str
    kind: str
    verbs: frozenset[str]
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The canonical spelling: SMART v2, only what must be is percent-encoded."""
        asked = "&".join(f"{name}={quote(value, safe=_CLEAR)}" for name, value in self.query)
        verbs = "".join(verb for verb in "cruds" if verb in self.verbs)
        return f"{self.context}/{self.kind}.{verbs}" + (f"?{asked}" if asked else "")

    def covers(self, other: "Scope") -> bool:
        """Whether all that `other` allows, this allows too: of two conjunctions, the longer allows less."""
        same = self.context == other.context and self.kind in ("*", other.kind)
        return same and self.verbs >= other.verbs and set(self.query) <= set(other.query)


def parse(scope: str) -> Scope | None:
    """What one resource scope means, or None.

    Version 2 with its search parameters (SMART App Launch 2.2 §3.0.2), or version 1, whose `read`, `write` and `*`
    mean `rs`, `cud` and `cruds`. None: verbs out of order, a modifier or a chain, a pair given twice, what is not
    percent-encoded as it must be (a bare `+` among it: it can be read in two ways), and characters that no one sees.
    """
    match = _RESOURCE.fullmatch(scope)
    if match is None:
        return None
    context, kind, verbs, asked, first = match.groups()
    if first is not None:
        return Scope(context, kind, frozenset(_FIRST[first]))
    query = _query(asked) if asked is not None else ()
    return Scope(context, kind, frozenset(verbs), query) if verbs and query is not None else None


def _query(text: str) -> tuple[tuple[str, str], ...] | None:
    """The decoded pairs of `name=value&name=value`; None when it is anything else."""
    pairs = []
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if not _NAME.fullmatch(name) or not _ESCAPED.fullmatch(value) or _RESERVED & set(value):
            return None
        try:
            pairs.append((name, unquote(value, errors="strict")))
        except UnicodeDecodeError:
            return None
    shown = all(value.isprintable() for _, value in pairs)
    return tuple(pairs) if shown and len(set(pairs)) == len(pairs) else None


def allowed(scope: str, registered: tuple[str, ...]) -> bool:
    """Whether a client registered for these scopes may ask for this one."""
    if scope in PLAIN:
        return scope in registered
    asked = parse(scope)
    return asked is not None and any(held.covers(asked) for held in map(parse, registered) if held)


def split(scope: str | None) -> tuple[str, ...]:
    """A space-delimited scope parameter (RFC 6749 §3.3), each value once, in the order asked."""
    return tuple(dict.fromkeys(value for value in (scope or "").split(" ") if value))
