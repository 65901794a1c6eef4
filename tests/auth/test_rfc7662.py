"""RFC 7662, introspection: one test for each MUST kept."""

from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from auth import grants
from auth.clients import Client, Kind
from tests.auth.browsing import OFFLINE, REGISTERED, code_for, refreshed
from tests.auth.city import ASSERTION, City


def confidential(city: City, key: ECKey) -> Client:
    return city.citizen_app(**REGISTERED, jwks={"keys": [key.as_dict(private=False)]})


def signed(city: City, client: Client, key: ECKey) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION, "client_assertion": city.assertion(client, key)}


async def introspected(city: City, client: Client, key: ECKey, token: str, **more: str) -> dict[str, Any]:
    answer = await city.post("/oauth/introspect", {"token": token, **signed(city, client, key), **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    return body


async def given(city: City, app: Client, key: ECKey, person: Any) -> dict[str, Any]:
    code = await code_for(city, app, person, **OFFLINE)
    answer = await city.redeem(app, code, **signed(city, app, key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_2_2_an_active_token_says_what_it_is(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app, lucie = confidential(city, key), city.person()
    token = await given(city, app, key, lucie)
    said = await introspected(city, app, key, token["access_token"])
    assert said["active"] is True
    assert (said["client_id"], said["iss"], said["scope"]) == (app.id, city.issuer, OFFLINE["scope"])
    assert (said["token_type"], said["patient"], said["acr"]) == ("Bearer", lucie.record, "mfa")
    assert str(lucie.id) not in str(said)
    refresh = await introspected(city, app, key, token["refresh_token"], token_type_hint="refresh_token")
    assert (refresh["active"], refresh["client_id"]) == (True, app.id)


async def test_2_2_what_does_not_work_is_not_active_and_nothing_more(city: City) -> None:
    """ "the authorization server SHOULD NOT include any additional information about an inactive token"."""
    key = ECKey.generate_key("P-256")
    app, lucie = confidential(city, key), city.person()
    token = await given(city, app, key, lucie)
    assert await introspected(city, app, key, "garbage") == {"active": False}
    spent = token["refresh_token"]
    assert (await refreshed(city, app, spent, **signed(city, app, key))).status_code == 200
    assert await introspected(city, app, key, spent) == {"active": False}
    with Session(city.engine) as session, session.begin():
        grants.revoke_all(session, lucie.id, city.clock())
    assert await introspected(city, app, key, token["access_token"]) == {"active": False}


async def test_an_expired_token_is_not_active(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app = confidential(city, key)
    token = await given(city, app, key, city.person())
    city.clock.pass_by(minutes=16)
    assert await introspected(city, app, key, token["access_token"]) == {"active": False}


async def test_4_nobody_learns_of_anothers_token(city: City) -> None:
    """ "the authorization server MUST … determine whether … the particular token can be used" by who asks."""
    key, other_key = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    app, other = confidential(city, key), confidential(city, other_key)
    operator = city.deposit(other_key, kind=Kind.OPERATOR, scopes=["system/Patient.cs"])
    token = await given(city, app, key, city.person())
    for mine in (token["access_token"], token["refresh_token"]):
        assert await introspected(city, other, other_key, mine) == {"active": False}
        assert (await introspected(city, operator, other_key, mine))["active"] is True


async def test_2_1_who_asks_authenticates(city: City) -> None:
    """ "To prevent token scanning attacks, the endpoint MUST also require some form of authorization"."""
    public = city.citizen_app(**REGISTERED)
    anonymous = await city.post("/oauth/introspect", {"token": "x"})
    assert (anonymous.status_code, anonymous.json()["error"]) == (400, "invalid_client")
    assert (await city.post("/oauth/introspect", {"token": "x", "client_id": public.id})).status_code == 400


async def test_2_1_a_token_is_required(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app = confidential(city, key)
    answer = await city.post("/oauth/introspect", signed(city, app, key))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
