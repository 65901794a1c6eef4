"""RFC 8252, native apps: redirect URIs, as an authorization request meets them."""

from typing import Any
from urllib.parse import urlencode

import pytest

from auth import rfc8252
from tests.auth.city import City, asked

IPV4 = "http://127.0.0.1:8765/callback"
IPV6 = "http://[::1]/callback"


async def answered(city: City, registered: str, requested: str, **changes: Any) -> int:
    """200 or a redirect to sign in when the URI is accepted, 400 when it is not."""
    app = city.citizen_app(redirect_uris=[registered], **changes)
    async with city.browser() as browser:
        response = await browser.get(f"/oauth/authorize?{urlencode(asked(app) | {'redirect_uri': requested})}")
    return response.status_code


@pytest.mark.parametrize(
    ("registered", "requested"),
    [
        (IPV4, IPV4),
        (IPV4, "http://127.0.0.1/callback"),
        (IPV4, "http://127.0.0.1:1/callback"),
        (IPV4, "http://127.0.0.1:65535/callback"),
        (IPV6, "http://[::1]:51004/callback"),
        ("http://localhost/cb?app=1", "http://localhost:4000/cb?app=1"),
        ("http://127.0.0.1", "http://127.0.0.1:4000"),
    ],
)
async def test_7_3_any_port_of_a_loopback_address_is_allowed(city: City, registered: str, requested: str) -> None:
    """§7.3: "MUST allow any port to be specified at the time of the request for loopback IP redirect URIs"."""
    assert await answered(city, registered, requested) in (200, 303)


@pytest.mark.parametrize(
    "requested",
    [
        "https://127.0.0.1:8765/callback",
        "http://127.0.0.1:8765/Callback",
        "http://127.0.0.1:8765/callback/",
        "http://127.0.0.1:8765/callback?x=1",
        "http://127.0.0.1:8765/callback#x",
        "http://127.0.0.1:8765/../callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:080/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.2:8765/callback",
        "http://127.0.0.1.evil.test:8765/callback",
        "http://127.0.0.1:80@evil.test/callback",
        "http://evil.test:8765/callback",
        "http://localhost:8765/callback",
        "http://[::1]:8765/callback",
        "http://127.0.0.1:8765/callback http://127.0.0.1:8765/callback",
    ],
)
async def test_8_10_nothing_but_the_port_may_differ(city: City, requested: str) -> None:
    """§8.10: "exactly match the value of a registered redirect URI … with the exception of the port"."""
    assert await answered(city, IPV4, requested) == 400


async def test_7_3_a_web_application_has_one_port(city: City) -> None:
    web = {"metadata": {"application_type": "web"}}
    assert await answered(city, IPV4, IPV4, **web) in (200, 303)
    assert await answered(city, IPV4, "http://127.0.0.1:8766/callback", **web) == 400


async def test_7_3_the_port_of_an_https_uri_counts(city: City) -> None:
    assert await answered(city, "https://app.test/cb", "https://app.test:8443/cb") == 400
    native = {"metadata": {"application_type": "native"}}
    assert await answered(city, "https://app.test/cb", "https://app.test:8443/cb", **native) == 400


@pytest.mark.parametrize(
    "requested", ["fr.app.mine:/CB", "fr.app.other:/cb", "fr.app.mine:/cb?x=1", "fr.app.mine://x/cb"]
)
async def test_8_10_a_private_use_uri_is_matched_exactly(city: City, requested: str) -> None:
    assert await answered(city, "fr.app.mine:/cb", "fr.app.mine:/cb") in (200, 303)
    assert await answered(city, "fr.app.mine:/cb", requested) == 400


@pytest.mark.parametrize(
    "uri", ["app:/cb", "myapp://cb", "mailto:a@b.test", ".:/cb", "a.:/cb", "file:///etc", "com.app"]
)
def test_8_4_a_private_use_scheme_holds_a_period(uri: str) -> None:
    """§8.4: "the authorization server SHOULD reject … private-use URI scheme-based redirect URIs that don't contain a
    period character"."""
    assert not rfc8252.safe(uri)


def test_7_1_a_scheme_that_is_a_domain_in_reverse_order_is_safe() -> None:
    assert rfc8252.safe("fr.carnet.app:/oauth2redirect")
    assert rfc8252.private_use("fr.carnet.app:/oauth2redirect")
    assert not rfc8252.private_use("https://app.test/fr.carnet")


@pytest.mark.parametrize(
    "uri", ["https://", "https://a.test:0/", "https://a.test:99999/", "https://[::1/", "http://a.test/"]
)
def test_what_is_no_address_is_not_safe(uri: str) -> None:
    assert not rfc8252.safe(uri)
