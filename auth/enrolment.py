"""Making one's account: an invitation or an identity provider says whose record, the person chooses how to sign in.

The rule: nothing is kept of an enrolment left half-way but a ticket that dies in an hour; a record has one account; a
sign-in name may be told as taken, and an e-mail address never, since that would tell who is here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth import (
    accounts,
    devices,
    invitations,
    mail,
    mailed_codes,
    passwords,
    sessions,
    tables,
    terms,
    throttle,
    tickets,
)
from auth.accounts import Account
from auth.invitations import InvitationRefusal
from auth.mailed_codes import CodeRefusal
from auth.server import AuthServer

PURPOSE = "enrolment"
LIFETIME = timedelta(hours=1)
COOKIE = "carnet_enrolment"
_DECOY = "enrolment decoy"
_LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{1,38})[a-z0-9]", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
EMAIL_CHARACTERS = 254


class Field(Enum):
    """What a person fills in, named as in the form."""

    LOGIN = "login"
    EMAIL = "email"
    PASSWORD = "password"  # noqa: S105
    TERMS = "terms"


class EnrolmentRefusal(Enum):
    """Why an enrolment does not go on. `GONE`: begin again; `EXISTS`: an account is there already, sign in."""

    GONE = "enrol_gone"
    EXISTS = "enrol_exists"
    LOGIN_TAKEN = "enrol_login_taken"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Details:
    """What the person chose. `terms`: the version ticked, empty when it was not."""

    login: str
    email: str
    password: str = field(repr=False)
    terms: str


@dataclass(frozen=True, slots=True)
class Pending:
    """An enrolment half done, as the pages show it. `asked`: a code was sent to `email`, else it is a suggestion."""

    given: str
    login: str
    email: str
    asked: bool


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An account made, and signed in: the secrets of the browser session and of the device."""

    account: Account
    session: str = field(repr=False)
    device: str = field(repr=False)


class Enrolment:
    """The steps, one transaction each. `terms_version`: the version of the terms in force."""

    def __init__(self, server: AuthServer, terms_version: str) -> None:
        self.server = server
        self.terms_version = terms_version

    def redeem(self, code: str, ins: str, birth_date: str, address: str) -> str | InvitationRefusal | EnrolmentRefusal:
        """Begin with an invitation: the ticket's secret. `birth_date`: YYYY-MM-DD."""
        keys, now = self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            found = invitations.redeem(
                session, keys, code=code, ins=ins, birth_date=birth_date, address=address, now=now
            )
            if isinstance(found, InvitationRefusal):
                return found
            if accounts.of_record(session, keys, found.record) is not None:
                return EnrolmentRefusal.EXISTS
            values = {
                "record": found.record,
                "via": "invitation",
                "invitation": found.hash.hex,
                "federated": None,
                "given": found.given,
                "family": found.family,
                "birth": birth_date,
            }
            return tickets.issue(session, keys, PURPOSE, values, LIFETIME, now)

    def pending(self, secret: str) -> Pending | None:
        """Where an enrolment stands. None: there is none any more."""
        with Session(self.server.engine) as session:
            values = tickets.read(session, self.server.keys, PURPOSE, secret, self.server.clock())
        if values is None:
            return None
        chosen = values.get("chosen", {})
        email = chosen.get("email") or values.get("email", "")
        return Pending(values["given"], chosen.get("login", ""), email, bool(chosen))

    def choose(
        self, secret: str, details: Details, language: str, address: str
    ) -> Mapping[Field, str] | EnrolmentRefusal | None:
        """Keep what the person chose and mail a code. None when done, else what to change, by field."""
        login, email = details.login.strip().casefold(), details.email.strip()
        with Session(self.server.engine) as session:
            values = tickets.read(session, self.server.keys, PURPOSE, secret, self.server.clock())
        if values is None:
            return EnrolmentRefusal.GONE
        faults = self._faults(login, email, details, values)
        if faults:
            return faults
        password_hash = accounts.hashed(details.password)
        with Session(self.server.engine) as session, session.begin():
            if not throttle.knock(session, self.server.keys, f"enrolment {secret}", address, self.server.clock()):
                return EnrolmentRefusal.THROTTLED
            if accounts.lookup(session, self.server.keys, login)[0] is not None:
                return {Field.LOGIN: EnrolmentRefusal.LOGIN_TAKEN.value}
            chosen = {"login": login, "email": email, "password_hash": password_hash, "terms": details.terms}
            return self._mailed(session, secret, chosen, language)

    def again(self, secret: str, language: str) -> EnrolmentRefusal | None:
        """Mail another code to the same address; the one before is worth nothing any more."""
        with Session(self.server.engine) as session, session.begin():
            values = tickets.read(session, self.server.keys, PURPOSE, secret, self.server.clock())
            if values is None or "chosen" not in values:
                return EnrolmentRefusal.GONE
            return self._mailed(session, secret, values["chosen"], language)

    def verify(
        self, secret: str, code: str, agent: str, device: str | None, language: str
    ) -> Enrolled | CodeRefusal | EnrolmentRefusal:
        """Make the account if the code is right, and sign in: two factors were shown, the password and the mailbox."""
        keys, now = self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            values = tickets.read(session, keys, PURPOSE, secret, now)
            if values is None or "chosen" not in values:
                return EnrolmentRefusal.GONE
            chosen = values["chosen"]
            if chosen["decoy"]:
                tries = tickets.tried(session, _DECOY, chosen["mail"], now)
                return CodeRefusal.SPENT if tries is None or tries >= mailed_codes.TRIES else CodeRefusal.WRONG
            checked = mailed_codes.check(session, keys, PURPOSE, chosen["mail"], code, now)
            if isinstance(checked, CodeRefusal):
                return checked
            made = self._made(session, secret, values)
            if isinstance(made, EnrolmentRefusal):
                return made
            proof = sessions.Proof(("pwd", "otp", "mfa"), "mfa", now)
            opened = sessions.start(session, keys, made, proof, agent, now)[1]
            known = devices.greet(session, keys, made, device, agent, language, now, first=True)
            mail.send(session, keys, made.email, "welcome", language, now)
            return Enrolled(made, opened, known)

    def needs_terms(self, account: UUID) -> bool:
        """Whether the citizen has yet to accept the version in force."""
        with Session(self.server.engine) as session:
            return terms.needs_terms(session, self.server.keys, account, self.terms_version)

    def accept_terms(self, account: UUID) -> None:
        """Write down that the citizen accepts the version in force."""
        with Session(self.server.engine) as session, session.begin():
            terms.accepted(session, self.server.keys, account, self.terms_version, self.server.clock())

    def _faults(self, login: str, email: str, details: Details, values: dict[str, Any]) -> dict[Field, str]:
        faults = {}
        if not _LOGIN.fullmatch(login):
            faults[Field.LOGIN] = "enrol_login_shape"
        if len(email) > EMAIL_CHARACTERS or not _EMAIL.fullmatch(email):
            faults[Field.EMAIL] = "enrol_email_shape"
        about = (login, email, values["given"], values["family"], values.get("birth") or "")
        weakness = passwords.judge(details.password, about)
        if weakness is not None:
            faults[Field.PASSWORD] = weakness.value
        if details.terms != self.terms_version:
            faults[Field.TERMS] = "enrol_terms_missing"
        return faults

    def _mailed(self, session: Session, secret: str, chosen: dict[str, Any], language: str) -> EnrolmentRefusal | None:
        """The same answer, and one mail, whether the address has an account or not: only its owner learns it."""
        keys, now, email = self.server.keys, self.server.clock(), chosen["email"]
        if throttle.count(session, keys, "enrolment mail", email, now) > throttle.MAIL_TRIES:
            return EnrolmentRefusal.THROTTLED
        decoy = accounts.lookup(session, keys, email)[0] is not None
        if decoy:
            mail.send(session, keys, email, "enrolment_taken", language, now)
            ticket = tickets.issue(session, keys, _DECOY, {}, mailed_codes.LIFETIME, now)
        else:
            ticket = mailed_codes.send(session, keys, PURPOSE, email, {}, language, now)
        values = tickets.read(session, keys, PURPOSE, secret, now)
        if values is None:
            return EnrolmentRefusal.GONE
        kept = values | {"chosen": chosen | {"mail": ticket, "decoy": decoy}}
        return None if tickets.replace(session, keys, PURPOSE, secret, kept, now) else EnrolmentRefusal.GONE

    def _made(self, session: Session, secret: str, values: dict[str, Any]) -> Account | EnrolmentRefusal:
        keys, now, chosen, record = self.server.keys, self.server.clock(), values["chosen"], values["record"]
        try:
            with session.begin_nested():
                if tickets.take(session, keys, PURPOSE, secret, now) is None:
                    return EnrolmentRefusal.GONE
                if values["invitation"] and not invitations.use(session, UUID(values["invitation"]), now):
                    return EnrolmentRefusal.GONE
                account = accounts.create(
                    session,
                    keys,
                    login=chosen["login"],
                    password_hash=chosen["password_hash"],
                    display_name=f"{values['given']} {values['family']}".strip(),
                    email=chosen["email"],
                    record=record,
                    now=now,
                    born=values.get("birth"),
                )
                if values["federated"]:
                    row = {"hash": UUID(values["federated"]), "account": account, "created": now}
                    session.execute(insert(tables.federated_account).values(row))
                terms.accepted(session, keys, account, chosen["terms"], now)
        except IntegrityError:
            taken = accounts.lookup(session, keys, chosen["login"])[0] is not None
            mine = accounts.of_record(session, keys, record) is None
            return EnrolmentRefusal.LOGIN_TAKEN if taken and mine else EnrolmentRefusal.EXISTS
        return accounts.find(session, keys, account) or EnrolmentRefusal.GONE
