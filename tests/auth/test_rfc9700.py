"""RFC 9700, the security best current practice: refresh tokens that rotate, codes and redirects not to be stolen."""

import asyncio
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy.orm import Session

from auth import accounts, grants
from tests.auth.browsing import OFFLINE, REGISTERED, code_for, consented, entered, refreshed, tokens, works
from tests.auth.city import City, asked, returned

NATIVE = {**REGISTERED, "redirect_uris": ["https://app.test/callback", "http://127.0.0.1/callback"]}


async def test_4_14_2_a_refresh_token_is_used_once_and_replaced(city: City) -> None:
    """ "the authorization server issues a new refresh token with every access token refresh response"."""
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    first = await tokens(city, app, lucie, **OFFLINE)
    second = (await refreshed(city, app, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    assert second["patient"] == lucie.record
    assert await works(city, second["access_token"])


async def test_4_14_2_a_replay_revokes_the_family(city: City) -> None:
    """ "the authorization server … will revoke the active refresh token"."""
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    first = await tokens(city, app, lucie, **OFFLINE)
    second = (await refreshed(city, app, first["refresh_token"])).json()
    replay = await refreshed(city, app, first["refresh_token"])
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    after = await refreshed(city, app, second["refresh_token"])
    assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
    for token in (first["access_token"], second["access_token"]):
        assert not await works(city, token)


async def test_six_parallel_refreshes_give_exactly_one_success(city: City) -> None:
    app = city.citizen_app(**REGISTERED)
    token = (await tokens(city, app, city.person(), **OFFLINE))["refresh_token"]
    answers = await asyncio.gather(*(refreshed(city, app, token) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


@pytest.mark.parametrize(("scope", "given"), [(OFFLINE["scope"], True), ("openid patient/Observation.rs", False)])
async def test_a_refresh_token_comes_only_with_offline_access(city: City, scope: str, given: bool) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    assert ("refresh_token" in await tokens(city, app, lucie, scope=scope)) is given
    unticked = await tokens(city, app, lucie, scope=OFFLINE["scope"], form={"scope": ["patient/Observation.rs"]})
    assert "refresh_token" not in unticked
    assert unticked["scope"] == "patient/Observation.rs"


@pytest.mark.parametrize(
    ("registered", "alive", "dead"),
    [(REGISTERED, {"hours": 11}, {"hours": 2}), (NATIVE, {"days": 394}, {"days": 2})],
    ids=["web", "native"],
)
async def test_4_14_2_refresh_tokens_end_however_often_they_are_used(
    city: City, registered: dict[str, list[str]], alive: dict[str, float], dead: dict[str, float]
) -> None:
    """ "Refresh tokens SHOULD expire": 12 hours in a browser, 13 months on a device."""
    app = city.citizen_app(**registered)
    first = await tokens(city, app, city.person(), **OFFLINE)
    city.clock.pass_by(**alive)
    second = await refreshed(city, app, first["refresh_token"])
    assert second.status_code == 200
    city.clock.pass_by(**dead)
    assert (await refreshed(city, app, second.json()["refresh_token"])).json()["error"] == "invalid_grant"


async def test_rfc6749_6_a_refresh_asks_for_no_more_than_was_granted(city: City) -> None:
    """ "The requested scope MUST NOT include any scope not originally granted by the resource owner"."""
    app = city.citizen_app(**REGISTERED)
    first = await tokens(city, app, city.person(), **OFFLINE)
    more = await refreshed(city, app, first["refresh_token"], scope="patient/Condition.rs")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = await refreshed(city, app, first["refresh_token"], scope="patient/Observation.rs")
    assert less.json()["scope"] == "patient/Observation.rs"
    again = await refreshed(city, app, less.json()["refresh_token"])
    assert again.json()["scope"] == OFFLINE["scope"]


async def test_rfc6749_10_4_a_refresh_token_is_bound_to_its_client(city: City) -> None:
    app, other, lucie = city.citizen_app(**REGISTERED), city.citizen_app(**REGISTERED), city.person()
    token = (await tokens(city, app, lucie, **OFFLINE))["refresh_token"]
    assert (await refreshed(city, other, token)).json()["error"] == "invalid_grant"
    assert (await refreshed(city, app, token)).status_code == 200


async def test_nobody_ends_a_family_by_replaying_what_was_never_theirs(city: City) -> None:
    app, other, lucie = city.citizen_app(**REGISTERED), city.citizen_app(**REGISTERED), city.person()
    first = (await tokens(city, app, lucie, **OFFLINE))["refresh_token"]
    second = (await refreshed(city, app, first)).json()["refresh_token"]
    assert (await refreshed(city, other, first)).status_code == 400
    assert (await refreshed(city, app, second)).status_code == 200


async def test_a_disabled_account_refreshes_nothing(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    token = (await tokens(city, app, lucie, **OFFLINE))["refresh_token"]
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, lucie.id)
    assert (await refreshed(city, app, token)).status_code == 400


async def test_a_revoked_grant_refreshes_nothing_and_opens_nothing(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    first = await tokens(city, app, lucie, **OFFLINE)
    with Session(city.engine) as session, session.begin():
        [grant] = grants.of_account(session, city.keys, lucie.id, city.clock())
        grants.revoke(session, grant.id, city.clock())
    assert not await works(city, first["access_token"])
    assert (await refreshed(city, app, first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_4_5_a_stolen_code_is_worth_nothing_to_another_session(city: City) -> None:
    """Code injection: PKCE ties a code to the browser that began; the code is spent by the attempt."""
    app = city.citizen_app(**REGISTERED)
    stolen = await code_for(city, app, city.person())
    injected = await city.redeem(app, stolen, code_verifier="the-verifier-of-another-session-of-43-characters")
    assert injected.json()["error"] == "invalid_grant"
    assert (await city.redeem(app, stolen)).json()["error"] == "invalid_grant"


async def test_4_4_mix_up_each_answer_names_its_issuer(city: City) -> None:
    """ "clients MUST … compare the … issuer identifier … included in the authorization response" (RFC 9207)."""
    app = city.citizen_app(**REGISTERED)
    assert returned(await consented(city, app, city.person()))["iss"] == city.issuer
    assert returned(await consented(city, app, city.person(), form={"decision": "deny"}))["iss"] == city.issuer


async def test_4_5_3_a_code_is_redeemed_where_it_was_sent(city: City) -> None:
    app = city.citizen_app(**REGISTERED)
    code = await code_for(city, app, city.person())
    assert (await city.redeem(app, code, redirect_uri="https://evil.test/callback")).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.test/callback/",
        "https://app.test/callback?x=1",
        "https://app.test/CALLBACK",
        "https://app.test.evil.test/callback",
        "https://app.test@evil.test/callback",
        "http://app.test/callback",
        "https://app.test:8443/callback",
        "https://app.test/callback/../evil",
        "//app.test/callback",
        "javascript:alert(1)//app.test/callback",
    ],
)
async def test_2_1_redirect_uris_match_exactly(city: City, uri: str) -> None:
    """ "authorization servers MUST utilize exact string matching": anything else never redirects."""
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        entered(city, browser, city.person())
        answer = await browser.get(f"/oauth/authorize?{urlencode(asked(app, redirect_uri=uri))}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("response_type", ["token", "id_token", "code token", "code id_token", "none"])
async def test_2_1_2_no_implicit_and_no_hybrid(city: City, response_type: str) -> None:
    app = city.citizen_app(**REGISTERED)
    async with city.browser() as browser:
        entered(city, browser, city.person())
        answer = await browser.get(f"/oauth/authorize?{urlencode(asked(app, response_type=response_type))}")
    assert returned(answer)["error"] == "unsupported_response_type"


async def test_2_4_no_password_grant(city: City) -> None:
    """ "The resource owner password credentials grant … MUST NOT be used"."""
    app = city.citizen_app(**REGISTERED)
    form = {"grant_type": "password", "username": "a", "password": "b", "client_id": app.id}
    assert (await city.post("/oauth/token", form)).json()["error"] == "unsupported_grant_type"


async def test_a_grant_knows_when_it_was_last_used(city: City) -> None:
    app, lucie = city.citizen_app(**REGISTERED), city.person()
    token = (await tokens(city, app, lucie, **OFFLINE))["refresh_token"]
    before = city.clock()
    city.clock.pass_by(hours=1)
    await refreshed(city, app, token)
    with Session(city.engine) as session:
        [grant] = grants.of_account(session, city.keys, lucie.id, city.clock())
    assert grant.last_used is not None
    assert grant.last_used - before == timedelta(hours=1)
    assert (grant.client, grant.client_name, grant.record) == (app.id, app.name, lucie.record)
