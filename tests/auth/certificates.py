"""Certificate authorities and certificates, made on the spot."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

DN = "CN=cabinet.test,O=Cabinet des Lilas,C=FR"


@dataclass(frozen=True)
class Authority:
    """A certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(
        self,
        now: datetime,
        *names: x509.GeneralName,
        dn: str = DN,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        authority: bool = False,
    ) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        made = builder(x509.Name.from_rfc4514_string(dn), self.certificate.subject, key, now)
        made = made.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if authority:
            made = _authority(made, key)
        else:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Authority(made.sign(self.key, hashes.SHA256()), key)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _authority(made: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(usage, critical=True)
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def root(now: datetime, dn: str = "CN=Autorité de test,C=FR") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(dn)
    made = _authority(builder(name, name, key, now), key)
    return Authority(made.sign(key, hashes.SHA256()), key)
