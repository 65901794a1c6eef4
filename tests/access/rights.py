"""Every tiny world of rights: each right there can be, at each instant, about each reader; alone, and by twos.

A right is written as the Consent that says it and read back as the register reads it, so that the whole way from what
a citizen writes to what a policy reads is on the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import combinations, product
from typing import Any
from uuid import UUID

from auth.professionals import Professional as Identity
from fhir import tokens
from fhir.index import index
from fhir.parameters import KINDS as TYPES
from fhir.predicate import Row
from phr import operated
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms, consent_of, provision_of
from phr.access.decision import Facts
from phr.access.matrix import Line, Matrix
from phr.access.provision import Provision, Right
from phr.access.reader import Citizen, Delegate, Depositor, Professional, Reader, identity
from tests.access.worlds import BUCKET, HL7, KEYS, LABELS, MINE, NOW, TRAINEE, professional

LOINC = "http://loinc.org"
LAB, SECRET, NOTE = (LOINC, "11502-2"), (LOINC, "68599-0"), (LOINC, "34133-9")
REPORT = (tokens.RESOURCE_TYPES, "DiagnosticReport")
CLAIM = (tokens.RESOURCE_TYPES, "Claim")
VITAL = (HL7, "vital-signs")
NUMBER, THREAD = (operated.PRESCRIPTION, "0123ABCD"), (operated.THREAD, "one")

DOCTOR, ELSEWHERE = professional("810001"), professional("810001", structure="1690000002")
NURSE, UNLISTED = professional("810005", "60"), professional("810006", "93")
PHARMACIST = professional("810007", "21")
LINES: dict[tuple[str, str], dict[str, Any]] = {
    ("TRE_G15", "10"): {
        "every": True,
        "documents": {SECRET},
        "types": {"Patient", "Observation", "DiagnosticReport", "Encounter"},
    },
    ("TRE_G15", "60"): {"every": False, "documents": {LAB}, "types": {"Patient", "DiagnosticReport"}},
}
MATRIX = Matrix(
    {
        (*who, ""): Line(bool(line["every"]), frozenset(line["documents"]), frozenset(line["types"]))
        for who, line in LINES.items()
    }
)


def read_as(who: Identity) -> dict[str, Any]:
    """A professional as the oracle reads them."""
    said = {"profession": (who.system, who.profession), "structure": f"structure:{who.structure}"}
    return {"is": "professional", "name": f"professional:{who.id}", "record": None, **said}


@cache
def reader_of(reader: Reader) -> dict[str, Any]:
    """A reader as the oracle reads them."""
    if isinstance(reader, Professional):
        return read_as(reader.identity)
    is_ = {Citizen: "citizen", Delegate: "delegate", Depositor: "depositor"}[type(reader)]
    return {"is": is_, "name": identity(reader), "record": getattr(reader, "record", None)}


READERS: tuple[Reader, ...] = (
    *(Professional("software", who, None, None) for who in (DOCTOR, ELSEWHERE, NURSE, TRAINEE, UNLISTED, PHARMACIST)),
    Delegate("app", "mum", MINE),
    Citizen("app", "ada", MINE),
    Depositor("hospital"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One right, as the register has it and as the oracle's dictionary."""

    provision: Provision
    plain: dict[str, Any]


def said(n: int, terms: Terms) -> Said:
    """The right these terms are, through the Consent that says it."""
    consent = {**consent_of(terms, MINE, NOW), "id": f"{BUCKET:03x}-{0xC000 + n:032x}"}
    found = provision_of(consent, KEYS)
    assert found is not None
    return Said(found, {**plain_of(terms), "id": consent["id"]})


def plain_of(terms: Terms) -> dict[str, Any]:
    """A right as the oracle reads it, without its id."""
    return {
        "right": terms.right.value,
        "about": None if terms.actor is None else terms.actor.name,
        "permits": terms.permits,
        "since": terms.since or NOW,
        "until": terms.until,
        "purpose": terms.purpose,
        "types": set(terms.kinds),
        "codes": set(terms.codes),
        "ids": {name.partition("/")[2] for name in terms.data},
        "powers": set(terms.powers),
    }


_BEFORE, _AFTER = NOW - timedelta(days=1), NOW + timedelta(milliseconds=1)
TIMES = ((_BEFORE, None), (_BEFORE, _AFTER), (_BEFORE, NOW), (NOW, _AFTER), (_AFTER, None))
"""Running for ever, running, over this very instant, just begun, to come."""
_DOCTOR = Actor(PROFESSIONALS, "810001")
_NURSE, _MUM = Actor(PROFESSIONALS, "810005"), Actor.account("mum")
_CABINET = Actor(STRUCTURES, "1690000001")
_CHOSEN = f"DocumentReference/{BUCKET:03x}-{16:032x}"


def _terms() -> Iterator[Terms]:
    for right in (Right.CARE_RELATION, Right.CODE_LEASE, Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR):
        yield from (Terms(right, actor) for actor in (_DOCTOR, _NURSE))
    yield Terms(Right.CARE_RELATION, Actor(PROFESSIONALS, "810003"))
    yield Terms(Right.CARE_RELATION, Actor(PROFESSIONALS, "810006"))
    yield Terms(Right.CARE_RELATION, _CABINET)
    yield Terms(Right.CODE_LEASE, _DOCTOR, codes=(LAB,))
    yield Terms(Right.CODE_LEASE, _DOCTOR, codes=(VITAL,))
    yield Terms(Right.CODE_LEASE, _DOCTOR, kinds=("DiagnosticReport",))
    yield Terms(Right.CODE_LEASE, _DOCTOR, data=(_CHOSEN,))
    for purpose in ("BTG", "ETREAT"):
        yield Terms(Right.EMERGENCY, _DOCTOR, purpose=purpose)
    for actor in (_DOCTOR, _CABINET):
        yield Terms(Right.BLOCK, actor, permits=False)
    yield Terms(Right.PRESCRIPTION, _CABINET, purpose="dispense", codes=(NUMBER,))
    yield Terms(Right.PRESCRIPTION, Actor(PROFESSIONALS, "810007"), purpose="dispense")
    yield Terms(Right.PRESCRIPTION, _DOCTOR, purpose="prescriber", codes=(NUMBER,))
    yield Terms(Right.CONVERSATION, _CABINET, codes=(THREAD,), data=(_CHOSEN,))
    for permits in (True, False):
        yield Terms(Right.PREFERENCE, purpose="tell-prescriber", permits=permits)
    for purpose, permits in (("BTG", False), ("BTG", True), ("MASKED", True), ("MASKED", False)):
        yield Terms(Right.PREFERENCE, purpose=purpose, permits=permits)
    yield Terms(Right.MASK, permits=False)
    yield Terms(Right.MASK, permits=False, kinds=("DocumentReference",))
    yield Terms(Right.MASK, permits=False, kinds=("DiagnosticReport",))
    yield Terms(Right.MASK, permits=False, codes=(LAB, VITAL))
    yield Terms(Right.MASK, permits=False, data=(_CHOSEN,))
    yield Terms(Right.LEGAL_REPRESENTATIVE, _MUM)
    yield Terms(Right.CAREGIVER, _MUM, powers=("consult",))
    yield Terms(Right.CAREGIVER, _MUM, powers=("documents",))
    yield Terms(Right.CAREGIVER, Actor.account("dad"), powers=("consult",))


def _at(terms: Terms, since: Any, until: Any) -> Terms:
    names = ("right", "actor", "permits", "purpose", "kinds", "codes", "data", "powers")
    return Terms(**{name: getattr(terms, name) for name in names}, since=since, until=until)


_SHOWN = (Right.CARE_RELATION, Right.EMERGENCY)


@cache
def worlds() -> tuple[tuple[Said, ...], ...]:
    """No right; each at each time; each two, both running; what masks or is preferred, at each time, beside what shows;
    and all at once."""
    each = list(_terms())
    alone = [
        (said(n * len(TIMES) + m, _at(terms, *time)),) for n, terms in enumerate(each) for m, time in enumerate(TIMES)
    ]
    running = [said(1000 + n, _at(terms, _BEFORE, None)) for n, terms in enumerate(each)]
    told = [
        one for one in running if one.plain["purpose"] in ("prescriber", "tell-prescriber") and one.plain["permits"]
    ]
    shut = [one for one in running if one.provision.right is Right.BLOCK]
    everything = tuple(one for one in running if one.provision.right not in (Right.BLOCK, Right.MASK))
    kept = [one for one in alone if one[0].provision.right in (Right.MASK, Right.PREFERENCE)]
    shown = [one for one in running if one.plain["about"] == _DOCTOR.name and one.provision.right in _SHOWN]
    timed = [(one, *other) for one in shown for other in kept]
    return ((), *alone, *combinations(running, 2), *timed, *((one, *told) for one in shut), tuple(told), everything)


@dataclass(frozen=True, slots=True)
class Thing:
    """One resource, as the policy's row and as the oracle's dictionary."""

    row: Row
    plain: dict[str, Any]


@cache
def things() -> tuple[Thing, ...]:
    """What a right could tell apart: type, document type, what it is the content of, labels, author, the chosen one."""
    labels = ((), ("masked",), ("hidden_from_patient",), ("hidden_from_proxies",), ("masked", "hidden_from_patient"))
    made = []
    for n, ((kind, code), on, author) in enumerate(
        product(_BODIES, labels, ("client:hospital", "professional:810001"))
    ):
        made.append(_thing(n, kind, code, on, author))
    held = [one for world in worlds() for one in world]
    consents = {one.plain["id"]: _thing(0, "Consent", None, (), None, one.plain["id"]) for one in held}
    return (*made, *consents.values())


_BODIES: tuple[tuple[str, tuple[str, str] | None], ...] = (
    ("DocumentReference", LAB),
    ("DocumentReference", SECRET),
    ("DocumentReference", NOTE),
    *(("Binary", code) for code in (LAB, SECRET, REPORT, CLAIM, None)),
    ("Observation", VITAL),
    ("Observation", None),
    ("DiagnosticReport", None),
    ("Claim", None),
    ("Patient", None),
    ("MedicationDispense", NUMBER),
    ("Communication", THREAD),
)


def _thing(
    n: int, kind: str, code: tuple[str, str] | None, on: tuple[str, ...], author: str | None, name: str | None = None
) -> Thing:
    name = name or f"{BUCKET:03x}-{n + 16:032x}"
    body: dict[str, Any] = {}
    searched = set()
    if code is not None and kind != "Binary":
        coding = {"system": code[0], "code": code[1]}
        concept = {"coding": [coding]}
        parameter = "type" if kind == "DocumentReference" else "category"
        body = {parameter: concept if parameter == "type" else [concept]}
        searched = {(parameter, *code)}
        if code[0] in operated.SYSTEMS:
            body, searched = {"meta": {"tag": [coding]}}, {("_tag", *code)}
    governor = _CHOSEN.partition("/")[2] if kind == "Binary" and code == LAB else None
    category: UUID | None = None
    if code is not None and kind in ("DocumentReference", "Binary"):
        category = KEYS.hashed(tokens.category(*code))
    row = Row(
        BUCKET,
        name,
        kind,
        NOW,
        False,
        MINE,
        **{flag: flag in on for flag in LABELS},
        withheld_until=_AFTER,
        author=None if author is None else KEYS.hashed(author),
        category=category,
        tokens=index(TYPES[kind], body, KEYS.hashed).tokens,
        dates={},
        words=frozenset(),
        governor=governor,
    )
    plain: dict[str, Any] = {
        "record": MINE,
        "type": kind,
        "author": author,
        "labels": {LABELS[flag] for flag in on},
        "id": name,
    }
    plain |= {"until": _AFTER, "codes": searched, "content of": code if kind == "Binary" else None}
    plain |= {"content of id": governor} if governor else {}
    return Thing(row, plain)


def facts_of(reader: Reader, world: tuple[Said, ...]) -> Facts:
    """What would be gathered for this reader: what is about them or their structure, and about everybody."""
    mine = {KEYS.hashed(identity(reader))}
    if isinstance(reader, Professional):
        mine.add(KEYS.hashed(f"structure:{reader.identity.structure}"))
    held = tuple(one.provision for one in world if one.provision.actor is None or one.provision.actor in mine)
    entitled = {"entitled": MATRIX.entitled(reader.identity, KEYS.hashed)} if isinstance(reader, Professional) else {}
    return Facts(MINE, BUCKET, KEYS.hashed(identity(reader)), 1, None, held, **entitled)
