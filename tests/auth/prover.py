"""A client that makes DPoP proofs, right ones unless told otherwise."""

import json
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from auth import rfc9449
from auth.rfc9449 import InvalidProof, Nonces, Proof
from phr.core.keys import SystemKeys
from tests.auth.city import Clock

URL = "https://carnet.test/oauth/token"
KEY = ECKey.generate_key("P-256")
Key = ECKey | RSAKey | OKPKey


class Prover:
    def __init__(self, keys: SystemKeys, clock: Clock) -> None:
        self.clock = clock
        self.nonces = Nonces(keys)

    def claims(self, **changes: Any) -> dict[str, Any]:
        made = {
            "jti": uuid4().hex,
            "htm": "POST",
            "htu": URL,
            "iat": int(self.clock().timestamp()),
            "nonce": self.nonces.current(self.clock()),
        }
        return {name: value for name, value in (made | changes).items() if value is not None}

    def proof(self, key: Key = KEY, alg: str = "ES256", header: dict[str, Any] | None = None, **changes: Any) -> str:
        said = {"typ": "dpop+jwt", "alg": alg, "jwk": key.as_dict(private=False)} | (header or {})
        said = {name: value for name, value in said.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
        return jws.serialize_compact(said, json.dumps(self.claims(**changes)).encode(), key, registry=registry)

    def check(self, proof: str, method: str = "POST", url: str = URL, token: str | None = None) -> Proof:
        return rfc9449.check(proof, method=method, url=url, nonces=self.nonces, now=self.clock(), access_token=token)

    def refused(self, proof: str, **what: Any) -> bool:
        with pytest.raises(InvalidProof) as caught:
            self.check(proof, **what)
        return bool(caught.value.error == "invalid_dpop_proof" and caught.value.description)
