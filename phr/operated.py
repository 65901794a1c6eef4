"""Resources that operations write and nobody else: prescriptions with their dispenses, threads with their messages.

The rule: what carries the tag of one of these systems is written by its operations alone; over REST it is read, and
its person masks it, and no more: nobody adds a line to a prescription, nor a word to a thread, by writing a resource.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fhir import store, tokens
from fhir.parameters import KINDS, Kind
from fhir.record import RecordKeys, bucket_of, new_id
from fhir.store import Draft, draft
from fhir.stored import Stored
from fhir.validation import validate
from phr import provenance
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.core.errors import DomainError, Reason, absent
from phr.documents import labels, with_labels

Json = dict[str, Any]

PRESCRIPTION = "https://carnet.example/prescription"
"""The system of a prescription's number: its `groupIdentifier`, and the tag of all that belongs to it."""
THREAD = "https://carnet.example/thread"
"""The system of a thread's id, the tag of its messages."""
REMINDER = "https://carnet.example/reminder"
"""The tag of a reminder's Task."""
SYSTEMS = frozenset({PRESCRIPTION, THREAD, REMINDER})
ONLY_OPERATIONS = "This is written by its own operations."


def is_operated(body: Mapping[str, Any] | None) -> bool:
    """Whether a resource carries the tag of an operated system."""
    return any(one.get("system") in SYSTEMS for one in _tags(body or {}))


def tagged(body: Json, system: str, value: str) -> Json:
    """The same resource, with the tag that says what it belongs to."""
    meta = body.get("meta", {})
    return {**body, "meta": {**meta, "tag": [*_tags(body), {"system": system, "code": value}]}}


def mark(keys: RecordKeys, system: str, value: str) -> UUID:
    """What the rows of all that carries this tag have among their tokens."""
    return keys.hashed(tokens.coded("_tag", system, value))


def belonging(body: Mapping[str, Any]) -> Json:
    """The `meta` that makes another resource belong to what this one does; nothing when it belongs to nothing."""
    kept = [one for one in _tags(body) if one.get("system") in SYSTEMS]
    return {"meta": {"tag": kept}} if kept else {}


def is_secret(deed: Deed, like: Mapping[str, Any] | None = None) -> bool:
    """Whether what is written now is kept from representatives: the visit is confidential, or `like` is kept so."""
    return deed.confidential or (like is not None and HIDDEN_FROM_PROXIES in labels(like))


def labelled(deed: Deed, body: Json, like: Mapping[str, Any] | None = None) -> Json:
    """With the label of what is kept from representatives, when it must be."""
    return with_labels(body, [HIDDEN_FROM_PROXIES]) if is_secret(deed, like) else body


async def create(deed: Deed, kind: Kind, body: Json, *, own: bool = False) -> Draft:
    """Store a resource: nobody's, as the Task that follows a prescription, or the reader's `own`. Raises CONTENT."""
    keys = keys_of(deed)
    body = provenance.stamped(deed.visit.reader, body, None) if own else body
    made = _draft(deed, kind, new_id(bucket_of(keys.record) or 0), 1, body, deed.visit.author(keys) if own else None)
    await store.insert_all(deed.session, [made], {keys.record: keys})
    deed.touched.append(made.reference)
    return made


async def replace(deed: Deed, stored: Stored, body: Json) -> Draft:
    """Store its next version; its author stays."""
    made = _draft(deed, KINDS[stored.kind], stored.id, stored.version + 1, body, None)
    await store.replace(deed.session, made, keys_of(deed))
    deed.touched.append(made.reference)
    return made


def keys_of(deed: Deed) -> RecordKeys:
    """The keys of the record the deed is about. Raises ABSENT when it is about none."""
    if deed.opened is None:
        raise absent()
    return deed.opened.keys


def _draft(deed: Deed, kind: Kind, id: str, version: int, body: Json, author: UUID | None) -> Draft:
    issues = validate(kind.name, body)
    if issues:
        raise DomainError(Reason.CONTENT, *issues)
    keys, visit = keys_of(deed), deed.visit
    base = f"{visit.installation.settings.issuer}/fhir"
    return draft(kind, id, version, body, keys.record, author, keys, visit.now, base)


def _tags(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    meta = body.get("meta")
    found = meta.get("tag") if isinstance(meta, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
