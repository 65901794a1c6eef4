"""RFC 6749, the framework: one `Exchange` for each HTTP request, with its own database session and clock.

The rule: nothing is redirected before client and redirect URI are both known.
"""

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    AuthorizationServer,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant
from sqlalchemy.orm import Session

from auth import accounts, clients, codes, grants, rfc9068, rfc9207, scopes
from auth.claims import Claims
from auth.message import Answer, AuthlibRequest, Message
from auth.oidc import IdToken, refuse_unsupported
from auth.rfc7009 import Revocation
from auth.rfc7523 import METHOD, SignedAssertion
from auth.rfc7636 import ProofKey
from auth.sessions import Visitor
from auth.signing import SigningKeys
from phr.core.keys import SystemKeys

TOKEN_PATH = "/oauth/token"  # noqa: S105
_UNSPEAKABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")

# Authlib writes whole tokens and codes to its debug log.
logging.getLogger("authlib").setLevel(logging.INFO)


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """§4.1, the authorization code grant."""

    TOKEN_ENDPOINT_AUTH_METHODS = [METHOD, "none"]  # noqa: RUF012

    def validate_authorization_request(self) -> str:
        """§4.1.1. Raises OAuth2Error, with a redirect URI only when both client and URI are known."""
        redirect_uri: str = super().validate_authorization_request()
        refuse_unsupported(self.request.payload.data, redirect_uri)
        return redirect_uri

    def save_authorization_code(self, code: str, request: Any) -> None:
        """§4.1.2: bound to the client, the redirect URI and the challenge, with what the citizen left ticked."""
        exchange: Exchange = self.server
        visitor: Visitor = request.user
        granted = [scope for scope in scopes.split(request.scope) if scope in exchange.consented]
        account = visitor.account
        if account is None:
            raise AccessDeniedError()
        grant = grants.record(
            exchange.session, exchange.keys, account.id, self.client.id, granted, account.record, exchange.now
        )
        made = codes.Code(
            client=self.client.id,
            redirect_uri=request.payload.redirect_uri,
            scope=" ".join(granted),
            account=str(account.id),
            record=account.record,
            code_challenge=request.payload.data["code_challenge"],
            nonce=request.payload.data.get("nonce"),
            auth_time=int(visitor.proof.at.timestamp()),
            grant=str(grant),
            jti=codes.new_jti(),
        )
        codes.save(exchange.session, exchange.keys, code, made, exchange.now)

    def query_authorization_code(self, code: str, client: clients.Client) -> codes.Code | None:
        """§4.1.3."""
        exchange: Exchange = self.server
        return codes.redeem(exchange.session, exchange.keys, code, client.id, exchange.now)

    def authenticate_user(self, authorization_code: codes.Code) -> accounts.Account | None:
        """The citizen behind the code, unless disabled since."""
        exchange: Exchange = self.server
        account = accounts.find(exchange.session, exchange.keys, UUID(authorization_code.account))
        if account is None or account.disabled:
            return None
        exchange.code = authorization_code
        return account

    def delete_authorization_code(self, authorization_code: codes.Code) -> None:
        """Kept, marked as used, to notice a replay."""


class SystemGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """§4.4, software that acts for itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = [METHOD]  # noqa: RUF012

    def validate_requested_scope(self) -> None:
        """§3.3: out of the client's bounds, or nothing, is invalid_scope."""
        if self.client.get_allowed_scope(self.request.payload.scope) is None:
            raise InvalidScopeError()


class Exchange(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server for one request. `consented`: the scopes ticked; `code`: the one being redeemed."""

    def __init__(
        self,
        session: Session,
        keys: SystemKeys,
        signing: SigningKeys,
        verifier: rfc9068.Verifier,
        issuer: str,
        now: datetime,
    ) -> None:
        super().__init__()
        self.session = session
        self.keys = keys
        self.signing = signing
        self.verifier = verifier
        self.issuer = issuer
        self.now = now
        self.consented: frozenset[str] = frozenset()
        self.code: codes.Code | None = None
        audiences = (issuer + TOKEN_PATH, issuer)
        self.register_client_auth_method(METHOD, SignedAssertion(session, keys, audiences, now))
        self.register_grant(CodeGrant, [ProofKey(), IdToken(self)])
        self.register_grant(SystemGrant)
        self.register_endpoint(Revocation(self))
        self.register_token_generator("default", self.bearer)

    def query_client(self, client_id: str) -> clients.Client | None:
        """For Authlib."""
        return clients.find(self.session, client_id)

    def create_oauth2_request(self, request: Any) -> AuthlibRequest:
        """For Authlib: a Message becomes a request, refused when Authlib could not quote it in an error."""
        if isinstance(request, AuthlibRequest):
            return request
        message: Message = request
        made = AuthlibRequest(message, message.query if message.method == "GET" else message.form)
        # Authlib repeats these in error_description, which allows few characters (§5.2), and fails on others.
        spoken = ("client_id", "redirect_uri", "response_type", "grant_type")
        if any(_UNSPEAKABLE.search(made.args.get(name, "")) for name in spoken):
            raise InvalidRequestError("A parameter holds characters it cannot have.")
        if made.payload.repeated:
            # §3.1, §3.2: "Request and response parameters MUST NOT be included more than once."
            raise InvalidRequestError("A parameter is repeated.")
        return made

    def answer(self, name: str, message: Message) -> Answer:
        """The answer of the token or revocation endpoint, errors included."""
        try:
            request = self.create_oauth2_request(message)
        except OAuth2Error as error:
            refused: Answer = self.handle_error_response(None, error)
            return refused
        answer: Answer = (
            self.create_token_response(request) if name == "token" else self.create_endpoint_response(name, request)
        )
        if message.authorization is not None and answer.body.get("error") == InvalidClientError.error:
            # §5.2: "If the client attempted to authenticate via the Authorization request header field … 401".
            scheme = message.authorization.split(" ")[0]
            known = scheme if scheme.isascii() and scheme.isalnum() else "Basic"
            return Answer(401, answer.body, (*answer.headers, ("WWW-Authenticate", f'{known} realm="oauth"')))
        return answer

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

    def bearer(
        self, grant_type: str, client: clients.Client, user: Any = None, scope: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """§5.1, with `patient` (SMART App Launch 2.2 §2.0.9.2): the token response."""
        granted = scopes.split(scope)
        code = self.code
        lifetime = grants.SYSTEM_TOKEN_LIFETIME if code is None else grants.TOKEN_LIFETIME
        claims = Claims(
            client=client.id,
            kind=client.kind.value,
            subject=client.id if code is None else code.account,
            record=None if code is None else code.record,
            scopes=granted,
            jti=codes.new_jti() if code is None else code.jti,
            grant=None if code is None else code.grant,
            expires=(self.now + lifetime).replace(microsecond=0),
        )
        token: dict[str, Any] = {
            "access_token": rfc9068.mint(self.issuer, self.signing, claims, self.now),
            "token_type": "Bearer",
            "expires_in": int(lifetime.total_seconds()),
            "scope": " ".join(granted),
        }
        if claims.record is not None:
            token["patient"] = claims.record
        return token
