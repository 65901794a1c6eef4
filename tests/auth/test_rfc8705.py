"""RFC 8705, mutual TLS: both methods of §2 with certificates made here, and the confirmation of §3."""

import base64
import hashlib
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from authlib.oauth2.rfc6749 import InvalidClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc.jwk import ECKey

from auth import rfc8705
from auth.clients import Client, Kind
from tests.auth.certificates import DN, builder, root
from tests.auth.city import City, Clock


def self_signed(now: datetime, key: ECKey) -> bytes:
    name = x509.Name.from_rfc4514_string(DN)
    private: Any = key.private_key
    return builder(name, name, private, now).sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


def jwk(key: ECKey, der: bytes) -> dict[str, Any]:
    return {**key.as_dict(private=False), "x5c": [base64.b64encode(der).decode()]}


def by_name(city: City, **metadata: str) -> Client:
    said = {"token_endpoint_auth_method": "tls_client_auth"} | metadata
    return city.deposit(ECKey.generate_key("P-256"), jwks=None, metadata=said)


def refused(client: Client, der: bytes | None, roots: list[x509.Certificate], now: datetime) -> bool:
    with pytest.raises(InvalidClientError):
        rfc8705.authenticate(client, der, roots, now)
    return True


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ({"tls_client_auth_subject_dn": DN}, ()),
        ({"tls_client_auth_subject_dn": DN}, (x509.DNSName("cabinet.test"),)),
        ({"tls_client_auth_san_dns": "Cabinet.test"}, (x509.DNSName("x.test"), x509.DNSName("cabinet.TEST"))),
        ({"tls_client_auth_san_uri": "urn:a:b"}, (x509.UniformResourceIdentifier("urn:a:b"),)),
    ],
)
def test_2_1_the_registered_name_authenticates(
    city: City, clock: Clock, metadata: dict[str, str], names: tuple[x509.GeneralName, ...]
) -> None:
    authority = root(clock())
    client = by_name(city, **metadata)
    rfc8705.authenticate(client, authority.issue(clock(), *names).der, [authority.certificate], clock())


@pytest.mark.parametrize(
    ("metadata", "names", "dn"),
    [
        ({"tls_client_auth_subject_dn": DN}, (), "CN=autre.test,O=Cabinet des Lilas,C=FR"),
        ({"tls_client_auth_subject_dn": DN}, (), "O=Cabinet des Lilas,C=FR"),
        ({"tls_client_auth_subject_dn": DN}, (), "C=FR,O=Cabinet des Lilas,CN=cabinet.test"),
        ({"tls_client_auth_subject_dn": DN}, (), DN + ",C=FR"),
        ({"tls_client_auth_san_dns": "cabinet.test"}, (), DN),
        ({"tls_client_auth_san_dns": "cabinet.test"}, (x509.DNSName("*.test"),), DN),
        ({"tls_client_auth_san_dns": "cabinet.test"}, (x509.DNSName("x.cabinet.test"),), DN),
        ({"tls_client_auth_san_dns": "cabinet.test"}, (x509.UniformResourceIdentifier("cabinet.test"),), DN),
        ({"tls_client_auth_san_uri": "urn:a:b"}, (x509.UniformResourceIdentifier("urn:a:B"),), DN),
        ({"tls_client_auth_san_uri": "urn:a:b"}, (x509.DNSName("urn"),), DN),
    ],
)
def test_2_1_another_name_does_not(
    city: City, clock: Clock, metadata: dict[str, str], names: tuple[x509.GeneralName, ...], dn: str
) -> None:
    authority = root(clock())
    client = by_name(city, **metadata)
    assert refused(client, authority.issue(clock(), *names, dn=dn).der, [authority.certificate], clock())


def test_2_1_the_chain_is_verified(city: City, clock: Clock) -> None:
    """§2.1: "the certificate chain is validated"; the name alone, under another authority, is nothing."""
    authority, other = root(clock()), root(clock())
    client = by_name(city, tls_client_auth_subject_dn=DN)
    der = authority.issue(clock()).der
    assert refused(client, der, [other.certificate], clock())
    assert refused(client, der, [], clock())
    assert refused(client, self_signed(clock(), ECKey.generate_key("P-256")), [authority.certificate], clock())
    assert refused(client, None, [authority.certificate], clock())
    assert refused(client, b"rubbish", [authority.certificate], clock())


def test_2_1_an_intermediate_authority_is_trusted_when_it_is_named(city: City, clock: Clock) -> None:
    authority = root(clock())
    middle = authority.issue(clock(), dn="CN=Intermédiaire,C=FR", authority=True)
    der = middle.issue(clock()).der
    client = by_name(city, tls_client_auth_subject_dn=DN)
    rfc8705.authenticate(client, der, [authority.certificate, middle.certificate], clock())
    assert refused(client, der, [authority.certificate], clock())


def test_2_1_a_certificate_that_may_not_issue_issues_nothing(city: City, clock: Clock) -> None:
    authority = root(clock())
    leaf = authority.issue(clock(), dn="CN=feuille,C=FR")
    client = by_name(city, tls_client_auth_subject_dn=DN)
    assert refused(client, leaf.issue(clock()).der, [authority.certificate, leaf.certificate], clock())


def test_2_1_it_is_for_clients_and_within_its_dates(city: City, clock: Clock) -> None:
    authority = root(clock())
    client = by_name(city, tls_client_auth_subject_dn=DN)
    server = authority.issue(clock(), usage=ExtendedKeyUsageOID.SERVER_AUTH).der
    assert refused(client, server, [authority.certificate], clock())
    der = authority.issue(clock()).der
    for days in (-2, 31):
        assert refused(client, der, [authority.certificate], clock() + timedelta(days=days))


def test_2_2_one_of_the_registered_certificates_authenticates(city: City, clock: Clock) -> None:
    """§2.2: "the certificate that it presented … matches one of the certificates configured or registered"."""
    old, new, other = (ECKey.generate_key("P-256") for _ in range(3))
    ders = [self_signed(clock(), key) for key in (old, new)]
    keys = {"keys": [jwk(key, der) for key, der in zip((old, new), ders, strict=True)]}
    client = city.deposit(old, jwks=keys, metadata={"token_endpoint_auth_method": "self_signed_tls_client_auth"})
    for der in ders:
        rfc8705.authenticate(client, der, [], clock())
        for days in (-2, 31):
            assert refused(client, der, [], clock() + timedelta(days=days))
    assert refused(client, self_signed(clock(), other), [], clock())
    assert refused(client, self_signed(clock(), new), [], clock()), "another certificate of the same key"
    assert refused(client, None, [], clock())


def test_2_2_2_each_key_is_registered_with_its_certificate(city: City, clock: Clock) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    said = {"token_endpoint_auth_method": "self_signed_tls_client_auth"}
    for member in (key.as_dict(private=False), jwk(key, b"rubbish"), jwk(key, b"") | {"x5c": []}):
        with pytest.raises(ValueError, match="x5c"):
            city.deposit(key, jwks={"keys": [member]}, metadata=said)
    with pytest.raises(ValueError, match="another key"):
        city.deposit(key, jwks={"keys": [jwk(key, self_signed(clock(), other))]}, metadata=said)


def _asked(client: Client | None, method: str, der: bytes | None, form: dict[str, str], clock: Clock) -> Any:
    check = rfc8705.MutualTls(method, [], clock())
    find = {client.id: client}.get if client else (lambda _: None)
    return check(find, SimpleNamespace(form=form, certificate=der))


def test_2_for_authlib_each_client_has_one_method(city: City, clock: Clock) -> None:
    key = ECKey.generate_key("P-256")
    der = self_signed(clock(), key)
    said = {"token_endpoint_auth_method": rfc8705.SELF_SIGNED}
    client = city.deposit(key, jwks={"keys": [jwk(key, der)]}, metadata=said)
    form = {"client_id": client.id}
    assert _asked(client, rfc8705.SELF_SIGNED, der, form, clock) is client
    assert _asked(client, rfc8705.TLS_CLIENT_AUTH, der, form, clock) is None
    assert _asked(None, rfc8705.SELF_SIGNED, der, form, clock) is None
    for wrong in (None, b"", self_signed(clock(), ECKey.generate_key("P-256"))):
        with pytest.raises(InvalidClientError):
            _asked(client, rfc8705.SELF_SIGNED, wrong, form, clock)


def test_2_client_id_is_required(city: City, clock: Clock) -> None:
    """§2: "the client MUST include the client_id parameter … in all requests"."""
    client = by_name(city, tls_client_auth_subject_dn=DN)
    assert _asked(client, rfc8705.TLS_CLIENT_AUTH, b"x", {}, clock) is None


def test_a_certificate_is_nothing_to_a_client_of_another_method(city: City, clock: Clock) -> None:
    key = ECKey.generate_key("P-256")
    der = self_signed(clock(), key)
    signs = city.deposit(key, jwks={"keys": [jwk(key, der)]})
    public = city.citizen_app()
    for client in (signs, public):
        assert refused(client, der, [], clock())
        for method in rfc8705.METHODS:
            assert _asked(client, method, der, {"client_id": client.id}, clock) is None


def test_3_1_the_confirmation_is_the_unpadded_hash_of_the_certificate(clock: Clock) -> None:
    der = self_signed(clock(), ECKey.generate_key("P-256"))
    digest = hashlib.sha256(der).digest()
    made = rfc8705.thumbprint(der)
    assert base64.urlsafe_b64decode(made + "=") == digest
    assert "=" not in made
    assert rfc8705.same(made, der)
    assert rfc8705.same(base64.b64encode(digest.hex().encode()).decode(), der), "the hexadecimal form of API PSC"


def test_3_1_nothing_else_confirms(clock: Clock) -> None:
    der, other = (self_signed(clock(), ECKey.generate_key("P-256")) for _ in range(2))
    made = rfc8705.thumbprint(der)
    digest = hashlib.sha256(der)
    wrong = ["", made + "=", made[:-1], digest.hexdigest(), made.swapcase(), "é", "\ud800", rfc8705.thumbprint(other)]
    wrong.append(base64.b64encode(digest.hexdigest().upper().encode()).decode())
    assert not any(rfc8705.same(one, der) for one in wrong)


def test_2_1_2_exactly_one_name_is_registered(city: City) -> None:
    """§2.1.2: "MUST use exactly one of the … metadata parameters"."""
    for metadata in ({}, {"tls_client_auth_subject_dn": DN, "tls_client_auth_san_dns": "a.test"}):
        with pytest.raises(ValueError, match="exactly one"):
            by_name(city, **metadata)
    key = ECKey.generate_key("P-256")
    with pytest.raises(ValueError, match="exactly one"):
        city.deposit(key, metadata={"tls_client_auth_san_dns": "a.test"})
    for wrong in ("not a name", "CN", ""):
        with pytest.raises(ValueError, match="tls_client_auth"):
            by_name(city, tls_client_auth_subject_dn=wrong)
    with pytest.raises(ValueError, match="names nothing"):
        by_name(city, tls_client_auth_san_uri="no-scheme")
    with pytest.raises(ValueError, match="has no keys"):
        city.deposit(
            key,
            id=uuid4().hex,
            metadata={"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.test"},
        )


def test_kinds_are_bounded_whatever_the_method(city: City) -> None:
    with pytest.raises(ValueError, match="signs or shows a certificate"):
        city.deposit(ECKey.generate_key("P-256"), jwks=None, kind=Kind.OPERATOR, scopes=["system/Patient.c"])
