"""What a reader may write, as decisions with reasons. Only what is already in sight (`phr.access.sight`) is judged.

The rule: only the author changes content, only the person (or who represents them) lifts a mask and decides who sees,
a caregiver does what they were given, and nobody writes the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fhir.parameters import Kind
from phr.access.provision import Right
from phr.access.reader import Citizen, Depositor, Operator, Person, Professional, Reader, System

MASK = "MASQUE_PS"
HIDDEN_FROM_PATIENT = "INVISIBLE_PATIENT"
HIDDEN_FROM_PROXIES = "INVISIBLE_REPRESENTANTS_LEGAUX"
OPENED_BY_OPERATOR = "Patient"
JOURNAL_ONLY = frozenset({"AuditEvent"})
NEVER_DELETED = frozenset({"DocumentReference", "Binary"})


DECIDED = frozenset(
    {
        Right.BLOCK,
        Right.MASK,
        Right.PREFERENCE,
        Right.TREATING_PHYSICIAN,
        Right.ADMINISTRATOR,
        Right.CARE_RELATION,
    }
)
"""What the person decides by writing a Consent; the other rights are opened by their operations, which check more."""
ENDED = frozenset({"inactive", "entered-in-error"})
DOCUMENTS, MESSAGE, PRESCRIPTIONS, AGENDA = "documents", "message", "prescriptions", "agenda"
_POWERS = {
    "Communication": MESSAGE,
    "CommunicationRequest": MESSAGE,
    "MedicationRequest": PRESCRIPTIONS,
    "MedicationDispense": PRESCRIPTIONS,
    "Task": PRESCRIPTIONS,
    "Appointment": AGENDA,
}
_NEVER_BY_CAREGIVERS = frozenset({"Consent", "RelatedPerson", "Patient", "Subscription"})


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
    moved = change.labels_before ^ change.labels_after
    if isinstance(reader, Professional) and moved == lifted == {HIDDEN_FROM_PATIENT} and change.only_visibility():
        return ALLOWED  # R1111-53: told in person, by whoever had the person before them
    if isinstance(reader, Person) and change.only_visibility():
        # R1111-50: what is kept from representatives is for the person alone to say.
        if moved <= {MASK} | ({HIDDEN_FROM_PROXIES} if isinstance(reader, Citizen) else set()):
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


def may_act_for(powers: frozenset[str] | None, kind: Kind, change: Change | None = None) -> Verdict:
    """Whether a caregiver's powers reach this write; None: no caregiver's. Sharing is never theirs, nor are masks."""
    if powers is None:
        return ALLOWED
    if kind.name in _NEVER_BY_CAREGIVERS:
        return Refused("A caregiver does not decide for the person who sees their record.")
    if change is not None and change.labels_before != change.labels_after:
        return Refused("A caregiver neither masks nor unmasks.")
    if _POWERS.get(kind.name, DOCUMENTS) not in powers:
        return Refused("The person did not give this caregiver the power to do this.")
    return ALLOWED


def may_decide(reader: Reader, right: Right | None, before: str | None, after: str, *, mine: bool) -> Verdict:
    """Whether this reader writes a Consent about this right, `before` and `after` its status (None: it is new).

    Never opened again once ended: nothing is resurrected. What a professional opened, the person ends, no more.
    """
    if right is None:
        return ALLOWED
    if not isinstance(reader, Person):
        return Refused("Who sees the record is for its person to decide.")
    if before is None:
        if right in DECIDED and after == "active":
            return ALLOWED
        return Refused("This right is opened by its own operation.")
    if before != "active" or right not in DECIDED:
        return Refused("This right has ended, or ends by its own operation.")
    if mine or after in ENDED:
        return ALLOWED
    return Refused("What a professional opened can only be ended.")
