"""What ends here when something ends elsewhere: sessions, grants and tokens, found by who let them begin.

The rule: a logout at the provider, or the end of an assistant's naming, takes effect on the next request.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import grants, sessions, tables
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey


class Bound(StrEnum):
    """What a mark leads to. `SUBJECT`: the keyed id whose browser sessions the others are."""

    BROWSER = "browser"
    SUBJECT = "subject"
    GRANT = "grant"
    TOKEN = "token"  # noqa: S105


def marks(keys: SystemKeys, issuer: str, claims: Mapping[str, Any]) -> list[UUID]:
    """The marks of a provider's session: by `sid`, by `sub`, and by `sub` alone when it told no `sid`."""
    sub, sid = str(claims["sub"]), _sid(claims)
    found = [_mark(keys, issuer, "sub", sub)]
    found.append(_mark(keys, issuer, "sub without sid", sub) if sid is None else _mark(keys, issuer, "sid", sid))
    return found


def ended(keys: SystemKeys, issuer: str, claims: Mapping[str, Any]) -> list[UUID]:
    """The marks that a logout names: one session when it says which, else all of this `sub`.

    OpenID Connect Back-Channel Logout 1.0 §2.7.
    """
    sub, sid = claims.get("sub"), _sid(claims)
    if sid is None:
        return [_mark(keys, issuer, "sub", str(sub))]
    return [_mark(keys, issuer, "sid", sid), *([_mark(keys, issuer, "sub without sid", str(sub))] if sub else [])]


def assistance(keys: SystemKeys, professional: str, assistant: str) -> UUID:
    """The mark of what an assistant does for a professional, by their national ids."""
    return keyed_uuid(subkey(keys.get("lookup"), "assistance"), f"{professional}\n{assistant}")


def bind(session: Session, found: Sequence[UUID], kind: Bound, target: UUID, until: datetime) -> None:
    """Have these marks lead to a session, grant or token that ends by itself at `until`."""
    rows = [{"hash": mark, "target": target, "kind": kind.value, "until": until} for mark in found]
    session.execute(insert(tables.provider_session).values(rows).on_conflict_do_nothing())


def bind_session(session: Session, found: Sequence[UUID], made: UUID, subject: UUID, until: datetime) -> None:
    """Have these marks lead to a browser session of `subject` (`Visitor.subject`), and to the grants it will give."""
    bind(session, found, Bound.BROWSER, made, until)
    bind(session, found, Bound.SUBJECT, subject, until)


def end(session: Session, found: Sequence[UUID], now: datetime) -> int:
    """End all that these marks lead to: how many sessions, grants and tokens."""
    known = tables.provider_session
    rows = session.execute(delete(known).where(known.c.hash.in_(found)).returning(known)).all()
    by_kind = {kind: {row.target for row in rows if row.kind == kind} for kind in Bound}
    browsers = list(by_kind[Bound.BROWSER])
    given = set(by_kind[Bound.GRANT])
    for subject in by_kind[Bound.SUBJECT] if browsers else ():
        sessions.end(session, subject, browsers)
        mine = tables.grant.c.account == subject, tables.grant.c.session.in_(browsers)
        given.update(session.execute(select(tables.grant.c.id).where(*mine)).scalars())
    for grant in given:
        grants.revoke(session, grant, now)
    for row in rows:
        if row.kind == Bound.TOKEN:
            grants.revoke_token(session, row.target, row.until)
            session.execute(delete(tables.exchanged_token).where(tables.exchanged_token.c.jti == row.target))
    return len(browsers) + len(given) + len(by_kind[Bound.TOKEN])


def _sid(claims: Mapping[str, Any]) -> str | None:
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and sid else None


def _mark(keys: SystemKeys, issuer: str, kind: str, value: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "provider session"), f"{issuer}\n{kind}\n{value}")
