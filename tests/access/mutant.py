"""A mistake someone could make in the policy, by hand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands in the module's source once or first; `early` is the check that should find it."""

    module: str
    early: str
    why: str
    old: str
    new: str


def of(module: str, *rows: tuple[str, str, str, str]) -> tuple[Mutant, ...]:
    """Mutants of one module: the early check, why, what stands there, and what replaces it."""
    return tuple(Mutant(module, *row) for row in rows)
