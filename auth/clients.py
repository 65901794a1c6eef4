"""The registry of software. Operators register clients; a client's kind bounds what it can ever be granted.

No client has a secret: it is public, or it signs with a private key we never see.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth import scopes as words
from auth import tables

_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
_RSA_BITS = 2048


class Kind(StrEnum):
    """The kinds of software."""

    CITIZEN_APP = "citizen-app"
    DEPOSIT = "deposit"
    OPERATOR = "operator"


_CONTEXT = {Kind.CITIZEN_APP: "patient", Kind.DEPOSIT: "system", Kind.OPERATOR: "system"}


@dataclass(frozen=True, slots=True)
class Client:
    """One registered client. Its methods named by Authlib are those of `authlib.oauth2.rfc6749.ClientMixin`."""

    id: str
    name: str
    kind: Kind
    redirect_uris: tuple[str, ...]
    jwks: Mapping[str, Any] | None
    scopes: tuple[str, ...]

    @property
    def public(self) -> bool:
        """Whether it has no key to authenticate with (RFC 6749 §2.1)."""
        return self.jwks is None

    def get_client_id(self) -> str:
        """For Authlib."""
        return self.id

    def get_default_redirect_uri(self) -> None:
        """RFC 9700 §4.1.3: redirect_uri is always compared, so it is always sent."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """RFC 9700 §2.1: exact string matching."""
        return redirect_uri in self.redirect_uris

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """`none` for public clients, `private_key_jwt` for the others, whatever the endpoint."""
        return method == ("none" if self.public else "private_key_jwt")

    def check_response_type(self, response_type: str) -> bool:
        """Authorization codes, for those who have a citizen before them."""
        return response_type == "code" and self.kind is Kind.CITIZEN_APP

    def check_grant_type(self, grant_type: str) -> bool:
        """One grant type for each kind."""
        mine = "authorization_code" if self.kind is Kind.CITIZEN_APP else "client_credentials"
        return grant_type == mine

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
) -> Client:
    """Add a client. Raises ValueError when the registration is unsafe, IntegrityError when the id is taken."""
    made = Client(id, name, Kind(kind), tuple(redirect_uris), jwks, tuple(scopes))
    _judge(made)
    row = {
        "id": id,
        "name": name,
        "kind": made.kind.value,
        "redirect_uris": list(made.redirect_uris),
        "jwks": None if jwks is None else dict(jwks),
        "scopes": list(made.scopes),
        "disabled": False,
        "created": now,
    }
    session.execute(insert(tables.client).values(row))
    return made


def find(session: Session, id: str) -> Client | None:
    """The client, unless unknown or disabled."""
    if not isinstance(id, str) or _ID.fullmatch(id) is None:
        return None
    found = session.execute(
        select(tables.client).where(tables.client.c.id == id, tables.client.c.disabled.is_(False))
    ).one_or_none()
    if found is None:
        return None
    return Client(
        found.id,
        found.name,
        Kind(found.kind),
        tuple(found.redirect_uris),
        found.jwks,
        tuple(found.scopes),
    )


def keys(jwks: Mapping[str, Any]) -> KeySet:
    """The public keys of a client. Raises ValueError: private, symmetric or weak keys."""
    members = jwks.get("keys")
    if not isinstance(members, list) or not members:
        raise ValueError("jwks holds no key")
    if any("d" in member or "k" in member for member in members):
        raise ValueError("jwks must hold public keys only")
    try:
        parsed = KeySet.import_key_set({"keys": members})
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("jwks cannot be read") from error
    for key in parsed.keys:
        strong = isinstance(key, ECKey) or (isinstance(key, RSAKey) and key.raw_value.key_size >= _RSA_BITS)
        if not strong:
            raise ValueError("jwks must hold EC keys, or RSA keys of 2048 bits or more")
    return parsed


def _judge(client: Client) -> None:
    if _ID.fullmatch(client.id) is None:
        raise ValueError("client id must be 1 to 200 visible ASCII characters")
    for scope in client.scopes:
        parsed = words.parse(scope)
        plain = scope in words.PLAIN and client.kind is Kind.CITIZEN_APP
        if not plain and (parsed is None or parsed.context != _CONTEXT[client.kind]):
            raise ValueError(f"a {client.kind} client cannot hold {scope}")
    if client.kind is Kind.CITIZEN_APP:
        if not client.redirect_uris:
            raise ValueError("a citizen app needs a redirect URI")
    elif client.redirect_uris:
        raise ValueError(f"a {client.kind} client has no redirect URI")
    elif client.jwks is None:
        raise ValueError(f"a {client.kind} client signs: give its public keys")
    for uri in client.redirect_uris:
        if not _safe(uri):
            raise ValueError("redirect URI must be https, http on a loopback address, or a private-use scheme")
    if client.jwks is not None:
        keys(client.jwks)


def _safe(uri: str) -> bool:
    """RFC 6749 §3.1.2 (no fragment), RFC 8252 §7.1 (private-use schemes hold a dot) and §7.3 (loopback)."""
    if _ID.fullmatch(uri) is None or "#" in uri or any(mark in uri for mark in ";,'"):
        return False
    parts = urlsplit(uri)
    if parts.username or parts.password:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return parts.netloc.rsplit(":", 1)[0] in _LOOPBACK or parts.netloc in _LOOPBACK
    return "." in parts.scheme
