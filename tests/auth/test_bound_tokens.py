"""Tokens bound to a key as they are made: DPoP (RFC 9449 §5, §10) and mutual TLS (RFC 8705 §2, §3)."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from auth.clients import Client, Kind
from auth.rfc8705 import thumbprint
from phr.proxy import Proxied
from tests.auth.browsing import CALLBACK, DOCTOR, OFFLINE, PRACTICE, REGISTERED, code_for, entered
from tests.auth.certificates import root as authority
from tests.auth.city import VERIFIER, City, allow, asked, returned
from tests.auth.prover import KEY, Prover

OTHER = ECKey.generate_key("P-256")
PROXY = "198.51.100.7"


@pytest.fixture
def prover(city: City) -> Prover:
    return Prover(city.keys, city.clock)


def payload(token: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(jws.extract_compact(token.encode()).payload)
    return said


async def redeemed(city: City, app: Client, code: str, proof: str | None) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": app.id}
    headers = {} if proof is None else {"DPoP": proof}
    return await city.post("/oauth/token", form | {"code_verifier": VERIFIER}, **headers)


async def refreshed(city: City, app: Client, token: str, proof: str | None) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.id}
    return await city.post("/oauth/token", form, **({} if proof is None else {"DPoP": proof}))


async def test_5_a_public_client_that_asks_gets_a_bound_token(city: City, prover: Prover) -> None:
    """ "a token_type of DPoP MUST be included in the access token response"; §6.1 cnf.jkt."""
    app = city.citizen_app(**REGISTERED)
    answer = await redeemed(city, app, await code_for(city, app, city.person()), prover.proof())
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert payload(answer.json()["access_token"])["cnf"] == {"jkt": KEY.thumbprint()}
    assert answer.headers["dpop-nonce"] == prover.nonces.current(city.clock())


async def test_8_without_the_nonce_the_answer_brings_it_and_the_code_survives(city: City, prover: Prover) -> None:
    """ "400 … with use_dpop_nonce as the value of the error parameter" and "DPoP-Nonce"."""
    app = city.citizen_app(**REGISTERED)
    code = await code_for(city, app, city.person())
    first = await redeemed(city, app, code, prover.proof(nonce=None))
    assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
    again = await redeemed(city, app, code, prover.proof(nonce=first.headers["dpop-nonce"]))
    assert again.status_code == 200


async def test_5_a_proof_that_is_wrong_is_refused_and_the_code_survives(city: City, prover: Prover) -> None:
    app = city.citizen_app(**REGISTERED)
    code = await code_for(city, app, city.person())
    for proof in (prover.proof(htm="GET"), prover.proof(htu="https://carnet.test/oauth/par"), "garbage"):
        answer = await redeemed(city, app, code, proof)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    spent = prover.proof()
    assert (await redeemed(city, app, code, spent)).status_code == 200
    assert (await redeemed(city, app, code, spent)).json()["error"] == "invalid_dpop_proof"


async def test_5_the_refresh_token_of_a_public_client_is_bound(city: City, prover: Prover) -> None:
    """ "the authorization server MUST bind the refresh token to the respective public key"."""
    app = city.citizen_app(**REGISTERED)
    code = await code_for(city, app, city.person(), **OFFLINE)
    token = (await redeemed(city, app, code, prover.proof())).json()["refresh_token"]
    for proof in (None, prover.proof(OTHER)):
        refused = await refreshed(city, app, token, proof)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    good = await refreshed(city, app, token, prover.proof())
    assert good.status_code == 200
    assert payload(good.json()["access_token"])["cnf"] == {"jkt": KEY.thumbprint()}


async def test_5_2_a_client_may_be_held_to_proofs(city: City, prover: Prover) -> None:
    """ "dpop_bound_access_tokens: … the authorization server MUST reject token requests … that do not contain" one."""
    app = city.citizen_app(**REGISTERED, metadata={"dpop_bound_access_tokens": True})
    code = await code_for(city, app, city.person())
    bare = await redeemed(city, app, code, None)
    assert (bare.status_code, bare.json()["error"]) == (400, "invalid_request")
    fresh = await code_for(city, app, city.person())
    assert (await redeemed(city, app, fresh, prover.proof())).status_code == 200


async def test_10_a_code_may_be_bound_before_it_is_made(city: City, prover: Prover) -> None:
    """ "the authorization server … MUST reject the request" when the proof's key is not `dpop_jkt`."""
    app = city.citizen_app(**REGISTERED)
    for proof, status in ((prover.proof(OTHER), 400), (None, 400), (prover.proof(), 200)):
        code = await code_for(city, app, city.person(), dpop_jkt=KEY.thumbprint())
        assert (await redeemed(city, app, code, proof)).status_code == status


async def test_10_1_a_pushed_proof_binds_the_code(city: City, prover: Prover) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    proof = prover.proof(htu=f"{city.issuer}/oauth/par")
    pushed = await city.post("/oauth/par", asked(app), DPoP=proof)
    assert pushed.status_code == 201, pushed.text
    query = urlencode({"client_id": app.id, "request_uri": pushed.json()["request_uri"]})
    async with city.browser() as browser:
        entered(city, browser, lucie)
        code = returned(await allow(browser, await browser.get(f"/oauth/authorize?{query}")))["code"]
    assert (await redeemed(city, app, code, prover.proof(OTHER))).status_code == 400
    disagreeing = asked(app, dpop_jkt=OTHER.thumbprint())
    proof = prover.proof(htu=f"{city.issuer}/oauth/par")
    assert (await city.post("/oauth/par", disagreeing, DPoP=proof)).json()["error"] == "invalid_request"


def shown(city: City, der: bytes | None, peer: str = PROXY) -> httpx.AsyncClient:
    """A client behind the proxy that ends TLS, or one that pretends to be."""
    headers = {} if der is None else {"Client-Cert": f":{b64encode(der).decode()}:"}
    app = Proxied(city.app, [f"{PROXY}/32"], "Client-Cert")
    transport = httpx.ASGITransport(app=app, client=(peer, 4000))
    return httpx.AsyncClient(transport=transport, base_url=city.issuer, headers=headers)


FORM = {"grant_type": "client_credentials", "scope": "system/DocumentReference.cru"}


async def test_rfc8705_2_1_a_certificate_of_a_trusted_authority_authenticates(city: City) -> None:
    root = authority(city.clock())
    city.server.roots = [root.certificate]
    mine, wrong = root.issue(city.clock()), root.issue(city.clock(), dn="CN=other.test,C=FR")
    stranger = authority(city.clock()).issue(city.clock())
    metadata = {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": mine.certificate.subject.rfc4514_string(),
        "tls_client_certificate_bound_access_tokens": True,
    }
    lab = city.deposit(ECKey.generate_key("P-256"), jwks=None, metadata=metadata)
    for der, peer, status in (
        (mine.der, PROXY, 200),
        (wrong.der, PROXY, 400),
        (stranger.der, PROXY, 400),
        (None, PROXY, 400),
        (mine.der, "203.0.113.9", 400),
    ):
        async with shown(city, der, peer) as http:
            answer = await http.post("/oauth/token", data=FORM | {"client_id": lab.id})
        assert answer.status_code == status, answer.text
        if status == 200:
            # RFC 8705 §3.1: "x5t#S256", §3: the token is bound to the certificate that authenticated.
            assert payload(answer.json()["access_token"])["cnf"] == {"x5t#S256": thumbprint(mine.der)}
        else:
            assert answer.json()["error"] == "invalid_client"


async def test_rfc8705_7_1_a_client_of_another_method_gains_nothing_by_a_certificate(city: City) -> None:
    key, root = ECKey.generate_key("P-256"), authority(city.clock())
    city.server.roots = [root.certificate]
    lab = city.deposit(key, kind=Kind.DEPOSIT)
    async with shown(city, root.issue(city.clock()).der) as http:
        answer = await http.post("/oauth/token", data=FORM | {"client_id": lab.id})
    assert answer.json()["error"] == "invalid_client"


async def test_rfc8705_3_professional_software_is_held_to_the_certificate_it_shows(city: City) -> None:
    """Registered so or not; a citizen's app on a telephone is not, since it would have to register it."""
    der = authority(city.clock()).issue(city.clock()).der
    practice, citizen = city.citizen_app(**PRACTICE), city.citizen_app(**REGISTERED)
    for app, who, scope, bound in (
        (practice, DOCTOR, "user/Patient.s", {"x5t#S256": thumbprint(der)}),
        (citizen, city.person(), "patient/Observation.rs", None),
    ):
        code = await code_for(city, app, who, scope=scope)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": app.id}
        async with shown(city, der) as http:
            answer = await http.post("/oauth/token", data=form | {"code_verifier": VERIFIER})
        assert payload(answer.json()["access_token"]).get("cnf") == bound
