"""Recovery codes: ten, written down once, each of which replaces a lost second factor once.

The rule: a code has 60 random bits, so a keyed hash of it is enough; it is used by deleting its row, so once.
"""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from auth import factors
from auth.factors import Kind
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

CODES = 10
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o or u, which are read as something else."""
_READ_AS = str.maketrans("ilo", "110")


def renew(session: Session, keys: SystemKeys, account: UUID, now: datetime) -> list[str]:
    """Ten new codes, to show now and never again; those before are void."""
    factors.remove_all(session, account, Kind.RECOVERY)
    made = [_made() for _ in range(CODES)]
    for code in made:
        factors.add(session, keys, account, _id(keys, account, code), Kind.RECOVERY, {}, 0, now)
    return made


def use(session: Session, keys: SystemKeys, account: UUID, code: str) -> bool:
    """Spend a code: True for one of any number of parallel callers."""
    return factors.remove(session, account, _id(keys, account, code), Kind.RECOVERY)


def left(session: Session, keys: SystemKeys, account: UUID) -> int:
    """How many codes are not spent."""
    return sum(one.kind is Kind.RECOVERY for one in factors.of_account(session, keys, account))


def _made() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(12))
    return "-".join((letters[:4], letters[4:8], letters[8:]))


def _id(keys: SystemKeys, account: UUID, code: str) -> UUID:
    typed = code.encode(errors="replace").decode().casefold()
    spelled = "".join(letter for letter in typed.translate(_READ_AS) if letter in _LETTERS)
    return keyed_uuid(subkey(keys.get("lookup"), "recovery code"), f"{account}|{spelled}")
