"""SMART App Launch 2.2 scopes, as values. The rule: a scope that cannot be enforced is refused, never ignored."""

import re
from dataclasses import dataclass

_RESOURCE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?)", re.ASCII)

LAUNCH = "launch/patient"
OPENID = "openid"
FHIR_USER = "fhirUser"
PLAIN = (OPENID, FHIR_USER, LAUNCH)
"""Scopes that are a word: granted to citizen apps only. `offline_access` is not supported."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`context/kind.verbs`: kind is a FHIR type or `*`, verbs among c, r, u, d, s."""

    context: str
    kind: str
    verbs: frozenset[str]

    def __str__(self) -> str:
        return f"{self.context}/{self.kind}.{''.join(verb for verb in 'cruds' if verb in self.verbs)}"

    def covers(self, other: "Scope") -> bool:
        """Whether all that `other` allows, this allows too."""
        return self.context == other.context and self.kind in ("*", other.kind) and self.verbs.issuperset(other.verbs)


def parse(scope: str) -> Scope | None:
    """One v2 resource scope (SMART App Launch 2.2 §3.0.2), or None: v1 spelling, a query part, verbs out of order."""
    match = _RESOURCE.fullmatch(scope)
    if match is None or not match[3]:
        return None
    return Scope(match[1], match[2], frozenset(match[3]))


def allowed(scope: str, registered: tuple[str, ...]) -> bool:
    """Whether a client registered for these scopes may ask for this one."""
    if scope in PLAIN:
        return scope in registered
    asked = parse(scope)
    return asked is not None and any(held.covers(asked) for held in map(parse, registered) if held)


def split(scope: str | None) -> tuple[str, ...]:
    """A space-delimited scope parameter (RFC 6749 §3.3), each value once, in the order asked."""
    return tuple(dict.fromkeys(value for value in (scope or "").split(" ") if value))
