"""Citizens' accounts. The rule: the database holds no name, sign-in name or e-mail, only keyed hashes and seals."""

import json
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, not_, or_, select, update
from sqlalchemy.orm import Session

from auth import tables
from auth.passwords import LONGEST, SHORTEST, Weakness, judge
from phr.core import database
from phr.core.errors import invalid
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, seal, subkey, unseal

_SAID = {
    Weakness.SHORT: f"A password has at least {SHORTEST} characters.",
    Weakness.LONG: f"A password has at most {LONGEST} characters.",
    Weakness.COMMON: "This password is among those tried first.",
    Weakness.PERSONAL: "This password rests on the person's name, address or birth date.",
}
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_DUMMY = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}"
"""A hash that no password has, as long to verify as a real one."""
_ROOM = threading.BoundedSemaphore(4)
"""RFC 9106 §4: 64 MiB each; this many at once, so that a crowd at the door waits instead of exhausting memory."""


@dataclass(frozen=True, slots=True)
class Account:
    """One citizen. `record` is the id of their own record, if one is open; `born` what they proved, if it is known."""

    id: UUID
    login: str
    name: str
    email: str
    record: str | None
    disabled: bool
    born: date | None = None

    @property
    def known(self) -> tuple[str, str]:
        """What a password of theirs should not rest on (`auth.passwords.judge`)."""
        return self.login, self.email


def enroll(
    session: Session,
    keys: SystemKeys,
    login: str,
    password: str,
    display_name: str,
    email: str,
    record: str | None,
    now: datetime,
    about: Sequence[str] = (),
    born: str | None = None,
) -> UUID:
    """Open an account and return its id. Raises DomainError (password), IntegrityError (login, e-mail or record taken).

    `about`: what else the password should not rest on, as the birth date (`auth.passwords.judge`).
    """
    weakness = judge(password, (login, email, *about))
    if weakness is not None:
        raise invalid(_SAID[weakness])
    return create(session, keys, login, hashed(password), display_name, email, record, now, born)


def create(
    session: Session,
    keys: SystemKeys,
    login: str,
    password_hash: str,
    display_name: str,
    email: str,
    record: str | None,
    now: datetime,
    born: str | None = None,
) -> UUID:
    """Open an account whose password was judged and hashed before. `born`: YYYY-MM-DD, as proven. Raises
    IntegrityError: login, e-mail or record taken."""
    account = uuid4()
    profile = {"login": login, "name": display_name, "email": email, "record": record, "born": born}
    session.execute(
        insert(tables.account).values(
            id=account,
            sealed=seal(keys.get("accounts"), json.dumps(profile).encode(), _context(account)),
            password_hash=password_hash,
            disabled=False,
            created=now,
        )
    )
    names = {_name_hash(keys, login), _name_hash(keys, email)} | (set() if record is None else {_of(keys, record)})
    for name_hash in names:
        session.execute(insert(tables.account_lookup).values(name_hash=name_hash, account=account))
    return account


def of_record(session: Session, keys: SystemKeys, record: str) -> UUID | None:
    """The account of the person whose record this is. A record never has two."""
    lookup = tables.account_lookup
    found = select(lookup.c.account).where(lookup.c.name_hash == _of(keys, record))
    account: UUID | None = session.execute(found).scalar_one_or_none()
    return account


_OWN = select(tables.account_lookup.c.account).where(
    tables.account_lookup.c.name_hash == bindparam("own", type_=Uuid())
)
_REACHED = database.compile_query(
    select(tables.account).where(
        not_(tables.account.c.disabled),
        or_(
            tables.account.c.id.in_(_OWN),
            tables.account.c.id == any_(bindparam("others", type_=ARRAY(Uuid))),
        ),
    )
)


async def reached(session: database.Session, keys: SystemKeys, record: str, others: Iterable[UUID]) -> list[Account]:
    """Whom a mail about a record reaches, in a transaction of the API's: its person's account, if any, and `others`.

    Those that are disabled are left out.
    """
    rows = await session.fetch(_REACHED, {"own": _of(keys, record), "others": list(others)})
    return [_opened(keys, row["id"], row["sealed"], row["disabled"]) for row in rows]


def _of(keys: SystemKeys, record: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "account record"), record)


def find(session: Session, keys: SystemKeys, id: UUID) -> Account | None:
    """The account, also when disabled."""
    row = session.execute(select(tables.account).where(tables.account.c.id == id)).one_or_none()
    return None if row is None else _opened(keys, row.id, row.sealed, row.disabled)


def lookup(session: Session, keys: SystemKeys, name: str) -> tuple[Account | None, str]:
    """The account with this sign-in name or e-mail, and the hash to verify: never none, so that time tells nothing."""
    row = session.execute(
        select(tables.account)
        .join(tables.account_lookup, tables.account_lookup.c.account == tables.account.c.id)
        .where(tables.account_lookup.c.name_hash == _name_hash(keys, name))
    ).one_or_none()
    if row is None:
        return None, _DUMMY
    return _opened(keys, row.id, row.sealed, row.disabled), row.password_hash


def verify(password_hash: str, password: str) -> bool:
    """argon2id (RFC 9106). Holds no database connection: it takes tens of milliseconds and 64 MiB."""
    with _ROOM:
        try:
            return _HASHER.verify(password_hash, _normal(password[: LONGEST + 1]))
        except (VerificationError, InvalidHashError):
            return False


def hashed(password: str) -> str:
    """A new argon2id hash. Like `verify`, to call without a database connection in hand."""
    with _ROOM:
        return _HASHER.hash(_normal(password))


def stale(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's, and is to be made again at the next sign-in."""
    return _HASHER.check_needs_rehash(password_hash)


def password_of(session: Session, id: UUID) -> str:
    """The hash of an account's password; one that no password has when there is no such account."""
    found = session.execute(select(tables.account.c.password_hash).where(tables.account.c.id == id))
    return found.scalar_one_or_none() or _DUMMY


def change_password(session: Session, id: UUID, password_hash: str, instead_of: str | None = None) -> bool:
    """Keep another hash; False when it is no longer `instead_of`: somebody changed it in between."""
    mine = update(tables.account).where(tables.account.c.id == id).values(password_hash=password_hash)
    if instead_of is not None:
        mine = mine.where(tables.account.c.password_hash == instead_of)
    return session.execute(mine.returning(tables.account.c.id)).one_or_none() is not None


def disable(session: Session, id: UUID) -> None:
    """Refuse every later sign-in, browser session and code of this account."""
    session.execute(update(tables.account).where(tables.account.c.id == id).values(disabled=True))


def _opened(keys: SystemKeys, id: UUID, sealed: bytes, disabled: bool) -> Account:
    profile = json.loads(unseal(keys.get("accounts"), sealed, _context(id)))
    born = profile.get("born")  # an account of the release before does not say
    told = profile["login"], profile["name"], profile["email"], profile["record"]
    return Account(id, *told, disabled, date.fromisoformat(born) if born else None)


def _context(id: UUID) -> bytes:
    return b"account|" + id.bytes


def _name_hash(keys: SystemKeys, name: str) -> UUID:
    return keyed_uuid(subkey(keys.get("lookup"), "account name"), _normal(name.strip().casefold()))


def _normal(text: str) -> str:
    """NIST SP 800-63B §5.1.1.2: one spelling for what looks the same. Lone surrogates cannot be encoded: replaced."""
    return unicodedata.normalize("NFKC", text).encode(errors="replace").decode()
