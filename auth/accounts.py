"""Citizens' accounts. The rule: the database holds no name, sign-in name or e-mail, only keyed hashes and seals."""

import json
import threading
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from auth import tables
from phr.core.errors import invalid
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, seal, subkey, unseal

PASSWORD_CHARACTERS = range(8, 1025)
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_DUMMY = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}"
"""A hash that no password has, as long to verify as a real one."""
_ROOM = threading.BoundedSemaphore(4)
"""RFC 9106 §4: 64 MiB each; this many at once, so that a crowd at the door waits instead of exhausting memory."""


@dataclass(frozen=True, slots=True)
class Account:
    """One citizen. `record` is the id of their own record, if one is open."""

    id: UUID
    login: str
    name: str
    email: str
    record: str | None
    disabled: bool


def enroll(
    session: Session,
    keys: SystemKeys,
    login: str,
    password: str,
    display_name: str,
    email: str,
    record: str | None,
    now: datetime,
) -> UUID:
    """Open an account and return its id. Raises DomainError (password), IntegrityError (login or e-mail taken)."""
    if len(password) not in PASSWORD_CHARACTERS:
        raise invalid("A password has 8 to 1024 characters.")
    account = uuid4()
    profile = {"login": login, "name": display_name, "email": email, "record": record}
    session.execute(
        insert(tables.account).values(
            id=account,
            sealed=seal(keys.get("accounts"), json.dumps(profile).encode(), _context(account)),
            password_hash=_hash(password),
            disabled=False,
            created=now,
        )
    )
    for name_hash in {_name_hash(keys, login), _name_hash(keys, email)}:
        session.execute(insert(tables.account_lookup).values(name_hash=name_hash, account=account))
    return account


def find(session: Session, keys: SystemKeys, id: UUID) -> Account | None:
    """The account, also when disabled."""
    row = session.execute(select(tables.account).where(tables.account.c.id == id)).one_or_none()
    return None if row is None else _opened(keys, row)


def lookup(session: Session, keys: SystemKeys, name: str) -> tuple[Account | None, str]:
    """The account with this sign-in name or e-mail, and the hash to verify: never none, so that time tells nothing."""
    row = session.execute(
        select(tables.account)
        .join(tables.account_lookup, tables.account_lookup.c.account == tables.account.c.id)
        .where(tables.account_lookup.c.name_hash == _name_hash(keys, name))
    ).one_or_none()
    if row is None:
        return None, _DUMMY
    return _opened(keys, row), row.password_hash


def verify(password_hash: str, password: str) -> bool:
    """argon2id (RFC 9106). Holds no database connection: it takes tens of milliseconds and 64 MiB."""
    with _ROOM:
        try:
            return _HASHER.verify(password_hash, _normal(password[: PASSWORD_CHARACTERS.stop]))
        except (VerificationError, InvalidHashError):
            return False


def disable(session: Session, id: UUID) -> None:
    """Refuse every later sign-in, browser session and code of this account."""
    session.execute(update(tables.account).where(tables.account.c.id == id).values(disabled=True))


def _opened(keys: SystemKeys, row: Row[tuple[object, ...]]) -> Account:
    profile = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.id)))
    return Account(row.id, profile["login"], profile["name"], profile["email"], profile["record"], row.disabled)


def _hash(password: str) -> str:
    with _ROOM:
        return _HASHER.hash(_normal(password))


def _context(id: UUID) -> bytes:
    return b"account|" + id.bytes


def _name_hash(keys: SystemKeys, name: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "account name"), _normal(name.strip().casefold()))


def _normal(text: str) -> str:
    """NIST SP 800-63B §5.1.1.2: one spelling for what looks the same. Lone surrogates cannot be encoded: replaced."""
    return unicodedata.normalize("NFKC", text).encode(errors="replace").decode()
