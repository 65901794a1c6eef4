"""Authlib's authorization server for one HTTP request: its database session, its clock, and what the client proved.

The rule: nothing is redirected before client and redirect URI are both known, and a token is bound to whatever key the
client showed.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from sqlalchemy.orm import Session

from auth import clients, codes, grants, refresh_tokens, rfc8705, rfc9068, rfc9126, rfc9207, rfc9449, scopes
from auth.claims import Claims
from auth.clients import Kind
from auth.grants import Grant
from auth.logout import EndSession
from auth.message import Answer, AuthlibRequest, Message
from auth.oidc import IdToken
from auth.rfc6749 import CodeGrant, RefreshGrant, SystemGrant
from auth.rfc7009 import Revocation
from auth.rfc7523 import METHOD, SignedAssertion
from auth.rfc7636 import ProofKey
from auth.rfc7662 import Introspection
from auth.rfc8693 import InvalidTargetError, TokenExchange

if TYPE_CHECKING:
    from auth.server import AuthServer

TOKEN_PATH = "/oauth/token"  # noqa: S105
UNPROVEN = "The client is unknown, disabled, or did not authenticate by the method it is registered with."
_UNSPEAKABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")

# Authlib writes whole tokens and codes to its debug log.
logging.getLogger("authlib").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The keys a token is bound to (RFC 7800 `cnf`): a DPoP key's thumbprint, a certificate's."""

    jkt: str | None = None
    x5t: str | None = None

    def __bool__(self) -> bool:
        return self.jkt is not None or self.x5t is not None


class Exchange(AuthorizationServer):  # type: ignore[misc]
    """One request. `consented`: the scopes ticked, `chosen`: the record; `grant`: what a person's token is under."""

    def __init__(self, server: "AuthServer", session: Session, now: datetime) -> None:
        super().__init__()
        self.home = server
        self.session = session
        self.keys = server.keys
        self.signing = server.signing
        self.verifier = server.verifier
        self.subjects = server.subjects
        self.federation = server.federation
        self.issuer = server.issuer
        self.now = now
        self.consented: frozenset[str] = frozenset()
        self.chosen: str | None = None
        self.app_context = ""
        self.grant: Grant | None = None
        self.asked: AuthlibRequest | None = None
        self.pushed: str | None = None
        self.jkt: str | None = None
        self.certificate: bytes | None = None
        audiences = (self.issuer + TOKEN_PATH, self.issuer, self.issuer + rfc9126.PATH)
        self.register_client_auth_method(METHOD, SignedAssertion(session, self.keys, audiences, now))
        for method in rfc8705.METHODS:
            self.register_client_auth_method(method, rfc8705.MutualTls(method, server.roots, now))
        self.register_grant(CodeGrant, [ProofKey(), IdToken(self)])
        self.register_grant(RefreshGrant)
        self.register_grant(SystemGrant)
        self.register_grant(TokenExchange)
        self.register_endpoint(Revocation(self))
        self.register_endpoint(Introspection(self))
        self.register_endpoint(rfc9126.PushedRequest(self))
        self.register_endpoint(EndSession(self))
        self.register_token_generator("default", self.token)

    def query_client(self, client_id: str) -> clients.Client | None:
        """For Authlib."""
        return clients.find(self.session, client_id)

    def authenticate_client(self, request: Any, methods: list[str], endpoint: str = "token") -> clients.Client:
        """For Authlib, whose last word otherwise is a list of method names."""
        try:
            found: clients.Client = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError as error:
            if error.description is not None and str(methods) in error.description:
                raise InvalidClientError(UNPROVEN) from error
            raise
        return found

    def validate_requested_scope(self, scope: str | None) -> None:
        """A scope that cannot be enforced is refused before anything is granted: invalid_scope."""
        for one in scopes.split(scope):
            parsed = scopes.parse(one)
            if parsed is not None and not self.home.expressible(parsed):
                told = one if _UNSPEAKABLE.search(one) is None else "one of the scopes"
                raise InvalidScopeError(f"{told} cannot be enforced here.")

    def check_target(self, asked: Mapping[str, str], redirect_uri: str) -> None:
        """SMART App Launch 2.2 §2.0.4 `aud`, RFC 8707 §2 `resource`: the FHIR base, or invalid_target.

        An app sent here by a look-alike of our FHIR server learns it before the person decides anything.
        """
        for name in ("aud", "resource"):
            if asked.get(name, rfc9068.audience(self.issuer)).rstrip("/") != rfc9068.audience(self.issuer):
                raise InvalidTargetError(f"{name} must be the FHIR base of this server.", redirect_uri=redirect_uri)

    def create_oauth2_request(self, request: Any) -> AuthlibRequest:
        """For Authlib: a Message becomes a request, refused when Authlib could not quote it in an error.

        A request pushed before (RFC 9126) stands in for the parameters of the address.
        """
        if isinstance(request, AuthlibRequest):
            return request
        message: Message = request
        made = _spoken(AuthlibRequest(message, message.query if message.method == "GET" else message.form))
        if message.method == "GET" and rfc9126.is_pushed(made.args.get("request_uri", "")):
            self.pushed, pairs = rfc9126.pulled(self, made)
            made = _spoken(AuthlibRequest(message, pairs))
        self.asked = made
        return made

    def answer(self, name: str, message: Message) -> Answer:
        """The answer of the token endpoint, or of a registered one, errors included."""
        try:
            request = self.create_oauth2_request(message)
            self.certificate = message.certificate
            self.jkt = self._proven(message)
            answer: Answer = (
                self.create_token_response(request) if name == "token" else self.create_endpoint_response(name, request)
            )
        except OAuth2Error as error:
            answer = self.handle_error_response(None, error)
        if message.proofs:
            # RFC 9449 §8.2: a new nonce with every answer, so that the client never has to ask twice.
            nonce = ("DPoP-Nonce", self.home.nonces.current(self.now))
            answer = replace(answer, headers=(*answer.headers, nonce))
        if message.authorization is not None and answer.body.get("error") == InvalidClientError.error:
            # §5.2: "If the client attempted to authenticate via the Authorization request header field … 401".
            scheme = message.authorization.split(" ")[0]
            known = scheme if scheme.isascii() and scheme.isalnum() else "Basic"
            return Answer(401, answer.body, (*answer.headers, ("WWW-Authenticate", f'{known} realm="oauth"')))
        return answer

    def _proven(self, message: Message) -> str | None:
        """The thumbprint of the key a DPoP proof shows, the proof used up."""
        if not message.proofs:
            return None
        shown, url = rfc9449.one(message.proofs), self.issuer + message.path
        proof = rfc9449.check(
            shown, method=message.method, url=url, nonces=self.home.nonces, now=self.now, access_token=None
        )
        if not rfc9449.once(self.session, self.keys, proof, self.now):
            raise rfc9449.InvalidProof("This proof was used before.")
        return proof.jkt

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        """For Authlib. The only redirects made here are authorization responses: RFC 9207 applies to each."""
        sent = tuple(
            (name, rfc9207.with_issuer(value, self.issuer) if name == "Location" else value) for name, value in headers
        )
        return Answer(status, body if isinstance(body, Mapping) else {}, sent)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """For Authlib: nobody listens."""

    def save_token(self, token: Mapping[str, Any], request: Any) -> None:
        """For Authlib: access tokens are not kept, they verify by themselves."""

    def confirm(self, client: clients.Client) -> Confirmation:
        """What a token for this client is bound to. Raises InvalidRequestError: it must be, and no key was shown."""
        if client.dpop_bound_access_tokens and self.jkt is None:
            raise InvalidRequestError("This client sends a DPoP proof with each request.")
        must = client.tls_client_certificate_bound_access_tokens
        if must and self.certificate is None:
            raise InvalidRequestError("This client presents a TLS certificate with each request.")
        # Professional software that shows a certificate is held to it, whether it was registered so or not.
        held = must or client.kind in (Kind.PROFESSIONAL, Kind.PHARMACY)
        shown = self.certificate if held else None
        return Confirmation(self.jkt, None if shown is None else rfc8705.thumbprint(shown))

    def token(
        self, grant_type: str, client: clients.Client, user: Any = None, scope: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """For Authlib: the token response of a person's grant, or of software acting for itself."""
        confirmation = self.confirm(client)
        granted = scopes.split(scope)
        if self.grant is None:
            return self.token_response(self._system_claims(client, granted, confirmation), client.sector)
        grant = self.grant
        response = self.token_response(self._claims(client, grant, granted, confirmation), client.sector)
        if self.app_context:
            # CDS Hooks 2.0, Link: "sent to the SMART app as part of the OAuth 2.0 access token response".
            response["appContext"] = self.app_context
        if scopes.OFFLINE in grant.scopes and grant.expires is not None:
            # RFC 9449 §5: the refresh token of a public client is bound to the key that was proven.
            bound = confirmation.jkt if client.public else grant.jkt
            grants.used(self.session, self.keys, grant, bound, self.now)
            response["refresh_token"] = refresh_tokens.issue(self.session, grant.id, grant.expires)
        else:
            grants.used(self.session, self.keys, grant, grant.jkt, self.now)
        return response

    def token_response(self, claims: Claims, sector: str) -> dict[str, Any]:
        """§5.1, with `patient` (SMART App Launch 2.2 §2.0.9.2) and the token type of RFC 9449 §5."""
        response: dict[str, Any] = {
            "access_token": rfc9068.mint(self.issuer, self.signing, self.subjects, claims, sector, self.now),
            "token_type": "Bearer" if claims.jkt is None else "DPoP",
            "expires_in": int((claims.expires - self.now + timedelta(milliseconds=999)).total_seconds()),
            "scope": " ".join(claims.scopes),
        }
        if claims.record is not None:
            response["patient"] = claims.record
        return response

    def _system_claims(self, client: clients.Client, granted: tuple[str, ...], bound: Confirmation) -> Claims:
        return Claims(
            client=client.id,
            kind=client.kind.value,
            subject=client.id,
            record=None,
            scopes=granted,
            jti=codes.new_jti(),
            grant=None,
            expires=self._until(grants.SYSTEM_TOKEN_LIFETIME),
            jkt=bound.jkt,
            x5t=bound.x5t,
        )

    def _claims(self, client: clients.Client, grant: Grant, granted: tuple[str, ...], bound: Confirmation) -> Claims:
        return Claims(
            client=client.id,
            kind=client.kind.value,
            subject=str(grant.account) if grant.professional is None else grant.professional.id,
            record=grant.record,
            scopes=granted,
            jti=codes.new_jti(),
            grant=str(grant.id),
            expires=self._until(grants.TOKEN_LIFETIME),
            actor=grant.actor if grant.assistant is None else grant.assistant.id,
            jkt=bound.jkt,
            x5t=bound.x5t,
            acr=grant.proof.acr,
            auth_time=int(grant.proof.at.timestamp()),
            professional=grant.professional,
            assistant=grant.assistant,
        )

    def _until(self, lifetime: timedelta) -> datetime:
        return (self.now + lifetime).replace(microsecond=0)


def _spoken(made: AuthlibRequest) -> AuthlibRequest:
    # Authlib repeats these in error_description, which allows few characters (§5.2), and fails on others.
    spoken = ("client_id", "redirect_uri", "response_type", "grant_type")
    if any(_UNSPEAKABLE.search(made.args.get(name, "")) for name in spoken):
        raise InvalidRequestError("A parameter holds characters it cannot have.")
    if made.payload.repeated:
        # §3.1, §3.2: "Request and response parameters MUST NOT be included more than once."
        raise InvalidRequestError("A parameter is repeated.")
    return made
