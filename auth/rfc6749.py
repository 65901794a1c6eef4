"""RFC 6749, the framework: the three grants of its own that we have, over Authlib's."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as AuthlibRefreshTokenGrant

from auth import accounts, clients, codes, grants, launches, refresh_tokens, rfc8705, rfc9449, scopes
from auth.clients import Kind
from auth.grants import Grant
from auth.oidc import refuse_unsupported
from auth.refresh_tokens import Held
from auth.rfc7523 import METHOD
from auth.sessions import Visitor

if TYPE_CHECKING:
    from auth.exchange import Exchange

AUTH_METHODS = [METHOD, *rfc8705.METHODS, "none"]
"""How a client may say who it is, the strongest first; each client has one."""

UNBOUNDED = "scope is missing, or holds one that this client is not registered for."


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """§4.1, the authorization code grant."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_authorization_request(self) -> str:
        """§4.1.1. Raises OAuth2Error, with a redirect URI only when both client and URI are known."""
        redirect_uri: str = super().validate_authorization_request()
        asked = self.request.payload.data
        exchange: Exchange = self.server
        refuse_unsupported(asked, redirect_uri)
        if self.client.require_pushed_authorization_requests and exchange.pushed is None:
            # RFC 9126 §6: "if … true, the authorization server MUST refuse … requests … not … via a pushed one".
            raise InvalidRequestError("This client pushes its requests (RFC 9126).", redirect_uri=redirect_uri)
        if "dpop_jkt" in asked and not rfc9449.is_thumbprint(asked["dpop_jkt"]):
            raise InvalidRequestError("dpop_jkt must be a SHA-256 JWK thumbprint.", redirect_uri=redirect_uri)
        exchange.check_target(asked, redirect_uri)
        if (scopes.LAUNCH in scopes.split(self.request.scope)) != ("launch" in asked):
            # SMART App Launch 2.2 §2.0.4: the launch parameter and the launch scope go together.
            raise InvalidRequestError("The launch scope and parameter go together.", redirect_uri=redirect_uri)
        return redirect_uri

    def validate_requested_scope(self) -> None:
        """§3.3: what the client is not registered for, or nothing, is invalid_scope."""
        if self.request.client.get_allowed_scope(self.request.payload.scope) is None:
            raise InvalidScopeError(UNBOUNDED)
        super().validate_requested_scope()

    def save_authorization_code(self, code: str, request: Any) -> None:
        """§4.1.2: bound to the client, the redirect URI and the challenge, with what the person left ticked."""
        exchange: Exchange = self.server
        visitor: Visitor = request.user
        client: clients.Client = self.client
        asked = request.payload.data
        record, actor, until, app_context = exchange.chosen, None, None, ""
        if client.kind is Kind.CITIZEN_APP:
            if visitor.account is None:
                raise AccessDeniedError(redirect_uri=request.payload.redirect_uri)
            actor = None if record == visitor.account.record else str(visitor.account.id)
            choices = exchange.home.records(*_place(exchange), visitor.account, exchange.now)
            until = next((choice.until for choice in choices if choice.record == record), None)
        elif "launch" in asked:
            launched = launches.take(exchange.session, exchange.keys, asked["launch"], client.id, visitor, exchange.now)
            if launched is None:
                redirect_uri = request.payload.redirect_uri
                raise InvalidRequestError("The launch context is unknown, used or expired.", redirect_uri=redirect_uri)
            record, app_context = launched.record, launched.app_context
        granted = [one for one in scopes.split(request.scope) if one in exchange.consented]
        if record is None:
            granted = [one for one in granted if not _needs_record(one)]
        person = visitor.assistant or visitor.professional
        practitioner = None
        if person is not None and scopes.FHIR_USER in granted:
            practitioner = exchange.home.directory(client.id, person)
            granted = [one for one in granted if practitioner is not None or one != scopes.FHIR_USER]
        if not any(scopes.parse(one) for one in granted):
            raise AccessDeniedError(redirect_uri=request.payload.redirect_uri)
        offline = scopes.OFFLINE in granted and client.check_grant_type("refresh_token")
        grant = grants.record(
            *_place(exchange), client, visitor, granted, record, actor, offline, exchange.now, practitioner, until
        )
        made = codes.Code(
            client=client.id,
            redirect_uri=request.payload.redirect_uri,
            scope=" ".join(granted),
            code_challenge=asked["code_challenge"],
            nonce=asked.get("nonce"),
            grant=str(grant),
            auth_time=int(visitor.proof.at.timestamp()),
            acr=visitor.proof.acr,
            amr=visitor.proof.amr,
            jkt=asked.get("dpop_jkt"),
            app_context=app_context,
        )
        codes.save(exchange.session, exchange.keys, code, made, exchange.now)

    def query_authorization_code(self, code: str, client: clients.Client) -> codes.Code:
        """§4.1.3."""
        exchange: Exchange = self.server
        found = codes.redeem(exchange.session, exchange.keys, code, client.id, exchange.now)
        # RFC 9449 §10: "the authorization server … verifies that the proof's key … matches the value of dpop_jkt".
        if found is None or found.jkt not in (None, exchange.jkt):
            raise InvalidGrantError("The code is unknown, used, expired, or another client's.")
        exchange.app_context = found.app_context
        return found

    def authenticate_user(self, authorization_code: codes.Code) -> Grant | None:
        """The grant behind the code, unless it was revoked or its account disabled since."""
        return _standing(self.server, grants.find(*_place(self.server), UUID(authorization_code.grant)))

    def delete_authorization_code(self, authorization_code: codes.Code) -> None:
        """Kept, marked as used, to notice a replay."""


class RefreshGrant(AuthlibRefreshTokenGrant):  # type: ignore[misc]
    """§6, refreshing an access token; RFC 9700 §4.14.2, the refresh token is used once."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> Held:
        """The token presented, held until the answer is made; not one bound to a key that was not proven."""
        exchange: Exchange = self.server
        held = refresh_tokens.hold(*_place(exchange), refresh_token, self.request.client.id, exchange.now)
        if held is None or held.grant.jkt not in (None, exchange.jkt):
            raise InvalidGrantError(
                "The refresh token is unknown, used, expired, revoked, or another client's or key's."
            )
        return held

    def authenticate_user(self, credential: Held) -> Grant | None:
        """The grant, unless its account was disabled."""
        return _standing(self.server, credential.grant)

    def revoke_old_credential(self, credential: Held) -> None:
        """Spent, in the transaction that made the next one."""
        refresh_tokens.spend(self.server.session, credential, self.server.now)


class SystemGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """§4.4, software that acts for itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS[:-1]

    def validate_requested_scope(self) -> None:
        """§3.3: out of the client's bounds, or nothing, or nothing of its own, is invalid_scope."""
        asked = self.request.payload.scope
        parsed = [scopes.parse(one) for one in scopes.split(asked)]
        own = bool(parsed) and all(one is not None and one.context == "system" for one in parsed)
        if not own or self.client.get_allowed_scope(asked) is None:
            raise InvalidScopeError(UNBOUNDED)
        super().validate_requested_scope()


def for_professional(scope: str, *, launched: bool) -> bool:
    """Whether a scope is offered to a professional: none of a record without a launch."""
    return launched or not _needs_record(scope)


def _needs_record(scope: str) -> bool:
    parsed = scopes.parse(scope)
    return scope in (scopes.LAUNCH, scopes.LAUNCH_PATIENT) or (parsed is not None and parsed.context == "patient")


def _place(exchange: "Exchange") -> tuple[Any, Any]:
    return exchange.session, exchange.keys


def _standing(exchange: "Exchange", grant: Grant | None) -> Grant | None:
    """The grant, now the one this exchange answers under, unless its citizen's account is disabled.

    A representation may end by time alone, at a child's majority: then the grant ends here.
    """
    if grant is None:
        return None
    if grant.professional is None:
        place = _place(exchange)
        account = accounts.find(*place, grant.account)
        if account is None or account.disabled:
            return None
        if grant.actor is not None:
            represented = {choice.record for choice in exchange.home.records(*place, account, exchange.now)}
            if grant.record not in represented:
                grants.revoke(exchange.session, grant.id, exchange.now)
                return None
    exchange.grant = grant
    return grant
