"""OpenID Connect Core §8.1: a citizen has another `sub` in each sector, so that two apps cannot compare theirs.

The account id is sealed by AES-GCM-SIV (RFC 8452) under a nonce that is a MAC of sector and account: the same account
in the same sector always gives the same `sub`, and only this installation can go back from a `sub` to an account.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from phr.core.keys import SystemKeys
from phr.core.vault import subkey

_NONCE = 12


class Subjects:
    """Pairwise identifiers of one installation."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, keys: SystemKeys) -> None:
        self._key = subkey(keys.get("lookup"), "pairwise nonce")
        self._cipher = AESGCMSIV(subkey(keys.get("lookup"), "pairwise subject"))

    def of(self, account: UUID, sector: str) -> str:
        """The `sub` of an account in a sector: 59 ASCII characters."""
        nonce = hmac.digest(self._key, account.bytes + sector.encode(), hashlib.sha256)[:_NONCE]
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, account.bytes, None)).decode().rstrip("=")

    def account(self, subject: str) -> UUID:
        """The account of a `sub` this installation made. Raises ValueError."""
        try:
            raw = urlsafe_b64decode(subject + "=" * (-len(subject) % 4))
            return UUID(bytes=self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], None))
        except (InvalidTag, ValueError) as error:
            raise ValueError("not one of our subjects") from error
