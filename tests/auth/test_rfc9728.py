"""RFC 9728, protected resource metadata."""

from tests.auth.city import City


async def test_3_the_metadata_is_where_the_clause_says(city: City) -> None:
    """ "inserting a well-known URI string … between the host component and the path"."""
    async with city.browser() as browser:
        found = (await browser.get("/.well-known/oauth-protected-resource/fhir")).json()
    assert found["resource"] == f"{city.issuer}/fhir"
    assert found["authorization_servers"] == [city.issuer]
    assert found["bearer_methods_supported"] == ["header"]


async def test_4_the_authorization_server_names_the_resource(city: City) -> None:
    async with city.browser() as browser:
        found = (await browser.get("/.well-known/oauth-authorization-server")).json()
    assert found["protected_resources"] == [f"{city.issuer}/fhir"]


async def test_5_1_a_refusal_names_the_metadata(city: City) -> None:
    """ "resource_metadata: The URL of the protected resource metadata"."""
    async with city.browser() as browser:
        refused = await browser.get("/oauth/userinfo")
    assert refused.status_code == 401
    where = f'resource_metadata="{city.issuer}/.well-known/oauth-protected-resource/fhir"'
    assert where in refused.headers["www-authenticate"]
    assert "error=" not in refused.headers["www-authenticate"]
