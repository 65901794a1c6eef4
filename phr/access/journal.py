"""The journal: one sealed, chained entry for each action on a record, written before the answer leaves.

Each chain (a record's, or a client's for what touches no record) has a head that holds the running digest
HMAC(key, digest before, entry). Rows keep only SHA-256 of the digest they made: from the rows nobody can go back to
an earlier head, so an entry altered, missing, moved or cut off the end shows. Verification recomputes every digest.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Index,
    LargeBinary,
    Select,
    SmallInteger,
    String,
    Table,
    Uuid,
    bindparam,
    func,
    insert,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from auth.professionals import Professional
from fhir.record import RecordKeys
from fhir.tables import ID
from phr.access import reader as readers
from phr.access.reader import Delegate, Reader
from phr.core.database import metadata


class Tag(StrEnum):
    """What an entry is about. Closed: every route names one."""

    READ = "read"
    SEARCH = "search"
    HISTORY = "history"
    CONTENT = "content"
    EVERYTHING = "everything"
    LOOKUP = "lookup"
    OPEN = "open"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    TRANSACTION = "transaction"
    IMPORT = "import"
    JOURNAL = "journal"
    ACCESS = "access"
    REDEEM = "redeem"
    SHARE = "share"
    DELEGATE = "delegate"
    APPLICATION = "application"
    CLOSE = "close"
    PREVENTION = "prevention"
    PRESCRIPTION = "prescription"
    MEDICINE = "medicine"
    MESSAGE = "message"
    NOTIFICATION = "notification"
    SUBSCRIPTION = "subscription"
    AGENDA = "agenda"


journal = Table(
    "journal",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("chain", ID, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("tag", String, nullable=False),
    Column("resources", ARRAY(String), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
)
"""Append-only. `resources` are `Type/id` of what was returned or written; who, why and how are sealed."""
Index("journal_at_idx", journal.c.at, postgresql_using="brin")

journal_head = Table(
    "journal_head",
    metadata,
    Column("bucket", SmallInteger, primary_key=True),
    Column("chain", ID, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
"""The end of each chain. Its row lock orders the entries of one chain; other chains never wait for it."""

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who acted, as they were known then. `id`: a professional's national id, or an account.

    `system` names the table `profession` is a code of, such as TRE_G15; `structure` is an id; `behalf` the record of
    who is represented.
    """

    id: str
    name: str = ""
    system: str = ""
    profession: str = ""
    structure: str = ""
    structure_name: str = ""
    behalf: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What the entry says, sealed: who asked, under which rule, and what exactly.

    `actors`: the professional, then the assistant if one acted; or who represents the person. Of the person
    themself, and of software alone, `reader` and `client` say enough. `under`: the Consent the access rests on;
    `confidential`: kept from the person's representatives; `refused`: the coded reason when it was not done; `motive`:
    why, in the words of who asked.
    """

    reader: str
    client: str
    because: str
    asked: str
    actors: tuple[Actor, ...] = ()
    under: str = ""
    confidential: bool = False
    refused: str = ""
    motive: str = ""


def _actor(who: Professional) -> Actor:
    name = f"{who.given} {who.family}".strip()
    return Actor(who.id, name, who.system, who.profession, who.structure, who.structure_name)


def _actors(reader: Reader) -> tuple[Actor, ...]:
    match reader:
        case Delegate(account=account, record=record):
            return (Actor(account, behalf=record),)
        case readers.Professional(identity=identity, assistant=assistant):
            return tuple(_actor(who) for who in (identity, assistant) if who is not None)
    return ()


def note_of(reader: Reader, because: str, asked: str) -> Note:
    """What an entry says of this reader: both names when two act as one."""
    return Note(type(reader).__name__, reader.client, because, asked, _actors(reader))


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry about to be written. `chain` is a record id or a client's chain (`chain_of_client`)."""

    bucket: int
    chain: str
    id: UUID
    at: datetime
    tag: Tag
    note: Note

    def values(self, keys: RecordKeys) -> dict[str, object]:
        """What `trail` binds: the sealed note, the stamp that is chained, and the two HMAC pads (RFC 2104)."""
        sealed = keys.seal(msgspec.json.encode(self.note), self._context())
        return {
            "j_bucket": self.bucket,
            "j_chain": self.chain,
            "j_id": self.id,
            "j_at": self.at,
            "j_tag": self.tag.value,
            "j_sealed": sealed,
            "j_stamp": stamp(self.id, self.at, self.tag.value, sealed),
            "j_inner": keys.pads[0],
            "j_outer": keys.pads[1],
        }

    def _context(self) -> str:
        return f"journal/{self.chain}/{self.id}"


def stamp(entry: UUID, at: datetime, tag: str, sealed: bytes) -> bytes:
    """The bytes of an entry that are known before it is written; the resources are added by the statement."""
    moment = int(at.timestamp() * 1_000_000)
    return entry.bytes + moment.to_bytes(8, "big", signed=True) + tag.encode() + b"\0" + sealed


def next_digest(chaining: bytes, digest: bytes, stamped: bytes, resources: Sequence[str]) -> bytes:
    """The chain's step in Python, for verification: HMAC(key, digest before || SHA-256(entry))."""
    said = hashlib.sha256(stamped + b"\0" + ",".join(resources).encode()).digest()
    return hmac.digest(chaining, digest + said, "sha256")


def _joined(*parts: ColumnElement[Any]) -> ColumnElement[Any]:
    whole = parts[0]
    for part in parts[1:]:
        whole = type_coerce(whole.op("||")(part), LargeBinary())
    return whole


def _bytes(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=LargeBinary())


def trail(returned: Select[Any], gate: CTE | None = None) -> CTE:
    """The same chain's step in SQL: writes the entry for `returned` (one column, `Type/id`), if the gate is open.

    PostgreSQL has sha256() but, without extensions, no hmac(): the two nested hashes are RFC 2104 written out.
    """
    listed = func.coalesce(func.array(returned.scalar_subquery()), literal([], ARRAY(String)))
    said_from = select(listed.label("resources"))
    if gate is not None:
        said_from = said_from.select_from(gate)
    said = said_from.cte("said")
    text = func.convert_to(func.array_to_string(said.c.resources, ","), "UTF8")
    said_hash = func.sha256(_joined(_bytes("j_stamp"), literal(b"\0", LargeBinary()), text))

    def hashed(digest: ColumnElement[Any], entry: ColumnElement[Any]) -> ColumnElement[Any]:
        inner = func.sha256(_joined(_bytes("j_inner"), digest, entry))
        return func.sha256(_joined(_bytes("j_outer"), inner))

    first = select(
        bindparam("j_bucket", type_=SmallInteger()),
        bindparam("j_chain", type_=ID),
        literal(1, BigInteger()),
        hashed(literal(GENESIS, LargeBinary()), said_hash),
    ).select_from(said)
    start = upsert(journal_head).from_select(["bucket", "chain", "seq", "digest"], first)
    entry_hash = select(said_hash).select_from(said).scalar_subquery()
    head = start.on_conflict_do_update(
        index_elements=[journal_head.c.bucket, journal_head.c.chain],
        set_={"seq": journal_head.c.seq + 1, "digest": hashed(journal_head.c.digest, entry_hash)},
    )
    step = head.returning(journal_head.c.seq, journal_head.c.digest).cte("head")
    columns = [column.name for column in journal.c]
    entry = select(
        bindparam("j_bucket", type_=SmallInteger()),
        bindparam("j_chain", type_=ID),
        step.c.seq,
        bindparam("j_id", type_=Uuid()),
        bindparam("j_at", type_=DateTime(timezone=True)),
        bindparam("j_tag", type_=String()),
        said.c.resources,
        _bytes("j_sealed"),
        func.sha256(step.c.digest),
    ).select_from(said.join(step, literal(True)))
    return insert(journal).from_select(columns, entry).returning(journal.c.seq).cte("entry")


def chain_of_client(client: str) -> tuple[int, str]:
    """Bucket and name of the chain for what a client does outside any record."""
    digest = hashlib.sha256(client.encode()).hexdigest()
    return int(digest[:3], 16), f"client:{client}"


def read_note(keys: RecordKeys, chain: str, entry: UUID, sealed: bytes) -> Note:
    """Open an entry's note. Raises BrokenSealError."""
    return msgspec.json.decode(keys.unseal(sealed, f"journal/{chain}/{entry}"), type=Note)
