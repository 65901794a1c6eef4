"""What a person granted to which software, for how long, and taking it back.

The rule: a grant's id is in every token it gives, so revoking the grant ends them all at their next use.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from authlib.oauth2.rfc6749 import InvalidGrantError
from sqlalchemy import BindParameter, DateTime, Row, Uuid, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from auth import agreements, purposes, tables
from auth.agreements import Agreement, Duration
from auth.clients import SERVICE, Client, Kind
from auth.professionals import Professional
from auth.sessions import Proof, Visitor
from phr.core import database
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
"""Refresh tokens end with their grant: 13 months on a person's own device, 12 hours in a browser, 4 for a shift.

A person may choose otherwise (`auth.agreements`)."""
CONSENT_AGAIN = "The service has changed what it declares: the person must consent again."


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent. `account` is a citizen's account or a professional's keyed id; `actor` the account acting for the
    person of `record`; `practitioner` who signed in, in the directory; `jkt` the key refresh tokens are bound to;
    `session` the browser session it was given in; `outdated`: its service declares other purposes since."""

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
    agreement: Agreement = field(default_factory=Agreement)
    outdated: bool = False

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
    until: datetime | None = None,
) -> UUID:
    """Write down a consent given on the consent page; its id goes into every token it gives.

    `until`: it is refreshed no longer than this, as until the person's majority, when they consent again.
    """
    made, agreement = uuid4(), agreements.noted(session)
    ends = now + lifetime(client) if agreement.duration is None else agreements.ends(agreement.duration, now)
    detail = {
        **agreement.kept(),
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
        "expires": (ends if until is None else min(ends, until)) if offline else None,
    }
    session.execute(insert(tables.grant).values(row))
    session.info["grant"] = made
    return made


def just_made(session: Session, keys: SystemKeys) -> Grant | None:
    """The grant that this very transaction wrote down."""
    made = session.info.get("grant")
    return None if made is None else find(session, keys, made)


def find(session: Session, keys: SystemKeys, id: UUID) -> Grant | None:
    """A grant that still stands, its row locked until the transaction ends; None when revoked."""
    row = session.execute(
        _WITH_CLIENT.where(tables.grant.c.id == id, tables.grant.c.revoked.is_(None)).with_for_update(of=tables.grant)
    ).one_or_none()
    return None if row is None else _opened(keys, row)


def used(session: Session, keys: SystemKeys, grant: Grant, jkt: str | None, now: datetime) -> None:
    """Note that a token is given under it, and the key its refresh tokens are bound to from now on.

    Raises InvalidGrantError when the person must consent again.
    """
    if grant.outdated:
        raise InvalidGrantError(CONSENT_AGAIN)
    if grant.agreement.duration is Duration.WITHDRAWN:
        # What was used is remembered to notice a replay, and as long as of any other grant.
        used, mine = tables.refresh_token.c.used, tables.refresh_token.c.grant == grant.id
        session.execute(delete(tables.refresh_token).where(mine, used < now - NATIVE_LIFETIME))
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
    values = {"account": account, "now": now, "recent": now - LONGEST}
    return [_opened(keys, row) for row in session.execute(_OF_ACCOUNT, values).all()]


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


async def withdraw(
    session: database.Session,
    keys: SystemKeys,
    account: UUID,
    record: str | None,
    now: datetime,
    client: str | None = None,
) -> None:
    """`revoke_for`, in a transaction of the API's; `record` None: on any; `client`: of this software alone."""
    for row in await session.fetch(_ALIVE, {"account": account, "now": now, "recent": now - LONGEST}):
        chosen = client in (None, row["client"])
        if chosen and record in (None, _detail(keys, row["id"], row["sealed"])["record"]):
            await session.fetch(_REVOKE, {"id": row["id"], "now": now})
            await session.fetch(_REMEMBER, {"jti": row["id"], "until": now + LONGEST})


def revoke_token(session: Session, jti: UUID, until: datetime) -> None:
    """Revoke one access token, remembered until it would have expired anyway."""
    row = {"jti": jti, "until": until}
    session.execute(upsert(tables.revoked_token).values(row).on_conflict_do_nothing())


def is_revoked(session: Session, ids: Sequence[UUID]) -> bool:
    """Whether a token (`jti`) or its grant is revoked."""
    found = select(tables.revoked_token.c.jti).where(tables.revoked_token.c.jti.in_(ids)).limit(1)
    return session.execute(found).one_or_none() is not None


_WITH_CLIENT = select(
    tables.grant, tables.client.c.name.label("client_name"), tables.client.c.metadata[SERVICE].label("service")
).join(tables.client, tables.client.c.id == tables.grant.c.client)


def _bound(name: str) -> BindParameter[datetime]:
    return bindparam(name, type_=DateTime(timezone=True))


_STANDING = and_(
    tables.grant.c.account == bindparam("account", type_=Uuid()),
    tables.grant.c.revoked.is_(None),
    or_(
        tables.grant.c.expires > _bound("now"),
        tables.grant.c.created > _bound("recent"),
        tables.grant.c.last_used > _bound("recent"),
    ),
)
_OF_ACCOUNT = _WITH_CLIENT.where(_STANDING).order_by(tables.grant.c.created.desc())
_ALIVE = database.compile_query(
    select(tables.grant.c.id, tables.grant.c.client, tables.grant.c.sealed).where(_STANDING)
)
_REVOKE = database.compile_query(
    update(tables.grant)
    .where(tables.grant.c.id == bindparam("id", type_=Uuid()), tables.grant.c.revoked.is_(None))
    .values(revoked=_bound("now"))
)
_REMEMBER = database.compile_query(
    upsert(tables.revoked_token)
    .values(jti=bindparam("jti", type_=Uuid()), until=_bound("until"))
    .on_conflict_do_nothing()
)


def _opened(keys: SystemKeys, row: Row[Any]) -> Grant:
    said = _detail(keys, row.id, row.sealed)
    proof = Proof(tuple(said["amr"]), said["acr"], datetime.fromtimestamp(said["at"], UTC))
    professional, assistant = (
        None if said[name] is None else Professional.of_claim(said[name]) for name in ("professional", "assistant")
    )
    agreement = agreements.of(said)
    declared = purposes.digests(None if row.service is None else purposes.read(row.service))
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
        agreement,
        agreement.declared != declared,
    )


def _sealed(keys: SystemKeys, id: UUID, detail: dict[str, Any]) -> bytes:
    return seal(keys.get("accounts"), json.dumps(detail).encode(), b"grant|" + id.bytes)


def _detail(keys: SystemKeys, id: UUID, sealed: bytes) -> dict[str, Any]:
    """A grant of the release before has less in it: what is missing was not there."""
    empty = dict.fromkeys(("actor", "professional", "assistant", "practitioner", "jkt"))
    before = {"amr": ["pwd"], "acr": "pwd", "at": 0}
    said: dict[str, Any] = json.loads(unseal(keys.get("accounts"), sealed, b"grant|" + id.bytes))
    return empty | before | said
