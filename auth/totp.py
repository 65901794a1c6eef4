"""Codes of an authenticator application (RFC 6238): six digits, thirty seconds, SHA-1, as every application knows them.

The rule: a time step is accepted once (RFC 6238 §5.2), one step late or early at most, and an application is kept only
once it has shown a right code.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy.orm import Session

from auth import factors, tickets
from auth.factors import Kind
from auth.mailed_codes import plain
from phr.core.keys import SystemKeys

WINDOW = 1
ENROLMENT = timedelta(minutes=15)
ENROLMENT_TRIES = 10
_PURPOSE = "totp enrolment"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An application about to be added: the ticket of it, the secret in base32, and the `otpauth:` URI of both."""

    ticket: str
    secret: str
    uri: str


def begin(session: Session, keys: SystemKeys, account: UUID, login: str, now: datetime) -> Enrolment:
    """A fresh secret of 160 bits (RFC 4226 §4, R6), kept until a first code confirms it."""
    values = {"account": str(account), "login": login, "secret": pyotp.random_base32()}
    return _enrolment(tickets.issue(session, keys, _PURPOSE, values, ENROLMENT, now), values)


def begun(session: Session, keys: SystemKeys, account: UUID, ticket: str, now: datetime) -> Enrolment | None:
    """The enrolment this account began, to show again."""
    values = tickets.read(session, keys, _PURPOSE, ticket, now)
    return None if values is None or values["account"] != str(account) else _enrolment(ticket, values)


def confirm(
    session: Session, keys: SystemKeys, enrolment: Enrolment, account: UUID, code: str, label: str, now: datetime
) -> bool:
    """Keep the application if the code is right. False: a wrong code, too many, or confirmed already."""
    tries = tickets.tried(session, _PURPOSE, enrolment.ticket, now)
    step = _step(enrolment.secret, code, now)
    if tries is None or tries > ENROLMENT_TRIES or step is None:
        return False
    if tickets.take(session, keys, _PURPOSE, enrolment.ticket, now) is None:
        return False
    values = {"label": factors.named(label), "secret": enrolment.secret}
    factors.add(session, keys, account, uuid4(), Kind.TOTP, values, step, now)
    return True


def verify(session: Session, keys: SystemKeys, account: UUID, code: str, now: datetime) -> bool:
    """Whether this is a code of one of the account's applications, of a time step not used yet."""
    for one in factors.of_account(session, keys, account):
        step = _step(one.values["secret"], code, now) if one.kind is Kind.TOTP else None
        if step is not None and factors.advance(session, account, one.id, step, now):
            return True
    return False


def _step(secret: str, code: str, now: datetime) -> int | None:
    """The time step a code is of. Compared in constant time by the library."""
    digits = plain(code)
    if not (digits.isascii() and digits.isdecimal()):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(digits, for_time=now, valid_window=WINDOW)
    except OTPVerificationError:
        return None


def _enrolment(ticket: str, values: dict[str, str]) -> Enrolment:
    uri = pyotp.TOTP(values["secret"]).provisioning_uri(name=values["login"], issuer_name="Carnet")
    return Enrolment(ticket, values["secret"], uri)
