"""Envelope encryption: key-encryption keys in a file, data keys wrapped by them, AES-256-GCM under data keys.

The rule: a ciphertext is bound to where it stands. `context` (kind, id, version …) is authenticated with it,
so a sealed value moved to another row does not open.
"""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from asyncpg.pgproto import pgproto
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12


class BrokenSealError(Exception):
    """A ciphertext that does not open: altered, moved, or under another key."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key encrypted by the key-encryption key named `kek`."""

    kek: str
    ciphertext: bytes


def new_key() -> bytes:
    """A fresh 256-bit key."""
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes | AESGCM, plain: bytes, context: bytes) -> bytes:
    """AES-256-GCM (NIST SP 800-38D): a random 96-bit nonce, then ciphertext and tag.

    `key` may be a cipher made of one, which spares its set-up where much is sealed under one key.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    cipher = key if isinstance(key, AESGCM) else AESGCM(key)
    return nonce + cipher.encrypt(nonce, plain, context)


def unseal(key: bytes | AESGCM, sealed: bytes, context: bytes) -> bytes:
    """The plain bytes. Raises BrokenSealError."""
    cipher = key if isinstance(key, AESGCM) else AESGCM(key)
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise BrokenSealError from error


def subkey(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, derived from a data key (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, None, purpose.encode()).derive(key)


def keyed_uuid(key: bytes, value: str) -> UUID:
    """Keyed BLAKE2b (RFC 7693 §2.9) of 128 bits: equal values under one key compare, under two keys they do not.

    A MAC like HMAC-SHA-256, several times quicker on short values: a resource has some twenty of them.
    """
    digest = hashlib.blake2b(value.encode(), key=key, digest_size=16).digest()
    made: UUID = pgproto.UUID(digest)  # the driver's own subclass, made in C
    return made


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key-encryption keys by id, and which one wraps new keys. On disk: JSON, mode 600."""

    path: Path
    current: str
    keys: dict[str, bytes]

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read the file. Raises FileNotFoundError, ValueError (not a key file, or readable by others)."""
        if path.stat().st_mode & 0o077:
            raise ValueError(f"key file {path} must be readable by its owner only (chmod 600)")
        try:
            content = json.loads(path.read_text())
            keys = {name: bytes.fromhex(value) for name, value in content["keys"].items()}
            current = content["current"]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} is not a Carnet key file") from error
        if current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"{path} names no usable current key")
        return cls(path, current, keys)

    @classmethod
    def create(cls, path: Path, name: str) -> "KeyFile":
        """A new file with one fresh key. Raises FileExistsError rather than overwrite."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = cls(path, name, {name: new_key()})
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
            target.write(file._text())
        return file

    def with_new_key(self, name: str) -> "KeyFile":
        """The same file with one more key, now current; written beside and renamed, so never half there."""
        if name in self.keys:
            raise ValueError(f"key {name} exists already")
        return KeyFile(self.path, name, {**self.keys, name: new_key()})._written()

    def without_key(self, name: str) -> "KeyFile":
        """The same file without one of its older keys: what only that key opens is lost, for ever."""
        if name == self.current or name not in self.keys:
            raise ValueError(f"key {name} is " + ("the current one" if name == self.current else "not in the file"))
        return KeyFile(self.path, self.current, {k: v for k, v in self.keys.items() if k != name})._written()

    def _written(self) -> "KeyFile":
        """This file, in the place of the one on disk."""
        beside = self.path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
            target.write(self._text())
            target.flush()
            os.fsync(target.fileno())
        beside.replace(self.path)
        return self

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Encrypt a data key under the current KEK."""
        return Wrapped(self.current, seal(self.keys[self.current], key, context))

    def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """The data key. Raises BrokenSealError, also when the KEK is not in this file."""
        kek = self.keys.get(wrapped.kek)
        if kek is None:
            raise BrokenSealError
        return unseal(kek, wrapped.ciphertext, context)

    def _text(self) -> str:
        return json.dumps({"current": self.current, "keys": {k: v.hex() for k, v in self.keys.items()}})


def fingerprint(secret: str) -> bytes:
    """SHA-256 of a high-entropy secret (a code, a session id), to store in its place."""
    return hashlib.sha256(secret.encode()).digest()
