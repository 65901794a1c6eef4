"""One push to a browser: encrypted for it alone (RFC 8291), signed as ours (VAPID, RFC 8292), for its push service.

The rule: it says that something happened, in one sentence that is always the same.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from webpush import WebPush
from webpush.types import WebPushSubscription

from phr.core.keys import SystemKeys
from phr.notifications.device import Device

SENTENCE = "Du nouveau dans Carnet. / Something new in Carnet."
TTL = timedelta(days=1)
"""RFC 8030 §5.2: how long a push service keeps it for a device that is away."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SP 800-186 §3.2.1.3)

Post = Callable[[str, bytes, dict[str, str]], int]
"""Posts a body with headers to an address, and says the status."""


def sender(keys: SystemKeys, contact: str, post: Post) -> Callable[[Device, str], int]:
    """What pushes a notification, by its id, to a device, and says the status. `contact`: an e-mail address of ours."""
    key = _key(keys)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def send(to: Device, notification: str) -> int:
        push = WebPush(private, BytesIO(public), contact, ttl=int(TTL.total_seconds()))
        where = {name: to.reached[name] for name in ("p256dh", "auth")}
        made = push.get(
            {"id": notification, "text": SENTENCE},
            WebPushSubscription.model_validate({"endpoint": to.reached["endpoint"], "keys": where}),
        )
        # RFC 8030 §5.4: of two with one topic, the push service keeps the last.
        headers = {**made.headers, "topic": notification, "content-type": "application/octet-stream"}
        return post(to.reached["endpoint"], made.encrypted, {name: str(value) for name, value in headers.items()})

    return send


def public_key(keys: SystemKeys) -> str:
    """The application server key (RFC 8292 §3.2) a browser subscribes with: an uncompressed point, base64url."""
    point = _key(keys).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).decode().rstrip("=")


def _key(keys: SystemKeys) -> ec.EllipticCurvePrivateKey:
    """The installation's own, the same in every process: from 48 bytes of its signing key (FIPS 186-5 A.2.1)."""
    made = HKDF(SHA256(), 48, None, b"web push").derive(keys.get("signing"))
    return ec.derive_private_key(int.from_bytes(made) % (_ORDER - 1) + 1, ec.SECP256R1())
