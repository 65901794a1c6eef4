"""RFC 8705, mutual TLS: clients that authenticate by certificate, and access tokens bound to one.

TLS ends at a proxy: the certificate is the one that a trusted proxy passed on (`phr.proxy`).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, OctKey

if TYPE_CHECKING:
    from auth.clients import Client

TLS_CLIENT_AUTH = "tls_client_auth"
SELF_SIGNED = "self_signed_tls_client_auth"
METHODS = (TLS_CLIENT_AUTH, SELF_SIGNED)
CONFIRMATION = "x5t#S256"


def thumbprint(der: bytes) -> str:
    """§3.1: "a base64url-encoded … SHA-256 hash … of the DER encoding of the X.509 certificate", unpadded."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def same(confirmation: str, der: bytes) -> bool:
    """Whether a `cnf.x5t#S256` is of this certificate.

    The specification of "API Pro Santé Connectées" shows another form, the padded base64 of the hash in hexadecimal:
    it is accepted, and never made.
    """
    given = confirmation.encode(errors="replace")
    spelled = base64.b64encode(hashlib.sha256(der).hexdigest().encode())
    return hmac.compare_digest(given, thumbprint(der).encode()) | hmac.compare_digest(given, spelled)


def certificates(jwks: Mapping[str, Any]) -> list[bytes]:
    """§2.2.2: the certificates a client registered, in DER: the first of each key's `x5c`.

    Raises ValueError: a key without one, or with one of another key (RFC 7517 §4.7: "MUST match the public key").
    """
    found = []
    for member in jwks.get("keys", ()):
        try:
            der = base64.b64decode(member["x5c"][0], validate=True)
            shown = x509.load_der_x509_certificate(der).public_key()
            key = JWKRegistry.import_key(member)
        except (KeyError, IndexError, TypeError, ValueError, JoseError) as error:
            raise ValueError("each key must hold its certificate in x5c") from error
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if isinstance(key, OctKey) or key.public_key.public_bytes(*form) != shown.public_bytes(*form):
            raise ValueError("a certificate in x5c is of another key")
        found.append(der)
    return found


def authenticate(client: "Client", der: bytes | None, roots: Sequence[x509.Certificate], now: datetime) -> None:
    """§2: whether this certificate is this client's. `roots`: the authorities trusted, intermediate ones too.

    Raises InvalidClientError, without saying which of several checks failed.
    """
    if der is None:
        raise InvalidClientError("This client authenticates with its TLS certificate, and none came.")
    try:
        certificate = x509.load_der_x509_certificate(der)
        right = (
            _named(client, certificate, roots, now)
            if client.auth_method == TLS_CLIENT_AUTH
            else client.auth_method == SELF_SIGNED and _registered(client, certificate, der, now)
        )
    except (ValueError, VerificationError, x509.UnsupportedGeneralNameType) as error:
        raise _refused() from error
    if not right:
        raise _refused()


class MutualTls:
    """Authlib's client authentication by one of METHODS."""

    def __init__(self, method: str, roots: Sequence[x509.Certificate], now: datetime) -> None:
        self._method = method
        self._roots = roots
        self._now = now

    def __call__(self, query_client: Any, request: Any) -> Any:
        """The client, or None when it is unknown or has another method. Raises InvalidClientError.

        §2: the client "MUST include the client_id parameter".
        """
        client_id = request.form.get("client_id")
        client = query_client(client_id) if client_id else None
        if client is None or not client.check_endpoint_auth_method(self._method, "token"):
            return None
        authenticate(client, request.certificate, self._roots, self._now)
        return client


def _named(client: "Client", certificate: x509.Certificate, roots: Sequence[x509.Certificate], now: datetime) -> bool:
    """§2.1: a certificate of a trusted authority, with the one name that was registered."""
    if not roots:
        return False
    holder = ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.SubjectAlternativeName,  # the subject may be the only name: §2.1.2, tls_client_auth_subject_dn
        Criticality.AGNOSTIC,
        None,
    )
    policy = PolicyBuilder().store(Store(list(roots))).time(now.astimezone(UTC))
    policy = policy.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=holder)
    policy.build_client_verifier().verify(certificate, [])
    if client.tls_client_auth_subject_dn is not None:
        expected = x509.Name.from_rfc4514_string(client.tls_client_auth_subject_dn)
        return expected.rfc4514_string() == certificate.subject.rfc4514_string()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if client.tls_client_auth_san_dns is not None:
        expected_host = client.tls_client_auth_san_dns.lower()
        return expected_host in [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return client.tls_client_auth_san_uri in names.get_values_for_type(x509.UniformResourceIdentifier)


def _registered(client: "Client", certificate: x509.Certificate, der: bytes, now: datetime) -> bool:
    """§2.2: one of the certificates registered, while it is valid."""
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    return any(hmac.compare_digest(one, der) for one in certificates(client.jwks or {}))


def _refused() -> InvalidClientError:
    return InvalidClientError("The TLS certificate is not this client's, or is not valid now.")
