"""What one running process holds: the database, the keys, the settings. No state of a request, ever."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fhir.predicate import Predicate
from fhir.record import COMMONS, RecordKeys
from phr.access import matrix
from phr.access.matrix import Matrix
from phr.access.provision import Provision
from phr.core.database import Database
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings
from phr.core.vault import Wrapped, new_key

KEPT = timedelta(seconds=60)
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record whose key was opened: its keys, and the rights version they were opened under.

    `known`: what each reader who asked holds there, under that version: the provisions, and what they are entitled to.
    """

    keys: RecordKeys
    rights: int
    closed: datetime | None
    until: datetime
    known: dict[Hashable, tuple[tuple[Provision, ...], Predicate]] = field(default_factory=dict)


@dataclass(slots=True)
class Installation:
    """The process's own things, and a brief memory of opened record keys."""

    settings: Settings
    database: Database
    keks: KeyEncryptionKeys
    system_keys: SystemKeys
    commons: RecordKeys
    matrix: Matrix
    _opened: dict[str, OpenedRecord] = field(default_factory=dict)

    @classmethod
    def make(cls, settings: Settings, database: Database, keks: KeyEncryptionKeys, keys: SystemKeys) -> "Installation":
        """Assemble a process."""
        commons = RecordKeys.derive(COMMONS, keys.get("commons"))
        return cls(settings, database, keks, keys, commons, matrix.load(settings.access_matrix or matrix.FILE))

    def remembered(self, record: str, now: datetime) -> OpenedRecord | None:
        """The record's keys if opened within the last minute. The reading statement re-checks `rights`."""
        opened = self._opened.get(record)
        return opened if opened is not None and opened.until > now else None

    def open(self, record: str, wrapped: Wrapped, rights: int, closed: datetime | None, now: datetime) -> OpenedRecord:
        """Unwrap a record's key and remember it briefly. Raises BrokenSealError."""
        keys = RecordKeys.derive(record, self.keks.unwrap(wrapped, record.encode()))
        if len(self._opened) >= MOST_KEPT:
            self._opened.pop(next(iter(self._opened)))
        opened = self._opened[record] = OpenedRecord(keys, rights, closed, now + KEPT)
        return opened

    def forget(self, record: str) -> None:
        """Drop a record's keys from memory."""
        self._opened.pop(record, None)

    def new_record_key(self, record: str) -> tuple[Wrapped, RecordKeys]:
        """A fresh data key for a new record, wrapped and derived."""
        key = new_key()
        return self.keks.wrap(key, record.encode()), RecordKeys.derive(record, key)
