"""RFC 7662, introspection: a confidential client asks whether a token it was given is still active.

The rule: a client learns of its own tokens only; of another's, as of garbage, it learns that it is not active.
"""

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from auth import clients, grants, refresh_tokens, rfc6749, rfc9068
from auth.claims import Claims
from auth.clients import Kind
from auth.grants import Grant
from phr.core.errors import DomainError

if TYPE_CHECKING:
    from auth.exchange import Exchange


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """The introspection endpoint."""

    CLIENT_AUTH_METHODS = rfc6749.AUTH_METHODS[:-1]

    def check_params(self, request: Any, client: clients.Client) -> None:
        """§2.1: `token` is required; the hint may be ignored, and is."""
        if "token" not in request.form:
            raise InvalidRequestError("token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Claims | Grant | None:
        """What the token stands for, if it still works."""
        exchange: Exchange = self.server
        try:
            claims = exchange.verifier.verify(token_string, exchange.now)
        except DomainError:
            return refresh_tokens.peek(exchange.session, exchange.keys, token_string, exchange.now)
        return None if grants.is_revoked(exchange.session, claims.revocable) else claims

    def check_permission(self, token: Claims | Grant, client: clients.Client, request: Any) -> bool:
        """§4: only whom it was issued to, and the operator's software."""
        return token.client == client.id or client.kind is Kind.OPERATOR

    def create_introspection_payload(self, token: Claims | Grant | None) -> dict[str, Any]:
        """§2.2."""
        exchange: Exchange = self.server
        if token is None:
            return {"active": False}
        if isinstance(token, Grant):
            return {
                "active": True,
                "iss": exchange.issuer,
                "client_id": token.client,
                "scope": " ".join(token.scopes),
                "exp": int(token.expires.timestamp()) if token.expires is not None else None,
            }
        client = clients.find(exchange.session, token.client)
        if client is None:
            return {"active": False}
        return {
            "active": True,
            "token_type": "Bearer" if token.jkt is None else "DPoP",
            **rfc9068.payload(exchange.issuer, exchange.subjects, token, client.sector),
        }
