"""RFC 7591 §2, client metadata: what is registered of a client besides its id, kind, keys, redirect URIs and scopes.

The rule: a value is understood and kept, or the registration is refused. Clients never register themselves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from auth import rfc8252, rfc8705

AuthMethod = Literal["none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
_SUBJECTS = ("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The names are those of RFC 7591, RFC 8705, RFC 9126, RFC 9449 and OpenID Connect's registration and logout.

    None: derived by `auth.clients` (`application_type`, `token_endpoint_auth_method`, `sector_identifier`), or absent.
    """

    application_type: Literal["native", "web"] | None = None
    token_endpoint_auth_method: AuthMethod | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    sector_identifier: str | None = None
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    subject_token_clients: tuple[str, ...] = ()
    """Ours: whose tokens of the professionals' provider it may exchange (RFC 8693), by client id at that provider."""


DEFAULTS = {field.name: field.default for field in fields(Metadata)}


def read(given: Mapping[str, Any] | None) -> Metadata:
    """Metadata from JSON. Raises ValueError: an unknown name, or a value of another type."""
    unknown = sorted(set(given or {}) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"{unknown[0]} is not client metadata this server knows")
    try:
        return msgspec.convert(dict(given or {}), Metadata)
    except msgspec.ValidationError as error:
        raise ValueError(f"client metadata: {error}") from None


def kept(metadata: Metadata) -> dict[str, Any]:
    """What was said of it, as JSON to store: nothing that is only a default."""
    said = {name: getattr(metadata, name) for name in DEFAULTS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value != DEFAULTS[name]
    }


def judge(metadata: Metadata, redirect_uris: Sequence[str], person: bool) -> None:
    """Whether the values are sound, each and together. `person`: people may sign in to it. Raises ValueError."""
    _judge_certificate(metadata)
    if metadata.application_type == "web" and any(map(rfc8252.private_use, redirect_uris)):
        raise ValueError("a web application has no private-use redirect URI: its application_type is native")
    for uri in metadata.post_logout_redirect_uris:
        if not rfc8252.safe(uri):
            raise ValueError("a post_logout_redirect_uri must be safe as a redirect URI is")
    back = metadata.backchannel_logout_uri
    # OpenID Connect Back-Channel Logout 1.0 §2.2: "It MUST NOT include a fragment component."
    if back is not None and (not rfc8252.safe(back) or rfc8252.private_use(back)):
        raise ValueError("backchannel_logout_uri must be https, without a fragment")
    if metadata.backchannel_logout_session_required and back is None:
        raise ValueError("backchannel_logout_session_required needs backchannel_logout_uri")
    if not person and (back is not None or metadata.post_logout_redirect_uris):
        raise ValueError("nobody signs in to this kind of client, so nobody signs out")
    sector = metadata.sector_identifier
    if sector is not None and _HOST.fullmatch(sector) is None:
        raise ValueError("sector_identifier must be a host name in lower case")
    if metadata.dpop_bound_access_tokens and metadata.tls_client_certificate_bound_access_tokens:
        raise ValueError("access tokens are bound by DPoP or by certificate, not both")
    if metadata.require_pushed_authorization_requests and not redirect_uris:
        raise ValueError("require_pushed_authorization_requests needs a redirect URI")


def _judge_certificate(metadata: Metadata) -> None:
    """RFC 8705 §2.1.2: "A client using the tls_client_auth … method MUST use exactly one of the … parameters"."""
    named = [value for name in _SUBJECTS if (value := getattr(metadata, name)) is not None]
    expected = 1 if metadata.token_endpoint_auth_method == rfc8705.TLS_CLIENT_AUTH else 0
    if len(named) != expected:
        raise ValueError(f"exactly one of {', '.join(_SUBJECTS)} goes with tls_client_auth, none with another method")
    if metadata.tls_client_auth_subject_dn is not None:
        try:
            x509.Name.from_rfc4514_string(metadata.tls_client_auth_subject_dn)
        except ValueError:
            raise ValueError("tls_client_auth_subject_dn must be a distinguished name as in RFC 4514") from None
    if named == [""] or (metadata.tls_client_auth_san_uri and not urlsplit(metadata.tls_client_auth_san_uri).scheme):
        raise ValueError("tls_client_auth names nothing in the certificate")


def methods() -> tuple[str, ...]:
    """Every `token_endpoint_auth_method` a client may have."""
    return get_args(AuthMethod)
