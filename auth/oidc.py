"""OpenID Connect Core 1.0 over the code flow: who signed in, when, and with what. No implicit, no hybrid flow."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import RequestNotSupportedError, RequestURINotSupportedError
from authlib.oidc.core.grants import OpenIDCode

from auth import accounts, clients, grants, scopes
from auth.claims import Claims
from auth.grants import Grant
from auth.signing import ALGORITHM

if TYPE_CHECKING:
    from auth.exchange import Exchange

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

    def generate_user_info(self, user: Grant, scope: str) -> dict[str, str]:
        """What the scopes tell, and `sid` (OpenID Connect Back-Channel Logout 1.0 §2.1)."""
        client = clients.find(self._exchange.session, user.client)
        said = {} if client is None else told(self._exchange, user, scopes.split(scope), client.sector)
        return said | ({"sid": str(user.session)} if user.session is not None else {})


def told(exchange: "Exchange", grant: Grant, granted: Sequence[str], sector: str) -> dict[str, str]:
    """`sub`; `fhirUser` (SMART App Launch 2.2 §2.0.7.3) and `name` when granted. Never an e-mail."""
    said = {"sub": exchange.subjects.of(grant.account, sector)}
    page, named = _professional(grant) if grant.professional is not None else _citizen(exchange, grant)
    if scopes.FHIR_USER in granted and page is not None:
        said["fhirUser"] = f"{exchange.issuer}/fhir/{page}"
    return said | (named if scopes.PROFILE in granted else {})


def _professional(grant: Grant) -> tuple[str | None, dict[str, str]]:
    """Their page in the directory, and what they are called: whoever signed in, the professional or the assistant."""
    person = grant.assistant or grant.professional
    page = None if grant.practitioner is None else f"Practitioner/{grant.practitioner}"
    return page, {} if person is None else {"name": person.name, "preferred_username": person.id}


def _citizen(exchange: "Exchange", grant: Grant) -> tuple[str | None, dict[str, str]]:
    """Their own record, and their name."""
    citizen = accounts.find(exchange.session, exchange.keys, grant.account)
    if citizen is None:
        return None, {}
    return None if citizen.record is None else f"Patient/{citizen.record}", {"name": citizen.name}


def user_info(exchange: "Exchange", claims: Claims) -> dict[str, str] | None:
    """Core §5.3.2, of a token that stands. None: it is not a person's with `openid`."""
    client = clients.find(exchange.session, claims.client)
    if claims.grant is None or client is None or scopes.OPENID not in claims.scopes:
        return None
    grant = grants.find(exchange.session, exchange.keys, UUID(claims.grant))
    return None if grant is None else told(exchange, grant, claims.scopes, client.sector)


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
