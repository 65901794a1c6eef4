"""The second factor: who waits for it, the ways to show it, and what was proven once it is.

The rule: tries are counted for the account before anything is compared, and survive restarts; a wait is over once, for
one of any number of parallel answers; whoever has no other factor has a code sent to their verified e-mail.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from auth import accounts, factors, mail, mailed_codes, passkeys, recovery, throttle, tickets, totp
from auth.accounts import Account
from auth.mailed_codes import CodeRefusal
from auth.passkeys import Challenge, PasskeyRefusal
from auth.sessions import Proof
from phr.core.keys import SystemKeys

LIFETIME = timedelta(minutes=15)


class Purpose(StrEnum):
    """What a second factor is shown for. A wait for one purpose is nothing under another."""

    SIGN_IN = "second factor to sign in"
    AGAIN = "second factor again"
    RESET = "second factor to reset"


class Way(StrEnum):
    """The ways to show a second factor, the one we would rather see first."""

    PASSKEY = "passkey"
    TOTP = "totp"
    MAIL = "mail"
    RECOVERY = "recovery"


class Refusal(Enum):
    """Why a second factor is not accepted. The values are the names of page texts.

    GONE: the wait is over or was never; SPENT: only another code helps.
    """

    GONE = "second_gone"
    WRONG = "second_wrong"
    SPENT = "code_spent"
    THROTTLED = "second_throttled"


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody who has yet to show a second factor: the ways open to them, and the ticket of a code mailed."""

    account: Account
    ways: tuple[Way, ...]
    code: str | None = field(repr=False)
    values: dict[str, Any]

    @property
    def sent(self) -> bool:
        """Whether a code was mailed."""
        return self.code is not None


@dataclass(frozen=True, slots=True)
class Shown:
    """A second factor that was right."""

    account: Account
    way: Way
    values: dict[str, Any]


def proof(way: Way, now: datetime, password: bool = True) -> Proof:
    """How it is told to applications: methods of RFC 8176 §2, and a class.

    `acr` is `phr` (phishing-resistant, OpenID Connect EAP ACR Values §2) when a passkey was shown: it only answers to
    our own origin, and verified the person. It is `mfa`, a value of our own, for the password with a code. We ask no
    attestation, so we never say that a key is in hardware (`hwk`) nor that it is not.
    """
    known = ("pwd",) if password else ()
    if way is Way.PASSKEY:
        return Proof((*known, "pop", "user", "mfa"), "phr", now)
    return Proof((*known, "otp", "mfa"), "mfa", now)


def ask(
    session: Session,
    keys: SystemKeys,
    purpose: Purpose,
    account: UUID,
    values: dict[str, Any],
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> str:
    """Begin a wait: its secret. `values` (JSON) come back with it."""
    kept = {"account": str(account), "values": values, "code": None}
    return tickets.issue(session, keys, purpose, kept, lifetime, now)


def waiting(session: Session, keys: SystemKeys, purpose: Purpose, secret: str, now: datetime) -> Wait | None:
    """The wait, unless it is over or the account is disabled."""
    kept = tickets.read(session, keys, purpose, secret, now)
    account = None if kept is None else accounts.find(session, keys, UUID(kept["account"]))
    if kept is None or account is None or account.disabled:
        return None
    return Wait(account, ways(session, account.id, purpose), kept["code"], kept["values"])


def ways(session: Session, account: UUID, purpose: Purpose) -> tuple[Way, ...]:
    """The ways open to an account.

    For a reset, whose link came by mail, a code by mail counts only when there is no other factor at all: the mailbox
    is then the one thing the person can show twice.
    """
    kinds = factors.kinds(session, account)
    found = {Way(kind.value) for kind in kinds}
    if purpose is not Purpose.RESET or not found:
        found.add(Way.MAIL)
    return tuple(way for way in Way if way in found)


def send_code(
    session: Session, keys: SystemKeys, purpose: Purpose, secret: str, language: str, now: datetime
) -> Refusal | None:
    """Mail a code to whoever waits; the one before is void. None when it is on its way."""
    wait = waiting(session, keys, purpose, secret, now)
    if wait is None or Way.MAIL not in wait.ways:
        return Refusal.GONE
    if throttle.count(session, keys, "code mail", str(wait.account.id), now) > throttle.MAIL_TRIES:
        return Refusal.THROTTLED
    code = mailed_codes.send(session, keys, purpose, wait.account.email, {}, language, now)
    kept = {"account": str(wait.account.id), "values": wait.values, "code": code}
    return None if tickets.replace(session, keys, purpose, secret, kept, now) else Refusal.GONE


def challenge(
    session: Session, keys: SystemKeys, issuer: str, purpose: Purpose, secret: str, now: datetime
) -> Challenge | None:
    """What to ask the authenticator of whoever waits."""
    wait = waiting(session, keys, purpose, secret, now)
    return None if wait is None else passkeys.authentication(session, keys, issuer, wait.account.id, now)


def check(
    session: Session,
    keys: SystemKeys,
    issuer: str,
    purpose: Purpose,
    secret: str,
    way: str,
    answer: str,
    language: str,
    now: datetime,
) -> Shown | Refusal:
    """End the wait if the answer is right. Commit whatever is answered: the try must stay counted."""
    wait = waiting(session, keys, purpose, secret, now)
    if wait is None:
        return Refusal.GONE
    account = wait.account
    tries = throttle.count(session, keys, "second factor", str(account.id), now)
    if tries > throttle.SECOND_TRIES:
        if tries == throttle.SECOND_TRIES + 1 and purpose is Purpose.SIGN_IN:
            mail.send(session, keys, account.email, "second_factor_tried", language, now)
        return Refusal.THROTTLED
    if way not in wait.ways:
        return Refusal.WRONG
    refusal = _refused(session, keys, issuer, purpose, account, Way(way), answer, wait.code, now)
    if refusal is not None:
        return refusal
    if tickets.take(session, keys, purpose, secret, now) is None:
        return Refusal.GONE
    for kind in ("second factor", "code mail"):
        throttle.forget(session, keys, kind, str(account.id))
    if way == Way.RECOVERY:
        left = str(recovery.left(session, keys, account.id))
        mail.send(session, keys, account.email, "recovery_used", language, now, left=left)
    return Shown(account, Way(way), wait.values)


def _refused(
    session: Session,
    keys: SystemKeys,
    issuer: str,
    purpose: Purpose,
    account: Account,
    way: Way,
    answer: str,
    code: str | None,
    now: datetime,
) -> Refusal | None:
    if way is Way.MAIL:
        checked = mailed_codes.check(session, keys, purpose, code or "", answer, now)
        if isinstance(checked, CodeRefusal):
            return Refusal.WRONG if checked is CodeRefusal.WRONG else Refusal.SPENT
        return None
    if way is Way.TOTP:
        right = totp.verify(session, keys, account.id, answer, now)
    elif way is Way.RECOVERY:
        right = recovery.use(session, keys, account.id, answer)
    else:
        right = not isinstance(passkeys.authenticate(session, keys, issuer, account.id, answer, now), PasskeyRefusal)
    return None if right else Refusal.WRONG
