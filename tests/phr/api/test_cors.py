"""A web app of another origin: it may call the API, learns what it needs from the headers, and nothing of the pages."""

import pytest

from tests.house import House

ORIGIN = {"Origin": "https://app.example"}


async def test_a_preflight_allows_what_a_client_sends(house: House) -> None:
    wish = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization, dpop, if-match"}
    answer = await house.http.options("/fhir/Observation/x", headers=ORIGIN | wish)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_an_answer_shows_its_headers_refusals_included(house: House) -> None:
    answer = await house.http.get("/fhir/Observation", headers=ORIGIN)
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"ETag", "DPoP-Nonce", "WWW-Authenticate"} <= set(
        answer.headers["access-control-expose-headers"].split(", ")
    )


async def test_a_header_nobody_needs_is_not_allowed(house: House) -> None:
    wish = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "cookie"}
    assert (await house.http.options("/fhir/Observation", headers=ORIGIN | wish)).status_code == 400


@pytest.mark.parametrize("path", ["/signin", "/oauth/authorize", "/account", "/fhirish"])
async def test_pages_are_shared_with_nobody(house: House, path: str) -> None:
    assert "access-control-allow-origin" not in (await house.http.get(path, headers=ORIGIN)).headers
