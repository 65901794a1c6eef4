"""Browser sessions with the authorization server itself. The cookie holds a secret; the database its fingerprint."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from auth import accounts
from auth.accounts import Account
from auth.professionals import Professional
from auth.tables import browser_session
from phr.core.keys import SystemKeys
from phr.core.vault import fingerprint, seal, unseal

LIFETIME = timedelta(hours=1)
PROFESSIONAL_LIFETIME = timedelta(hours=4)
PROFESSIONAL_IDLE = timedelta(minutes=30)
"""Pro Santé Connect ends its own sessions after four hours, or thirty idle minutes: a practice's computer is shared."""

TOUCHED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Proof:
    """How a person proved who they are: methods (RFC 8176), class (`acr`), and when the second factor was shown."""

    amr: tuple[str, ...]
    acr: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who signed in with this browser: a citizen (`account`) or a professional, maybe an assistant for one.

    `id` is the session's (OpenID `sid`); `subject` the account's id or the professional's keyed id; `agent` what the
    browser calls itself.
    """

    id: UUID
    subject: UUID
    account: Account | None
    professional: Professional | None
    assistant: Professional | None
    proof: Proof
    agent: str
    last_used: datetime

    @property
    def name(self) -> str:
        """What the page calls them."""
        if self.account is not None:
            return self.account.name
        person = self.assistant or self.professional
        return "" if person is None else person.name

    def get_user_id(self) -> str:
        """For Authlib."""
        return str(self.subject)


def start(
    session: Session,
    keys: SystemKeys,
    who: Account | Professional,
    proof: Proof,
    agent: str,
    now: datetime,
    assistant: Professional | None = None,
) -> tuple[UUID, str]:
    """A new session: its id, and the secret to put in the cookie. `assistant`: who acts for the professional."""
    made, secret = uuid4(), secrets.token_urlsafe(32)
    professional = who if isinstance(who, Professional) else None
    said = {
        "amr": list(proof.amr),
        "acr": proof.acr,
        "at": proof.at.timestamp(),
        "agent": agent[:300],
        "professional": None if professional is None else professional.claim(),
        "assistant": None if assistant is None else assistant.claim(),
    }
    row = {
        "fingerprint": fingerprint(secret),
        "account": who.subject(keys) if isinstance(who, Professional) else who.id,
        "created": now,
        "expires": now + (LIFETIME if professional is None else PROFESSIONAL_LIFETIME),
        "id": made,
        "sealed": seal(keys.get("accounts"), json.dumps(said).encode(), _context(made)),
        "last_used": now,
    }
    session.execute(insert(browser_session).values(row))
    return made, secret


def find(session: Session, keys: SystemKeys, secret: str, now: datetime) -> Visitor | None:
    """Who this cookie is, unless it expired, a professional left it idle, or the account is disabled."""
    mine = browser_session.c.fingerprint == fingerprint(secret)
    row = session.execute(select(browser_session).where(mine, browser_session.c.expires > now)).one_or_none()
    if row is None or row.sealed is None:
        return None
    visitor = _visitor(session, keys, row)
    if visitor is not None and visitor.professional is not None and row.last_used <= now - PROFESSIONAL_IDLE:
        return None
    if visitor is not None and row.last_used <= now - TOUCHED_EVERY:
        session.execute(update(browser_session).where(mine).values(last_used=now))
    return visitor


def of_account(session: Session, keys: SystemKeys, account: UUID, now: datetime) -> list[Visitor]:
    """Every session of an account that is not over, latest first."""
    rows = session.execute(
        select(browser_session)
        .where(browser_session.c.account == account, browser_session.c.expires > now)
        .order_by(browser_session.c.created.desc())
    ).all()
    found = (_visitor(session, keys, row) for row in rows if row.sealed is not None)
    return [visitor for visitor in found if visitor is not None]


def prove(session: Session, keys: SystemKeys, visitor: Visitor, secret: str, proof: Proof) -> None:
    """Write down a fresh proof of the same person (step-up, RFC 9470)."""
    mine = browser_session.c.fingerprint == fingerprint(secret)
    row = session.execute(select(browser_session).where(mine).with_for_update()).one_or_none()
    if row is None or row.id != visitor.id:
        return
    said = _opened(keys, row) | {"amr": list(proof.amr), "acr": proof.acr, "at": proof.at.timestamp()}
    sealed = seal(keys.get("accounts"), json.dumps(said).encode(), _context(visitor.id))
    session.execute(update(browser_session).where(mine).values(sealed=sealed))


def close(session: Session, secret: str) -> None:
    """Sign out."""
    session.execute(delete(browser_session).where(browser_session.c.fingerprint == fingerprint(secret)))


def end(session: Session, account: UUID, ids: Sequence[UUID] | None = None) -> None:
    """End these sessions of an account; all of them when `ids` is None."""
    ended = delete(browser_session).where(browser_session.c.account == account)
    session.execute(ended if ids is None else ended.where(browser_session.c.id.in_(ids)))


def _opened(keys: SystemKeys, row: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.id)))
    return said


def _visitor(session: Session, keys: SystemKeys, row: Any) -> Visitor | None:
    said = _opened(keys, row)
    acting = {
        name: None if said[name] is None else Professional.of_claim(said[name])
        for name in ("professional", "assistant")
    }
    account = accounts.find(session, keys, row.account) if acting["professional"] is None else None
    if acting["professional"] is None and (account is None or account.disabled):
        return None
    proof = Proof(tuple(said["amr"]), said["acr"], datetime.fromtimestamp(said["at"], UTC))
    return Visitor(row.id, row.account, account, **acting, proof=proof, agent=said["agent"], last_used=row.last_used)


def _context(id: UUID) -> bytes:
    return b"browser_session|" + id.bytes
