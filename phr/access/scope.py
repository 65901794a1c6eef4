"""SMART scopes as predicates: they are ANDed to the policy's, so they can only narrow what a reader sees."""

from collections.abc import Sequence

from auth.scopes import Scope
from fhir.predicate import Everything, KindIn, Nothing, Predicate
from phr.access.reader import Citizen, Reader

CREATE, READ, UPDATE, DELETE, SEARCH = "cruds"


def _context(reader: Reader) -> str:
    return "patient" if isinstance(reader, Citizen) else "system"


def granted(scopes: Sequence[Scope], reader: Reader, verb: str, kind: str) -> bool:
    """Whether some scope gives this verb (one of `cruds`) on this resource type to this kind of reader."""
    return any(
        scope.context == _context(reader) and verb in scope.verbs and scope.kind in ("*", kind) for scope in scopes
    )


def narrowing(scopes: Sequence[Scope], reader: Reader, verb: str) -> Predicate:
    """The predicate of all scopes that give this verb: nothing when none does."""
    kinds = {scope.kind for scope in scopes if scope.context == _context(reader) and verb in scope.verbs}
    if "*" in kinds:
        return Everything()
    return KindIn(frozenset(kinds)) if kinds else Nothing()
