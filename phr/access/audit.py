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
from phr.access.journal import Actor, Note, Tag, journal, read_note

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_TABLES = {
    "TRE_G15": "ProfessionSante",
    "TRE_G16": "ProfessionFormation",
    "TRE_R94": "ProfessionSocial",
    "TRE_R95": "UsagerTitre",
    "TRE_R291": "AutreProfession",
}
"""Where the code of a profession is defined (JDV_J65-SubjectRole-DMP)."""
_PROFESSIONALS = "urn:oid:1.2.250.1.71.4.2.1"
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


def _agents(act: Act, record: str) -> list[dict[str, Any]]:
    """Who acted: the person, who represents them, or the professional and their assistant; and the software.

    The requestor is who really acted: the assistant, when there is one.
    """
    note, human = act.note, {"type": {"coding": [{"system": _DCM, "code": "110153", "display": "Source Role ID"}]}}
    software = {"coding": [{"system": _DCM, "code": "110150", "display": "Application"}]}
    application = {"type": software, "who": {"display": note.client}, "requestor": False}
    if note.reader == "Citizen":
        return [{**human, "who": {"reference": f"Patient/{record}"}, "requestor": True}, application]
    if not note.actors:
        return [{**human, "who": {"display": note.client}, "requestor": True}]
    last = note.actors[-1]
    return [*({**human, **_told(actor), "requestor": actor is last} for actor in note.actors), application]


def _told(actor: Actor) -> dict[str, Any]:
    if actor.behalf:
        return {"role": [{"text": "Représentant légal"}], "altId": actor.id}
    display = ", ".join(filter(None, (actor.name, actor.structure_name or actor.structure)))
    who = {"identifier": {"system": _PROFESSIONALS, "value": actor.id}, "display": display or actor.id}
    if actor.system not in _TABLES:
        return {"who": who}
    table = f"{actor.system}-{_TABLES[actor.system]}"
    system = f"https://mos.esante.gouv.fr/NOS/{table}/FHIR/{table.replace('_', '-')}"
    return {"role": [{"coding": [{"system": system, "code": actor.profession}]}], "who": who}


def audit_event(act: Act, record: str) -> dict[str, Any]:
    """FHIR R4 AuditEvent of one entry (shape: BALP, https://profiles.ihe.net/ITI/BALP)."""
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
        "agent": _agents(act, record),
        "source": {"observer": {"display": "Carnet"}},
        "entity": [*about, *named],
    }
