"""The keys that sign tokens: ES256, private halves sealed in the database, shared by every process.

The rule: which key signs and which still verify follows from two stored dates and the clock, so every process agrees
whether or not it heard of a rotation. A key is published for PUBLISHED_BEFORE, signs until it is retired, then
verifies for OVERLAP.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from auth.tables import signing_key
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

ALGORITHM = "ES256"
OVERLAP = timedelta(hours=2)
"""How long a retired key still verifies: longer than any token lives (one hour)."""

REFRESH_EVERY = timedelta(minutes=4)
"""How long a process may sign and publish before it looks for a newer key."""

PUBLISHED_BEFORE = timedelta(minutes=10)
"""How long a new key is published before it signs: longer than REFRESH_EVERY and the five minutes for which a
verifier may keep our JWK Set, together."""

_FIRST_KEY_LOCK = 0x9068


class State(StrEnum):
    """Where a key is in its life."""

    PUBLISHED = "published"
    SIGNING = "signing"
    VERIFYING = "verifying"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as an operator sees it. `retired`: when it stops or stopped signing, possibly ahead."""

    kid: str
    created: datetime
    retired: datetime | None
    state: State


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    created: datetime
    retired: datetime | None
    private: ECKey
    public: ECKey

    def verifies(self, now: datetime) -> bool:
        return self.retired is None or self.retired + OVERLAP > now


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys as they were read, oldest first; the clock says which one signs."""

    keys: Mapping[str, _Key]
    read: datetime


class SigningKeys:
    """The signing keys, loaded at the first use and again every few minutes."""

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
            if _signing(ring, now) is None:
                session.execute(select(func.pg_advisory_xact_lock(_FIRST_KEY_LOCK)))
                ring = self._read(session, now)
            if _signing(ring, now) is None:
                self._add(session, now)
                ring = self._read(session, now)
            self._ring = ring

    def rotate(self, now: datetime) -> str:
        """Publish a new key, which signs in PUBLISHED_BEFORE in place of all others. The id of the new key.

        Said twice within PUBLISHED_BEFORE, each key takes over from the one before at its own time.
        """
        with Session(self._engine) as session, session.begin():
            session.execute(select(func.pg_advisory_xact_lock(_FIRST_KEY_LOCK)))
            active = signing_key.c.retired.is_(None)
            session.execute(update(signing_key).where(active).values(retired=now + PUBLISHED_BEFORE))
            made = self._add(session, now)
        self.load(now)
        return made

    def distrust(self, kid: str, now: datetime) -> bool:
        """A private key may be known to somebody: from now on it neither signs nor verifies. False: no such key.

        Another takes over at once, published or not. Running processes hear of it at their next `load` (`phr.chores`).
        """
        with Session(self._engine) as session, session.begin():
            session.execute(select(func.pg_advisory_xact_lock(_FIRST_KEY_LOCK)))
            over = update(signing_key).where(signing_key.c.kid == kid).values(retired=now - OVERLAP)
            found = session.execute(over.returning(signing_key.c.kid)).one_or_none() is not None
        self.load(now)
        return found

    def listed(self, now: datetime) -> list[Listed]:
        """Every key there ever was, oldest first."""
        self.load(now)
        ring = self._fresh(now)
        signing = _signing(ring, now)
        with Session(self._engine) as session:
            rows = session.execute(select(signing_key).order_by(signing_key.c.created, signing_key.c.kid)).all()
        return [Listed(row.kid, row.created, row.retired, _state(row, signing, now)) for row in rows]

    def signer(self, now: datetime) -> tuple[str, ECKey]:
        """The key id and the private key to sign with."""
        key = _signing(self._fresh(now), now)
        if key is None:  # the last one was retired without a successor since it was read
            self.load(now)
            key = _signing(self._loaded(now), now)
        if key is None:
            raise RuntimeError("no signing key")
        return key.kid, key.private

    def verifier(self, kid: object, now: datetime) -> ECKey | None:
        """The public key of this id. Asks the database only once."""
        key = self._loaded(now).keys.get(kid) if isinstance(kid, str) else None
        return key.public if key is not None and key.verifies(now) else None

    def jwks(self, now: datetime) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517 §5), those that will sign soon included.

        Without a database, those known: nobody can rotate then either.
        """
        with suppress(SQLAlchemyError):
            self._fresh(now)
        members = [
            {**key.public.as_dict(private=False), "kid": key.kid, "use": "sig", "alg": ALGORITHM}
            for key in self._loaded(now).keys.values()
            if key.verifies(now)
        ]
        return {"keys": members}

    def _loaded(self, now: datetime) -> _Ring:
        if self._ring is None:
            self.load(now)
        if self._ring is None:
            raise RuntimeError("no signing key")
        return self._ring

    def _fresh(self, now: datetime) -> _Ring:
        if self._loaded(now).read <= now - REFRESH_EVERY:
            self.load(now)
        return self._loaded(now)

    def _read(self, session: Session, now: datetime) -> _Ring:
        rows = session.execute(
            select(signing_key)
            .where(signing_key.c.retired.is_(None) | (signing_key.c.retired > now - OVERLAP))
            .order_by(signing_key.c.created, signing_key.c.kid)
        )
        return _Ring({row.kid: self._opened(row) for row in rows}, now)

    def _opened(self, row: Any) -> _Key:
        plain = unseal(self._keys.get("signing"), row.sealed, _context(row.kid))
        private = ECKey.import_key(json.loads(plain))
        public = ECKey.import_key(private.as_dict(private=False))
        return _Key(row.kid, row.created, row.retired, private, public)

    def _add(self, session: Session, now: datetime) -> str:
        key = ECKey.generate_key("P-256")
        kid = key.thumbprint()
        sealed = seal(self._keys.get("signing"), json.dumps(key.as_dict(private=True)).encode(), _context(kid))
        row = {"kid": kid, "alg": ALGORITHM, "sealed": sealed, "created": now, "retired": None}
        session.execute(insert(signing_key).values(row))
        return kid


def _signing(ring: _Ring, now: datetime) -> _Key | None:
    """The newest key published long enough; while there is none (the first key of all), the oldest."""
    unretired = [key for key in ring.keys.values() if key.retired is None or key.retired > now]
    known = [key for key in unretired if key.created + PUBLISHED_BEFORE <= now]
    return known[-1] if known else next(iter(unretired), None)


def _state(row: Any, signing: _Key | None, now: datetime) -> State:
    if signing is not None and row.kid == signing.kid:
        return State.SIGNING
    if row.retired is None or row.retired > now:
        return State.PUBLISHED
    return State.VERIFYING if row.retired + OVERLAP > now else State.OVER


def _context(kid: str) -> bytes:
    return f"signing_key|{kid}".encode()
