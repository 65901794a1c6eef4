"""The journal as FHIR AuditEvents, through the reader's own lens.

The rule: an entry shows only the resources its reader may see now; one that named resources, and would show none,
is not shown at all. What is kept from representatives is kept from them here too.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Select, SmallInteger, String, Uuid, and_, select

from auth.launches import PAGES
from fhir.lens import Binder, Lens, Statement
from fhir.predicate import IdIn, equals_any
from fhir.record import RecordKeys
from phr.access.consent import PROFESSIONALS, RPPS, STRUCTURES
from phr.access.decision import Because
from phr.access.journal import Actor, Note, Tag, journal, read_note

Json = dict[str, Any]

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
GROUP = "https://carnet.example/CodeSystem/journal-group"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
_SECURITY_RESOURCE = {
    "system": "http://terminology.hl7.org/CodeSystem/object-role",
    "code": "13",
    "display": "Security Resource",
}
_TABLES = {
    "TRE_G15": "ProfessionSante",
    "TRE_G16": "ProfessionFormation",
    "TRE_R94": "ProfessionSocial",
    "TRE_R95": "UsagerTitre",
    "TRE_R291": "AutreProfession",
}
"""Where the code of a profession is defined (JDV_J65-SubjectRole-DMP)."""
_ACTIONS = {
    Tag.CREATE: "C",
    Tag.OPEN: "C",
    Tag.TRANSACTION: "C",
    Tag.IMPORT: "C",
    Tag.UPDATE: "U",
    Tag.DELETE: "D",
    Tag.ACCESS: "E",
    Tag.REDEEM: "E",
    Tag.SHARE: "E",
    Tag.DELEGATE: "E",
    Tag.APPLICATION: "E",
    Tag.CLOSE: "E",
    Tag.PREVENTION: "E",
    Tag.PRESCRIPTION: "E",
    Tag.MEDICINE: "E",
    Tag.MESSAGE: "E",
    Tag.NOTIFICATION: "E",
    Tag.SUBSCRIPTION: "E",
    Tag.AGENDA: "E",
}
"""R4 audit-event-action; of an operation, E; R otherwise."""
SUCCESS, REFUSAL = "0", "4"
"""R4 audit-event-outcome. A refusal is a minor failure: what was asked was not done, and nothing broke."""
EMERGENCIES = frozenset({"ETREAT", "BTG"})
_PURPOSES = {
    Because.OWN_RECORD: "PATRQT",
    Because.REPRESENTS: "PWATRNY",
    Because.CARES_FOR: "SUPNWK",
    Because.TREATING_PHYSICIAN: "TREAT",
    Because.ADMINISTRATOR: "TREAT",
    Because.CARE_RELATION: "TREAT",
    Because.CODE_LEASE: "TREAT",
    Because.EMERGENCY: "ETREAT",
    Because.PRESCRIPTION: "TREAT",
    Because.CONVERSATION: "TREAT",
    Because.OWN_DEPOSITS: "TREAT",
    Because.IMPORTING: "RECORDMGT",
}
"""v3-ActReason, below PurposeOfUse; which of the emergencies is said by the Consent it rests on."""


class Group(StrEnum):
    """Whose acts, as people look for them. A person's own application is both theirs and a service."""

    PROFESSIONALS = "professionals"
    MINE = "mine"
    REPRESENTATIVES = "representatives"
    SERVICES = "services"


@dataclass(frozen=True, slots=True)
class Act:
    """One journal entry, opened."""

    seq: int
    id: UUID
    at: datetime
    tag: Tag
    resources: tuple[str, ...]
    note: Note


@dataclass(frozen=True, slots=True)
class Shown:
    """What is added to an entry when it is shown: the software's registered name, the purpose and why, the words."""

    software: str = ""
    purpose: str = ""
    why: str = ""
    text: Mapping[str, Any] | None = None


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


def seen_of(lens: Lens, ids: frozenset[str]) -> Statement:
    """Which of these resources a lens shows, deleted ones included: kind and id."""
    wanted = IdIn(ids)

    def build(bind: Binder) -> Select[Any]:
        rows = lens.rows(bind, gone=True)
        return select(rows.c.kind, rows.c.id).where(wanted.clause(rows.c, bind))

    return Statement(("seen", lens.shape(), wanted.shape()), build, (*lens.values(), *wanted.values()))


def opened(keys: RecordKeys, row: Any) -> Act:
    """An entry with its note. Raises BrokenSealError when it was altered."""
    note = read_note(keys, row["chain"], row["id"], row["sealed"])
    return Act(row["seq"], row["id"], row["at"], Tag(row["tag"]), tuple(row["resources"]), note)


def named(act: Act) -> frozenset[str]:
    """The resources an entry names: those it touched, and the Consent it rests on."""
    return frozenset(act.resources) | ({f"Consent/{act.note.under}"} if act.note.under else frozenset())


def shown(act: Act, visible: Set[str], *, representative: bool = False) -> Act | None:
    """The entry as a reader who sees `visible` may read it; None when it would show what they may not know."""
    if representative and act.note.confidential:
        return None
    kept = tuple(name for name in act.resources if name in visible)
    if act.resources and not kept:
        return None
    under = act.note.under if f"Consent/{act.note.under}" in visible else ""
    # A right that is hidden is not told by what it is either: who acted is the author of what they touched.
    because = act.note.because if under or not act.note.under else Because.OWN_DEPOSITS.value
    return replace(act, resources=kept, note=replace(act.note, under=under, because=because))


def groups(note: Note) -> frozenset[str]:
    """Under which groups people find an entry."""
    match note.reader:
        case "Professional":
            return frozenset({Group.PROFESSIONALS})
        case "Citizen" | "Delegate":
            own = Group.MINE if note.reader == "Citizen" else Group.REPRESENTATIVES
            return frozenset({own} if note.client == PAGES else {own, Group.SERVICES})
    return frozenset({Group.SERVICES})


def outcome(note: Note) -> str:
    """R4 audit-event-outcome of an entry."""
    return REFUSAL if note.refused else SUCCESS


def action(tag: Tag) -> str:
    """R4 audit-event-action of an entry."""
    return _ACTIONS.get(tag, "R")


def facets(act: Act, record: str) -> Mapping[str, frozenset[str]]:
    """What an entry is searched by, name by name: every value it answers to."""
    note, patient = act.note, f"Patient/{record}"
    who = {patient} if note.reader == "Citizen" else set()
    for actor in (one for one in note.actors if note.reader == "Professional" and one.id):
        who |= {actor.id, f"{PROFESSIONALS}|{actor.id}", f"|{actor.id}"}
        # The national identifier of a professional is their RPPS number after a digit for its kind.
        who |= {f"{RPPS}|{actor.id[1:]}"} if actor.id.startswith("8") else set()
    return {
        "group": groups(note),
        "action": frozenset({action(act.tag)}),
        "outcome": frozenset({outcome(note)}),
        "agent": frozenset(who),
        "entity": named(act) | {patient},
    }


def purpose(note: Note) -> str:
    """The v3-ActReason code of an entry; empty when no rule gave anything."""
    return _PURPOSES.get(Because(note.because), "") if note.because in set(Because) else ""


def _agents(act: Act, record: str, more: Shown) -> list[Json]:
    """Who acted: the person, who represents them, or the professional and their assistant; and the software.

    The requestor is who really acted: the assistant, when there is one.
    """
    note, human = act.note, {"type": {"coding": [{"system": _DCM, "code": "110153", "display": "Source Role ID"}]}}
    software = {"coding": [{"system": _DCM, "code": "110150", "display": "Application"}]}
    display = more.software or note.client
    application = {"type": software, "who": {"display": display}, "requestor": False}
    code = more.purpose or purpose(note)
    reason: Json = {"coding": [{"system": ACT_REASON, "code": code}]} if code else {}
    reason |= {"text": more.why} if more.why else {}
    asked = {"purposeOfUse": [reason]} if reason else {}
    if note.reader == "Citizen":
        return [{**human, "who": {"reference": f"Patient/{record}"}, "requestor": True, **asked}, application]
    if not note.actors:
        return [{**human, "who": {"display": display}, "requestor": True, **asked}]
    last = note.actors[-1]
    people = [
        {**human, **_told(actor, note), "requestor": actor is last, **(asked if actor is last else {})}
        for actor in note.actors
    ]
    return [*people, application]


def _told(actor: Actor, note: Note) -> Json:
    if actor.behalf:
        role = "Aidant" if note.because == Because.CARES_FOR else "Représentant légal"
        return {"role": [{"text": role}], "altId": actor.id}
    display = ", ".join(filter(None, (actor.name, actor.structure_name or actor.structure)))
    # A structure's mailbox is nobody's in particular.
    register, value = (PROFESSIONALS, actor.id) if actor.id else (STRUCTURES, actor.structure)
    who = {"identifier": {"system": register, "value": value}, "display": display or value}
    system = system_of(actor)
    if system is None:
        return {"who": who}
    return {"role": [{"coding": [{"system": system, "code": actor.profession}]}], "who": who}


def system_of(actor: Actor) -> str | None:
    """The URL of the table an actor's profession is a code of; None when it is of none that is known."""
    if actor.system not in _TABLES:
        return None
    table = f"{actor.system}-{_TABLES[actor.system]}"
    return f"https://mos.esante.gouv.fr/NOS/{table}/FHIR/{table.replace('_', '-')}"


def audit_event(act: Act, record: str, more: Shown = Shown()) -> Json:
    """FHIR R4 AuditEvent of one entry (shape: BALP, https://profiles.ihe.net/ITI/BALP).

    The Consent it rests on is an entity in the role of a security resource; a motive is the text of `purposeOfEvent`.
    """
    note = act.note
    about = [{"what": {"reference": f"Patient/{record}"}}]
    touched = [{"what": {"reference": name}} for name in act.resources if name != f"Patient/{record}"]
    event: Json = {
        "resourceType": "AuditEvent",
        "id": act.id.hex,
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [
            {"system": "https://carnet.example/CodeSystem/journal-tag", "code": act.tag.value},
            *({"system": GROUP, "code": str(one)} for one in sorted(groups(note))),
        ],
        "action": action(act.tag),
        "recorded": act.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": outcome(note),
        "agent": _agents(act, record, more),
        "source": {"observer": {"display": "Carnet"}},
        "entity": [*about, *touched, *_rests_on(note)],
    }
    if more.text is not None:
        event["text"] = dict(more.text)
    if note.refused:
        event["outcomeDesc"] = note.refused
    if note.motive:
        code = more.purpose or purpose(note)
        coded = {"coding": [{"system": ACT_REASON, "code": code}]} if code else {}
        event["purposeOfEvent"] = [{**coded, "text": note.motive}]
    return event


def _rests_on(note: Note) -> list[Json]:
    if not note.under:
        return []
    kind = {"system": _RESOURCE_TYPES, "code": "Consent"}
    return [{"what": {"reference": f"Consent/{note.under}"}, "type": kind, "role": _SECURITY_RESOURCE}]
