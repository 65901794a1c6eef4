"""A small OpenID provider over Authlib's server classes: code with PKCE S256, userinfo, introspection, logout.

The rule: it refuses to exist outside of a sandbox. What it knows is in the memory of one process and ends with it: a
sandbox with several processes has several providers that do not know each other.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import uuid4

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.jwk import ECKey

from auth.backchannel import EVENT
from auth.message import Answer, AuthlibRequest, Message
from auth.rfc7636 import ProofKey
from auth.rfc9207 import with_issuer
from auth.sandbox.people import Person
from phr.core.settings import Settings, UnsafeSettingsError

ALGORITHM = "ES256"
MOST = 10_000
_METHODS = ["client_secret_basic", "client_secret_post"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a provider look like the one it plays. Lifetimes in seconds."""

    slug: str
    title: str
    discovery: str
    scopes: tuple[str, ...]
    acr: str
    token_lifetime: int
    claims: tuple[str, ...] = ()
    signed_userinfo: bool = False
    other_host: bool = False


PSC = Shape(
    "psc", "Pro Santé Connect (bac à sable)", "wallet-openid-configuration",
    ("openid", "scope_all", "identity", "rpps", "profile", "email", "offline_access"),
    "eidas1", 120, ("SubjectNameID",), other_host=True,
)  # fmt: skip
"""Access tokens of two minutes; introspection says active as long as the session, which the real one may not."""

FC = Shape(
    "fc", "FranceConnect (bac à sable)", "openid-configuration",
    ("openid", "profile", "birth", "identite_pivot", "email"), "eidas2", 60, signed_userinfo=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Client:
    """Software known to the provider. Its methods are those that Authlib calls."""

    id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    logout_uri: str | None = None

    def get_client_id(self) -> str:
        """For Authlib."""
        return self.id

    def get_default_redirect_uri(self) -> None:
        """It is always sent."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exactly as registered."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, secret: str) -> bool:
        """In constant time."""
        return hmac.compare_digest(self.secret.encode(), secret.encode(errors="replace"))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """By its secret."""
        return method in _METHODS

    def check_response_type(self, response_type: str) -> bool:
        """Codes."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Codes."""
        return grant_type == "authorization_code"

    def get_allowed_scope(self, scope: str | None) -> str:
        """What it asks for."""
        return scope or ""


@dataclass(frozen=True, slots=True)
class Held:
    """A code, or the token it gave, in one session of one person."""

    client_id: str
    person: Person
    scope: str
    sid: str
    auth_time: int
    expires: int
    nonce: str | None = None
    redirect_uri: str = ""
    code_challenge: str = ""

    def get_redirect_uri(self) -> str:
        """For Authlib."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """For Authlib."""
        return self.scope

    def get_nonce(self) -> str | None:
        """For Authlib."""
        return self.nonce

    def get_auth_time(self) -> int:
        """For Authlib."""
        return self.auth_time

    def get_acr(self) -> None:
        """Said by the id_token extension."""

    def get_amr(self) -> list[str]:
        """RFC 8176: a hardware key, as a card is, and a PIN."""
        return ["hwk", "pin"]

    def is_expired(self) -> bool:
        """For Authlib's introspection: the session decides, not the token."""
        return False

    def is_revoked(self) -> bool:
        """For Authlib's introspection."""
        return False


class Shelf(Generic[Value]):
    """What is kept by a secret, the oldest forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def put(self, secret: str, value: Value) -> None:
        """Keep."""
        with self._lock:
            self._kept[secret] = value
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def get(self, secret: str) -> Value | None:
        """Look."""
        with self._lock:
            return self._kept.get(secret)

    def all(self) -> list[tuple[str, Value]]:
        """All that is kept now."""
        with self._lock:
            return list(self._kept.items())

    def take(self, secret: str) -> Value | None:
        """Take out: one of several gets it."""
        with self._lock:
            return self._kept.pop(secret, None)


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = _METHODS

    def save_authorization_code(self, code: str, request: Any) -> None:
        home: SandboxProvider = self.server
        asked = request.payload.data
        now = int(home.clock().timestamp())
        held = Held(
            self.client.id, request.user, request.scope, str(uuid4()), now, now + 60, asked.get("nonce"),
            request.payload.redirect_uri, asked["code_challenge"],
        )  # fmt: skip
        home.codes.put(code, held)

    def query_authorization_code(self, code: str, client: Client) -> Held | None:
        home: SandboxProvider = self.server
        found = home.codes.take(code)
        alive = found is not None and found.client_id == client.id and found.expires > home.clock().timestamp()
        return found if alive else None

    def authenticate_user(self, authorization_code: Held) -> Person:
        return authorization_code.person

    def delete_authorization_code(self, authorization_code: Held) -> None:
        """Taken when it was looked for."""


class _IdToken(OpenIDCode):  # type: ignore[misc]
    def __init__(self, home: "SandboxProvider") -> None:
        super().__init__(require_nonce=True)
        self._home = home

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def get_client_algorithm(self, client: Client) -> str:
        return ALGORITHM

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": ALGORITHM, "kid": self._home.kid}

    def resolve_client_private_key(self, client: Client) -> ECKey:
        return self._home.key

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        home, held = self._home, request.authorization_code
        now = int(home.clock().timestamp())
        said = {name: held.person.userinfo[name] for name in home.shape.claims}
        mine = {"iss": home.issuer, "aud": held.client_id, "azp": held.client_id, "iat": now, "exp": now + 300}
        return {**said, **mine, "acr": home.shape.acr, "sid": held.sid}

    def generate_user_info(self, user: Person, scope: str) -> dict[str, str]:
        return {"sub": user.sub}


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = _METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Held | None:
        home: SandboxProvider = self.server
        return home.holder(token_string)

    def check_permission(self, token: Held, client: Client, request: Any) -> bool:
        """A resource server asks about tokens that software around it was given."""
        return True

    def introspect_token(self, token: Held) -> dict[str, Any]:
        home: SandboxProvider = self.server
        said = {name: token.person.userinfo[name] for name in home.shape.claims}
        return {
            **said,
            "iss": home.issuer,
            "sub": token.person.sub,
            "azp": token.client_id,
            "client_id": token.client_id,
            "typ": "Bearer",
            "scope": token.scope,
            "sid": token.sid,
            "acr": home.shape.acr,
            "auth_time": token.auth_time,
            "exp": token.expires,
        }


class SandboxProvider(AuthorizationServer):  # type: ignore[misc]
    """One provider. Raises UnsafeSettingsError unless these are a sandbox's settings."""

    def __init__(
        self,
        settings: Settings,
        shape: Shape,
        people: Sequence[Person],
        clients: Sequence[Client],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not settings.sandbox:
            raise UnsafeSettingsError("The sandbox providers exist in a sandbox only.")
        super().__init__()
        self.shape = shape
        self.base = f"{settings.issuer}/sandbox/{shape.slug}"
        self.issuer = self.base
        self.people = {person.id: person for person in people}
        self.clients = {client.id: client for client in clients}
        self.clock = clock
        self.key = ECKey.generate_key("P-256")
        self.kid = self.key.thumbprint()
        self.codes: Shelf[Held] = Shelf()
        self.tokens: Shelf[Held] = Shelf()
        self.sessions: Shelf[Held] = Shelf()
        self.register_grant(_CodeGrant, [ProofKey(required=True), _IdToken(self)])
        self.register_endpoint(_Introspection)
        self.register_token_generator("default", self._token)

    def asked(self, query: Sequence[tuple[str, str]], user: Person | None) -> Any:
        """Judge an authorization request. Raises OAuth2Error."""
        grant = self.get_consent_grant(Message("GET", query), user)
        if "openid" not in (grant.request.scope or "").split():
            raise InvalidRequestError("scope must hold openid.", redirect_uri=grant.redirect_uri)
        return grant

    def pick(self, query: Sequence[tuple[str, str]], person: str) -> Answer:
        """Sign in as this person: the redirect back, with a code. Raises OAuth2Error, KeyError."""
        user = self.people[person]
        grant = self.asked(query, user)
        answer: Answer = self.create_authorization_response(grant.request, user, grant)
        return answer

    def holder(self, token: str) -> Held | None:
        """Who a token was given for, as long as their session lasts."""
        held = self.tokens.get(token)
        return held if held is not None and self.sessions.get(held.sid) is not None else None

    def userinfo(self, token: str) -> str | Mapping[str, Any] | None:
        """What a token tells of its person, signed if this provider signs. None: unknown, expired or over."""
        held = self.holder(token)
        now = int(self.clock().timestamp())
        if held is None or held.expires <= now:
            return None
        if not self.shape.signed_userinfo:
            return held.person.userinfo
        said = {**held.person.userinfo, "iss": self.issuer, "aud": held.client_id, "iat": now, "exp": now + 60}
        return jwt.encode({"alg": ALGORITHM, "kid": self.kid}, said, self.key, [ALGORITHM])

    def sessions_of(self, person: str) -> list[str]:
        """The `sid` of each session of a person."""
        return [sid for sid, held in self.sessions.all() if held.person.id == person]

    def end(self, sid: str) -> tuple[str, str] | None:
        """End a session: where to send which logout token, if its software wants to know."""
        held = self.sessions.take(sid)
        client = None if held is None else self.clients.get(held.client_id)
        if held is None or client is None or client.logout_uri is None:
            return None
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": held.person.sub,
            "aud": client.id,
            "iat": now,
            "exp": now + 120,
            "jti": str(uuid4()),
            "sid": sid,
            "events": {EVENT: {}},
        }
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": "logout+jwt"}
        return client.logout_uri, jwt.encode(header, claims, self.key, [ALGORITHM])

    def query_client(self, client_id: str) -> Client | None:
        """For Authlib."""
        return self.clients.get(client_id)

    def create_oauth2_request(self, request: Any) -> AuthlibRequest:
        """For Authlib."""
        if isinstance(request, AuthlibRequest):
            return request
        message: Message = request
        return AuthlibRequest(message, message.query if message.method == "GET" else message.form)

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        """For Authlib. RFC 9207: every redirect names us."""
        sent = tuple(
            (name, with_issuer(value, self.issuer) if name == "Location" else value) for name, value in headers
        )
        return Answer(status, body if isinstance(body, Mapping) else {}, sent)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """For Authlib: nobody listens."""

    def save_token(self, token: Mapping[str, Any], request: Any) -> None:
        """For Authlib: the access token, and the session it stands in."""
        held = request.authorization_code
        expires = int(self.clock().timestamp()) + self.shape.token_lifetime
        self.sessions.put(held.sid, held)
        self.tokens.put(token["access_token"], replace(held, expires=expires))

    def _token(self, grant_type: str, client: Client, scope: str | None = None, **_: Any) -> dict[str, Any]:
        return {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": self.shape.token_lifetime,
            "scope": scope,
        }
