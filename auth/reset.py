"""A forgotten password: a link by mail, then a second factor, then a new password, and everything open is ended.

The rule: the link alone changes nothing. Who has a passkey, an authenticator application or recovery codes shows one of
them; who has none shows a code mailed separately, so for them the mailbox is what the account rests on. Whoever asks is
told the same thing whether the name is known or not.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from uuid import UUID

from sqlalchemy.orm import Session

from auth import accounts, grants, mail, second, sessions, throttle, tickets
from auth.passwords import Weakness, judge
from auth.second import Purpose, Refusal
from auth.server import AuthServer

LINK_LIFETIME = timedelta(minutes=30)
CHOICE_LIFETIME = timedelta(minutes=15)
ADDRESS_TRIES = 20
_CHOICE = "new password"


class ResetRefusal(Enum):
    """Why no new password is kept. The value is the name of a page text."""

    GONE = "reset_gone"


class Reset:
    """Password resets of one installation. Synchronous; each method is one transaction at most, or two."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server

    def ask(self, name: str, address: str, language: str, link: Callable[[str], str]) -> None:
        """Mail a link to the account of this name or e-mail, if there is one. `link` makes it of a secret.

        For a name nobody has, the same work is done and undone, so that time tells nothing either.
        """
        keys, now = self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            few = throttle.allow(session, keys, "reset", address, ADDRESS_TRIES, now)
            account = accounts.lookup(session, keys, name)[0]
            known = account is not None and not account.disabled
            whose = str(account.id) if account is not None else name
            few = throttle.count(session, keys, "reset mail", whose, now) <= throttle.MAIL_TRIES and few
            trial = session.begin_nested()
            owner, to = (account.id, account.email) if account is not None else (UUID(int=0), "nobody@invalid")
            secret = second.ask(session, keys, Purpose.RESET, owner, {}, now, LINK_LIFETIME)
            mail.send(session, keys, to, "reset", language, now, link=link(secret))
            if known and few:
                trial.commit()
            else:
                trial.rollback()

    def prove(self, secret: str, way: str, answer: str, language: str) -> str | Refusal:
        """Show the second factor: the secret that lets a new password be chosen."""
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            shown = second.check(session, server.keys, server.issuer, Purpose.RESET, secret, way, answer, language, now)
            if isinstance(shown, Refusal):
                return shown
            values = {"account": str(shown.account.id)}
            return tickets.issue(session, server.keys, _CHOICE, values, CHOICE_LIFETIME, now)

    def chooses(self, secret: str) -> bool:
        """Whether a new password may still be chosen with this secret."""
        with Session(self.server.engine) as session:
            return tickets.read(session, self.server.keys, _CHOICE, secret, self.server.clock()) is not None

    def choose(self, secret: str, password: str, language: str) -> Weakness | ResetRefusal | None:
        """Keep the new password and end every session and every app's access. None when done."""
        keys, now = self.server.keys, self.server.clock()
        with Session(self.server.engine) as session:
            kept = tickets.read(session, keys, _CHOICE, secret, now)
            account = None if kept is None else accounts.find(session, keys, UUID(kept["account"]))
        if account is None or account.disabled:
            return ResetRefusal.GONE
        weakness = judge(password, account.known)
        if weakness is not None:
            return weakness
        password_hash = accounts.hashed(password)
        with Session(self.server.engine) as session, session.begin():
            if tickets.take(session, keys, _CHOICE, secret, now) is None:
                return ResetRefusal.GONE
            accounts.change_password(session, account.id, password_hash)
            sessions.end(session, account.id)
            grants.revoke_all(session, account.id, now)
            values = {"moment": mail.moment(now, language)}
            mail.send(session, keys, account.email, "password_reset", language, now, **values)
        return None
