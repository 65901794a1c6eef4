"""RFC 7009, revocation: a client throws its own token away. An unknown or dead token is revoked already."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from auth import clients, grants, refresh_tokens, rfc6749
from auth.claims import Claims
from auth.grants import Grant
from phr.core.errors import DomainError


class _Issued:
    """A token that still works, in Authlib's shape: an access token's claims, or a refresh token's grant."""

    def __init__(self, what: Claims | Grant) -> None:
        self.what = what

    def check_client(self, client: clients.Client) -> bool:
        """§2.1: "verifies whether the token was issued to the client making the revocation request"."""
        return self.what.client == client.id


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """The revocation endpoint."""

    CLIENT_AUTH_METHODS = rfc6749.AUTH_METHODS

    def check_params(self, request: Any, client: clients.Client) -> None:
        """§2.1: `token` is required; `token_type_hint` may be ignored, and is."""
        if "token" not in request.form:
            raise InvalidRequestError("token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Issued | None:
        """§2.2: "invalid tokens do not cause an error response"."""
        exchange = self.server
        try:
            return _Issued(exchange.verifier.verify(token_string, exchange.now))
        except DomainError:
            grant = refresh_tokens.peek(exchange.session, exchange.keys, token_string, exchange.now)
            return None if grant is None else _Issued(grant)

    def revoke_token(self, token: _Issued, request: Any) -> None:
        """§2.1: a refresh token takes its grant with it, and every access token the grant gave."""
        session = self.server.session
        if isinstance(token.what, Grant):
            grants.revoke(session, token.what.id, self.server.now)
        else:
            grants.revoke_token(session, UUID(token.what.jti), token.what.expires + timedelta(seconds=5))
