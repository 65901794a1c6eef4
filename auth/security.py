"""What a signed-in citizen changes of the ways they prove who they are.

The rule: the page asks for a fresh second factor first (`phr.web.security`), and the person is told of each change by
mail, with what to do if it was not them.
"""

from enum import Enum
from uuid import UUID

from sqlalchemy.orm import Session

from auth import accounts, factors, mail, passkeys, recovery, sessions, throttle, totp
from auth.accounts import Account
from auth.factors import Factor, Kind
from auth.passkeys import Challenge, PasskeyRefusal
from auth.passwords import Weakness, judge
from auth.server import AuthServer
from auth.sessions import Visitor
from auth.totp import Enrolment

_WHAT = {
    Kind.PASSKEY: {"fr": "une clé d’accès", "en": "a passkey"},
    Kind.TOTP: {"fr": "une application d’authentification", "en": "an authenticator application"},
    Kind.RECOVERY: {"fr": "des codes de secours", "en": "recovery codes"},
}


class PasswordRefusal(Enum):
    """Why the password stays. The values are the names of page texts."""

    WRONG = "password_old_wrong"
    THROTTLED = "second_throttled"


class Security:
    """The factors of one citizen at a time. Synchronous; each method is one transaction at most, or two."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server

    def factors(self, account: UUID) -> list[Factor]:
        """Everything the account has."""
        with Session(self.server.engine) as session:
            return factors.of_account(session, self.server.keys, account)

    def change_password(self, visitor: Visitor, old: str, new: str, language: str) -> Weakness | PasswordRefusal | None:
        """Keep the new password and end every other browser session of the account. None when done."""
        account, keys, now = _citizen(visitor), self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            tries = throttle.count(session, keys, "old password", str(account.id), now)
            if tries > throttle.NAME_TRIES:
                return PasswordRefusal.THROTTLED
            kept = accounts.password_of(session, account.id)
        if not accounts.verify(kept, old):
            return PasswordRefusal.WRONG
        weakness = judge(new, account.known)
        if weakness is not None:
            return weakness
        password_hash = accounts.hashed(new)
        with Session(self.server.engine) as session, session.begin():
            if not accounts.change_password(session, account.id, password_hash, instead_of=kept):
                return PasswordRefusal.WRONG
            throttle.forget(session, keys, "old password", str(account.id))
            others = [one.id for one in sessions.of_account(session, keys, account.id, now) if one.id != visitor.id]
            sessions.end(session, account.id, others)
            values = {"moment": mail.moment(now, language)}
            mail.send(session, keys, account.email, "password_changed", language, now, **values)
        return None

    def begin_totp(self, visitor: Visitor) -> Enrolment:
        """A fresh secret for an authenticator application."""
        account = _citizen(visitor)
        with Session(self.server.engine) as session, session.begin():
            return totp.begin(session, self.server.keys, account.id, account.login, self.server.clock())

    def begun_totp(self, visitor: Visitor, ticket: str) -> Enrolment | None:
        """The secret that waits for its first code."""
        with Session(self.server.engine) as session:
            return totp.begun(session, self.server.keys, visitor.subject, ticket, self.server.clock())

    def confirm_totp(self, visitor: Visitor, enrolment: Enrolment, code: str, label: str, language: str) -> bool:
        """Keep the application if the code is right."""
        account, keys, now = _citizen(visitor), self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            kept = totp.confirm(session, keys, enrolment, account.id, code, label, now)
            if kept:
                self._tell(session, account, "factor_added", Kind.TOTP, language)
            return kept

    def renew_recovery(self, visitor: Visitor, language: str) -> list[str]:
        """Ten new recovery codes; those before are void."""
        account = _citizen(visitor)
        with Session(self.server.engine) as session, session.begin():
            codes = recovery.renew(session, self.server.keys, account.id, self.server.clock())
            self._tell(session, account, "factor_added", Kind.RECOVERY, language)
            return codes

    def passkey_options(self, visitor: Visitor) -> Challenge:
        """What to ask an authenticator, to make a passkey."""
        server = self.server
        with Session(server.engine) as session, session.begin():
            return passkeys.registration(session, server.keys, server.issuer, _citizen(visitor), server.clock())

    def add_passkey(self, visitor: Visitor, answer: str, label: str, language: str) -> PasskeyRefusal | None:
        """Keep the passkey the browser made. None when done."""
        account, server = _citizen(visitor), self.server
        with Session(server.engine) as session, session.begin():
            now = server.clock()
            made = passkeys.register(session, server.keys, server.issuer, account.id, answer, label, now)
            if isinstance(made, PasskeyRefusal):
                return made
            self._tell(session, account, "factor_added", Kind.PASSKEY, language)
        return None

    def remove(self, visitor: Visitor, id: UUID, language: str) -> bool:
        """Forget a passkey or an application. The code by e-mail always remains, so this never locks anybody out."""
        account = _citizen(visitor)
        with Session(self.server.engine) as session, session.begin():
            found = factors.find(session, self.server.keys, account.id, id)
            if found is None or not factors.remove(session, account.id, id):
                return False
            self._tell(session, account, "factor_removed", found.kind, language)
            return True

    def remove_recovery(self, visitor: Visitor, language: str) -> None:
        """Forget the recovery codes that are left."""
        account = _citizen(visitor)
        with Session(self.server.engine) as session, session.begin():
            if factors.remove_all(session, account.id, Kind.RECOVERY):
                self._tell(session, account, "factor_removed", Kind.RECOVERY, language)

    def _tell(self, session: Session, account: Account, template: str, kind: Kind, language: str) -> None:
        keys, now = self.server.keys, self.server.clock()
        values = {"what": _WHAT[kind][language], "moment": mail.moment(now, language)}
        mail.send(session, keys, account.email, template, language, now, **values)


def _citizen(visitor: Visitor) -> Account:
    """The visitor's account. Raises ValueError: a professional has none."""
    if visitor.account is None:
        raise ValueError("a professional proves who they are elsewhere")
    return visitor.account
