"""What a citizen granted to which software, and taking it back."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from auth import tables
from phr.core.keys import SystemKeys
from phr.core.vault import seal

TOKEN_LIFETIME = timedelta(minutes=15)
SYSTEM_TOKEN_LIFETIME = timedelta(minutes=5)


def record(
    session: Session,
    keys: SystemKeys,
    account: UUID,
    client: str,
    scopes: Sequence[str],
    patient: str | None,
    now: datetime,
) -> UUID:
    """Write down a consent given on the consent page; its id goes into every token it gives."""
    made = uuid4()
    detail = json.dumps({"scopes": list(scopes), "record": patient}).encode()
    sealed = seal(keys.get("accounts"), detail, b"grant|" + made.bytes)
    row = {"id": made, "account": account, "client": client, "sealed": sealed, "created": now, "revoked": None}
    session.execute(insert(tables.grant).values(row))
    return made


def revoke(session: Session, id: UUID, now: datetime) -> None:
    """Take a grant back, and the tokens it gave: a token whose grant is in `revoked_token` is revoked."""
    session.execute(update(tables.grant).where(tables.grant.c.id == id).values(revoked=now))
    revoke_token(session, id, now + TOKEN_LIFETIME)


def revoke_token(session: Session, jti: UUID, until: datetime) -> None:
    """Revoke one access token, remembered until it would have expired anyway."""
    row = {"jti": jti, "until": until}
    session.execute(upsert(tables.revoked_token).values(row).on_conflict_do_nothing())
