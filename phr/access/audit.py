"""The journal as FHIR AuditEvents, through the reader's own lens.

The rule: an entry shows only the resources its reader may see now; one that named resources, and would show none,
is not shown at all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Select, SmallInteger, String, Uuid, and_, select

from fhir.lens import Binder, Statement
from fhir.predicate import equals_any
from fhir.record import RecordKeys
from phr.access.journal import Note, Tag, journal, read_note

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_ACTIONS = {
    Tag.CREATE: "C",
    Tag.OPEN: "C",
    Tag.TRANSACTION: "C",
    Tag.IMPORT: "C",
    Tag.UPDATE: "U",
    Tag.DELETE: "D",
}


@dataclass(frozen=True, slots=True)
class Act:
    """One journal entry, opened."""

    seq: int
    id: UUID
    at: datetime
    tag: Tag
    resources: tuple[str, ...]
    note: Note


def acts_of(
    bucket: int,
    chain: str,
    since: datetime,
    until: datetime,
    before: int,
    only: tuple[UUID, ...],
    limit: int,
) -> Statement:
    """Entries of one chain, newest first, in [since, until), below `before`; `only` these ids when not empty."""

    def build(bind: Binder) -> Select[Any]:
        instant = DateTime(timezone=True)
        own = and_(journal.c.bucket == bind(SmallInteger()), journal.c.chain == bind(String()))
        times = and_(journal.c.at >= bind(instant), journal.c.at < bind(instant))
        statement = select(journal).where(own, times, journal.c.seq < bind(journal.c.seq.type))
        if only:
            statement = statement.where(equals_any(journal.c.id, bind(ARRAY(Uuid()))))
        return statement.order_by(journal.c.seq.desc()).limit(bind(Integer()))

    values: tuple[object, ...] = (bucket, chain, since, until, before, *([list(only)] if only else ()), limit)
    return Statement(("acts", bool(only)), build, values)


def opened(keys: RecordKeys, row: Any) -> Act:
    """An entry with its note. Raises BrokenSealError when it was altered."""
    note = read_note(keys, row["chain"], row["id"], row["sealed"])
    return Act(row["seq"], row["id"], row["at"], Tag(row["tag"]), tuple(row["resources"]), note)


def shown(act: Act, visible: frozenset[str]) -> Act | None:
    """The entry as a reader who sees `visible` may read it; None when it would show what they may not know."""
    kept = tuple(name for name in act.resources if name in visible)
    if act.resources and not kept:
        return None
    return Act(act.seq, act.id, act.at, act.tag, kept, act.note)


def audit_event(act: Act, record: str) -> dict[str, Any]:
    """FHIR R4 AuditEvent of one entry (shape: BALP, https://profiles.ihe.net/ITI/BALP)."""
    human = act.note.reader == "Citizen"
    agent = {
        "type": {"coding": [{"system": _DCM, "code": "110153", "display": "Source Role ID"}]},
        "who": {"reference": f"Patient/{record}"} if human else {"display": act.note.client},
        "requestor": True,
    }
    application = {
        "type": {"coding": [{"system": _DCM, "code": "110150", "display": "Application"}]},
        "who": {"display": act.note.client},
        "requestor": False,
    }
    about = [{"what": {"reference": f"Patient/{record}"}}]
    named = [{"what": {"reference": name}} for name in act.resources if name != f"Patient/{record}"]
    return {
        "resourceType": "AuditEvent",
        "id": act.id.hex,
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [{"system": "https://carnet.example/CodeSystem/journal-tag", "code": act.tag.value}],
        "action": _ACTIONS.get(act.tag, "R"),
        "recorded": act.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": "0",
        "agent": [agent, application] if human else [agent],
        "source": {"observer": {"display": "Carnet"}},
        "entity": [*about, *named],
    }
