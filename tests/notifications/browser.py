"""A browser’s push subscription, in tests: opening what it is sent (RFC 8291), judging who sent it (RFC 8292)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.notifications.sink import Received


def encoded(raw: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes of it."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription, at a push service."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = b"0123456789abcdef"

    @property
    def point(self) -> bytes:
        """The public key, an uncompressed point."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def given(self) -> dict[str, str]:
        """What the browser gives to whom may push."""
        keys = {"p256dh": encoded(self.point), "auth": encoded(self.secret)}
        return {"kind": "web-push", "endpoint": self.endpoint, **keys}

    def opened(self, body: bytes) -> Any:
        """What was pushed: RFC 8291 §3.4 over RFC 8188 §2, one record."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), theirs)
        known = b"WebPush: info\x00" + self.point + sender
        ikm = HKDF(SHA256(), 32, self.secret, known).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(ikm)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(ikm)
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        assert plain.endswith(b"\x02")
        return json.loads(plain[:-1])


def signed(received: Received, public: str) -> dict[str, Any]:
    """The claims of the VAPID token, verified with the key the browser subscribed with."""
    scheme, _, rest = received.headers["authorization"].partition(" ")
    given = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert (scheme, given["k"]) == ("vapid", public)
    raw = decoded(public)
    jwk = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": encoded(raw[1:33]), "y": encoded(raw[33:])})
    token = jwt.decode(given["t"], jwk, algorithms=["ES256"])
    return dict(token.claims)
