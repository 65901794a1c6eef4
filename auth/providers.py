"""One OpenID provider that people sign in with elsewhere, as its relying party sees it: what it says, verified.

The rule: the algorithm is of our list (never the header's word), the issuer is the one the discovery document names,
and an answer that is late, large, redirected or not understood is no answer. Run in threads: it waits for a network.
"""

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from phr.core import settings

ALGORITHMS = ("ES256", "RS256", "PS256")
SKEW = 10
"""Seconds that the provider's clock may differ from ours."""
TIMEOUT = httpx.Timeout(5, connect=3)
LARGEST = 256 * 1024
REMEMBERED = timedelta(hours=1)
REFETCH_EVERY = timedelta(seconds=10)
SILENT_FOR = timedelta(seconds=2)
"""How long a provider that did not answer is not asked for its documents again: threads do not pile up on it."""
_NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
_USED = (*_NEEDED[1:], "introspection_endpoint", "end_session_endpoint")

# httpx writes whole addresses, authorization codes included, to its log.
logging.getLogger("httpx").setLevel(logging.WARNING)

Json = dict[str, Any]


class Failure(Enum):
    """Why nobody signed in."""

    UNAVAILABLE = "unavailable"
    DENIED = "denied"
    STATE = "state"
    ISSUER = "issuer"
    CODE = "code"
    TOKEN = "token"  # noqa: S105
    USERINFO = "userinfo"
    LEVEL = "level"


class ProviderError(Exception):
    """The provider did not answer, or answered what we cannot believe. Holds no value it sent."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class _Kept:
    """A document of the provider's, and when it was fetched."""

    value: Any
    fetched: datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Provider:
    """The provider of one kind of people. Thread safe; close it when done."""

    def __init__(
        self,
        told: settings.Provider,
        clock: Callable[[], datetime] = _utc_now,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.client_id = told.client_id
        self.clock = clock
        self._told = told
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, transport=transport)
        self._lock = Lock()
        self._metadata: _Kept | None = None
        self._keys: _Kept | None = None
        self._silent_until: datetime | None = None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def metadata(self) -> Json:
        """OpenID Connect Discovery 1.0 §3, from the address given: it need not be the standard one.

        Fetched once an hour. Raises ProviderError(UNAVAILABLE), also when an https document names an http endpoint.
        """
        kept = self._metadata
        if kept is None or kept.fetched <= self.clock() - REMEMBERED:
            found = self._document(self._told.discovery)
            if not all(isinstance(found.get(name), str) and found[name] for name in _NEEDED):
                raise ProviderError(Failure.UNAVAILABLE)
            secure = urlsplit(self._told.discovery).scheme == "https"
            if secure and any(urlsplit(str(found[name])).scheme != "https" for name in _USED if found.get(name)):
                raise ProviderError(Failure.UNAVAILABLE)
            kept = self._metadata = _Kept(found, self.clock())
        found_again: Json = kept.value
        return found_again

    @property
    def issuer(self) -> str:
        """What the discovery document calls itself. Raises ProviderError."""
        return str(self.metadata()["issuer"])

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> Json:
        """Exchange a code (RFC 6749 §4.1.3, RFC 7636 §4.5): the token response. Raises ProviderError(CODE)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = self._authenticated("token_endpoint", form)
        if answer.status_code != 200:
            raise ProviderError(Failure.UNAVAILABLE if answer.status_code >= 500 else Failure.CODE)
        tokens = self._json(answer)
        usable = all(isinstance(tokens.get(name), str) for name in ("access_token", "id_token"))
        # OpenID Connect Core §3.1.3.3: "token_type … MUST be Bearer".
        if not usable or str(tokens.get("token_type")).lower() != "bearer":
            raise ProviderError(Failure.CODE)
        return tokens

    def id_token(self, token: str, access_token: str, nonce: str) -> Json:
        """The claims of an id_token (OpenID Connect Core §3.1.3.7). Raises ProviderError(TOKEN)."""
        header, claims = self.signed(token)
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.client_id},
        }
        params = {"nonce": nonce, "client_id": self.client_id, "access_token": access_token}
        try:
            checked = CodeIDToken(claims, header, options, params)
            checked.validate(int(self.clock().timestamp()), SKEW)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderError(Failure.TOKEN) from error
        # §3.1.3.7 clause 3: rejected "if it contains additional audiences not trusted by the Client".
        if claims["aud"] not in (self.client_id, [self.client_id]) or not isinstance(claims["sub"], str):
            raise ProviderError(Failure.TOKEN)
        if not nonce or claims.get("nonce") != nonce or not claims["sub"]:
            raise ProviderError(Failure.TOKEN)
        return claims

    def signed(self, token: str) -> tuple[Json, Json]:
        """Header and claims of a JWT this provider signed, by an algorithm of our list. Raises ProviderError(TOKEN)."""
        try:
            encoded = token.encode("ascii")
            header = jws.extract_compact(encoded).headers()
            if header.get("alg") not in ALGORITHMS:
                raise ValueError("algorithm")
            key = self._key(header)
            claims = json.loads(jws.deserialize_compact(encoded, key, algorithms=list(ALGORITHMS)).payload or b"")
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise ProviderError(Failure.TOKEN) from error
        if not isinstance(claims, dict):
            raise ProviderError(Failure.TOKEN)
        return dict(header), claims

    def userinfo(self, access_token: str, sub: str) -> Json:
        """OpenID Connect Core §5.3, plain or signed. Raises ProviderError(USERINFO), also when `sub` is another's."""
        answer = self._send("GET", self._endpoint("userinfo_endpoint"), headers=_bearer(access_token))
        if answer.status_code != 200:
            raise ProviderError(Failure.UNAVAILABLE if answer.status_code >= 500 else Failure.USERINFO)
        if answer.headers.get("content-type", "").split(";")[0].strip() == "application/jwt":
            claims = self.signed(answer.text)[1]
            # §5.3.2: a signed answer "SHOULD contain the Claims iss … and aud": what is there must be right.
            if claims.get("iss", self.issuer) != self.issuer:
                raise ProviderError(Failure.USERINFO)
            if claims.get("aud", self.client_id) not in (self.client_id, [self.client_id]):
                raise ProviderError(Failure.USERINFO)
        else:
            claims = self._json(answer)
        # §5.3.2: "The sub Claim in the UserInfo Response MUST be verified to exactly match".
        if not sub or claims.get("sub") != sub:
            raise ProviderError(Failure.USERINFO)
        return claims

    def introspect(self, token: str) -> Json:
        """What the provider says of a token (RFC 7662 §2.2). Raises ProviderError(UNAVAILABLE)."""
        answer = self._authenticated("introspection_endpoint", {"token": token, "token_type_hint": "access_token"})
        found = self._json(answer) if answer.status_code == 200 else {}
        if not isinstance(found.get("active"), bool):
            raise ProviderError(Failure.UNAVAILABLE)
        return found

    def _key(self, header: Mapping[str, Any]) -> ECKey | RSAKey:
        """The key of the header's `kid`. An unknown one has the set fetched again, every ten seconds at most."""
        kept = self._keys
        now = self.clock()
        if kept is None or kept.fetched <= now - REMEMBERED:
            kept = self._fetched_keys(now)
        found = _chosen(kept.value, header)
        if found is None and kept.fetched <= now - REFETCH_EVERY:
            found = _chosen(self._fetched_keys(now).value, header)
        if found is None:
            raise ValueError("unknown key")
        return found

    def _fetched_keys(self, now: datetime) -> _Kept:
        with self._lock:
            if self._keys is None or self._keys.fetched <= now - REFETCH_EVERY:
                self._keys = _Kept(_usable(self._document(self._endpoint("jwks_uri"))), now)
            return self._keys

    def _document(self, address: str) -> Json:
        """A public document, unless the last one asked for did not come a moment ago."""
        now = self.clock()
        if self._silent_until is not None and now < self._silent_until:
            raise ProviderError(Failure.UNAVAILABLE)
        try:
            found = self._json(self._send("GET", address))
        except ProviderError:
            self._silent_until = now + SILENT_FOR
            raise
        self._silent_until = None
        return found

    def _endpoint(self, name: str) -> str:
        address = self.metadata().get(name)
        if not isinstance(address, str) or not address:
            raise ProviderError(Failure.UNAVAILABLE)
        return address

    def _authenticated(self, endpoint: str, form: Mapping[str, str]) -> httpx.Response:
        """POST as ourselves: client_secret_basic, unless the provider takes client_secret_post only."""
        methods = self.metadata().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        address = self._endpoint(endpoint)
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            mine = {"client_id": self.client_id, "client_secret": self._told.secret}
            return self._send("POST", address, data={**form, **mine})
        # RFC 6749 §2.3.1: both are form-encoded before they are joined.
        pair = ":".join(quote(one, safe="") for one in (self.client_id, self._told.secret))
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return self._send("POST", address, data=dict(form), headers=headers)

    def _send(self, method: str, address: str, **more: Any) -> httpx.Response:
        try:
            with self._http.stream(method, address, **more) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise ProviderError(Failure.UNAVAILABLE)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderError(Failure.UNAVAILABLE) from error
        headers = {name: answer.headers[name] for name in ("content-type",) if name in answer.headers}
        return httpx.Response(answer.status_code, headers=headers, content=bytes(body))

    def _json(self, answer: httpx.Response) -> Json:
        try:
            found = json.loads(answer.content) if answer.status_code == 200 else None
        except (ValueError, RecursionError) as error:
            raise ProviderError(Failure.UNAVAILABLE) from error
        if not isinstance(found, dict):
            raise ProviderError(Failure.UNAVAILABLE)
        return found


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json, application/jwt"}


def _usable(jwks: Json) -> list[ECKey | RSAKey]:
    """The signing keys of a set, symmetric, private, weak and unreadable ones left out."""
    members = jwks.get("keys")
    found: list[ECKey | RSAKey] = []
    for member in members if isinstance(members, list) else []:
        if not isinstance(member, dict) or "d" in member or member.get("use", "sig") != "sig":
            continue
        try:
            [key] = KeySet.import_key_set({"keys": [member]}).keys
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, ECKey) or (isinstance(key, RSAKey) and key.raw_value.key_size >= 2048):
            found.append(key)
    return found


def _chosen(keys: list[ECKey | RSAKey], header: Mapping[str, Any]) -> ECKey | RSAKey | None:
    """OpenID Connect Core §10.1: by `kid`; without one, only if a single key can have made the signature."""
    kind = "EC" if header["alg"] == "ES256" else "RSA"
    fit = [key for key in keys if key.key_type == kind]
    if "kid" in header:
        fit = [key for key in fit if key.as_dict(private=False).get("kid") == header["kid"]]
    return fit[0] if len(fit) == 1 else None
