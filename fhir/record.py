"""A record is one person's compartment: its ids carry its bucket, and its keys open nothing but it.

`id = f"{bucket:03x}-{uuid7 hex}"`, so any id, alone, says which shard to ask. The record's id is its Patient's.
"""

import re
import secrets
import time
from dataclasses import dataclass
from uuid import UUID

from phr.core.vault import keyed_uuid, seal, subkey, unseal

BUCKETS = 4096
COMMONS = ""
"""The record key of what belongs to nobody."""

_ID = re.compile(r"[0-9a-f]{3}-[0-9a-f]{32}")


def new_bucket() -> int:
    """A bucket for a new record, uniformly at random."""
    return secrets.randbelow(BUCKETS)


def new_id(bucket: int) -> str:
    """A fresh id in this bucket: UUIDv7 (RFC 9562 §5.7), sub-millisecond time in rand_a, so ids of a record sort."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{bucket:03x}-{value:032x}"


def bucket_of(identifier: str) -> int | None:
    """The bucket an id carries, or None when it is not an id of ours."""
    return int(identifier[:3], 16) if _ID.fullmatch(identifier) else None


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys of one record (or of the commons), derived from its data key for one purpose each."""

    record: str
    sealing: bytes
    hashing: bytes
    chaining: bytes

    @classmethod
    def derive(cls, record: str, data_key: bytes) -> "RecordKeys":
        """All purposes of a data key."""
        return cls(record, *(subkey(data_key, purpose) for purpose in ("seal", "tokens", "journal")))

    def __repr__(self) -> str:
        return "RecordKeys(…)"

    def hashed(self, value: str) -> UUID:
        """The keyed hash under which a search value is stored."""
        return keyed_uuid(self.hashing, value)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Seal under the record's key, bound to `context`."""
        return seal(self.sealing, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Open what `seal` made. Raises BrokenSealError."""
        return unseal(self.sealing, sealed, context.encode())
