"""An authenticator in software, for tests: makes passkeys and answers challenges, honestly or not."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes

from auth.passkeys import Challenge

PRESENT, VERIFIED, MADE = 0x01, 0x04, 0x40
NOTHING: Mapping[str, str] = {}


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class Authenticator:
    """Holds one key. `counts`: whether it has a signature counter."""

    origin: str
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    counter: int = 0
    id: bytes = field(default_factory=lambda: token_bytes(16))
    handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, challenge: Challenge, /, changes: Mapping[str, str] = NOTHING) -> str:
        """The answer to `navigator.credentials.create`."""
        options = json.loads(challenge.options)
        self.handle = UUID(bytes=base64url_to_bytes(options["user"]["id"])).bytes
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        made = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        data = self._data(options["rp"]["id"], self.flags | MADE) + made
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options, changes)
        return self._answer(challenge, {"clientDataJSON": text(client), "attestationObject": text(attested)})

    def show(
        self, challenge: Challenge, /, changes: Mapping[str, str] = NOTHING, *, handle: bytes | None = None
    ) -> str:
        """The answer to `navigator.credentials.get`."""
        options = json.loads(challenge.options)
        if self.counts:
            self.counter += 1
        client = self._client("webauthn.get", options, changes)
        data = self._data(options["rpId"], self.flags)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signed)}
        named = self.handle if handle is None else handle
        return self._answer(challenge, response | ({"userHandle": text(named)} if named else {}))

    def _data(self, host: str, flags: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any], changes: Mapping[str, str]) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": options["challenge"], "origin": self.origin} | dict(changes)
        ).encode()

    def _answer(self, challenge: Challenge, response: dict[str, str]) -> str:
        credential = {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response}
        return json.dumps({"ticket": challenge.ticket, "credential": credential})
