"""What the policy is asked, and what it answers: facts in, a predicate with its reason out.

The rule: a decision is a frozen value that says why, and on which Consent it rests.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fhir.predicate import Nothing, Predicate
from phr.access.provision import Provision


class Because(StrEnum):
    """Why a reader sees what they see. Closed: the journal and the citizen read it."""

    OWN_RECORD = "own-record"
    REPRESENTS = "represents"
    CARES_FOR = "cares-for"
    TREATING_PHYSICIAN = "treating-physician"
    ADMINISTRATOR = "administrator"
    CARE_RELATION = "care-relation"
    CODE_LEASE = "code-lease"
    EMERGENCY = "emergency"
    PRESCRIPTION = "prescription"
    CONVERSATION = "conversation"
    OWN_DEPOSITS = "own-deposits"
    IMPORTING = "importing"
    COMMONS = "commons"
    NO_RULE = "no-rule"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one record, for one reader, whatever the instant.

    `author`: the reader's keyed hash in this record; `provisions`: the rights about the reader, and about everybody;
    `entitled`: what the access matrix lets the reader's profession see.
    """

    record: str
    bucket: int
    author: UUID
    rights: int
    closed: datetime | None = None
    provisions: tuple[Provision, ...] = ()
    entitled: Predicate = field(default_factory=Nothing)


@dataclass(frozen=True, slots=True)
class Sight:
    """The decision: a predicate over the record's rows, its reason, and the Consent it rests on, if it does.

    `confidential`: the access itself is kept from the person's representatives. `powers`: what a caregiver may do;
    None: whatever this kind of reader may.
    """

    predicate: Predicate
    because: Because
    under: str = ""
    confidential: bool = False
    powers: frozenset[str] | None = None


BLIND = Sight(Nothing(), Because.NO_RULE)
