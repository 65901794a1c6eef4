"""Verifying the journal: every chain recomputed from its first entry to its head, every seal opened.

The rule: an entry altered, missing, reordered or cut off is found; what is found is named by chain and number only. The
chain of a destroyed record ends in a head that this installation alone can make.
"""

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, bindparam, select, tuple_, update

from fhir.record import RecordKeys, bucket_of
from fhir.tables import ID, record
from phr.access.installation import Installation
from phr.access.journal import GENESIS, journal, journal_head, next_digest, read_note, stamp
from phr.core.database import Session, compile_query
from phr.core.vault import BrokenSealError, Wrapped

_PAGE = 500

_own = (
    bindparam("bucket", type_=SmallInteger()),
    bindparam("chain", type_=ID),
)
_HEADS = compile_query(
    select(journal_head)
    .where(tuple_(journal_head.c.bucket, journal_head.c.chain) > tuple_(*_own))
    .order_by(journal_head.c.bucket, journal_head.c.chain)
    .limit(_PAGE)
)
_ENTRIES = compile_query(
    select(journal)
    .where(
        journal.c.bucket == _own[0],
        journal.c.chain == _own[1],
        journal.c.seq > bindparam("after", type_=BigInteger()),
        journal.c.seq <= bindparam("last", type_=BigInteger()),
    )
    .order_by(journal.c.seq)
    .limit(bindparam("page", type_=Integer()))
)
_KEY = compile_query(select(record.c.kek, record.c.wrapped).where(record.c.bucket == _own[0], record.c.id == _own[1]))
_ORPHANS = compile_query(
    select(journal.c.bucket, journal.c.chain)
    .distinct()
    .outerjoin(journal_head, (journal_head.c.bucket == journal.c.bucket) & (journal_head.c.chain == journal.c.chain))
    .where(journal_head.c.chain.is_(None))
    .limit(_PAGE)
)
_HEADLESS = compile_query(
    select(record.c.bucket, record.c.id.label("chain"))
    .outerjoin(journal_head, (journal_head.c.bucket == record.c.bucket) & (journal_head.c.chain == record.c.id))
    .where(journal_head.c.chain.is_(None))
    .limit(_PAGE)
)
_head = (journal_head.c.bucket == _own[0], journal_head.c.chain == _own[1])
_LAST = compile_query(select(journal_head.c.seq).where(*_head).with_for_update())
_END = compile_query(update(journal_head).where(*_head).values(digest=bindparam("digest", type_=LargeBinary())))
_DESTROYED = compile_query(
    select(journal_head.c.seq, journal_head.c.digest)
    .join_from(record, journal_head, (journal_head.c.bucket == record.c.bucket) & (journal_head.c.chain == record.c.id))
    .where(*_head, record.c.erased.is_not(None))
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one chain, and at which entry (0: the chain as a whole)."""

    chain: str
    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """One chain gone through: how many entries, and the first thing wrong with it; or its record is destroyed."""

    entries: int
    finding: Finding | None
    destroyed: bool = False


async def verify(installation: Installation) -> AsyncIterator[Verified]:
    """Every chain of the journal, one result each. Safe beside a running server: heads are read first."""
    async with installation.database.session() as session:
        for query in (_ORPHANS, _HEADLESS):
            for row in await session.fetch(query):
                yield Verified(0, Finding(row["chain"], 0, "the chain has lost its head"))
        at: tuple[int, str] = (-1, "")
        while heads := await session.fetch(_HEADS, {"bucket": at[0], "chain": at[1]}):
            for head in heads:
                found = await _verify_chain(session, installation, head)
                if found.finding is not None:
                    found = await _destroyed(session, installation, head["bucket"], head["chain"]) or found
                yield found
            at = (heads[-1]["bucket"], heads[-1]["chain"])


async def end(session: Session, installation: Installation, name: str) -> None:
    """Close the chain of a record being destroyed: its head says, under a key of the installation's, where it ended."""
    place = {"bucket": bucket_of(name), "chain": name}
    row = await session.one(_LAST, place)
    if row is not None:
        await session.fetch(_END, {**place, "digest": _end_of(installation, name, row["seq"])})


def _end_of(installation: Installation, name: str, last: int) -> bytes:
    return hmac.digest(installation.commons.chaining, f"destroyed|{name}|{last}".encode(), "sha256")


async def _destroyed(session: Session, installation: Installation, bucket: int, chain: str) -> Verified | None:
    """What there is to say of a destroyed record's chain; None when the record is not destroyed."""
    row = await session.one(_DESTROYED, {"bucket": bucket, "chain": chain})
    if row is None:
        return None
    if hmac.compare_digest(row["digest"], _end_of(installation, chain, row["seq"])):
        return Verified(0, None, destroyed=True)
    return Verified(0, Finding(chain, 0, "the record is said to be destroyed, and was not"))


async def _keys_of(session: Session, installation: Installation, bucket: int, chain: str) -> RecordKeys | None:
    if bucket_of(chain) is None:
        return installation.commons
    row = await session.one(_KEY, {"bucket": bucket, "chain": chain})
    if row is None:
        return None
    try:
        data_key = installation.keks.unwrap(Wrapped(row["kek"], row["wrapped"]), chain.encode())
    except BrokenSealError:
        return None
    return RecordKeys.derive(chain, data_key)


async def _verify_chain(session: Session, installation: Installation, head: Any) -> Verified:
    bucket, chain, last = head["bucket"], head["chain"], head["seq"]
    keys = await _keys_of(session, installation, bucket, chain)
    if keys is None:
        return Verified(0, Finding(chain, 0, "the record's key does not open"))
    digest, seq = GENESIS, 0
    where = {"bucket": bucket, "chain": chain, "last": last, "page": _PAGE}
    while rows := await session.fetch(_ENTRIES, {**where, "after": seq}):
        for row in rows:
            seq += 1
            if row["seq"] != seq:
                return Verified(seq - 1, Finding(chain, seq, "an entry is missing"))
            stamped = stamp(row["id"], row["at"], row["tag"], row["sealed"])
            digest = next_digest(keys.chaining, digest, stamped, row["resources"])
            if sha256(digest).digest() != row["link"] or not _opens(keys, chain, row):
                return Verified(seq - 1, Finding(chain, seq, "an entry was altered or moved"))
    if seq != last or digest != head["digest"]:
        return Verified(seq, Finding(chain, last, "the end of the chain was cut or changed"))
    return Verified(seq, None)


def _opens(keys: RecordKeys, chain: str, row: Any) -> bool:
    try:
        read_note(keys, chain, row["id"], row["sealed"])
    except (BrokenSealError, ValueError):
        return False
    return True
