"""OpenID Connect Core 1.0, code flow."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from auth.professionals import Professional
from tests.auth.browsing import DOCTOR, PRACTICE, REGISTERED, tokens
from tests.auth.city import ISSUER, City, asked, returned, sign_in


async def id_token(city: City, token: dict[str, Any]) -> jwt.Token:
    async with city.browser() as http:
        keys = KeySet.import_key_set((await http.get("/oauth/jwks")).json())
    return jwt.decode(token["id_token"], keys, algorithms=["ES256"])


async def test_2_the_id_token(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    token = await city.token(app, lucie, scope="openid fhirUser patient/*.rs", nonce="n-0 é")
    found = await id_token(city, token)
    claims = found.claims
    now = int(city.clock().timestamp())
    assert claims["iss"] == ISSUER
    assert claims["aud"] == app.id
    assert claims["sub"] == city.server.subjects.of(lucie.id, "app.test")
    assert (claims["acr"], claims["amr"]) == ("mfa", ["pwd", "otp", "mfa"])
    assert claims["nonce"] == "n-0 é"
    assert claims["auth_time"] == now
    assert claims["exp"] - claims["iat"] == 300
    assert claims["fhirUser"] == f"{ISSUER}/fhir/Patient/{lucie.record}"
    assert lucie.name not in str(claims)
    checked = CodeIDToken(claims, found.header, params={"access_token": token["access_token"], "nonce": "n-0 é"})
    checked.validate(now=now)
    with pytest.raises(Exception, match="at_hash"):
        CodeIDToken({**claims, "at_hash": "x"}, found.header, params={"access_token": "t"}).validate_at_hash()


async def test_3_1_2_1_without_openid_no_id_token(city: City) -> None:
    assert "id_token" not in await city.token(city.citizen_app(), city.person(), nonce="n")


async def test_fhir_user_only_when_granted(city: City) -> None:
    token = await city.token(city.citizen_app(), city.person(), scope="openid patient/*.rs")
    assert "fhirUser" not in (await id_token(city, token)).claims


async def test_3_1_2_1_auth_time_is_when_the_citizen_signed_in(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    query = asked(app, scope="openid patient/*.rs")
    async with city.browser() as browser:
        await sign_in(browser, lucie, query)
        since = int(city.clock().timestamp())
        city.clock.pass_by(minutes=20)
        from tests.auth.city import allow

        page = await browser.get(f"/oauth/authorize?{urlencode(query)}")
        code = returned(await allow(browser, page))["code"]
    token = (await city.redeem(app, code)).json()
    assert (await id_token(city, token)).claims["auth_time"] == since


@pytest.mark.parametrize("scope", ["patient/*.rs", "openid patient/*.rs"])
async def test_3_1_2_1_prompt_and_max_age(city: City, scope: str) -> None:
    app, lucie = city.citizen_app(), city.person()
    async with city.browser() as browser:

        async def ask(**changes: str) -> Any:
            return await browser.get(f"/oauth/authorize?{urlencode(asked(app, scope=scope, **changes))}")

        assert returned(await ask(prompt="none"))["error"] == "login_required"
        signed = await sign_in(browser, lucie, asked(app, scope=scope, prompt="login"))
        assert (await browser.get(signed.headers["location"])).status_code == 200
        assert returned(await ask(prompt="none"))["error"] == "consent_required"
        assert (await ask(prompt="consent")).status_code == 200
        assert (await ask(prompt="login")).headers["location"].startswith("/signin")
        city.clock.pass_by(seconds=100)
        assert (await ask(max_age="200")).status_code == 200
        assert (await ask(max_age="50")).headers["location"].startswith("/signin")
        assert returned(await ask(max_age="50", prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://app.test/r"}, "request_uri_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "9" * 40}, "invalid_request"),
        ({"scope": "openid patient/*.rs", "prompt": "none login"}, "invalid_request"),
    ],
)
async def test_3_1_2_6_what_is_not_supported_is_refused_by_name(
    city: City, changes: dict[str, str], error: str
) -> None:
    assert returned(await city.authorize(city.citizen_app(), city.person(), **changes))["error"] == error


async def test_3_1_2_1_post_is_supported(city: City) -> None:
    query = asked(city.citizen_app())
    async with city.browser() as browser:
        response = await browser.post("/oauth/authorize", data=query)
        assert response.status_code == 303
        followed = await browser.get(response.headers["location"])
    assert followed.headers["location"] == f"/signin?{urlencode(query)}"


async def told(city: City, token: str, method: str = "GET") -> httpx.Response:
    async with city.browser() as http:
        return await http.request(method, "/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})


async def test_8_1_the_subject_is_pairwise(city: City) -> None:
    """ "the OP … MUST NOT … allow … to be reversed", the same for one sector, another for another."""
    lucie = city.person()
    here = city.citizen_app(**REGISTERED)
    beside = city.citizen_app(**REGISTERED, redirect_uris=["https://app.test/callback", "https://app.test/other"])
    elsewhere = city.citizen_app(**REGISTERED, metadata={"sector_identifier": "other.test"})
    subjects = []
    for app in (here, beside, elsewhere, here):
        claims = (await id_token(city, await tokens(city, app, lucie, scope="openid patient/*.rs"))).claims
        subjects.append(claims["sub"])
    assert subjects[0] == subjects[1] == subjects[3] != subjects[2]
    assert all(str(lucie.id) not in subject for subject in subjects)


async def test_5_3_user_info_says_what_the_scopes_allow(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    bare = await tokens(city, app, lucie, scope="openid patient/*.rs")
    full = await tokens(city, app, lucie, scope="openid profile fhirUser patient/*.rs")
    subject = (await id_token(city, bare)).claims["sub"]
    assert (await told(city, bare["access_token"])).json() == {"sub": subject}
    for method in ("GET", "POST"):
        assert (await told(city, full["access_token"], method)).json() == {
            "sub": subject,
            "name": lucie.name,
            "fhirUser": f"{ISSUER}/fhir/Patient/{lucie.record}",
        }


async def test_5_3_without_openid_there_is_no_user_info(city: City) -> None:
    token = await tokens(city, city.citizen_app(**REGISTERED), city.person(), scope="patient/*.rs")
    refused = await told(city, token["access_token"])
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_5_3_user_info_ends_with_the_token(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    token = (await tokens(city, app, lucie, scope="openid patient/*.rs"))["access_token"]
    assert (await city.post("/oauth/revoke", {"token": token, "client_id": app.id})).status_code == 200
    assert (await told(city, token)).status_code == 401


async def test_a_professional_is_named_by_their_number(city: City) -> None:
    app = city.citizen_app(**PRACTICE)
    token = await tokens(city, app, DOCTOR, scope="openid profile user/Practitioner.rs")
    said = (await told(city, token["access_token"])).json()
    assert (said["name"], said["preferred_username"]) == ("Hélène Garnier", DOCTOR.id)
    assert city.server.verifier.verify(token["access_token"], city.clock()).professional == DOCTOR


@pytest.mark.parametrize("found", ["0a1-somebody", None])
async def test_a_professional_is_their_page_in_the_directory(city: City, found: str | None) -> None:
    """SMART App Launch 2.2 §2.0.7.3: `fhirUser` is a Practitioner; without one the scope is not granted."""
    asked_for: list[tuple[str, str]] = []

    def directory(client: str, person: Professional) -> str | None:
        asked_for.append((client, person.id))
        return found

    city.server.directory = directory
    app = city.citizen_app(**{**PRACTICE, "scopes": [*PRACTICE["scopes"], "fhirUser"]})
    token = await tokens(city, app, DOCTOR, scope="openid fhirUser user/Patient.s")
    page = None if found is None else f"{ISSUER}/fhir/Practitioner/{found}"
    assert (await id_token(city, token)).claims.get("fhirUser") == page
    assert (await told(city, token["access_token"])).json().get("fhirUser") == page
    assert ("fhirUser" in token["scope"].split()) is (found is not None)
    assert asked_for == [(app.id, DOCTOR.id)]
