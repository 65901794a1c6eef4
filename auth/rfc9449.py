"""RFC 9449, DPoP: proof that whoever shows a code or a token holds the key it is bound to.

The rule: a nonce of ours is always in the proof, so a proof made in advance or kept is worth nothing (§8, §11.1).
"""

import base64
import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import httpx
from authlib.oauth2 import OAuth2Error
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth.rfc7519 import instant
from auth.tables import seen_assertion
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, subkey

ALGORITHMS = ("ES256", "ES384", "PS256", "RS256", "Ed25519")
"""`Ed25519` is the name RFC 9864 gives to what `EdDSA`, deprecated there, left open."""

TYPE = "dpop+jwt"
SCHEME = "DPoP"
INVALID_PROOF = "invalid_dpop_proof"
USE_NONCE = "use_dpop_nonce"
CONFIRMATION = "jkt"
WINDOW = timedelta(minutes=5)
"""How far a client's clock may be from ours (§11.1: "seconds or minutes"); the nonce is what dates a proof."""

LARGEST = 8192
MOST_SEEN = 50_000
_BUCKET = 300
_SECRET = ("d", "k", "p", "q", "dp", "dq", "qi", "oth")
_KEYS: Mapping[str, type[ECKey | RSAKey | OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_PORTS = {"http": 80, "https": 443}
_RSA_BITS = range(2048, 8193)
_JTI = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)


class InvalidProof(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """§5: "the authorization server issues an error response … with invalid_dpop_proof as the value of error"."""

    error = INVALID_PROOF


class NonceNeeded(OAuth2Error):  # type: ignore[misc]  # noqa: N818
    """§8: the request is fine but for a nonce, given in the answer's DPoP-Nonce header, to try again with."""

    error = USE_NONCE

    def __init__(self) -> None:
        super().__init__("Use the nonce in the DPoP-Nonce header of this answer.")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds. `jkt`: the RFC 7638 SHA-256 thumbprint of its key."""

    jkt: str
    jti: str
    iat: datetime


class Nonces:
    """§8: nonces "unpredictable" to clients, the same in every process and remembered by none: good 5 to 10 minutes."""

    __slots__ = ("_key",)

    def __init__(self, keys: SystemKeys) -> None:
        self._key = subkey(keys.get("lookup"), "DPoP nonce")

    def current(self, now: datetime) -> str:
        """The nonce to send in DPoP-Nonce."""
        return self._of(int(now.timestamp()) // _BUCKET)

    def good(self, nonce: str, now: datetime) -> bool:
        """Whether it is one of ours, of this period or the one before."""
        given = nonce.encode(errors="replace")
        bucket = int(now.timestamp()) // _BUCKET
        known = [hmac.compare_digest(given, self._of(one).encode()) for one in (bucket, bucket - 1)]
        return any(known)

    def _of(self, bucket: int) -> str:
        return _encoded(hmac.digest(self._key, str(bucket).encode(), hashlib.sha256))


def one(headers: Sequence[str]) -> str:
    """§4.3-1: "There is not more than one DPoP HTTP request header field." Raises InvalidProof."""
    if len(headers) != 1:
        raise InvalidProof("There must be exactly one DPoP header.")
    return headers[0]


def check(proof: str, *, method: str, url: str, nonces: Nonces, now: datetime, access_token: str | None) -> Proof:
    """§4.3, clauses 2 to 12; that `jkt` is the one a token or code is bound to is for the caller to compare.

    `url`: the request's, as the client spells it (behind a proxy: the public one). Raises InvalidProof, NonceNeeded.
    """
    try:
        jwk, payload = _verified(proof)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidProof("The DPoP proof is not a JWT signed by the key in its header.") from error
    jti, issued = payload.get("jti"), instant(payload.get("iat"))
    if not isinstance(jti, str) or _JTI.fullmatch(jti) is None or issued is None:
        raise InvalidProof("The DPoP proof needs jti, 1 to 255 visible ASCII characters, and iat.")
    # §4.3-8: "The htm claim matches the HTTP method of the current request."
    if payload.get("htm") != method:
        raise InvalidProof("htm is not the method of this request.")
    # §4.3-9: "The htu claim matches the HTTP URI value …, ignoring any query and fragment parts."
    target = _target(url)
    if target is None or _target(payload.get("htu")) != target:
        raise InvalidProof("htu is not the URL of this request.")
    # §4.3-12: "ath … equals the hash of that access token".
    if access_token is not None:
        expected = _encoded(hashlib.sha256(access_token.encode(errors="replace")).digest())
        given = payload.get("ath")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
            raise InvalidProof("ath is not the hash of the access token.")
    # §4.3-10: "If the server provided a nonce value to the client, the nonce claim matches".
    nonce = payload.get("nonce")
    if not isinstance(nonce, str) or not nonces.good(nonce, now):
        raise NonceNeeded()
    # §4.3-11: "The creation time of the JWT … is within an acceptable window".
    if abs(issued - now) > WINDOW:
        raise InvalidProof("iat is too far from this server's clock.")
    return Proof(jwk.thumbprint(), jti, issued)


def once(session: Session, keys: SystemKeys, proof: Proof, now: datetime) -> bool:
    """§11.1: whether this proof was never shown to the authorization server before, by whichever process."""
    mark = keyed_uuid(subkey(keys.get("lookup"), "DPoP jti"), f"{proof.jkt}\n{proof.jti}")
    row = {"hash": mark, "until": max(now, proof.iat) + WINDOW}
    fresh = insert(seen_assertion).values(row).on_conflict_do_nothing().returning(seen_assertion.c.hash)
    return session.execute(fresh).one_or_none() is not None


def is_thumbprint(text: str) -> bool:
    """§10: whether a `dpop_jkt` can be a base64url SHA-256 thumbprint at all."""
    return _THUMBPRINT.fullmatch(text) is not None


class Seen:
    """The resource server's memory of proofs, in this process only, so that a read costs no write.

    Another process would take the same proof again: there the nonce bounds a replay to 5 to 10 minutes, as do method,
    URL and token, which RFC 9449 §11.1 lets a server choose over state "across multiple servers".
    """

    __slots__ = ("_lock", "_most", "_until")

    def __init__(self, most: int = MOST_SEEN) -> None:
        self._until: OrderedDict[bytes, datetime] = OrderedDict()
        self._most = most
        self._lock = Lock()

    def once(self, proof: Proof, now: datetime) -> bool:
        """Whether this process sees it for the first time."""
        mark = hashlib.sha256(f"{proof.jkt}\n{proof.jti}".encode()).digest()[:16]
        with self._lock:
            while self._until and (next(iter(self._until.values())) <= now or len(self._until) >= self._most):
                self._until.popitem(last=False)
            if mark in self._until:
                return False
            self._until[mark] = now + 2 * WINDOW
            return True


def challenge(error: str | None, resource_metadata: str, description: str | None = None) -> str:
    """§7.1: the value of WWW-Authenticate; `error` None when the request carried no token (RFC 6750 §3.1)."""
    said = {
        "error": error,
        "error_description": description,
        "resource_metadata": resource_metadata,  # RFC 9728 §5.1
        "algs": " ".join(ALGORITHMS),
    }
    return f"{SCHEME} " + ", ".join(f'{name}="{value}"' for name, value in said.items() if value is not None)


class _Registry(jws.JWSRegistry):
    """A header with a key in it is longer than most; RFC 7515 §4: unknown header parameters are ignored."""

    max_header_length = 4096

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)


_REGISTRY = _Registry()


def _verified(proof: str) -> tuple[ECKey | RSAKey | OKPKey, Mapping[str, Any]]:
    """§4.3-2 to 7: a JWT, its type, an algorithm of our list, a public key in the header, and its signature."""
    if len(proof) > LARGEST:
        raise ValueError("too long")
    encoded = proof.encode("ascii")
    header = jws.extract_compact(encoded, registry=_REGISTRY).headers()
    if header.get("typ") != TYPE or header.get("alg") not in ALGORITHMS:
        raise ValueError("typ or alg")
    jwk = header["jwk"]
    # §4.3-7: "The jwk JOSE Header Parameter does not contain a private key."
    if any(name in jwk for name in _SECRET):
        raise ValueError("private key")
    key = _KEYS[jwk["kty"]].import_key(jwk)
    if isinstance(key, RSAKey) and key.raw_value.key_size not in _RSA_BITS:
        raise ValueError("RSA size")
    payload = json.loads(jws.deserialize_compact(encoded, key, registry=_REGISTRY).payload or b"")
    if not isinstance(payload, dict):
        raise ValueError("claims")
    return key, payload


def _target(url: object) -> tuple[str, str, int, str] | None:
    """§4.3: compared after "syntax-based normalization … and scheme-based normalization" (RFC 3986 §6.2.2, §6.2.3)."""
    if not isinstance(url, str) or len(url) > LARGEST:
        return None
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        return None
    if read.scheme not in _PORTS or not read.host or read.userinfo:
        return None
    path = _ESCAPED.sub(_plain, read.raw_path.partition(b"?")[0].decode("ascii"))
    return read.scheme, read.host, read.port or _PORTS[read.scheme], path


def _plain(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped[0].upper()


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
