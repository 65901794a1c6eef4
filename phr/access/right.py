"""What a reader may write, as decisions with reasons. Only what is already in sight (`phr.access.sight`) is judged.

The rule: only the author changes content, only the person (or who represents them) lifts a mask, and nobody writes
the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fhir.parameters import Kind
from phr.access.reader import Depositor, Operator, Person, Professional, Reader, System

MASK = "MASQUE_PS"
HIDDEN_FROM_PATIENT = "INVISIBLE_PATIENT"
OPENED_BY_OPERATOR = "Patient"
JOURNAL_ONLY = frozenset({"AuditEvent"})
NEVER_DELETED = frozenset({"DocumentReference", "Binary"})


@dataclass(frozen=True, slots=True)
class Allowed:
    """The write may go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The write may not, and why, in words the caller can act on."""

    why: str


Verdict = Allowed | Refused
ALLOWED = Allowed()


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one resource: whose it is, its labels before and after, and whether anything else changed."""

    mine: bool
    labels_before: frozenset[str]
    labels_after: frozenset[str]
    only_visibility: Callable[[], bool]


def may_create(reader: Reader, kind: Kind) -> Verdict:
    """Whether this reader creates resources of this type."""
    if kind.name in JOURNAL_ONLY:
        return Refused("The journal is written by the server alone.")
    if kind.commons or kind.name == OPENED_BY_OPERATOR:
        if isinstance(reader, Operator | System):
            return ALLOWED
        return Refused("Only the operator's software writes this resource type.")
    if isinstance(reader, Person | Professional | Depositor | System):
        return ALLOWED
    return Refused("The operator's software never writes inside a record.")


def may_change(reader: Reader, kind: Kind, change: Change) -> Verdict:
    """Whether this reader makes this change to a resource in their sight."""
    if kind.name in JOURNAL_ONLY:
        return Refused("The journal never changes.")
    if kind.commons:
        return may_create(reader, kind)
    lifted = change.labels_before - change.labels_after
    if MASK in lifted and not isinstance(reader, Person):
        return Refused("Only the person lifts the mask they set (R1111-49).")
    if change.mine:
        return ALLOWED
    if isinstance(reader, Person) and change.only_visibility():
        moved = change.labels_before ^ change.labels_after
        if moved <= {MASK}:
            return ALLOWED
        return Refused("A person masks and unmasks; the other visibility labels are not theirs to change.")
    return Refused("Only its author may change this resource.")


def may_delete(reader: Reader, kind: Kind, *, mine: bool) -> Verdict:
    """Whether this reader deletes a resource in their sight."""
    if kind.name in JOURNAL_ONLY or kind.name == OPENED_BY_OPERATOR:
        return Refused("This resource is never deleted.")
    if kind.commons:
        return may_create(reader, kind)
    if not mine:
        return Refused("Only its author may delete this resource.")
    if kind.name in NEVER_DELETED and not isinstance(reader, Person):
        return Refused("Software does not delete a document: its author marks it entered-in-error.")
    return ALLOWED
