"""SMART scopes as predicates: they are ANDed to the policy's, so they can only narrow what a reader sees.

The rule: what a scope's query asks is asked of rows as a search would ask it; a scope that cannot be asked so gives
nothing. `patient/` is for the person's own software, and for a professional's inside the record it was launched for.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from auth.scopes import Scope
from fhir.capability import VIRTUAL
from fhir.criteria import TokenAny
from fhir.criterion import Reading, criterion
from fhir.parameters import COMMON, KINDS
from fhir.predicate import And, Everything, KindIn, Nothing, Or, Predicate
from fhir.record import COMMONS, RecordKeys
from fhir.view import NOWHERE
from phr.access.reader import Citizen, Delegate, Professional, Reader
from phr.core.errors import DomainError

CREATE, READ, UPDATE, DELETE, SEARCH = "cruds"
_NEVER = datetime.min.replace(tzinfo=UTC)
"""Tokens depend on no clock."""


def _predicate(scope: Scope, hashed: Callable[[str], UUID]) -> Predicate | None:
    """What a scope asks of a row; None when no predicate says it."""
    if scope.kind == "*":
        return None if scope.query else Everything()
    kind = KINDS.get(scope.kind)
    if kind is None or (scope.query and (kind.name in VIRTUAL or (kind.name == "Patient" and CREATE in scope.verbs))):
        return None
    reading = Reading(hashed, hashed, _NEVER, None, {})
    parts: list[Predicate] = [KindIn(frozenset({kind.name}))]
    for name, value in scope.query:
        parameter = COMMON.get(name) or kind.parameters.get(name)
        if parameter is None or parameter.type != "token":
            return None
        try:
            asked = criterion(reading, kind, name, value)
        except DomainError:
            return None
        if not isinstance(asked, TokenAny):
            return None
        parts.append(asked)
    return And(tuple(parts))


@lru_cache(maxsize=4096)
def expressible(scope: Scope) -> bool:
    """Whether a predicate says the same as the scope: for each row it can be asked, before and after a write.

    A query is made of token search parameters of a served type that stand in its rows (R4 §3.1.1.4.10), without
    modifier or chain. Not of `*`, not of the journal (it has no rows), not to open records (nothing is there to ask).
    """
    return _predicate(scope, lambda _: NOWHERE) is not None


def contexts(reader: Reader, record: str | None) -> frozenset[str]:
    """The SMART contexts whose scopes count for this reader in this record (None: outside of any)."""
    match reader:
        case Citizen() | Delegate():
            return frozenset({"patient"})
        case Professional(record=launched):
            inside = launched is not None and record in (None, launched)
            return frozenset({"user", "patient"} if inside else {"user"})
        case _:
            return frozenset({"system"})


def _giving(scopes: Sequence[Scope], reader: Reader, verb: str, record: str | None) -> list[Scope]:
    counted = contexts(reader, record)
    return [scope for scope in scopes if scope.context in counted and verb in scope.verbs and expressible(scope)]


def granted(scopes: Sequence[Scope], reader: Reader, verb: str, kind: str, *, whole: bool = False) -> bool:
    """Whether some scope gives this verb (one of `cruds`) on this resource type to this kind of reader, somewhere.

    On which resources is for the lens to say; `whole`: only if on all of them.
    """
    giving = _giving(scopes, reader, verb, None)
    return any(scope.kind in ("*", kind) and not (whole and scope.query) for scope in giving)


def narrowing(scopes: Sequence[Scope], reader: Reader, verb: str, keys: RecordKeys) -> Predicate:
    """The predicate of all scopes that give this verb in the record of these keys (or the commons).

    Nothing when none does. The values of a query are hashed under these keys, as those of the rows are.
    """
    giving = _giving(scopes, reader, verb, None if keys.record == COMMONS else keys.record)
    kinds = frozenset(scope.kind for scope in giving if not scope.query)
    if "*" in kinds:
        return Everything()
    rest = dict.fromkeys(scope for scope in giving if scope.kind not in kinds)
    # In one order, whatever the token's: scopes of the same structure are one statement.
    asked = (_predicate(scope, keys.hashed) for scope in sorted(rest, key=lambda one: len(one.query)))
    parts = [*((KindIn(kinds),) if kinds else ()), *(part for part in asked if part is not None)]
    if not parts:
        return Nothing()
    return parts[0] if len(parts) == 1 else Or(tuple(parts))
