"""Every tiny world: each resource a policy could tell apart, each reader, some scopes, each state of a record."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert

from auth.scopes import Scope, parse
from fhir.predicate import Row
from fhir.record import RecordKeys
from fhir.tables import resource
from phr.access.installation import OpenedRecord
from phr.access.reader import Citizen, Depositor, Operator, Reader, System, identity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = 0x123
MINE, OTHERS = (f"{BUCKET:03x}-{n:032x}" for n in (1, 2))
KEYS = RecordKeys.derive(MINE, b"k" * 32)
FLAGS = ("masked", "hidden_from_patient", "hidden_from_proxies")
LABELS = {
    "masked": "MASQUE_PS",
    "hidden_from_patient": "INVISIBLE_PATIENT",
    "hidden_from_proxies": "INVISIBLE_REPRESENTANTS_LEGAUX",
}
KINDS = ("DocumentReference", "Observation", "Practitioner")
AUTHORS = ("account:ada", "client:hospital", "client:laboratory", "client:import", None)
VERBS = ("r", "s", "u")

READERS: tuple[tuple[Reader, dict[str, Any]], ...] = (
    (Citizen("app", "ada", MINE), {"is": "citizen", "name": "account:ada", "record": MINE}),
    (Citizen("app", "bob", OTHERS), {"is": "citizen", "name": "account:bob", "record": OTHERS}),
    (Depositor("hospital"), {"is": "depositor", "name": "client:hospital"}),
    (Depositor("laboratory"), {"is": "depositor", "name": "client:laboratory"}),
    (Operator("hospital"), {"is": "operator", "name": "client:hospital"}),
    (System("import"), {"is": "system", "name": "client:import"}),
)
SCOPES = (
    (),
    ("patient/*.cruds", "system/*.cruds"),
    ("patient/*.rs",),
    ("system/*.rs",),
    ("patient/Observation.rs", "system/Observation.rs"),
    ("patient/*.s", "system/*.s", "patient/Practitioner.r", "system/DocumentReference.r"),
    ("user/*.cruds", "patient/Observation.c", "system/Observation.c"),
)
CLOSED = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Tiny:
    """One resource, as the policy's row and as the oracle's dictionary."""

    row: Row
    plain: dict[str, Any]


_BLANK: Any = {"category": None, "tokens": frozenset(), "dates": {}, "words": frozenset()}


@cache
def resources() -> tuple[Tiny, ...]:
    """Flags × gone × record × author × type."""
    made = []
    worlds = product(product((False, True), repeat=3), (False, True), (MINE, OTHERS, None), AUTHORS, KINDS)
    for n, (flags, gone, record, author, kind) in enumerate(worlds, start=16):
        on: Any = dict(zip(FLAGS, flags, strict=True))
        signed = None if author is None else KEYS.hashed(author)
        name = f"{BUCKET:03x}-{n:032x}"
        row = Row(BUCKET, name, kind, NOW, gone, record, **on, author=signed, **_BLANK)
        labels = {LABELS[flag] for flag in FLAGS if on[flag]}
        plain = {"record": record, "type": kind, "author": author, "labels": labels, "gone": gone}
        made.append(Tiny(row, plain))
    return tuple(made)


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
        return OpenedRecord(KEYS, 1, self.closed, NOW)


def asks() -> Iterator[Ask]:
    """Readers × scopes × verbs × states of the record."""
    for (reader, plain), scopes, verb, closed in product(READERS, SCOPES, VERBS, CLOSED):
        yield Ask(reader, plain, scopes, verb, closed)


def store(engine: Engine) -> None:
    """Put every tiny resource in a real database."""
    columns = ("bucket", "id", "kind", "updated", "gone", "record", *FLAGS, "author", "category")
    empty = {"version": 1, "tokens": [], "dates": {}, "words": {}, "sealed": b""}
    rows = [{**{name: getattr(one.row, name) for name in columns}, **empty} for one in resources()]
    with engine.begin() as connection:
        connection.execute(insert(resource), rows)
