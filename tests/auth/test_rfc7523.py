"""RFC 7523, private_key_jwt, within SMART's client-confidential-asymmetric."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from auth.clients import Client, Kind
from tests.auth.city import ISSUER, TOKEN, City, StandardClient, forge

KEY = ECKey.generate_key("P-256")


async def test_a_standard_client_gets_a_token(city: City) -> None:
    lab = city.deposit(KEY)
    async with StandardClient(
        lab.id, KEY, token_endpoint_auth_method="private_key_jwt", transport=city.transport()
    ) as client:
        soon = int(city.clock().timestamp()) + 120
        client.register_client_auth_method(PrivateKeyJWT(TOKEN, claims={"exp": soon}, alg="ES256"))
        token = await client.fetch_token(TOKEN, grant_type="client_credentials", scope="system/Patient.s")
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert (claims.client, claims.subject, claims.kind) == (lab.id, lab.id, "deposit")
    assert (claims.record, claims.grant, claims.scopes) == (None, None, ("system/Patient.s",))


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", KEY),
        ("ES384", ECKey.generate_key("P-384")),
        ("RS256", RSAKey.generate_key(2048)),
        ("PS256", RSAKey.generate_key(2048)),
    ],
)
async def test_the_allowed_algorithms(city: City, alg: str, key: ECKey | RSAKey) -> None:
    answer = await city.client_token(city.assertion(city.deposit(key), key, alg))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("alg", "curve"), [("ES512", "P-521"), ("RS384", None), ("PS512", None), ("RS512", None)])
async def test_other_algorithms_are_refused(city: City, alg: str, curve: Any) -> None:
    key = ECKey.generate_key(curve) if curve else RSAKey.generate_key(2048)
    answer = await city.client_token(city.assertion(city.deposit(key), key, alg))
    assert answer.json()["error"] == "invalid_client"


async def test_none_and_symmetric_signatures_are_refused(city: City) -> None:
    lab = city.deposit(KEY)
    now = int(city.clock().timestamp())
    claims = {"iss": lab.id, "sub": lab.id, "aud": TOKEN, "jti": "1", "exp": now + 60}
    for alg, secret in (("none", None), ("HS256", KEY.as_pem(private=False))):
        answer = await city.client_token(forge({"alg": alg}, claims, secret))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_3_another_key_is_refused(city: City) -> None:
    answer = await city.client_token(city.assertion(city.deposit(KEY), ECKey.generate_key("P-256")))
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("aud", [TOKEN, ISSUER, [ISSUER], [TOKEN, ISSUER]])
async def test_3_3_the_audience_is_the_token_endpoint_or_the_issuer(city: City, aud: Any) -> None:
    assert (await city.client_token(city.assertion(city.deposit(KEY), KEY, aud=aud))).status_code == 200


@pytest.mark.parametrize(
    "aud",
    [None, "https://other.test", ISSUER + "/", ISSUER + "/fhir", [], [ISSUER, "https://other.test"], {}, [[]], 1],
)
async def test_3_3_any_other_audience_is_refused(city: City, aud: Any) -> None:
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, aud=aud))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("seconds", [None, -3600, 0, 306, 3600])
async def test_3_4_expiry_is_required_and_at_most_five_minutes_ahead(city: City, seconds: int | None) -> None:
    exp = None if seconds is None else int(city.clock().timestamp()) + seconds
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, exp=exp))
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("exp", ["soon", True, 1e300, -1e300, {}, []])
async def test_3_4_an_expiry_that_is_no_date_is_refused(city: City, exp: Any) -> None:
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, exp=exp))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("name", ["nbf", "iat"])
async def test_3_5_not_before_its_time(city: City, name: str) -> None:
    later = int(city.clock().timestamp()) + 30
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, **dict[str, Any]({name: later})))
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("changes", [{"iss": "other"}, {"iss": None}, {"sub": None}, {"sub": 1}, {"sub": "\ud800"}])
async def test_3_1_issuer_and_subject_are_the_client(city: City, changes: dict[str, Any]) -> None:
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_rfc7521_4_2_client_id_names_the_same_client(city: City) -> None:
    lab, other = city.deposit(KEY), city.deposit(KEY)
    answer = await city.client_token(city.assertion(lab, KEY), client_id=other.id)
    assert answer.json()["error"] == "invalid_client"
    assert (await city.client_token(city.assertion(lab, KEY), client_id=lab.id)).status_code == 200


async def test_3_7_a_jti_is_used_once_across_processes(city: City, auth_engine: Any, auth_keys: Any) -> None:
    lab = city.deposit(KEY)
    assertion = city.assertion(lab, KEY)
    assert (await city.client_token(assertion)).status_code == 200
    assert (await city.client_token(assertion)).json()["error"] == "invalid_client"
    elsewhere = City(auth_engine, auth_keys, city.clock)
    assert (await elsewhere.client_token(assertion)).json()["error"] == "invalid_client"


async def test_3_7_of_parallel_uses_one_succeeds(city: City) -> None:
    assertion = city.assertion(city.deposit(KEY), KEY)
    answers = await asyncio.gather(*(city.client_token(assertion) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


async def test_3_7_a_jti_is_used_up_even_when_the_request_fails(city: City) -> None:
    assertion = city.assertion(city.deposit(KEY), KEY)
    assert (await city.client_token(assertion, scope="nonsense")).json()["error"] == "invalid_scope"
    assert (await city.client_token(assertion)).json()["error"] == "invalid_client"


async def test_3_7_two_clients_may_choose_the_same_jti(city: City) -> None:
    for lab in (city.deposit(KEY), city.deposit(KEY)):
        assert (await city.client_token(city.assertion(lab, KEY, jti="one"))).status_code == 200


@pytest.mark.parametrize("jti", [None, "", 5, "é", "x" * 256, "\ud800"])
async def test_3_7_a_jti_is_required(city: City, jti: Any) -> None:
    answer = await city.client_token(city.assertion(city.deposit(KEY), KEY, jti=jti))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("assertion", ["", "x", "a.b.c", "é.é.é", "eyJhbGciOiJFUzI1NiJ9.W10.AA", "." * 5000])
async def test_rubbish_is_refused(city: City, assertion: str) -> None:
    answer = await city.client_token(assertion)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_a_public_client_has_no_key_to_sign_with(city: City) -> None:
    answer = await city.client_token(city.assertion(city.citizen_app(), KEY))
    assert answer.json()["error"] == "invalid_client"


async def test_an_operator_opens_records_and_no_more(city: City) -> None:
    operator = city.deposit(KEY, kind=Kind.OPERATOR, scopes=["system/Patient.c"])
    answer = await city.client_token(city.assertion(operator, KEY), scope="system/Patient.c")
    token = answer.json()
    assert (token["scope"], token["expires_in"]) == ("system/Patient.c", 300)
    assert city.server.verifier.verify(token["access_token"], city.clock()).kind == "operator"
    refused = await city.client_token(city.assertion(operator, KEY), scope="system/Patient.rs")
    assert refused.json()["error"] == "invalid_scope"


async def test_rfc7517_4_5_kid_chooses_among_several_keys(city: City) -> None:
    other = ECKey.generate_key("P-256")
    named = [KEY.as_dict(private=False) | {"kid": "a"}, other.as_dict(private=False) | {"kid": "b"}]
    lab = city.deposit(KEY, jwks={"keys": named})
    header = {"alg": "ES256"}
    for kid, key, status in (("a", KEY, 200), ("b", other, 200), ("b", KEY, 400), ("c", KEY, 400)):
        claims = _claims(city, lab)
        signed = jws.serialize_compact(header | {"kid": kid}, claims, key, algorithms=["ES256"])
        assert (await city.client_token(signed)).status_code == status, kid


async def test_without_kid_every_registered_key_is_tried(city: City) -> None:
    rsa, p384 = RSAKey.generate_key(2048), ECKey.generate_key("P-384")
    lab = city.deposit(KEY, jwks={"keys": [key.as_dict(private=False) for key in (rsa, KEY, p384)]})
    for key, alg in ((rsa, "RS256"), (KEY, "ES256"), (p384, "ES384"), (rsa, "PS256")):
        assert (await city.client_token(city.assertion(lab, key, alg))).status_code == 200, alg
    stranger = city.assertion(lab, ECKey.generate_key("P-256"))
    assert (await city.client_token(stranger)).json()["error"] == "invalid_client"


async def test_a_client_of_certificates_cannot_sign(city: City) -> None:
    said = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "lab.test"}
    lab = city.deposit(KEY, jwks=None, metadata=said)
    answer = await city.client_token(city.assertion(lab, KEY))
    assert answer.json()["error"] == "invalid_client"


def _claims(city: City, lab: Client) -> bytes:
    now = int(city.clock().timestamp())
    return json.dumps({"iss": lab.id, "sub": lab.id, "aud": TOKEN, "jti": uuid4().hex, "exp": now + 60}).encode()
