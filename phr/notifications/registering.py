"""Registering a device to be pushed to, listing those there are, and taking one away: by its own account.

The rule: what a stranger gives as an address is judged when it is given, and again each time it is posted to.
"""

from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from phr.access.decision import BLIND
from phr.access.journal import Tag
from phr.access.scope import READ, UPDATE
from phr.access.visit import Visit, asked_of
from phr.core import egress
from phr.core.errors import DomainError, absent, invalid
from phr.notifications import device
from phr.notifications.centre import recipient
from phr.notifications.device import MOBILE, WEB, Device

FIELDS: Mapping[str, tuple[str, ...]] = {WEB: ("endpoint", "p256dh", "auth"), MOBILE: ("token", "platform")}
PLATFORMS = ("android", "ios")
LONGEST = 2048
_POINT, _SECRET = 65, 16  # RFC 8291 §3.1 and §3.2: an uncompressed P-256 point, and 16 octets


async def register(visit: Visit, record: str, kind: str, reached: Mapping[str, str]) -> UUID:
    """Push what is told of this record to a device, from now on. `reached`: the FIELDS of its kind.

    Registered again, it is refreshed. Raises ABSENT, FORBIDDEN, CONTENT (422).
    """
    account = recipient(visit, record, UPDATE)
    _check(visit, kind, reached)
    said = {"kind": kind, "client": visit.reader.client, "reached": dict(reached)}
    keys = visit.installation.system_keys
    asked = asked_of(("Patient", record, "$register-device"))
    async with visit.act(record, UPDATE, Tag.NOTIFICATION, asked) as deed:
        if deed.decision is not BLIND:
            return await device.put(deed.session, keys, account, record, _grant(visit), said, visit.now)
        deed.refused = "no-rule"
    raise absent()


async def listed(visit: Visit, record: str) -> Sequence[Device]:
    """The devices registered in this record by who asks. Raises ABSENT, FORBIDDEN."""
    account, keys = recipient(visit, record, READ), visit.installation.system_keys
    async with visit.act(record, READ, Tag.NOTIFICATION, asked_of(("Patient", record, "$devices"))) as deed:
        return await device.listed(deed.session, keys, account, record, visit.now)


async def remove(visit: Visit, record: str, id: UUID) -> None:
    """Push to a device no more. Raises ABSENT, FORBIDDEN."""
    account, asked = recipient(visit, record, UPDATE), asked_of(("Patient", record, "$remove-device"))
    async with visit.act(record, UPDATE, Tag.NOTIFICATION, asked) as deed:
        if await device.remove(deed.session, account, record, id):
            return
        deed.refused = "unknown"
    raise absent()


def _grant(visit: Visit) -> UUID | None:
    """The grant of the application that asks: a revocation names the token, then its grant if it has one."""
    return visit.tokens[1] if len(visit.tokens) > 1 else None


def _check(visit: Visit, kind: str, reached: Mapping[str, str]) -> None:
    settings = visit.installation.settings
    if kind not in FIELDS or set(reached) != set(FIELDS[kind]):
        known = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in FIELDS.items())
        raise _wrong("kind", f"A kind of device and what it takes are expected: {known}.")
    for name, value in reached.items():
        if not 0 < len(value) <= LONGEST or not value.isprintable():
            raise _wrong(name, f"Between 1 and {LONGEST} printable characters are expected.")
    if kind == MOBILE and settings.push_webhook is None:
        raise _wrong("kind", "This server pushes to no mobile application: its operator set no webhook.")
    if kind == MOBILE and reached["platform"] not in PLATFORMS:
        raise _wrong("platform", f"A platform is one of: {', '.join(PLATFORMS)}.")
    if kind == WEB:
        try:
            egress.check(reached["endpoint"], sandbox=settings.sandbox)
        except egress.RefusedError:
            raise _wrong("endpoint", "An https URL of a public push service is expected.") from None
        _keyed(reached)


def _keyed(reached: Mapping[str, str]) -> None:
    try:
        point, secret = (urlsafe_b64decode(reached[name] + "=" * (-len(reached[name]) % 4)) for name in FIELDS[WEB][1:])
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        well = (len(point), len(secret)) == (_POINT, _SECRET)
    except (Error, ValueError):
        well = False
    if not well:
        raise _wrong("p256dh", "The keys of a web push subscription are expected (RFC 8291).")


def _wrong(name: str, said: str) -> DomainError:
    return invalid(said, f"Parameters.parameter.where(name = '{name}')")
