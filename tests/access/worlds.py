"""Every tiny world: each resource a policy could tell apart, each reader, some scopes, each state of a record."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert

from auth.professionals import Professional as Identity
from auth.scopes import Scope, parse
from fhir.index import index
from fhir.parameters import KINDS as TYPES
from fhir.predicate import Nothing, Row
from fhir.record import COMMONS, RecordKeys
from fhir.tables import resource
from phr.access.consent import Actor, Terms, consent_of, provision_of
from phr.access.installation import OpenedRecord
from phr.access.provision import Right
from phr.access.reader import Citizen, Delegate, Depositor, Operator, Professional, Reader, System, identity
from phr.access.visit import holder

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = 0x123
MINE, OTHERS = (f"{BUCKET:03x}-{n:032x}" for n in (1, 2))
KEYS = RecordKeys.derive(MINE, b"k" * 32)
COMMONS_KEYS = RecordKeys.derive(COMMONS, b"c" * 32)
FLAGS = ("masked", "hidden_from_patient", "hidden_from_proxies")
LABELS = {
    "masked": "MASQUE_PS",
    "hidden_from_patient": "INVISIBLE_PATIENT",
    "hidden_from_proxies": "INVISIBLE_REPRESENTANTS_LEGAUX",
}
KINDS = ("DocumentReference", "Observation", "Practitioner")
AUTHORS = (
    "account:ada",
    "account:mum",
    "client:hospital",
    "client:laboratory",
    "client:import",
    "professional:810001",
    None,
)
VERBS = ("r", "s", "u")


def professional(id: str, profession: str = "10", **more: str) -> Identity:
    """Someone of this national id and profession."""
    known = {"family": "PETIT", "given": "Lou", "category": "C", "structure": "1690000001", "structure_name": "Cabinet"}
    blank = dict.fromkeys(("skill", "sector", "mode"), "")
    return Identity(id=id, profession=profession, **{**known, **blank, **more})


DOCTOR, SECRETARY = professional("810001"), professional("810002", "")
TRAINEE = professional("810003", category="E")
UNNAMED = professional("810004", family="", given="", structure="", structure_name="")
_MUM = {"is": "delegate", "name": "account:mum"}
_DOCTOR = {"is": "professional", "name": "professional:810001"}
READERS: tuple[tuple[Reader, dict[str, Any]], ...] = (
    (Citizen("app", "ada", MINE), {"is": "citizen", "name": "account:ada", "record": MINE}),
    (Citizen("app", "bob", OTHERS), {"is": "citizen", "name": "account:bob", "record": OTHERS}),
    (Delegate("app", "mum", MINE), {**_MUM, "record": MINE}),
    (Delegate("app", "mum", OTHERS), {**_MUM, "record": OTHERS}),
    (Professional("software", DOCTOR, None, None), {**_DOCTOR, "record": None}),
    (Professional("software", DOCTOR, MINE, SECRETARY), {**_DOCTOR, "record": MINE}),
    (Professional("software", DOCTOR, OTHERS, None), {**_DOCTOR, "record": OTHERS}),
    (Professional("software", TRAINEE, MINE, None), {**_DOCTOR, "name": "professional:810003", "record": MINE}),
    (Depositor("hospital"), {"is": "depositor", "name": "client:hospital"}),
    (Depositor("laboratory"), {"is": "depositor", "name": "client:laboratory"}),
    (Operator("hospital"), {"is": "operator", "name": "client:hospital"}),
    (System("import"), {"is": "system", "name": "client:import"}),
)
HL7, LOCAL = "http://terminology.hl7.org/CodeSystem/observation-category", "urn:x"
CODES: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    ((HL7, "vital-signs"),),
    ((LOCAL, "vital-signs"),),
    (("", "vital-signs"), (HL7, "laboratory")),
)
CONTEXTS = ("patient", "user", "system")
EVERY = tuple(f"{context}/*.cruds" for context in CONTEXTS)


def _each(*scopes: str) -> tuple[str, ...]:
    return tuple(f"{context}/{scope}" for context in CONTEXTS for scope in scopes)


SCOPES = (
    (),
    EVERY,
    ("patient/*.rs",),
    ("system/*.rs", "user/Observation.rs"),
    ("patient/Observation.rs", "system/Observation.rs"),
    ("patient/*.s", "system/*.s", "patient/Practitioner.r", "system/DocumentReference.r", "user/*.s"),
    ("user/*.cruds", "patient/Observation.c", "system/Observation.c"),
    ("patient/Observation.read", "user/DocumentReference.write", "system/*.read", "patient/DocumentReference.*"),
    _each(f"Observation.rs?category={HL7}|vital-signs"),
    _each(
        "Observation.ru?category=vital-signs&category=laboratory",
        f"Observation.s?category={LOCAL}|,|vital-signs",
        f"Practitioner.rs?identifier={LOCAL}|vital-signs",
        "DocumentReference.r",
    ),
    _each(
        "*.rs?category=vital-signs",
        "Observation.rs?date=2026",
        "Observation.r?_id=x",
        "AuditEvent.rs?type=x",
        "DocumentReference.s?category=vital-signs&_lastUpdated=2026",
    ),
)
CLOSED = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Tiny:
    """One resource, as the policy's row and as the oracle's dictionary."""

    row: Row
    plain: dict[str, Any]


WITHHELD = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1))
"""When what awaits its announcement shows by itself."""
_BLANK: Any = {"category": None, "dates": {}, "words": frozenset()}


def _tokens(kind: str, record: str | None, codes: tuple[tuple[str, str], ...]) -> frozenset[UUID]:
    """What a row of this type keeps of its codes: as categories, or as the identifiers of the commons."""
    codings = [{"code": code, **({"system": system} if system else {})} for system, code in codes]
    body: dict[str, Any] = {"category": [{"coding": codings}]}
    if kind == "Practitioner":
        body = {"identifier": [{"value": one["code"], "system": one.get("system")} for one in codings]}
    keys = COMMONS_KEYS if record is None else KEYS
    return index(TYPES[kind], body, keys.hashed).tokens


@cache
def resources() -> tuple[Tiny, ...]:
    """Flags × gone × record × author × type, and, in turn, codes."""
    made = []
    worlds = product(product((False, True), repeat=3), (False, True), (MINE, OTHERS, None), AUTHORS, KINDS)
    for n, (flags, gone, record, author, kind) in enumerate(worlds):
        on: Any = dict(zip(FLAGS, flags, strict=True))
        signed = None if author is None else KEYS.hashed(author)
        name = f"{BUCKET:03x}-{n + 16:032x}"
        codes = CODES[n // len(KINDS) % len(CODES)]
        tokens = _tokens(kind, record, codes)
        until = WITHHELD[n // 7 % len(WITHHELD)]
        more: Any = {"withheld_until": until, "author": signed, "tokens": tokens}
        row = Row(BUCKET, name, kind, NOW, gone, record, **on, **more, **_BLANK)
        labels = {LABELS[flag] for flag in FLAGS if on[flag]}
        parameter = "identifier" if kind == "Practitioner" else "category"
        searched = {(parameter, system, code) for system, code in codes}
        plain: dict[str, Any] = {
            "record": record,
            "type": kind,
            "author": author,
            "labels": labels,
            "gone": gone,
            "codes": searched,
        }
        plain |= {"until": until}
        made.append(Tiny(row, plain))
    return tuple(made)


MUM = Terms(Right.LEGAL_REPRESENTATIVE, Actor.account("mum"), since=NOW - timedelta(days=1))
MUM_ACTS = tuple(one for one in [provision_of({**consent_of(MUM, MINE, NOW), "id": "c0"}, KEYS)] if one is not None)
MUM_SAYS: tuple[dict[str, Any], ...] = (
    {
        "id": "c0",
        "right": "legal-representative",
        "about": "account:mum",
        "permits": True,
        "since": NOW - timedelta(days=1),
        "until": None,
    },
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A reader with scopes who asks about the record MINE, closed or not."""

    reader: Reader
    plain: dict[str, Any]
    scopes: tuple[str, ...]
    verb: str
    closed: datetime | None

    @property
    def held(self) -> tuple[Scope, ...]:
        """The scopes as values."""
        return tuple(scope for text in self.scopes if (scope := parse(text)) is not None)

    @property
    def author(self) -> UUID:
        """The reader as an author in this record."""
        return KEYS.hashed(identity(self.reader))

    @property
    def opened(self) -> OpenedRecord:
        """The record, as a request opens it."""
        return OpenedRecord(KEYS, 1, self.closed, NOW, {holder(self.reader): (MUM_ACTS, Nothing())})


def asks() -> Iterator[Ask]:
    """Readers × scopes × verbs × states of the record."""
    for (reader, plain), scopes, verb, closed in product(READERS, SCOPES, VERBS, CLOSED):
        yield Ask(reader, plain, scopes, verb, closed)


def store(engine: Engine) -> None:
    """Put every tiny resource in a real database."""
    columns = ("bucket", "id", "kind", "updated", "gone", "record", *FLAGS, "withheld_until", "author", "category")
    empty = {"version": 1, "dates": {}, "words": {}, "sealed": b""}
    rows = [
        {**{name: getattr(one.row, name) for name in columns}, **empty, "tokens": list(one.row.tokens)}
        for one in resources()
    ]
    with engine.begin() as connection:
        connection.execute(insert(resource), rows)
