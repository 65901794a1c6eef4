"""Browser sessions with the authorization server itself. The cookie holds a secret; the database its fingerprint."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from auth import accounts
from auth.tables import browser_session
from phr.core.keys import SystemKeys
from phr.core.vault import fingerprint

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A citizen who signed in at `since` with this browser."""

    account: accounts.Account
    since: datetime

    def get_user_id(self) -> str:
        """For Authlib."""
        return str(self.account.id)


def start(session: Session, account: UUID, now: datetime) -> str:
    """A new session: the secret to put in the cookie."""
    secret = secrets.token_urlsafe(32)
    row = {
        "fingerprint": fingerprint(secret),
        "account": account,
        "created": now,
        "expires": now + LIFETIME,
    }
    session.execute(insert(browser_session).values(row))
    return secret


def find(session: Session, keys: SystemKeys, secret: str, now: datetime) -> Visitor | None:
    """Who this cookie is, unless it expired or the account is disabled."""
    row = session.execute(
        select(browser_session.c.account, browser_session.c.created).where(
            browser_session.c.fingerprint == fingerprint(secret), browser_session.c.expires > now
        )
    ).one_or_none()
    account = None if row is None else accounts.find(session, keys, row.account)
    if row is None or account is None or account.disabled:
        return None
    return Visitor(account, row.created)


def close(session: Session, secret: str) -> None:
    """Sign out."""
    session.execute(delete(browser_session).where(browser_session.c.fingerprint == fingerprint(secret)))
