"""The registry of software. Operators register clients; a client's kind bounds what it can ever be granted.

No client has a secret: it is public, it signs with a private key we never see, or it shows a certificate.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from auth import purposes, rfc7591, rfc8252, rfc8705, tables
from auth import scopes as words
from auth.purposes import STOPPED, Service, Status
from auth.rfc7591 import Metadata

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", re.ASCII)
_RSA_BITS = 2048
_SECRET = ("d", "k", "p", "q", "dp", "dq", "qi", "oth")
SERVICE = "service"
"""The member of the stored metadata that is ours: what the catalogue says of it (`auth.purposes`)."""


class Kind(StrEnum):
    """The kinds of software."""

    CITIZEN_APP = "citizen-app"
    PROFESSIONAL = "professional"
    PHARMACY = "pharmacy"
    DEPOSIT = "deposit"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a kind of client can ever have: contexts of SMART scopes, scopes that are a word, grant types."""

    contexts: frozenset[str]
    words: frozenset[str]
    grants: frozenset[str]

    @property
    def person(self) -> bool:
        """Whether somebody signs in to it."""
        return "authorization_code" in self.grants


def _bounds(contexts: str, words: str, *grants: str) -> Bounds:
    return Bounds(frozenset(contexts.split()), frozenset(words.split()), frozenset(grants))


_PERSON = ("authorization_code", "refresh_token")
_OPENID = "openid fhirUser profile offline_access"
BOUNDS = {
    Kind.CITIZEN_APP: _bounds("patient", f"{_OPENID} launch/patient", *_PERSON),
    Kind.PROFESSIONAL: _bounds("user patient", f"{_OPENID} launch launch/patient", *_PERSON, EXCHANGE),
    Kind.PHARMACY: _bounds("user system", _OPENID, *_PERSON, "client_credentials", EXCHANGE),
    Kind.DEPOSIT: _bounds("system", "", "client_credentials"),
    Kind.OPERATOR: _bounds("system", "", "client_credentials"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(Metadata):
    """One registered client. Its methods named by Authlib are those of `authlib.oauth2.rfc6749.ClientMixin`.

    `service`: what the catalogue says of it; None when it is not described there.
    """

    id: str
    name: str
    kind: Kind
    redirect_uris: tuple[str, ...]
    jwks: Mapping[str, Any] | None
    scopes: tuple[str, ...]
    disabled: bool = False
    service: Service | None = None

    @property
    def auth_method(self) -> str:
        """How it authenticates (RFC 7591 `token_endpoint_auth_method`); by its keys when it only gave keys."""
        return self.token_endpoint_auth_method or ("none" if self.jwks is None else "private_key_jwt")

    @property
    def public(self) -> bool:
        """Whether it cannot authenticate (RFC 6749 §2.1)."""
        return self.auth_method == "none"

    @property
    def native(self) -> bool:
        """Whether it runs on somebody's own device: as registered, or shown by its redirect URIs."""
        if self.application_type is not None:
            return self.application_type == "native"
        return any(map(_on_device, self.redirect_uris))

    @property
    def sector(self) -> str:
        """The sector of its pairwise `sub` (OpenID Connect Core §8.1): "the host component of the registered
        redirect_uri"; an app that has no host is a sector of its own, named by its id."""
        hosts = _hosts(self.redirect_uris)
        return self.sector_identifier or (hosts[0] if hosts else self.id)

    def get_client_id(self) -> str:
        """For Authlib."""
        return self.id

    def get_default_redirect_uri(self) -> None:
        """RFC 9700 §4.1.3: redirect_uri is always compared, so it is always sent."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """RFC 9700 §2.1: exact string matching, but for the port of a native app's loopback URI (RFC 8252 §7.3)."""
        return any(rfc8252.matches(redirect_uri, mine, self.native) for mine in self.redirect_uris)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The one registered, whatever the endpoint."""
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        """Authorization codes, for those who have a person before them and somewhere to send them back."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """The grant types of its kind: codes when it has a redirect URI, the others when it authenticates."""
        ready = bool(self.redirect_uris) if grant_type in _PERSON else not self.public
        return ready and grant_type in BOUNDS[self.kind].grants

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scopes asked, each once; None (→ invalid_scope) when there is none or one is out of bounds."""
        asked = words.split(scope)
        if not asked or not all(words.allowed(one, self.scopes) for one in asked):
            return None
        return " ".join(asked)


def register(
    session: Session,
    *,
    id: str,
    name: str,
    kind: Kind,
    scopes: Sequence[str],
    now: datetime,
    redirect_uris: Sequence[str] = (),
    jwks: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Client:
    """Add a client. `metadata`: under the names of `auth.rfc7591.Metadata`, and `service` (`auth.purposes`).

    Raises ValueError when the registration is unsafe, IntegrityError when the id is taken.
    """
    said, service = _said(metadata)
    stopped = service is not None and service.status in STOPPED
    made = _client(id, name, Kind(kind), tuple(redirect_uris), jwks, tuple(scopes), stopped, said, service)
    _judge(made)
    row = {
        "id": id,
        "name": name,
        "kind": made.kind.value,
        "redirect_uris": list(made.redirect_uris),
        "jwks": None if jwks is None else dict(jwks),
        "scopes": list(made.scopes),
        "disabled": stopped,
        "created": now,
        "metadata": _kept(made) or None,
    }
    session.execute(insert(tables.client).values(row))
    return made


def find(session: Session, id: str) -> Client | None:
    """The client, unless unknown or disabled."""
    if not isinstance(id, str) or _ID.fullmatch(id) is None:
        return None
    mine = (tables.client.c.id == id, tables.client.c.disabled.is_(False))
    found = session.execute(select(tables.client).where(*mine)).one_or_none()
    return None if found is None else _read(found)


def list_all(session: Session) -> list[Client]:
    """Every client, disabled ones too, by id."""
    return [_read(row) for row in session.execute(select(tables.client).order_by(tables.client.c.id))]


def disable(session: Session, id: str) -> Client:
    """Shut a client out: no new token, and each token it holds is refused at its next request.

    Nothing is deleted: the journal still names it. Raises LookupError.
    """
    mine = tables.client.c.id == id
    done = update(tables.client).where(mine).values(disabled=True).returning(tables.client)
    found = session.execute(done).one_or_none()
    if found is None:
        raise LookupError(f"no client is called {id}")
    return _read(found)


def describe(session: Session, id: str, service: Service) -> Client:
    """Write what the catalogue says of a client, in place of what it said.

    A service suspended or taken out is disabled, and stops at once; put back, it works again, but not when it was
    `disable` that shut it out. Raises LookupError (no such client), ValueError (its kind or its scopes do not allow).
    """
    mine = tables.client.c.id == id
    row = session.execute(select(tables.client).where(mine).with_for_update()).one_or_none()
    if row is None:
        raise LookupError(f"no client is called {id}")
    before = _read(row)
    was_stopped = before.service is not None and before.service.status in STOPPED
    disabled = service.status in STOPPED or (before.disabled and not was_stopped)
    made = replace(before, service=service, disabled=disabled)
    _judge(made)
    session.execute(update(tables.client).where(mine).values(metadata=_kept(made), disabled=disabled))
    return made


def stopped(session: Session, id: str | None) -> Status | None:
    """The status under which a service is refused whatever it asks; None for one that may ask, or is unknown."""
    row = session.execute(select(tables.client).where(tables.client.c.id == id)).one_or_none()
    service = None if row is None else _read(row).service
    return service.status if service is not None and service.status in STOPPED else None


def rotate(session: Session, id: str, jwks: Mapping[str, Any], *, drop_old: bool = False) -> Client:
    """Give a client new keys. The old ones keep working until it is said to drop them, so nothing stops in between.

    1. `rotate` with the new public keys: signatures by old and new keys are accepted. 2. The client's software is
    given the new private key and signs with it. 3. `rotate` with the same keys and `drop_old`: the old ones are out.
    Raises LookupError (no such client), ValueError (unsafe keys, or a client that has none).
    """
    mine = tables.client.c.id == id
    found = session.execute(select(tables.client).where(mine).with_for_update()).one_or_none()
    if found is None:
        raise LookupError(f"no client is called {id}")
    if found.jwks is None:
        raise ValueError(f"{id} has no key to replace: it does not authenticate with one")
    new = {key.thumbprint() for key in keys(jwks).keys}
    old = [] if drop_old else found.jwks["keys"]
    old = [one for one in old if KeySet.import_key_set({"keys": [one]}).keys[0].thumbprint() not in new]
    changed = update(tables.client).where(mine).values(jwks={"keys": [*jwks["keys"], *old]}).returning(tables.client)
    made = _read(session.execute(changed).one())
    _judge(made)
    return made


def keys(jwks: Mapping[str, Any]) -> KeySet:
    """The public keys of a client. Raises ValueError: private, symmetric or weak keys."""
    members = jwks.get("keys")
    if not isinstance(members, list) or not members or not all(isinstance(member, dict) for member in members):
        raise ValueError("jwks holds no key")
    if any(name in member for member in members for name in _SECRET):
        raise ValueError("jwks must hold public keys only")
    try:
        parsed = KeySet.import_key_set({"keys": members})
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("jwks cannot be read") from error
    for key in parsed.keys:
        strong = isinstance(key, ECKey) or (isinstance(key, RSAKey) and key.raw_value.key_size >= _RSA_BITS)
        if not strong:
            raise ValueError("jwks must hold EC keys, or RSA keys of 2048 bits or more")
    if len(parsed.keys) != len(members) or len({key.kid for key in parsed.keys}) != len(members):
        raise ValueError("jwks must hold keys this server understands, each with a kid of its own")
    return parsed


def _client(
    id: str,
    name: str,
    kind: Kind,
    redirect_uris: tuple[str, ...],
    jwks: Mapping[str, Any] | None,
    scopes: tuple[str, ...],
    disabled: bool,
    said: Metadata,
    service: Service | None,
) -> Client:
    more = {field.name: getattr(said, field.name) for field in fields(Metadata)}
    return Client(
        id=id,
        name=name,
        kind=kind,
        redirect_uris=redirect_uris,
        jwks=jwks,
        scopes=scopes,
        disabled=disabled,
        service=service,
        **more,
    )


def _said(metadata: Mapping[str, Any] | None) -> tuple[Metadata, Service | None]:
    """What is registered under the names of RFC 7591, and what the catalogue says."""
    rest = dict(metadata or {})
    service = rest.pop(SERVICE, None)
    return rfc7591.read(rest), None if service is None else purposes.read(service)


def _kept(client: Client) -> dict[str, Any]:
    said = rfc7591.kept(client)
    return said if client.service is None else {**said, SERVICE: purposes.kept(client.service)}


def _read(row: Any) -> Client:
    said, service = _said(row.metadata)
    uris, scopes = tuple(row.redirect_uris), tuple(row.scopes)
    return _client(row.id, row.name, Kind(row.kind), uris, row.jwks, scopes, row.disabled, said, service)


def _judge(client: Client) -> None:
    bounds = BOUNDS[client.kind]
    if _ID.fullmatch(client.id) is None:
        raise ValueError("client id must be 1 to 200 visible ASCII characters")
    if not client.name.strip() or not client.name.isprintable():
        raise ValueError("a client has a name that people can read")
    for scope in client.scopes:
        parsed = words.parse(scope)
        if scope not in bounds.words and (parsed is None or parsed.context not in bounds.contexts):
            raise ValueError(f"a {client.kind} client cannot hold {scope}")
    if client.kind is Kind.CITIZEN_APP and not client.redirect_uris:
        raise ValueError("a citizen app needs a redirect URI")
    if client.redirect_uris and not bounds.person:
        raise ValueError(f"a {client.kind} client has no redirect URI")
    if not all(map(rfc8252.safe, client.redirect_uris)):
        raise ValueError("redirect URI must be https, http on a loopback address, or a private-use scheme")
    rfc7591.judge(client, client.redirect_uris, bounds.person)
    _judge_service(client)
    _judge_authentication(client, bounds)
    if len(_hosts(client.redirect_uris)) > 1 and client.sector_identifier is None:
        # OpenID Connect Core §8.1: "If there are multiple hostnames in the registered redirect_uris, the Client MUST
        # register a sector_identifier_uri."
        raise ValueError("redirect URIs of several hosts need a sector_identifier")


def _judge_service(client: Client) -> None:
    declared = () if client.service is None else client.service.purposes
    if declared and client.kind is not Kind.CITIZEN_APP:
        raise ValueError(f"a {client.kind} client serves professionals: people grant it no purpose")
    for purpose in declared:
        beyond = [one for one in purpose.scopes if not words.allowed(one, client.scopes)]
        if beyond:
            raise ValueError(f"purpose {purpose.code} needs {beyond[0]}, which {client.id} is not registered for")


def _judge_authentication(client: Client, bounds: Bounds) -> None:
    must = not bounds.person or not client.redirect_uris or any(one.startswith("system/") for one in client.scopes)
    if client.public and must:
        raise ValueError(f"a {client.kind} client signs or shows a certificate: give its public keys")
    with_keys = client.auth_method in ("private_key_jwt", "self_signed_tls_client_auth")
    if with_keys and client.jwks is None:
        raise ValueError(f"a client with {client.auth_method} needs its public keys")
    if client.jwks is None:
        return
    if not with_keys:
        raise ValueError(f"a client with {client.auth_method} has no keys")
    keys(client.jwks)
    if client.auth_method == "self_signed_tls_client_auth":
        rfc8705.certificates(client.jwks)


def _on_device(uri: str) -> bool:
    return rfc8252.loopback(uri) or rfc8252.private_use(uri)


def _hosts(uris: Sequence[str]) -> list[str]:
    return sorted({urlsplit(uri).hostname or "" for uri in uris if not _on_device(uri)})
