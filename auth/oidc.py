"""OpenID Connect Core 1.0 over the code flow: who signed in, when, and with what. No implicit, hybrid or userinfo."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import RequestNotSupportedError, RequestURINotSupportedError
from authlib.oidc.core.grants import OpenIDCode

from auth import clients, scopes
from auth.accounts import Account
from auth.signing import ALGORITHM

if TYPE_CHECKING:
    from auth.rfc6749 import Exchange

LIFETIME = 300


class IdToken(OpenIDCode):  # type: ignore[misc]
    """The extension of the code grant that adds an id_token when `openid` was granted."""

    def __init__(self, exchange: "Exchange") -> None:
        super().__init__()
        self._exchange = exchange
        self._kid, self._key = exchange.signing.signer(exchange.now)

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """Core §3.1.2.1: the nonce is passed through unmodified; it is the client that compares."""
        return False

    def get_client_algorithm(self, client: clients.Client) -> str:
        """One algorithm for all."""
        return ALGORITHM

    def get_encode_header(self, client: clients.Client) -> dict[str, str]:
        """With the key id (Core §10.1)."""
        return {"alg": ALGORITHM, "kid": self._kid}

    def get_client_claims(self, client: clients.Client) -> dict[str, Any]:
        """Core §2."""
        now = int(self._exchange.now.timestamp())
        return {"iss": self._exchange.issuer, "aud": client.id, "iat": now, "exp": now + LIFETIME}

    def resolve_client_private_key(self, client: clients.Client) -> Any:
        """The signing key of this installation."""
        return self._key

    def generate_user_info(self, user: Account, scope: str) -> dict[str, str]:
        """`sub`, and `fhirUser` (SMART App Launch 2.2 §2.0.7.3) when granted: never a name or an e-mail."""
        said = {"sub": str(user.id)}
        if scopes.FHIR_USER in scopes.split(scope) and user.record is not None:
            said["fhirUser"] = f"{self._exchange.issuer}/fhir/Patient/{user.record}"
        return said


def refuse_unsupported(asked: Mapping[str, str], redirect_uri: str) -> None:
    """Core §3.1.2.6: request objects and response modes we do not have are refused by name, not ignored."""
    error: OAuth2Error | None = None
    if "request" in asked:
        error = RequestNotSupportedError(redirect_uri=redirect_uri)
    elif "request_uri" in asked:
        error = RequestURINotSupportedError(redirect_uri=redirect_uri)
    elif asked.get("response_mode", "query") != "query":
        error = InvalidRequestError("response_mode must be query.", redirect_uri=redirect_uri)
    elif not asked.get("max_age", "0").isdecimal() or len(asked.get("max_age", "0")) > 9:
        error = InvalidRequestError("max_age must be a number of seconds.", redirect_uri=redirect_uri)
    if error is not None:
        raise error
