"""The policy: what a reader may see of a record, and why. The page an auditor reads.

The rule: no rule that applies means nothing is seen. Pure: facts in, predicate and reason out; the only interpreter.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fhir.predicate import And, AuthoredBy, Commons, Flagged, Not, Nothing, Predicate, Within
from phr.access.reader import Citizen, Delegate, Depositor, Professional, Reader, System


class Because(StrEnum):
    """Why a reader sees what they see. Closed: the journal and the citizen read it."""

    OWN_RECORD = "own-record"
    REPRESENTS = "represents"
    OWN_DEPOSITS = "own-deposits"
    IMPORTING = "importing"
    COMMONS = "commons"
    NO_RULE = "no-rule"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one record at one instant. `author` is the reader's keyed hash in this record."""

    record: str
    bucket: int
    author: UUID
    rights: int
    closed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """The decision: a predicate over the record's rows, and its reason."""

    predicate: Predicate
    because: Because


BLIND = Sight(Nothing(), Because.NO_RULE)


def sight(reader: Reader, facts: Facts, now: datetime) -> Sight:
    """What `reader` may see of the record `facts` are about, at `now`."""
    if facts.closed is not None and facts.closed <= now:
        return BLIND
    inside = Within(facts.bucket, facts.record)
    match reader:
        case Citizen(record=record) if record == facts.record:
            # R1111-53: what awaits its announcement is not shown to the person yet.
            return Sight(And((inside, Not(Flagged("hidden_from_patient")))), Because.OWN_RECORD)
        case Delegate(record=record) if record == facts.record:
            unannounced, from_proxies = Flagged("hidden_from_patient"), Flagged("hidden_from_proxies")
            return Sight(And((inside, Not(unannounced), Not(from_proxies))), Because.REPRESENTS)
        case Depositor() | Professional():
            # R1111-49: an author still sees their own, whatever is masked since.
            return Sight(And((inside, AuthoredBy(facts.author))), Because.OWN_DEPOSITS)
        case System():
            return Sight(And((inside, AuthoredBy(facts.author))), Because.IMPORTING)
    return BLIND


def commons_sight(reader: Reader) -> Sight:
    """Professionals, structures and questionnaires are open to every reader that a scope lets ask."""
    return Sight(Commons(), Because.COMMONS)
