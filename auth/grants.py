"""What a person granted to which software, for how long, and taking it back.

The rule: a grant's id is in every token it gives, so revoking the grant ends them all at their next use.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from auth import tables
from auth.clients import Client, Kind
from auth.professionals import Professional
from auth.sessions import Proof, Visitor
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal

TOKEN_LIFETIME = timedelta(minutes=15)
SYSTEM_TOKEN_LIFETIME = timedelta(minutes=5)
EXCHANGED_TOKEN_LIFETIME = timedelta(hours=1)
LONGEST = EXCHANGED_TOKEN_LIFETIME + timedelta(minutes=1)
"""How long a revocation is remembered: longer than any access token lives."""

NATIVE_LIFETIME = timedelta(days=395)
WEB_LIFETIME = timedelta(hours=12)
PROFESSIONAL_LIFETIME = timedelta(hours=4)
"""Refresh tokens end with their grant: 13 months on a person's own device, 12 hours in a browser, 4 for a shift."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent. `account` is a citizen's account or a professional's keyed id; `actor` the account acting for the
    person of `record`; `practitioner` who signed in, in the directory; `jkt` the key refresh tokens are bound to;
    `session` the browser session it was given in."""

    id: UUID
    account: UUID
    client: str
    client_name: str
    scopes: tuple[str, ...]
    record: str | None
    actor: str | None
    professional: Professional | None
    assistant: Professional | None
    practitioner: str | None
    proof: Proof
    jkt: str | None
    session: UUID | None
    created: datetime
    last_used: datetime | None
    expires: datetime | None

    def get_user_id(self) -> str:
        """For Authlib."""
        return str(self.account)


def lifetime(client: Client) -> timedelta:
    """How long a person stays connected through this software without signing in again."""
    if client.kind is not Kind.CITIZEN_APP:
        return PROFESSIONAL_LIFETIME
    return NATIVE_LIFETIME if client.native else WEB_LIFETIME


def record(
    session: Session,
    keys: SystemKeys,
    client: Client,
    visitor: Visitor,
    scopes: Sequence[str],
    patient: str | None,
    actor: str | None,
    offline: bool,
    now: datetime,
    practitioner: str | None = None,
) -> UUID:
    """Write down a consent given on the consent page; its id goes into every token it gives."""
    made = uuid4()
    detail = {
        "scopes": list(scopes),
        "record": patient,
        "actor": actor,
        "practitioner": practitioner,
        "professional": None if visitor.professional is None else visitor.professional.claim(),
        "assistant": None if visitor.assistant is None else visitor.assistant.claim(),
        "amr": list(visitor.proof.amr),
        "acr": visitor.proof.acr,
        "at": visitor.proof.at.timestamp(),
        "jkt": None,
    }
    row = {
        "id": made,
        "account": visitor.subject,
        "client": client.id,
        "sealed": _sealed(keys, made, detail),
        "created": now,
        "revoked": None,
        "session": visitor.id,
        "last_used": None,
        "expires": now + lifetime(client) if offline else None,
    }
    session.execute(insert(tables.grant).values(row))
    return made


def find(session: Session, keys: SystemKeys, id: UUID) -> Grant | None:
    """A grant that still stands, its row locked until the transaction ends; None when revoked."""
    row = session.execute(
        _WITH_CLIENT.where(tables.grant.c.id == id, tables.grant.c.revoked.is_(None)).with_for_update(of=tables.grant)
    ).one_or_none()
    return None if row is None else _opened(keys, row)


def used(session: Session, keys: SystemKeys, grant: Grant, jkt: str | None, now: datetime) -> None:
    """Note that a token was just given under it, and the key its refresh tokens are bound to from now on."""
    values: dict[str, Any] = {"last_used": now}
    if jkt != grant.jkt:
        detail = _detail(
            keys,
            grant.id,
            session.execute(select(tables.grant.c.sealed).where(tables.grant.c.id == grant.id)).scalar_one(),
        )
        values["sealed"] = _sealed(keys, grant.id, detail | {"jkt": jkt})
    session.execute(update(tables.grant).where(tables.grant.c.id == grant.id).values(values))


def of_account(session: Session, keys: SystemKeys, account: UUID, now: datetime) -> list[Grant]:
    """The grants of an account under which a token may still work, latest first."""
    grant = tables.grant
    recent = now - LONGEST
    alive = or_(grant.c.expires > now, grant.c.created > recent, grant.c.last_used > recent)
    rows = session.execute(
        _WITH_CLIENT.where(grant.c.account == account, grant.c.revoked.is_(None), alive).order_by(
            grant.c.created.desc()
        )
    ).all()
    return [_opened(keys, row) for row in rows]


def revoke(session: Session, id: UUID, now: datetime) -> None:
    """Take a grant back, and the tokens it gave: a token whose grant is in `revoked_token` is revoked."""
    session.execute(
        update(tables.grant).where(tables.grant.c.id == id, tables.grant.c.revoked.is_(None)).values(revoked=now)
    )
    revoke_token(session, id, now + LONGEST)


def revoke_all(session: Session, account: UUID, now: datetime) -> None:
    """Take back every grant of an account."""
    standing = tables.grant.c.account == account, tables.grant.c.revoked.is_(None)
    for id in session.execute(select(tables.grant.c.id).where(*standing)).scalars().all():  # noqa: A001
        revoke(session, id, now)


def revoke_for(session: Session, keys: SystemKeys, account: UUID, record: str, now: datetime) -> None:
    """Take back every grant of an account on one record."""
    for grant in of_account(session, keys, account, now):
        if grant.record == record:
            revoke(session, grant.id, now)


def revoke_token(session: Session, jti: UUID, until: datetime) -> None:
    """Revoke one access token, remembered until it would have expired anyway."""
    row = {"jti": jti, "until": until}
    session.execute(upsert(tables.revoked_token).values(row).on_conflict_do_nothing())


def is_revoked(session: Session, ids: Sequence[UUID]) -> bool:
    """Whether a token (`jti`) or its grant is revoked."""
    found = select(tables.revoked_token.c.jti).where(tables.revoked_token.c.jti.in_(ids)).limit(1)
    return session.execute(found).one_or_none() is not None


_WITH_CLIENT = select(tables.grant, tables.client.c.name.label("client_name")).join(
    tables.client, tables.client.c.id == tables.grant.c.client
)


def _opened(keys: SystemKeys, row: Row[Any]) -> Grant:
    said = _detail(keys, row.id, row.sealed)
    proof = Proof(tuple(said["amr"]), said["acr"], datetime.fromtimestamp(said["at"], UTC))
    professional, assistant = (
        None if said[name] is None else Professional.of_claim(said[name]) for name in ("professional", "assistant")
    )
    return Grant(
        row.id,
        row.account,
        row.client,
        row.client_name,
        tuple(said["scopes"]),
        said["record"],
        said["actor"],
        professional,
        assistant,
        said["practitioner"],
        proof,
        said["jkt"],
        row.session,
        row.created,
        row.last_used,
        row.expires,
    )


def _sealed(keys: SystemKeys, id: UUID, detail: dict[str, Any]) -> bytes:
    return seal(keys.get("accounts"), json.dumps(detail).encode(), b"grant|" + id.bytes)


def _detail(keys: SystemKeys, id: UUID, sealed: bytes) -> dict[str, Any]:
    """A grant of the release before has less in it: what is missing was not there."""
    empty = dict.fromkeys(("actor", "professional", "assistant", "practitioner", "jkt"))
    before = {"amr": ["pwd"], "acr": "pwd", "at": 0}
    said: dict[str, Any] = json.loads(unseal(keys.get("accounts"), sealed, b"grant|" + id.bytes))
    return empty | before | said
