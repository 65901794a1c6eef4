"""The key-encryption keys in use, and the system's own data keys, wrapped by them.

The rule: rotating a KEK re-wraps data keys and changes none, so hashes and seals made yesterday still hold.
"""

from threading import Lock

from sqlalchemy import Column, Engine, LargeBinary, String, Table, select
from sqlalchemy.dialects.postgresql import insert

from phr.core.database import metadata
from phr.core.vault import KeyFile, Wrapped, new_key

PURPOSES = ("accounts", "commons", "cursor", "lookup", "signing")

system_key = Table(
    "system_key",
    metadata,
    Column("purpose", String, primary_key=True),
    Column("kek", String, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)


class KeyEncryptionKeys:
    """The key file, read again when a wrapped key names a KEK it did not know: rotation needs no restart."""

    __slots__ = ("_changed", "_file", "_lock")

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._lock = Lock()
        self._changed = file.path.stat().st_mtime_ns

    @property
    def current(self) -> str:
        """The id of the KEK that wraps new keys."""
        return self._file.current

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of all KEKs in the file."""
        return tuple(self._file.keys)

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Encrypt a data key under the current KEK, the file read again if it changed."""
        if self._file.path.stat().st_mtime_ns != self._changed:
            self.reload()
        return self._file.wrap(key, context)

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """The data key. Raises BrokenSealError."""
        if wrapped.kek not in self._file.keys:
            self.reload()
        return self._file.unwrap(wrapped, context)

    def reload(self) -> None:
        """Read the key file again."""
        with self._lock:
            self._changed = self._file.path.stat().st_mtime_ns
            self._file = KeyFile.load(self._file.path)

    def rotate(self, name: str) -> None:
        """Add a fresh KEK to the file and wrap new keys under it."""
        with self._lock:
            self._file = self._file.with_new_key(name)
            self._changed = self._file.path.stat().st_mtime_ns

    def retire(self, name: str) -> None:
        """Take an older KEK out of the file. Raises ValueError for the current one, or one that is not there."""
        with self._lock:
            self._file = KeyFile.load(self._file.path).without_key(name)
            self._changed = self._file.path.stat().st_mtime_ns


class SystemKeys:
    """Data keys of the installation itself, one for each purpose."""

    __slots__ = ("_keys",)

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = keys

    @classmethod
    def open(cls, engine: Engine, keks: KeyEncryptionKeys) -> "SystemKeys":
        """Load the keys, making those that are missing. Raises BrokenSealError when the key file is another's."""
        with engine.begin() as connection:
            for purpose in PURPOSES:
                wrapped = keks.wrap(new_key(), purpose.encode())
                row = {"purpose": purpose, "kek": wrapped.kek, "wrapped": wrapped.ciphertext}
                connection.execute(insert(system_key).values(row).on_conflict_do_nothing())
        with engine.connect() as connection:
            found = connection.execute(select(system_key)).all()
        return cls({row.purpose: keks.unwrap(Wrapped(row.kek, row.wrapped), row.purpose.encode()) for row in found})

    def get(self, purpose: str) -> bytes:
        """The 256-bit data key of this purpose. Raises KeyError."""
        return self._keys[purpose]


def rewrap_system_keys(engine: Engine, keks: KeyEncryptionKeys) -> int:
    """Wrap every system key under the current KEK; returns how many moved."""
    moved = 0
    with engine.begin() as connection:
        for row in connection.execute(select(system_key).with_for_update()).all():
            if row.kek == keks.current:
                continue
            key = keks.unwrap(Wrapped(row.kek, row.wrapped), row.purpose.encode())
            wrapped = keks.wrap(key, row.purpose.encode())
            connection.execute(
                system_key.update()
                .where(system_key.c.purpose == row.purpose)
                .values(kek=wrapped.kek, wrapped=wrapped.ciphertext)
            )
            moved += 1
    return moved
