"""RFC 9126, pushed authorization requests: one test for each MUST kept."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc.jwk import ECKey

from auth.clients import Client
from tests.auth.browsing import CALLBACK, REGISTERED, entered
from tests.auth.city import ASSERTION, City, allow, asked, returned


async def pushed(city: City, app: Client, **changes: str | None) -> httpx.Response:
    return await city.post("/oauth/par", asked(app, **changes))


def reference(app: Client, answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return urlencode({"client_id": app.id, "request_uri": answer.json()["request_uri"]})


async def test_2_2_a_request_is_kept_under_a_reference(city: City) -> None:
    """ "the server MUST generate a request URI and provide it in the response with a 201 HTTP status code"."""
    app = city.citizen_app(**REGISTERED)
    answer = await pushed(city, app)
    assert answer.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert answer.json()["expires_in"] == 600
    assert answer.headers["cache-control"] == "no-store"


async def test_4_the_reference_stands_for_the_request_through_the_pages(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    query = reference(app, await pushed(city, app))
    async with city.browser() as browser:
        first = await browser.get(f"/oauth/authorize?{query}")
        assert first.headers["location"].startswith("/signin?")
        entered(city, browser, lucie)
        back = returned(await allow(browser, await browser.get(f"/oauth/authorize?{query}")))
    assert back["state"] == asked(app)["state"]
    assert (await city.redeem(app, back["code"])).status_code == 200


async def test_4_parameters_beside_the_reference_count_for_nothing(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    query = reference(app, await pushed(city, app))
    async with city.browser() as browser:
        entered(city, browser, lucie)
        page = await browser.get(f"/oauth/authorize?{query}&scope=patient/*.cruds&state=other")
        back = returned(await allow(browser, page))
    assert back["state"] == asked(app)["state"]
    assert (await city.redeem(app, back["code"])).json()["scope"] == "patient/Observation.rs"


async def test_4_a_reference_serves_once(city: City) -> None:
    """ "Authorization servers SHOULD treat the request_uri value as one-time use"."""
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    query = reference(app, await pushed(city, app))
    async with city.browser() as browser:
        entered(city, browser, lucie)
        assert "code" in returned(await allow(browser, await browser.get(f"/oauth/authorize?{query}")))
        again = await browser.get(f"/oauth/authorize?{query}")
    assert again.status_code == 400
    assert "invalid_request_uri" in again.text


async def test_2_2_a_reference_is_bound_to_its_client_and_expires(city: City) -> None:
    """ "The request_uri value MUST be bound to the client that posted the authorization request"."""
    app, other = city.citizen_app(**REGISTERED), city.citizen_app(**REGISTERED)
    answer = await pushed(city, app)
    async with city.browser() as browser:
        stolen = urlencode({"client_id": other.id, "request_uri": answer.json()["request_uri"]})
        assert (await browser.get(f"/oauth/authorize?{stolen}")).status_code == 400
        city.clock.pass_by(seconds=601)
        late = await browser.get(f"/oauth/authorize?{reference(app, answer)}")
    assert late.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.test/"}, "invalid_request"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
    ],
)
async def test_2_1_what_is_pushed_is_judged_at_once(city: City, changes: dict[str, str | None], error: str) -> None:
    """ "Validate the request … as it would an authorization request"; errors come back here, never by redirect."""
    answer = await pushed(city, city.citizen_app(**REGISTERED), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "location" not in answer.headers


async def test_2_1_a_confidential_client_authenticates(city: City) -> None:
    key = ECKey.generate_key("P-256")
    web: dict[str, Any] = {**REGISTERED, "jwks": {"keys": [key.as_dict(private=False)]}}
    app = city.citizen_app(**web)
    assert (await pushed(city, app)).json()["error"] == "invalid_client"
    proof = {"client_assertion_type": ASSERTION, "client_assertion": city.assertion(app, key)}
    assert (await city.post("/oauth/par", asked(app) | proof)).status_code == 201
    audience = city.assertion(app, key, aud=f"{city.issuer}/oauth/par")
    assert (await city.post("/oauth/par", asked(app) | proof | {"client_assertion": audience})).status_code == 201


async def test_6_a_client_may_be_held_to_pushing(city: City) -> None:
    """ "require_pushed_authorization_requests … the authorization server MUST … reject" a request that was not."""
    app = city.citizen_app(**REGISTERED, metadata={"require_pushed_authorization_requests": True})
    async with city.browser() as browser:
        entered(city, browser, city.person())
        plain = await browser.get(f"/oauth/authorize?{urlencode(asked(app))}")
        assert returned(plain)["error"] == "invalid_request"
        page = await browser.get(f"/oauth/authorize?{reference(app, await pushed(city, app))}")
        assert "code" in returned(await allow(browser, page))


async def test_a_foreign_request_uri_is_refused(city: City) -> None:
    """OpenID Connect Core §3.1.2.6: `request_uri_not_supported`, and nothing is fetched."""
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        answer = await browser.get(f"/oauth/authorize?{urlencode(asked(app, request_uri='https://evil.test/r'))}")
    assert answer.headers["location"].startswith(CALLBACK)
    assert returned(answer)["error"] == "request_uri_not_supported"
