"""A record is one person's compartment: its ids carry its bucket, and its keys open nothing but it.

`id = f"{bucket:03x}-{uuid7 hex}"`, so any id, alone, says which shard to ask. The record's id is its Patient's.
"""

import re
import secrets
import time
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phr.core.vault import keyed_uuid, seal, subkey, unseal

BUCKETS = 4096
_BLOCK = 64
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
    cipher: AESGCM
    hashing: bytes
    chaining: bytes
    pads: tuple[bytes, bytes]

    @classmethod
    def derive(cls, record: str, data_key: bytes) -> "RecordKeys":
        """All purposes of a data key. `pads`: the chaining key's inner and outer HMAC pads (RFC 2104 §2)."""
        sealing, hashing, chaining = (subkey(data_key, purpose) for purpose in ("seal", "tokens", "journal"))
        padded = chaining.ljust(_BLOCK, b"\0")
        pads = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
        return cls(record, AESGCM(sealing), hashing, chaining, pads)

    def __repr__(self) -> str:
        return "RecordKeys(…)"

    def hashed(self, value: str) -> UUID:
        """The keyed hash under which a search value is stored."""
        return keyed_uuid(self.hashing, value)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Seal under the record's key, bound to `context`."""
        return seal(self.cipher, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Open what `seal` made. Raises BrokenSealError."""
        return unseal(self.cipher, sealed, context.encode())
