"""A thread: the Communication that heads it, and its messages, which carry its tag. Who may read it, and find it.

The rule: a thread is found through the reader's own lens, and by who takes part in it; to anybody else there is none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fhir import tokens
from fhir.criteria import TokenAny
from fhir.lens import Lens
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn, Predicate, Within
from fhir.record import RecordKeys, bucket_of
from fhir.search import all_of
from fhir.store import Draft
from fhir.stored import Keyring, Stored
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor
from phr.access.provision import Right, in_force
from phr.access.reader import Person
from phr.access.right import HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.blocks import blocked
from phr.core.errors import absent
from phr.documents import labels
from phr.operated import THREAD, keys_of, mark

RECALL = timedelta(minutes=1)
Json = dict[str, Any]
COMMUNICATION = KINDS["Communication"]
KIND = "https://carnet.example/CodeSystem/message"
"""What a Communication of ours is: its category."""
HEADER, MESSAGE = "thread", "message"
OPEN, SENT, RECALLED = "in-progress", "completed", "entered-in-error"
"""R4 event-status: of a thread that goes on; of a message, or of a thread that is closed; of a message taken back."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as it stands: the row of its header, and its JSON."""

    stored: Stored
    json: Json

    @classmethod
    def started(cls, made: Draft) -> "Thread":
        """One whose header was just written."""
        row = (made.bucket, made.id, made.kind.name, made.version, made.updated, False, made.record, b"")
        return cls(Stored(*row), made.json)

    @property
    def id(self) -> str:
        """Its id, which is its header's."""
        return self.stored.id

    @property
    def is_open(self) -> bool:
        """Whether it accepts messages still."""
        return self.json.get("status") == OPEN

    @property
    def has_person(self) -> bool:
        """Whether the person takes part in it, and does not only read it."""
        named = [self.json["sender"], *self.json.get("recipient", ())]
        return any(str(one.get("reference", "")).startswith("Patient/") for one in named)

    @property
    def parties(self) -> tuple[Actor, ...]:
        """The professionals and structures that were written to, or started it."""
        return parties_of([self.json["sender"], *self.json.get("recipient", ())])

    @property
    def kept_from(self) -> frozenset[str]:
        """The visibility labels that its messages carry too."""
        return labels(self.json) & {HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES}


def parties_of(references: Iterable[Json]) -> tuple[Actor, ...]:
    """Whom these References name by a national identifier."""
    found = [(one["identifier"], str(one.get("display", ""))) for one in references if "identifier" in one]
    known = [(one, display) for one, display in found if one.get("system") in (PROFESSIONALS, STRUCTURES)]
    return tuple(Actor(one["system"], str(one["value"]), display) for one, display in known)


def communication(kind: str, status: str, record: str, sender: Json, now: datetime, **more: Any) -> Json:
    """A Communication of ours, without its tag."""
    return {
        "resourceType": "Communication",
        "status": status,
        "category": [{"coding": [{"system": KIND, "code": kind}]}],
        "subject": {"reference": f"Patient/{record}"},
        "sent": now.isoformat(timespec="milliseconds"),
        "sender": sender,
        **more,
    }


def token(keys: RecordKeys, id: str) -> UUID:
    """What the rows of a thread carry."""
    return mark(keys, THREAD, id)


def thread_of(body: Json) -> str:
    """The id of the thread a Communication is in; empty when it is in none."""
    found = [one for one in body.get("meta", {}).get("tag", ()) if one.get("system") == THREAD]
    return str(found[0].get("code", "")) if found else ""


def of_kind(keys: RecordKeys, kind: str) -> Predicate:
    """Communications that are a HEADER, or a MESSAGE."""
    coded = keys.hashed(tokens.coded("category", KIND, kind))
    return And((KindIn(frozenset({COMMUNICATION.name})), TokenAny(frozenset({coded}))))


async def find(deed: Deed, id: str, *, lock: bool = False) -> Thread:
    """The thread, for who takes part in it, or is its person and may see it. Raises ABSENT, the one 404.

    `lock`: until the transaction ends: what is written in a thread is written one after the other.
    """
    if not isinstance(deed.visit.reader, Person) and not holds(deed, id):
        raise absent()
    return await _read(deed, deed.view.inside, deed.view.keyring, id, lock=lock)


async def known(deed: Deed, id: str, *, lock: bool = False) -> Thread:
    """The same, whatever the reader sees: for what decides, never to answer with."""
    keys = keys_of(deed)
    everything = Lens(Within(bucket_of(keys.record) or 0, keys.record))
    return await _read(deed, everything, Keyring({keys.record: keys}), id, lock=lock)


def holds(deed: Deed, id: str) -> bool:
    """Whether the professional at the door, or their structure, takes part in a thread, and is not blocked."""
    if blocked(deed):
        return False
    mine, own = token(keys_of(deed), id), in_force(deed.provisions, Right.CONVERSATION, deed.visit.now)
    return any(one.actor is not None and mine in one.tokens for one in own)


async def _read(deed: Deed, lens: Lens, keyring: Keyring, id: str, *, lock: bool) -> Thread:
    match = And((of_kind(keys_of(deed), HEADER), IdIn(frozenset({id}))))
    rows: Sequence[Any] = await deed.fetch(all_of(lens, match, 1, lock=lock))
    if not rows:
        raise absent()
    stored = Stored.from_row(rows[0])
    deed.touched.append(f"{COMMUNICATION.name}/{id}")
    return Thread(stored, stored.json(keyring))
