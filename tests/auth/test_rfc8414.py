"""RFC 8414 metadata, OpenID Discovery and SMART configuration say what is true."""

from typing import Any

import pytest
from authlib.oauth2 import rfc8414, rfc9207

from auth import scopes
from auth.rfc8414 import smart_configuration
from tests.auth.city import ISSUER, City

POSTED = ("token_endpoint", "revocation_endpoint", "introspection_endpoint", "pushed_authorization_request_endpoint")


async def documents(city: City) -> list[dict[str, Any]]:
    async with city.browser() as http:
        found = [
            await http.get("/.well-known/oauth-authorization-server"),
            await http.get("/.well-known/openid-configuration"),
        ]
    assert all(one.headers["access-control-allow-origin"] == "*" for one in found)
    return [one.json() for one in found]


async def test_2_the_metadata_is_valid(city: City) -> None:
    for document in await documents(city):
        metadata = rfc8414.AuthorizationServerMetadata(document)
        metadata.validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])
        assert document["issuer"] == ISSUER
        assert document["authorization_response_iss_parameter_supported"] is True
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert document["token_endpoint_auth_methods_supported"] == [
            *("none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
        ]
        assert document["response_types_supported"] == ["code"]
        assert "offline_access" in document["scopes_supported"]
        assert document["grant_types_supported"] == [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ]


async def test_each_endpoint_answers(city: City) -> None:
    async with city.browser() as http:
        for document in [*await documents(city), smart_configuration(ISSUER)]:
            assert (await http.get(document["jwks_uri"])).status_code == 200
            assert (await http.get(document["authorization_endpoint"])).status_code == 400
            for name in POSTED:
                answer = await http.post(document[name], data={"x": "y"})
                assert answer.status_code == 400
                assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_keys_are_public(city: City) -> None:
    async with city.browser() as http:
        keys = (await http.get("/oauth/jwks")).json()["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["use"], key["alg"]) == ("sig", "ES256")


@pytest.mark.parametrize("scope", smart_configuration(ISSUER)["scopes_supported"])
def test_supported_scopes_are(scope: str) -> None:
    assert scope in scopes.PLAIN or scopes.parse(scope) is not None


def test_smart_configuration_has_what_smart_requires() -> None:
    found = smart_configuration(ISSUER)
    required = {
        "issuer", "jwks_uri", "authorization_endpoint", "token_endpoint",
        "grant_types_supported", "capabilities", "code_challenge_methods_supported",
    }  # fmt: skip
    assert required <= set(found)
    assert "plain" not in found["code_challenge_methods_supported"]
    assert set(found["capabilities"]).isdisjoint(
        {"permission-online", "client-confidential-symmetric", "context-ehr-encounter", "context-banner"}
    )
