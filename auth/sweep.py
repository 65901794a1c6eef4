"""Forgetting what has expired: codes, sessions, tries, seen assertions, revocations of tokens long dead."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from auth import grants, tables, throttle


def sweep(session: Session, now: datetime) -> None:
    """Delete what no check will look at again. Safe at any time, in any process."""
    slack = timedelta(minutes=1)
    for table in (tables.revoked_token, tables.seen_assertion):
        session.execute(delete(table).where(table.c.until < now - slack))
    for table in (tables.browser_session, tables.ticket, tables.refresh_token, tables.invitation):
        session.execute(delete(table).where(table.c.expires < now))
    for table in (tables.provider_session, tables.exchanged_token):
        session.execute(delete(table).where(table.c.until < now - slack))
    # A used code is kept as long as the token it gave may live, so that a replay still revokes it.
    code = tables.authorization_code
    session.execute(delete(code).where(code.c.expires < now - grants.TOKEN_LIFETIME - slack))
    session.execute(delete(tables.attempt).where(tables.attempt.c.opened < now - throttle.WINDOW))
