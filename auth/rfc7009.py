"""RFC 7009, revocation: a client throws its own token away. An unknown or dead token is revoked already."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from auth import clients, grants
from auth.claims import Claims
from auth.rfc7523 import METHOD
from phr.core.errors import DomainError


class _Issued:
    """A verified token in Authlib's shape."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    def check_client(self, client: clients.Client) -> bool:
        """§2.1: "verifies whether the token was issued to the client making the revocation request"."""
        return self.claims.client == client.id


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """The revocation endpoint, for access tokens."""

    CLIENT_AUTH_METHODS = [METHOD, "none"]  # noqa: RUF012

    def check_params(self, request: Any, client: clients.Client) -> None:
        """§2.1: `token` is required; `token_type_hint` may be ignored, and is."""
        if "token" not in request.form:
            raise InvalidRequestError("token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> _Issued | None:
        """§2.2: "invalid tokens do not cause an error response"."""
        try:
            return _Issued(self.server.verifier.verify(token_string, self.server.now))
        except DomainError:
            return None

    def revoke_token(self, token: _Issued, request: Any) -> None:
        """Remember its id until it would have expired."""
        until = token.claims.expires + timedelta(seconds=5)
        grants.revoke_token(self.server.session, UUID(token.claims.jti), until)
