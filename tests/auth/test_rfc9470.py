"""RFC 9470, step-up: what `acr_values` and `max_age` demand of the person before anything is granted."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from joserfc import jws

from auth import rfc9470
from tests.auth.browsing import REGISTERED, entered, tokens
from tests.auth.city import City, asked, returned


@pytest.mark.parametrize(
    ("acr", "wanted", "met"),
    [
        ("mfa", "mfa", True),
        ("phr", "mfa", True),
        ("mfa", "phr", False),
        ("mfa", "phr mfa", True),
        ("eidas1", "mfa", False),
        ("eidas3", "eidas2", True),
        ("mfa", "eidas1", True),
        ("pwd", "mfa", False),
        (None, "mfa", False),
        ("mfa", "unheard-of", False),
        ("unheard-of", "unheard-of", True),
    ],
)
def test_which_proof_meets_which_class(acr: str | None, wanted: str, met: bool) -> None:
    assert rfc9470.meets(acr, wanted) is met


async def test_4_a_stronger_class_sends_back_to_the_sign_in_page(city: City) -> None:
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        entered(city, browser, city.person(), at=city.clock() - timedelta(minutes=30))
        query = urlencode(asked(app, acr_values="phr"))
        answer = await browser.get(f"/oauth/authorize?{query}")
        assert answer.headers["location"].startswith("/signin?")
        weaker = await browser.get(f"/oauth/authorize?{urlencode(asked(app, acr_values='mfa'))}")
    assert weaker.status_code == 200


async def test_5_requirements_that_cannot_be_met_are_said_so(city: City) -> None:
    """ "the authorization server … returns … unmet_authentication_requirements"."""
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        unknown = await browser.get(f"/oauth/authorize?{urlencode(asked(app, acr_values='urn:unheard-of'))}")
        assert returned(unknown)["error"] == "unmet_authentication_requirements"
        entered(city, browser, city.person())
        just_now = await browser.get(f"/oauth/authorize?{urlencode(asked(app, acr_values='phr'))}")
        assert returned(just_now)["error"] == "unmet_authentication_requirements"


async def test_4_max_age_sends_back_who_signed_in_too_long_ago(city: City) -> None:
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        entered(city, browser, city.person(), at=city.clock() - timedelta(minutes=10))
        old = await browser.get(f"/oauth/authorize?{urlencode(asked(app, max_age='300'))}")
        assert old.headers["location"].startswith("/signin?")
        assert (await browser.get(f"/oauth/authorize?{urlencode(asked(app, max_age='900'))}")).status_code == 200


async def test_a_consent_cannot_skip_the_step_up(city: City) -> None:
    """The form of a consent page made before the session grew old is not worth the proof it no longer has."""
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        entered(city, browser, city.person())
        query = urlencode(asked(app, max_age="300"))
        page = await browser.get(f"/oauth/authorize?{query}")
        city.clock.pass_by(minutes=6)
        form = {"csrf": page.text.split('name="csrf" value="')[1].split('"')[0], "decision": "allow"}
        answer = await browser.post(f"/oauth/consent?{query}", data=form | {"scope": "patient/Observation.rs"})
    assert returned(answer)["error"] == "login_required"


async def test_6_2_tokens_say_how_and_when_the_person_was_proven(city: City) -> None:
    """ "the acr and auth_time claims" of an access token."""
    app = city.citizen_app(**REGISTERED)
    token = await tokens(city, app, city.person())
    said = jws.extract_compact(token["access_token"].encode()).payload
    assert b'"acr":"mfa"' in said.replace(b" ", b"")
    assert f'"auth_time":{int(city.clock().timestamp())}'.encode() in said.replace(b" ", b"")
