"""A right as the policy reads it: a plain value, derived from one Consent and from nothing else.

The rule: what a value does not say is not given; who it is about is a keyed hash under the record's key.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Right(StrEnum):
    """What a Consent is about: the code of its category. Closed: the policy has one sentence for each."""

    CARE_RELATION = "care-relation"
    EMERGENCY = "emergency"
    ACCESS_CODE = "access-code"
    CODE_LEASE = "code-lease"
    TREATING_PHYSICIAN = "treating-physician"
    ADMINISTRATOR = "administrator"
    BLOCK = "block"
    MASK = "mask"
    PREFERENCE = "preference"
    CAREGIVER = "caregiver"
    LEGAL_REPRESENTATIVE = "legal-representative"
    APPLICATION = "application"
    PRESCRIPTION = "prescription"
    CONVERSATION = "conversation"


LEASES = frozenset({Right.CARE_RELATION, Right.EMERGENCY, Right.CODE_LEASE})
"""What lets one professional see for a while: what a block ends."""
SHOWN = frozenset({Right.PRESCRIPTION, Right.CONVERSATION})
"""One prescription, or one thread, shown to a professional or a structure, and nothing else: a block ends it."""
DISPENSE, PRESCRIBER = "dispense", "prescriber"
"""For what a prescription is shown: to dispense it, or for who prescribed it to know what was dispensed."""
TELL_PRESCRIBER = "tell-prescriber"
"""The preference by which the person agrees that who prescribed sees what was dispensed; unsaid, they do not."""
DELEGATIONS = frozenset({Right.CAREGIVER, Right.LEGAL_REPRESENTATIVE})
UNREAD = frozenset({Right.ACCESS_CODE, Right.APPLICATION})
"""Rights that give no sight by themselves: a code opens a lease, an application has its own token. No row."""


@dataclass(frozen=True, slots=True)
class Provision:
    """One right, as the policy reads it, in force in [since, until).

    `actor`: the keyed hash of whom it is about (`phr.access.reader.names`); None when about everybody. `purpose`: the
    basis of an access, or which preference. What it is narrowed to, or masks: `kinds` FHIR types, `categories` document
    types and `tokens` search tokens (keyed hashes), `resources` ids; all empty: the whole record. `powers`: what a
    delegate may do. `confidential`: kept from the person's representatives. `source`: the Consent that opened it;
    `structure`: the keyed hash of the structure it was opened for.
    """

    id: str
    right: Right
    actor: UUID | None
    permits: bool
    since: datetime
    until: datetime | None
    purpose: str = ""
    kinds: frozenset[str] = frozenset()
    categories: frozenset[UUID] = frozenset()
    tokens: frozenset[UUID] = frozenset()
    resources: frozenset[str] = frozenset()
    powers: frozenset[str] = frozenset()
    confidential: bool = False
    source: str | None = None
    structure: UUID | None = None

    def lasts(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.since <= now and (self.until is None or now < self.until)


def in_force(provisions: Iterable[Provision], right: Right, now: datetime) -> list[Provision]:
    """Those of one right that are in force."""
    return [one for one in provisions if one.right is right and one.lasts(now)]


def preference(provisions: Iterable[Provision], purpose: str, now: datetime) -> bool | None:
    """What the person prefers for this purpose; None when they said nothing. Two that disagree refuse."""
    said = [one.permits for one in in_force(provisions, Right.PREFERENCE, now) if one.purpose == purpose]
    return all(said) if said else None
