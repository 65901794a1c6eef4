"""The keys that sign tokens: ES256, private halves sealed in the database, shared by every process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session

from auth.tables import signing_key
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

ALGORITHM = "ES256"
OVERLAP = timedelta(hours=1)
"""How long a retired key still verifies: longer than any token lives."""

REFRESH_EVERY = timedelta(minutes=5)
"""How long a process may keep signing before it looks for a newer key."""

_FIRST_KEY_LOCK = 0x9068


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys at one instant: all that verify, and the one that signs."""

    public: Mapping[str, ECKey]
    current: str
    private: ECKey
    read: datetime


class SigningKeys:
    """The signing keys, loaded at the first use and again on demand."""

    __slots__ = ("_engine", "_keys", "_lock", "_ring")

    def __init__(self, engine: Engine, keys: SystemKeys) -> None:
        self._engine = engine
        self._keys = keys
        self._lock = Lock()
        self._ring: _Ring | None = None

    def load(self, now: datetime) -> None:
        """Read the keys, making the first one if there is none. One process makes it, the others wait."""
        with self._lock, Session(self._engine) as session, session.begin():
            ring = self._read(session, now)
            if ring is None:
                session.execute(select(func.pg_advisory_xact_lock(_FIRST_KEY_LOCK)))
                ring = self._read(session, now)
            if ring is None:
                self._add(session, now)
                ring = self._read(session, now)
            self._ring = ring

    def signer(self, now: datetime) -> tuple[str, ECKey]:
        """The key id and the private key to sign with."""
        ring = self._loaded(now)
        if ring.read <= now - REFRESH_EVERY:
            self.load(now)
            ring = self._loaded(now)
        return ring.current, ring.private

    def verifier(self, kid: object, now: datetime) -> ECKey | None:
        """The public key of this id."""
        return self._loaded(now).public.get(kid) if isinstance(kid, str) else None

    def jwks(self, now: datetime) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 §5)."""
        members = [
            {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in self._loaded(now).public.items()
        ]
        return {"keys": members}

    def _loaded(self, now: datetime) -> _Ring:
        if self._ring is None:
            self.load(now)
        if self._ring is None:
            raise RuntimeError("no signing key")
        return self._ring

    def _read(self, session: Session, now: datetime) -> _Ring | None:
        rows = session.execute(
            select(signing_key)
            .where(signing_key.c.retired.is_(None) | (signing_key.c.retired > now - OVERLAP))
            .order_by(signing_key.c.created, signing_key.c.kid)
        ).all()
        opened = {row.kid: ECKey.import_key(json.loads(self._open(row.kid, row.sealed))) for row in rows}
        active = [row.kid for row in rows if row.retired is None]
        if not active:
            return None
        public = {kid: ECKey.import_key(key.as_dict(private=False)) for kid, key in opened.items()}
        return _Ring(public, active[-1], opened[active[-1]], now)

    def _add(self, session: Session, now: datetime) -> None:
        key = ECKey.generate_key("P-256")
        kid = key.thumbprint()
        sealed = seal(self._keys.get("signing"), json.dumps(key.as_dict(private=True)).encode(), _context(kid))
        row = {"kid": kid, "alg": ALGORITHM, "sealed": sealed, "created": now, "retired": None}
        session.execute(insert(signing_key).values(row))

    def _open(self, kid: str, sealed: bytes) -> bytes:
        return unseal(self._keys.get("signing"), sealed, _context(kid))


def _context(kid: str) -> bytes:
    return f"signing_key|{kid}".encode()
