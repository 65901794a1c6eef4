"""The authorization server of one installation: what the routes and the pages call. Synchronous: run it in a thread."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidClientError,
    InvalidRequestError,
    OAuth2Error,
    UnauthorizedClientError,
)
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from cryptography import x509
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth import (
    agreements,
    clients,
    grants,
    launches,
    logout,
    oidc,
    rfc6749,
    rfc9068,
    rfc9126,
    rfc9470,
    scopes,
    sessions,
)
from auth.accounts import Account
from auth.asking import Asked, Choice, agreed, by_purpose
from auth.choices import RecordChoice
from auth.claims import Claims
from auth.exchange import Exchange
from auth.grants import Grant
from auth.logout import Logout
from auth.message import Answer, Message, Parameters
from auth.professionals import Professional
from auth.purposes import Status
from auth.rfc8693 import Federation
from auth.rfc9449 import Nonces
from auth.scopes import Scope
from auth.sessions import Visitor
from auth.signing import SigningKeys
from auth.subjects import Subjects
from phr.core.keys import SystemKeys

Records = Callable[[Session, SystemKeys, Account, datetime], Sequence[RecordChoice]]
"""For whom an account may connect an application; their own record first."""

Directory = Callable[[str, Professional], str | None]
"""The id of a professional's Practitioner, asked for by a client; None when the directory has none, or several."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _own(session: Session, keys: SystemKeys, account: Account, now: datetime) -> Sequence[RecordChoice]:
    return [] if account.record is None else [RecordChoice(account.record, account.name, own=True)]


def _plain(scope: Scope) -> bool:
    return not scope.query


def _nowhere(client: str, person: Professional) -> str | None:
    return None


class AuthServer:
    """Holds the engine, the keys and the issuer; every method is one database transaction at most, or two.

    `records` and `expressible` come from who knows them: which records an account may open, which scopes the access
    policy can enforce. Without them: their own, and no scope with a query. `roots` are the authorities of client
    certificates; `federation` the provider whose tokens are exchanged; `directory` finds professionals. `trial`: here
    services in trial (PRESERIE) are connected.
    """

    def __init__(
        self,
        engine: Engine,
        keys: SystemKeys,
        issuer: str,
        clock: Callable[[], datetime] = _utc_now,
        *,
        records: Records = _own,
        expressible: Callable[[Scope], bool] = _plain,
        roots: Sequence[x509.Certificate] = (),
        federation: Federation | None = None,
        directory: Directory = _nowhere,
        trial: bool = False,
    ) -> None:
        self.engine = engine
        self.keys = keys
        self.issuer = issuer
        self.clock = clock
        self.records = records
        self.expressible = expressible
        self.roots = roots
        self.federation = federation
        self.directory = directory
        self.trial = trial
        self.nonces = Nonces(keys)
        self.subjects = Subjects(keys)
        self.signing = SigningKeys(engine, keys)
        self.verifier = rfc9068.Verifier(issuer, self.signing, self.subjects)

    def start(self) -> None:
        """Load the signing keys, making the first. To call before serving; later calls reload."""
        self.signing.load(self.clock())

    def answer(self, endpoint: str, message: Message) -> Answer:
        """The token endpoint (RFC 6749 §3.2), or `revocation`, `introspection`, `pushed`."""
        with self._exchange() as exchange:
            return exchange.answer(endpoint, message)

    def stands(self, claims: Claims) -> bool:
        """Whether a verified token still holds: neither it nor its grant revoked, its client not disabled."""
        with Session(self.engine) as session:
            return clients.find(session, claims.client) is not None and not grants.is_revoked(session, claims.revocable)

    def user_info(self, claims: Claims) -> dict[str, str] | None:
        """OpenID Connect Core §5.3.2: what a token that stands tells of its person. None: it is not an `openid` one."""
        with self._exchange() as exchange:
            return oidc.user_info(exchange, claims)

    def consider(self, message: Message, visitor: Visitor | None) -> Asked | Answer:
        """Validate an authorization request (RFC 6749 §4.1.1): what to ask, or the error to answer."""
        with self._exchange() as exchange:
            try:
                return self._consider(exchange, message, visitor)[0]
            except OAuth2Error as error:
                return _answered(exchange, message, error)

    def decide(self, message: Message, visitor: Visitor, choice: Choice) -> tuple[Answer, Grant | None]:
        """Give a code for what the person left ticked, on the record they chose; nothing left is access_denied.

        With the answer, the grant the code stands for: `take_back` it if the answer cannot be handed over.
        """
        with self._exchange() as exchange:
            try:
                asked, grant = self._consider(exchange, message, visitor)
                if asked.sign_in:
                    raise LoginRequiredError(redirect_uri=asked.redirect_uri)
                if exchange.pushed is not None:
                    rfc9126.spend(exchange, exchange.pushed)
                exchange.consented, agreement = agreed(asked, choice)
                exchange.chosen = _chosen(asked, choice.record)
                if not any(scopes.parse(scope) for scope in exchange.consented):
                    raise AccessDeniedError(redirect_uri=asked.redirect_uri)
                if asked.purposes:
                    said = grant.request.payload.data | {"scope": " ".join(asked.scopes)}
                    grant.request.payload = Parameters(list(said.items()))
                agreements.note(exchange.session, agreement)
                answer: Answer = exchange.create_authorization_response(grant.request, visitor, grant)
            except OAuth2Error as error:
                return _answered(exchange, message, error), None
            return answer, grants.just_made(exchange.session, self.keys)

    def take_back(self, grant: Grant) -> None:
        """Revoke a grant whose code was never handed over."""
        with Session(self.engine) as session, session.begin():
            grants.revoke(session, grant.id, self.clock())

    def supersede(self, grant: Grant) -> list[Grant]:
        """Revoke what the person of a new grant agreed to with the same service, on the same record, when it declared
        other purposes; which grants they were."""
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            held = grants.of_account(session, self.keys, grant.account, now)
            same = [one for one in held if (one.client, one.record) == (grant.client, grant.record) and one.outdated]
            for one in same:
                grants.revoke(session, one.id, now)
        return same

    def consider_logout(self, message: Message, visitor: Visitor | None) -> Logout | Answer:
        """Judge a logout request (OpenID Connect RP-Initiated Logout 1.0 §2)."""
        with self._exchange() as exchange:
            try:
                return logout.considered(exchange, exchange.create_oauth2_request(message), visitor)
            except OAuth2Error as error:
                answer: Answer = exchange.handle_error_response(None, error)
                return answer

    def sign_out(self, secret: str) -> None:
        """End a browser session and what hangs on it."""
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            visitor = sessions.find(session, self.keys, secret, now)
            sessions.close(session, secret)
            if visitor is not None:
                logout.end(self, session, visitor, now)

    def hand_over(self, claims: Claims, app: str, made: launches.Launch) -> str | None:
        """A launch context (`auth.launches`) for a client that takes them; None when there is no such client."""
        professional = claims.assistant or claims.professional
        with Session(self.engine) as session, session.begin():
            client = clients.find(session, app)
            takes = app == launches.PAGES or (client is not None and scopes.LAUNCH in client.scopes)
            if professional is None or not takes:
                return None
            return launches.hand_over(session, self.keys, app, professional.id, made, self.clock())

    def take_over(self, launch: str, visitor: Visitor) -> launches.Launch | None:
        """What was handed over to our own pages (`auth.launches`)."""
        with Session(self.engine) as session, session.begin():
            return launches.take(session, self.keys, launch, launches.PAGES, visitor, self.clock())

    def visitor(self, secret: str | None) -> Visitor | None:
        """Who this browser session is."""
        if not secret:
            return None
        with Session(self.engine) as session, session.begin():
            return sessions.find(session, self.keys, secret, self.clock())

    @contextmanager
    def _exchange(self) -> Iterator[Exchange]:
        """Committed whatever the answer: a refused request may have used up a code, or shown a replay."""
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            yield Exchange(self, session, now)

    def _consider(self, exchange: Exchange, message: Message, visitor: Visitor | None) -> tuple[Asked, Any]:
        grant = _valid(exchange, message, visitor)
        client: clients.Client = grant.client
        _check_open(client, self.trial, grant.redirect_uri)
        asked = grant.request.payload.data
        prompts = asked.get("prompt", "").split()
        professional = client.kind is not clients.Kind.CITIZEN_APP
        known = visitor is not None and (visitor.professional is not None) == professional
        stale = rfc9470.stale(asked, visitor if known else None, exchange.now, grant.redirect_uri)
        sign_in = stale or "login" in prompts
        if "none" in prompts:
            refusal = LoginRequiredError if sign_in else ConsentRequiredError
            raise refusal(redirect_uri=grant.redirect_uri)
        records: Sequence[RecordChoice] = ()
        if known and visitor is not None and visitor.account is not None:
            records = self.records(exchange.session, self.keys, visitor.account, exchange.now)
        offered = scopes.split(grant.request.scope)
        if professional:
            offered = tuple(one for one in offered if rfc6749.for_professional(one, launched="launch" in asked))
        plain = Asked(client, grant.redirect_uri, offered, sign_in, professional, tuple(records))
        if client.service is None or not client.service.purposes:
            return plain, grant
        latest = self._latest(exchange, client, visitor) if known and visitor is not None else None
        return by_purpose(plain, client.service.purposes, latest), grant

    def _latest(self, exchange: Exchange, client: clients.Client, visitor: Visitor) -> Grant | None:
        """The last a person agreed with this service, if it still stands."""
        held = grants.of_account(exchange.session, self.keys, visitor.subject, exchange.now)
        return next((grant for grant in held if grant.client == client.id), None)


def _valid(exchange: Exchange, message: Message, visitor: Visitor | None) -> Any:
    try:
        return exchange.get_consent_grant(message, visitor)
    except InvalidClientError:
        status = clients.stopped(exchange.session, exchange.asked and exchange.asked.payload.client_id)
        if status is None:
            raise
        raise UnauthorizedClientError(f"This service is {status.value}: it cannot be connected.") from None


def _check_open(client: clients.Client, trial: bool, redirect_uri: str) -> None:
    """Only a service that is open is newly connected: what it has already goes on."""
    status = Status.EN_LIGNE if client.service is None else client.service.status
    if status is not Status.EN_LIGNE and not (trial and status is Status.PRESERIE):
        raise UnauthorizedClientError(
            f"This service is {status.value}: it cannot be connected.", redirect_uri=redirect_uri
        )


def _chosen(asked: Asked, record: str | None) -> str | None:
    """The record chosen among those offered; the only one when there is no choice to make."""
    if asked.professional:
        return None
    offered = [choice.record for choice in asked.records]
    if record is None and len(offered) == 1:
        return offered[0]
    if record is None and not offered:
        return None
    if record not in offered:
        raise InvalidRequestError("That record is not yours to choose.", redirect_uri=asked.redirect_uri)
    return record


def _answered(exchange: Exchange, message: Message, error: OAuth2Error) -> Answer:
    """The error with the client's state, when it has one place to go back to."""
    pairs = message.query if exchange.asked is None else list(exchange.asked.payload.data.items())
    states = [value for name, value in pairs if name == "state" and value]
    error.state = states[0] if len(states) == 1 else None
    answer: Answer = exchange.handle_error_response(None, error)
    return answer


__all__ = ["Asked", "AuthServer", "Choice"]
