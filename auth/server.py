"""The authorization server of one installation: what the routes and the pages call. Synchronous: run it in a thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth import accounts, clients, rfc9068, scopes, sessions, throttle
from auth.message import Answer, Message
from auth.rfc6749 import Exchange
from auth.sessions import Visitor
from auth.signing import SigningKeys
from phr.core.keys import SystemKeys


class SignInRefusal(Enum):
    """Why a sign-in is refused: two words, and no third that would tell whether the account exists."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid authorization request. `sign_in`: the citizen must prove who they are (again) before deciding."""

    client: clients.Client
    redirect_uri: str
    scopes: tuple[str, ...]
    sign_in: bool


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AuthServer:
    """Holds the engine, the keys and the issuer; every method is one database transaction at most, or two."""

    def __init__(self, engine: Engine, keys: SystemKeys, issuer: str, clock: Callable[[], datetime] = _utc_now) -> None:
        self.engine = engine
        self.keys = keys
        self.issuer = issuer
        self.clock = clock
        self.signing = SigningKeys(engine, keys)
        self.verifier = rfc9068.Verifier(issuer, self.signing)

    def start(self) -> None:
        """Load the signing keys, making the first. To call before serving; later calls reload."""
        self.signing.load(self.clock())

    def token(self, message: Message) -> Answer:
        """The token endpoint (RFC 6749 §3.2)."""
        with self._exchange() as exchange:
            return exchange.answer("token", message)

    def revoke(self, message: Message) -> Answer:
        """The revocation endpoint (RFC 7009)."""
        with self._exchange() as exchange:
            return exchange.answer("revocation", message)

    def consider(self, message: Message, visitor: Visitor | None) -> Asked | Answer:
        """Validate an authorization request (RFC 6749 §4.1.1): what to ask, or the error to answer."""
        with self._exchange() as exchange:
            try:
                return self._consider(exchange, message, visitor)[0]
            except OAuth2Error as error:
                return _answered(exchange, message, error)

    def decide(self, message: Message, visitor: Visitor, consented: frozenset[str]) -> Answer:
        """Give a code for the scopes the citizen left ticked; none left, or a refusal, is access_denied."""
        with self._exchange() as exchange:
            try:
                asked, grant = self._consider(exchange, message, visitor)
                exchange.consented = consented.intersection(asked.scopes)
                if not any(scopes.parse(scope) for scope in exchange.consented):
                    raise AccessDeniedError(redirect_uri=asked.redirect_uri)
                answer: Answer = exchange.create_authorization_response(grant.request, visitor, grant)
            except OAuth2Error as error:
                return _answered(exchange, message, error)
            return answer

    def sign_in(self, name: str, password: str, address: str, agent: str = "") -> str | SignInRefusal:
        """The secret of a new browser session. The try is counted before the password is looked at."""
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            if not throttle.knock(session, self.keys, name, address, now):
                account, password_hash = None, None
            else:
                account, password_hash = accounts.lookup(session, self.keys, name)
        if password_hash is None:
            return SignInRefusal.THROTTLED
        right = accounts.verify(password_hash, password)
        if not right or account is None or account.disabled:
            return SignInRefusal.WRONG
        with Session(self.engine) as session, session.begin():
            throttle.forgive(session, self.keys, name, address)
            proof = sessions.Proof(("pwd",), "pwd", now)
            return sessions.start(session, self.keys, account, proof, agent, now)[1]

    def visitor(self, secret: str | None) -> Visitor | None:
        """Who this browser session is."""
        if not secret:
            return None
        with Session(self.engine) as session, session.begin():
            return sessions.find(session, self.keys, secret, self.clock())

    def sign_out(self, secret: str) -> None:
        """End a browser session."""
        with Session(self.engine) as session, session.begin():
            sessions.close(session, secret)

    @contextmanager
    def _exchange(self) -> Iterator[Exchange]:
        """Committed whatever the answer: a refused request may have used up a code, or shown a replay."""
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            yield Exchange(session, self.keys, self.signing, self.verifier, self.issuer, now)

    def _consider(self, exchange: Exchange, message: Message, visitor: Visitor | None) -> tuple[Asked, Any]:
        grant = exchange.get_consent_grant(message, visitor)
        asked = grant.request.payload.data
        prompts = asked.get("prompt", "").split()
        age = None if visitor is None else (exchange.now - visitor.proof.at).total_seconds()
        # OpenID Connect Core §3.1.2.1: max_age. Ten seconds leave the time to come back from the sign-in page.
        stale = age is None or ("max_age" in asked and age > max(int(asked["max_age"]), 10))
        sign_in = stale or "login" in prompts
        if "none" in prompts:
            refusal = LoginRequiredError if sign_in else ConsentRequiredError
            raise refusal(redirect_uri=grant.redirect_uri)
        found = Asked(grant.client, grant.redirect_uri, scopes.split(grant.request.scope), sign_in)
        return found, grant


def _answered(exchange: Exchange, message: Message, error: OAuth2Error) -> Answer:
    """The error with the client's state, when it has one place to go back to."""
    states = [value for name, value in message.query if name == "state" and value]
    error.state = states[0] if len(states) == 1 else None
    answer: Answer = exchange.handle_error_response(None, error)
    return answer
