"""How a citizen signs in: password then second factor, or a passkey alone; and how they prove themselves again.

The rule: a wrong password, an unknown name and a disabled account are refused with the same words after the same time,
and nobody has a session before a second factor was shown.
"""

from dataclasses import dataclass
from enum import Enum

from sqlalchemy.orm import Session

from auth import accounts, devices, passkeys, second, sessions, throttle
from auth.accounts import Account
from auth.passkeys import Challenge, PasskeyRefusal
from auth.second import Purpose, Refusal, Wait, Way
from auth.server import AuthServer
from auth.sessions import Proof, Visitor

PASSKEY_TRIES = 100
"""Challenges and answers without a name, for one network address in `throttle.WINDOW`."""


class SignInRefusal(Enum):
    """Why a password is refused: two words, and no third that would tell whether the account exists."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Pending:
    """A right password: the secret of the wait for the second factor, and the ways to show it."""

    secret: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new browser session's secret, and what the cookie of `auth.devices` becomes."""

    session: str
    device: str


class SignIn:
    """The sign-in of one installation. Synchronous; each method is one transaction, `password` two."""

    def __init__(self, server: AuthServer) -> None:
        self.server = server

    def password(self, name: str, password: str, address: str) -> Pending | SignInRefusal:
        """Check a password. The try is counted before it is looked at."""
        keys, now = self.server.keys, self.server.clock()
        with Session(self.server.engine) as session, session.begin():
            if not throttle.knock(session, keys, name, address, now):
                return SignInRefusal.THROTTLED
            account, password_hash = accounts.lookup(session, keys, name)
        right = accounts.verify(password_hash, password)
        if not right or account is None or account.disabled:
            return SignInRefusal.WRONG
        fresh = accounts.hashed(password) if accounts.stale(password_hash) else None
        with Session(self.server.engine) as session, session.begin():
            if fresh is not None:
                accounts.change_password(session, account.id, fresh, instead_of=password_hash)
            values = {"name": name, "address": address}
            secret = second.ask(session, keys, Purpose.SIGN_IN, account.id, values, now)
            return Pending(secret, second.ways(session, account.id, Purpose.SIGN_IN))

    def waiting(self, secret: str, purpose: Purpose = Purpose.SIGN_IN) -> Wait | None:
        """Who waits for a second factor."""
        with Session(self.server.engine) as session:
            return second.waiting(session, self.server.keys, purpose, secret, self.server.clock())

    def send_code(self, secret: str, language: str, purpose: Purpose = Purpose.SIGN_IN) -> Refusal | None:
        """Mail a code to whoever waits. None when it is on its way."""
        with Session(self.server.engine) as session, session.begin():
            return second.send_code(session, self.server.keys, purpose, secret, language, self.server.clock())

    def challenge(self, secret: str, purpose: Purpose = Purpose.SIGN_IN) -> Challenge | None:
        """What to ask the authenticator of whoever waits."""
        with Session(self.server.engine) as session, session.begin():
            server = self.server
            return second.challenge(session, server.keys, server.issuer, purpose, secret, server.clock())

    def second(
        self, secret: str, way: str, answer: str, agent: str, device: str | None, language: str
    ) -> Admitted | Refusal:
        """End a sign-in. `device` is the cookie of `auth.devices`."""
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            shown = second.check(
                session, server.keys, server.issuer, Purpose.SIGN_IN, secret, way, answer, language, now
            )
            if isinstance(shown, Refusal):
                return shown
            throttle.forgive(session, server.keys, shown.values["name"], shown.values["address"])
            return self._admitted(session, shown.account, second.proof(shown.way, now), agent, device, language)

    def passkey_options(self, address: str) -> Challenge | None:
        """What to ask an authenticator when nobody has said their name. None when asked too often."""
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            if not throttle.allow(session, server.keys, "passkey", address, PASSKEY_TRIES, now):
                return None
            return passkeys.authentication(session, server.keys, server.issuer, None, now)

    def passkey(
        self, answer: str, address: str, agent: str, device: str | None, language: str
    ) -> Admitted | PasskeyRefusal:
        """Sign in with a passkey alone: the key is one factor, what the authenticator asked of the person the other."""
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            if not throttle.allow(session, server.keys, "passkey", address, PASSKEY_TRIES, now):
                return PasskeyRefusal.REFUSED
            found = passkeys.authenticate(session, server.keys, server.issuer, None, answer, now)
            account = None if isinstance(found, PasskeyRefusal) else accounts.find(session, server.keys, found)
            if isinstance(found, PasskeyRefusal):
                return found
            if account is None or account.disabled:
                return PasskeyRefusal.REFUSED
            proof = second.proof(Way.PASSKEY, now, password=False)
            return self._admitted(session, account, proof, agent, device, language)

    def again(self, visitor: Visitor) -> Pending | None:
        """Ask a signed-in citizen for a second factor again (step-up, RFC 9470). None for anybody else."""
        if visitor.account is None:
            return None
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            values = {"session": str(visitor.id)}
            secret = second.ask(session, server.keys, Purpose.AGAIN, visitor.account.id, values, now)
            return Pending(secret, second.ways(session, visitor.account.id, Purpose.AGAIN))

    def prove(
        self, visitor: Visitor, session_secret: str, secret: str, way: str, answer: str, language: str
    ) -> Refusal | None:
        """Write the fresh proof into the visitor's own session. None when it was right."""
        server, now = self.server, self.server.clock()
        with Session(server.engine) as session, session.begin():
            wait = second.waiting(session, server.keys, Purpose.AGAIN, secret, now)
            if wait is None or wait.values["session"] != str(visitor.id) or wait.account.id != visitor.subject:
                return Refusal.GONE
            shown = second.check(session, server.keys, server.issuer, Purpose.AGAIN, secret, way, answer, language, now)
            if isinstance(shown, Refusal):
                return shown
            had_password = "pwd" in visitor.proof.amr
            proof = second.proof(shown.way, now, password=had_password)
            sessions.prove(session, server.keys, visitor, session_secret, proof)
            return None

    def _admitted(
        self, session: Session, account: Account, proof: Proof, agent: str, device: str | None, language: str
    ) -> Admitted:
        keys, now = self.server.keys, self.server.clock()
        opened = sessions.start(session, keys, account, proof, agent, now)[1]
        return Admitted(opened, devices.greet(session, keys, account, device, agent, language, now))
