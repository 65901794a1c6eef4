"""Six digits sent by e-mail, to prove that a mailbox is somebody's, or as a second factor.

The rule: a code lives ten minutes in a ticket of its own purpose, is kept as a keyed hash, is tried five times at most
(each try counted before it is compared), and serves once whatever happens in parallel.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from auth import mail, tickets
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

LIFETIME = timedelta(minutes=10)
TRIES = 5


class CodeRefusal(Enum):
    """Why a code is no good. SPENT: used, tried too often, expired or unknown; only a new code helps."""

    WRONG = "code_wrong"
    SPENT = "code_spent"


def send(
    session: Session,
    keys: SystemKeys,
    purpose: str,
    email: str,
    values: dict[str, Any],
    language: str,
    now: datetime,
    template: str = "code",
) -> str:
    """Mail a new code and keep JSON `values` for whoever brings it back: the secret of its ticket.

    `template` is a mail whose only value is `code`. How often one may ask is the caller's to count (`auth.throttle`).
    """
    code, salt = f"{secrets.randbelow(10**6):06d}", secrets.token_urlsafe(16)
    kept = {"values": values, "salt": salt, "code": _hash(keys, purpose, salt, code)}
    mail.send(session, keys, email, template, language, now, code=code)
    return tickets.issue(session, keys, _ticket(purpose), kept, LIFETIME, now)


def check(
    session: Session, keys: SystemKeys, purpose: str, secret: str, code: str, now: datetime
) -> dict[str, Any] | CodeRefusal:
    """The values, once, for the right code. Commit whatever is answered: the try must stay counted."""
    tries = tickets.tried(session, _ticket(purpose), secret, now)
    if tries is None or tries > TRIES:
        return CodeRefusal.SPENT
    kept = tickets.read(session, keys, _ticket(purpose), secret, now)
    if kept is None:
        return CodeRefusal.SPENT
    if not hmac.compare_digest(kept["code"], _hash(keys, purpose, kept["salt"], plain(code))):
        return CodeRefusal.WRONG if tries < TRIES else CodeRefusal.SPENT
    taken = tickets.take(session, keys, _ticket(purpose), secret, now)
    if taken is None:
        return CodeRefusal.SPENT
    found: dict[str, Any] = taken["values"]
    return found


def plain(code: str) -> str:
    """A code as typed, without the spaces and dashes people put in it."""
    return "".join(code.split()).replace("-", "")[:32]


def _ticket(purpose: str) -> str:
    return f"code {purpose}"


def _hash(keys: SystemKeys, purpose: str, salt: str, code: str) -> str:
    written = code.encode(errors="replace").decode()
    return keyed_uuid(subkey(keys.get("lookup"), "mailed code"), f"{purpose}|{salt}|{written}").hex
