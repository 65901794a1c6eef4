"""A stored resource as it leaves the database: plain columns, and the JSON that only its record's key opens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard

from fhir import wire
from fhir.record import COMMONS, RecordKeys
from phr.core.errors import DomainError, Issue, Reason
from phr.core.vault import BrokenSealError

# Kept: making one costs more than using it. Not to be shared between threads; stored rows are one thread's.
_COMPRESSOR = zstandard.ZstdCompressor(level=3)
_DECOMPRESSOR = zstandard.ZstdDecompressor()
_LARGEST = 128 << 20


class MissingKeyError(Exception):
    """A row of a record that the request's keyring does not hold: a query forgot its filter."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of the records a request's decision opened, by record id ("" for the commons), and nothing else."""

    keys: dict[str, RecordKeys]

    def of(self, record: str | None) -> RecordKeys:
        """The keys of a row's record. Raises MissingKeyError."""
        try:
            return self.keys[record or COMMONS]
        except KeyError:
            raise MissingKeyError from None


def _context(kind: str, identifier: str, version: int) -> str:
    return f"{kind}/{identifier}/{version}"


def seal_resource(keys: RecordKeys, kind: str, identifier: str, version: int, plain: bytes) -> bytes:
    """Compress and seal the JSON of one version."""
    return keys.seal(_COMPRESSOR.compress(plain), _context(kind, identifier, version))


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one resource. `sealed` is empty when `gone`."""

    bucket: int
    id: str
    kind: str
    version: int
    updated: datetime
    gone: bool
    record: str | None
    sealed: bytes

    @classmethod
    def from_row(cls, row: Any) -> "Stored":
        """From a driver record that starts with these columns, in this order (`fhir.search.COLUMNS`)."""
        return cls(*row[:8])

    def raw(self, keyring: Keyring) -> bytes:
        """The JSON bytes. Raises MissingKeyError, and DomainError UNAVAILABLE when the seal is broken."""
        context = _context(self.kind, self.id, self.version)
        try:
            compressed = keyring.of(self.record).unseal(self.sealed, context)
        except BrokenSealError:
            raise DomainError(Reason.UNAVAILABLE, Issue("exception", "A stored resource is damaged.")) from None
        return _DECOMPRESSOR.decompress(compressed, max_output_size=_LARGEST)

    def json(self, keyring: Keyring) -> dict[str, Any]:
        """The resource as JSON, decimals kept."""
        return wire.restore(self.raw(keyring))

    @property
    def etag(self) -> str:
        """The weak ETag FHIR gives a version (R4 §3.1.0.1.3)."""
        return f'W/"{self.version}"'
