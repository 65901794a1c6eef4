"""Invitations: the code that comes with the operator's letter and lets one person make the account of their record.

The rule: a code is worth nothing without the INS and the birth date it was made for, nobody is told which of the three
was wrong, and a code makes one account, however many try at once.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from auth import tables, throttle
from phr.core.identifiers import INS
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, seal, subkey, unseal

LIFETIME = timedelta(weeks=6)
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0, O, 1, I and L, which people take for one another."""
CHARACTERS = 12
"""59 bits."""
WRONG_TRIES = 10
"""Of an existing code with another INS or birth date: then it is lost, and the operator writes again."""


class InvitationRefusal(Enum):
    """Why an invitation opens nothing. `WRONG` is the one word for a code, an INS or a birth date that does not fit."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that was shown with the right INS and birth date. `hash` names it; it is not used up yet."""

    hash: UUID
    record: str
    given: str
    family: str


def invite(
    session: Session,
    keys: SystemKeys,
    *,
    record: str,
    ins: INS,
    birth_date: str,
    given: str,
    family: str,
    now: datetime,
) -> str:
    """A new code for the person of this record: 12 characters, to be shown once. `birth_date`: YYYY-MM-DD."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))
    mark = _hash(keys, code)
    content = {
        "record": record,
        "person": _person(keys, ins.value, birth_date),
        "given": given,
        "family": family,
        "wrong": 0,
    }
    row = {"hash": mark, "sealed": _sealed(keys, mark, content), "created": now, "expires": now + LIFETIME}
    session.execute(insert(tables.invitation).values(row))
    return code


def shown(code: str) -> str:
    """A code as a letter prints it: ABCD-EFGH-JKMN."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def redeem(
    session: Session, keys: SystemKeys, *, code: str, ins: str, birth_date: str, address: str, now: datetime
) -> Invitation | InvitationRefusal:
    """The invitation of a code, an INS and a birth date (YYYY-MM-DD) as typed. It stays to be `use`d.

    To commit whatever the answer: a refusal is counted.
    """
    number = _plain(ins)
    if not throttle.knock(session, keys, f"invitation {number}", address, now):
        return InvitationRefusal.THROTTLED
    mark = _hash(keys, code)
    row = session.execute(
        select(tables.invitation)
        .where(tables.invitation.c.hash == mark, tables.invitation.c.used.is_(None), tables.invitation.c.expires > now)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return InvitationRefusal.WRONG
    content = json.loads(unseal(keys.get("accounts"), row.sealed, _context(mark)))
    if not hmac.compare_digest(content["person"], _person(keys, number, birth_date)):
        _missed(session, keys, mark, content)
        return InvitationRefusal.WRONG
    throttle.forgive(session, keys, f"invitation {number}", address)
    return Invitation(mark, content["record"], content["given"], content["family"])


def use(session: Session, hash: UUID, now: datetime) -> bool:
    """Use an invitation up. Of parallel callers one gets True, once the others' transactions are over."""
    mine = tables.invitation.c.hash == hash, tables.invitation.c.used.is_(None), tables.invitation.c.expires > now
    used = update(tables.invitation).where(*mine).values(used=now).returning(tables.invitation.c.hash)
    return session.execute(used).one_or_none() is not None


def _missed(session: Session, keys: SystemKeys, hash: UUID, content: dict[str, Any]) -> None:
    mine = tables.invitation.c.hash == hash
    content["wrong"] += 1
    if content["wrong"] >= WRONG_TRIES:
        session.execute(delete(tables.invitation).where(mine))
    else:
        session.execute(update(tables.invitation).where(mine).values(sealed=_sealed(keys, hash, content)))


def _hash(keys: SystemKeys, code: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "invitation"), _plain(code))


def _person(keys: SystemKeys, ins: str, birth_date: str) -> str:
    return keyed_uuid(subkey(keys.get("lookup"), "invited person"), f"{_plain(ins)}|{birth_date}").hex


def _plain(typed: str) -> str:
    """Letters and digits alone, in capitals: how people space what they copy does not matter."""
    return "".join(letter for letter in typed[:100].upper() if letter.isascii() and letter.isalnum())


def _sealed(keys: SystemKeys, hash: UUID, content: dict[str, Any]) -> bytes:
    return seal(keys.get("accounts"), json.dumps(content).encode(), _context(hash))


def _context(hash: UUID) -> bytes:
    return b"invitation|" + hash.bytes
