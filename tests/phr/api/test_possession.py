"""Tokens bound to a key or a certificate, at every door of the API (RFC 6750, RFC 9449 §7, RFC 8705 §3)."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey

from auth.rfc8705 import thumbprint
from phr.app import create_app
from tests.access.doors import DOORS
from tests.house import ALL, House, account_of, observation

KEY = ECKey.generate_key("P-256")


def proof(method: str, url: str, token: str, nonce: str | None, key: ECKey = KEY, **changes: Any) -> str:
    ath = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    now = int(datetime.now(UTC).timestamp())
    said = {"jti": uuid4().hex, "htm": method, "htu": url, "iat": now, "ath": ath, "nonce": nonce} | changes
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    payload = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    return jws.serialize_compact(header, payload, key, algorithms=["ES256"])


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "practice.test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


async def bound(house: House, record: str, jkt: str | None = None, x5t: str | None = None) -> str:
    claims = house.claims("citizen-app", "app", ALL, record, subject=account_of(record))
    return house.token(replace(claims, jkt=jkt, x5t=x5t))


class Holder:
    """A client that holds the key: asks, learns the nonce, asks again."""

    def __init__(self, house: House, token: str) -> None:
        self.house, self.token, self.nonce = house, token, None

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        url = f"{self.house.settings.issuer}/fhir/{path}"
        for _ in range(2):
            shown = proof(method, url.split("?")[0], self.token, self.nonce)
            headers = {"Authorization": f"DPoP {self.token}", "DPoP": shown, "Accept": "application/fhir+json"}
            answer = await self.house.http.request(method, url, headers=headers, **more)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if answer.status_code != 401:
                break
        return answer


async def test_the_holder_of_the_key_reads(house: House) -> None:
    record = await house.open_record()
    holder = Holder(house, await bound(house, record, jkt=KEY.thumbprint()))
    first = await holder.ask("GET", f"Patient/{record}")
    assert first.status_code == 200
    assert (await holder.ask("GET", "Observation?_count=1")).status_code == 200
    made = await holder.ask("POST", "Observation", json=observation(record))
    assert made.status_code == 201, made.text


async def test_8_the_first_request_learns_the_nonce(house: House) -> None:
    """ "the resource server … responds … 401 with … error use_dpop_nonce and a DPoP-Nonce header"."""
    record = await house.open_record()
    token = await bound(house, record, jkt=KEY.thumbprint())
    url = f"{house.settings.issuer}/fhir/Patient/{record}"
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof("GET", url, token, None)}
    answer = await house.http.get(url, headers=headers)
    assert answer.status_code == 401
    assert 'error="use_dpop_nonce"' in answer.headers["www-authenticate"]
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert answer.headers["dpop-nonce"]
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("to", [{"jkt": KEY.thumbprint()}, {"x5t": thumbprint(certificate())}], ids=["jkt", "x5t"])
async def test_7_2_a_bound_token_is_useless_as_a_bearer_token_at_every_door(house: House, to: dict[str, str]) -> None:
    """ "protected resource … MUST reject … DPoP-bound … as bearer tokens"; RFC 8705 §3 "MUST … 401 … invalid_token"."""
    record = await house.open_record()
    token = await bound(house, record, **to)
    doors = [door for door, asked in DOORS.items() if asked.reader == "bearer"]
    assert len(doors) > 25
    for method, path in doors:
        for kind in ("Observation", "Binary", "Patient"):
            address = path.replace("{kind}", kind).replace("{id}", record).replace("{version}", "1")
            answer = await house.http.request(method, address, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (method, address, answer.status_code)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"htm": "POST"}, KEY),
        ({"htu": "http://carnet.test/fhir/Patient/other"}, KEY),
        ({"ath": "x"}, KEY),
        ({"iat": 1}, KEY),
        ({"nonce": "stale"}, KEY),
        ({}, ECKey.generate_key("P-256")),
    ],
)
async def test_7_1_a_proof_of_something_else_opens_nothing(house: House, changes: dict[str, Any], key: ECKey) -> None:
    record = await house.open_record()
    token = await bound(house, record, jkt=KEY.thumbprint())
    url = f"{house.settings.issuer}/fhir/Patient/{record}"
    nonce = changes.pop("nonce", house.parts.server.nonces.current(datetime.now(UTC)))
    shown = proof("GET", url, token, nonce, key, **changes)
    answer = await house.http.get(url, headers={"Authorization": f"DPoP {token}", "DPoP": shown})
    assert answer.status_code == 401


async def test_11_1_a_proof_serves_once(house: House) -> None:
    record = await house.open_record()
    token = await bound(house, record, jkt=KEY.thumbprint())
    url = f"{house.settings.issuer}/fhir/Patient/{record}"
    shown = proof("GET", url, token, house.parts.server.nonces.current(datetime.now(UTC)))
    headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
    assert (await house.http.get(url, headers=headers)).status_code == 200
    assert (await house.http.get(url, headers=headers)).status_code == 401


async def test_an_unbound_token_is_not_presented_as_bound(house: House) -> None:
    record = await house.open_record()
    token = await bound(house, record)
    holder = Holder(house, token)
    assert (await holder.ask("GET", f"Patient/{record}")).status_code == 401


@pytest.mark.parametrize("scheme", ["", "Basic abc", "Bearer", "DPoP ", "Digest x"])
async def test_rfc6750_3_without_a_token_there_is_no_error_code(house: House, scheme: str) -> None:
    """ "the resource server SHOULD NOT include an error code" when there was no authentication information."""
    headers = {"Authorization": scheme} if scheme else {}
    answer = await house.http.get("/fhir/Patient/x", headers=headers)
    assert answer.status_code == 401
    assert "error=" not in answer.headers["www-authenticate"]
    assert "resource_metadata=" in answer.headers["www-authenticate"]


async def test_rfc8705_3_the_certificate_the_token_is_bound_to(house: House) -> None:
    """The proxy that ends TLS passes the certificate on; nobody else can."""
    mine, other = certificate(), certificate()
    record = await house.open_record()
    token = await bound(house, record, x5t=thumbprint(mine))
    settings = replace(house.settings, trusted_proxies=("192.0.2.0/24",), client_cert_header="client-cert")
    app = create_app(settings, house.parts)
    path, bearer = f"/fhir/Patient/{record}", {"Authorization": f"Bearer {token}"}
    for peer, shown, status in (
        ("192.0.2.7", mine, 200),
        ("192.0.2.7", other, 401),
        ("192.0.2.7", None, 401),
        ("203.0.113.9", mine, 401),
    ):
        transport = httpx.ASGITransport(app=app, client=(peer, 4000))
        headers = dict(bearer)
        if shown is not None:
            headers["Client-Cert"] = f":{b64encode(shown).decode()}:"
        async with httpx.AsyncClient(transport=transport, base_url=settings.issuer) as http:
            assert (await http.get(path, headers=headers)).status_code == status, (peer, status)
