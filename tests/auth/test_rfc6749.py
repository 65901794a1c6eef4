"""RFC 6749, the OAuth 2 framework."""

import asyncio
import logging
from threading import Thread
from urllib.parse import urlencode
from uuid import UUID

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from auth import accounts, clients, codes, tables
from auth.clients import Kind
from tests.auth.city import CALLBACK, ISSUER, TOKEN, VERIFIER, City, StandardClient, asked, returned, walk


async def test_a_standard_client_completes_the_code_flow(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    async with StandardClient(
        app.id,
        redirect_uri=CALLBACK,
        scope="patient/Observation.rs",
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
        transport=city.transport(),
    ) as client:
        url, state = client.create_authorization_url(f"{ISSUER}/oauth/authorize", code_verifier=VERIFIER)
        async with city.browser() as browser:
            query = dict(browser.build_request("GET", url).url.params)
            back = await walk(browser, lucie, query)
        token = await client.fetch_token(
            TOKEN, authorization_response=back.headers["location"], state=state, code_verifier=VERIFIER
        )
    claims = city.server.verifier.verify(token["access_token"], city.clock())
    assert claims.client == app.id
    assert claims.record == lucie.record == token["patient"]


async def test_4_1_2_state_comes_back_untouched(city: City) -> None:
    state = "été &=?#+%20/<\"'> 1"
    assert returned(await city.authorize(city.citizen_app(), city.person(), state=state))["state"] == state


async def test_4_1_2_1_errors_carry_the_state_too(city: City) -> None:
    back = returned(await city.authorize(city.citizen_app(), city.person(), scope="nonsense", state="x y"))
    assert back == {
        "error": "invalid_scope",
        "error_description": back["error_description"],
        "state": "x y",
        "iss": ISSUER,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"client_id": "a\0b"},
        {"redirect_uri": "https://evil.test/callback"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?x=1"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": 'https://é".test/'},
        {"redirect_uri": None},
    ],
)
async def test_4_1_2_1_unknown_client_or_redirect_is_a_page_never_a_redirect(
    city: City, changes: dict[str, str | None]
) -> None:
    app = city.citizen_app()
    async with city.browser() as browser:
        for path in ("/oauth/authorize", "/signin"):
            response = await browser.get(f"{path}?{urlencode(asked(app, **changes))}")
            assert response.status_code == 400
            assert "location" not in response.headers
            assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "code_challenge"])
async def test_3_1_a_repeated_parameter_is_refused(city: City, name: str) -> None:
    query = asked(city.citizen_app())
    async with city.browser() as browser:
        response = await browser.get(f"/oauth/authorize?{urlencode([*query.items(), (name, query[name])])}")
    assert response.status_code == 400
    assert "location" not in response.headers


async def test_3_2_a_repeated_parameter_at_the_token_endpoint_is_refused(city: City) -> None:
    async with city.browser() as http:
        response = await http.post(
            "/oauth/token",
            content=b"grant_type=authorization_code&code=a&code=b&client_id=x",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "system/Patient.c"}, "invalid_scope"),
        ({"scope": "offline_access patient/Observation.rs"}, "invalid_scope"),
    ],
)
async def test_4_1_2_1_other_errors_go_back_to_the_client(
    city: City, changes: dict[str, str | None], error: str
) -> None:
    back = returned(await city.authorize(city.citizen_app(), city.person(), **changes))
    assert back["error"] == error
    assert "code" not in back


async def test_4_1_2_a_code_is_bound_to_its_client_and_redirect_uri(city: City) -> None:
    other = "https://app.test/other"
    app, thief, lucie = city.citizen_app(redirect_uris=[CALLBACK, other]), city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    stolen = await city.redeem(thief, code)
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    moved = await city.redeem(app, await city.code(app, lucie), redirect_uri=other)
    assert moved.json()["error"] == "invalid_grant"
    missing = await city.redeem(app, await city.code(app, lucie), redirect_uri=None)
    assert missing.json()["error"] == "invalid_grant"
    assert (await city.redeem(app, code)).status_code == 200


async def test_4_1_2_a_code_lives_sixty_seconds(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    early, late = await city.code(app, lucie), await city.code(app, lucie)
    city.clock.pass_by(seconds=59)
    assert (await city.redeem(app, early)).status_code == 200
    city.clock.pass_by(seconds=1)
    assert (await city.redeem(app, late)).json()["error"] == "invalid_grant"


def revoked(city: City) -> set[UUID]:
    with Session(city.engine) as session:
        return set(session.execute(select(tables.revoked_token.c.jti)).scalars())


async def test_4_1_2_a_replayed_code_revokes_what_it_gave(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    token = (await city.redeem(app, code)).json()["access_token"]
    grant = UUID(city.server.verifier.verify(token, city.clock()).grant or "")
    assert grant not in revoked(city)
    replay = await city.redeem(app, code, code_verifier="w" * 43)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert grant in revoked(city)


async def test_4_1_2_of_parallel_uses_of_a_code_one_succeeds(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    answers = await asyncio.gather(*(city.redeem(app, code) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


async def test_4_1_2_a_use_waits_for_the_one_before_it(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    secret = await city.code(app, lucie)
    second: list[codes.Code | None] = []

    def use() -> None:
        with Session(city.engine) as session, session.begin():
            second.append(codes.redeem(session, city.keys, secret, app.id, city.clock()))

    with Session(city.engine) as session, session.begin():
        first = codes.redeem(session, city.keys, secret, app.id, city.clock())
        thread = Thread(target=use)
        thread.start()
        thread.join(0.3)
        assert second == [], "the second use must not be answered before the first is settled"
    thread.join()
    assert first is not None
    assert second == [None]
    assert UUID(first.grant) in revoked(city)


async def test_4_4_a_public_client_cannot_act_for_itself(city: City) -> None:
    form = {"grant_type": "client_credentials", "client_id": city.citizen_app().id, "scope": "patient/*.rs"}
    assert (await city.post("/oauth/token", form)).json()["error"] == "invalid_client"


async def test_4_1_3_a_disabled_account_redeems_nothing(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, lucie.id)
    assert (await city.redeem(app, code)).json()["error"] == "invalid_grant"


async def test_3_2_1_a_client_with_a_key_cannot_pass_for_public(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app, lucie = city.citizen_app(jwks={"keys": [key.as_dict(private=False)]}), city.person()
    answer = await city.redeem(app, await city.code(app, lucie))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_5_1_the_answer_is_not_stored_and_says_what_was_granted(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    response = await city.redeem(app, await city.code(app, lucie, scope="launch/patient patient/*.rs"))
    body = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "launch/patient patient/*.rs"
    assert body["expires_in"] == 900
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "patient"}


@pytest.mark.parametrize("grant_type", ["password", "implicit", "refresh_token", 'é"', ""])
async def test_5_2_other_grants_do_not_exist(city: City, grant_type: str) -> None:
    form = {"grant_type": grant_type, "username": "a", "password": "b", "client_id": city.citizen_app().id}
    response = await city.post("/oauth/token", form)
    assert response.status_code == 400
    assert response.json()["error"] in ("unsupported_grant_type", "invalid_request")
    assert response.headers["cache-control"] == "no-store"


async def test_5_2_a_client_secret_is_never_accepted(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    posted = await city.redeem(app, code, client_secret="s")
    assert posted.json()["error"] == "invalid_client"
    form = {"grant_type": "client_credentials", "scope": "system/*.cruds"}
    basic = await city.post("/oauth/token", form, Authorization="Basic YTpi")
    assert basic.status_code == 401
    assert basic.headers["www-authenticate"].startswith("Basic")


async def test_4_4_a_citizen_app_cannot_act_for_itself(city: City) -> None:
    key = ECKey.generate_key("P-256")
    app = city.citizen_app(jwks={"keys": [key.as_dict(private=False)]})
    answer = await city.client_token(city.assertion(app, key), scope="patient/*.rs")
    assert answer.json()["error"] == "unauthorized_client"


@pytest.mark.parametrize("scope", ["system/*.cruds", "system/DocumentReference.crud", "patient/*.rs", "", "openid"])
async def test_3_3_a_scope_out_of_the_clients_bounds_is_invalid(city: City, scope: str) -> None:
    key = ECKey.generate_key("P-256")
    answer = await city.client_token(city.assertion(city.deposit(key), key), scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_4_1_1_deposit_software_has_no_citizen_to_ask(city: City) -> None:
    lab = city.deposit(ECKey.generate_key("P-256"))
    async with city.browser() as browser:
        response = await browser.get(f"/oauth/authorize?{urlencode(asked(lab))}")
    assert response.status_code == 400


@pytest.mark.parametrize(
    "uri",
    ["http://app.test/cb", "https://app.test/cb#x", "javascript:alert(1)", "data:x", "app:/cb", "https://u:p@a.test/"],
)
def test_3_1_2_an_unsafe_redirect_uri_cannot_be_registered(city: City, uri: str) -> None:
    with pytest.raises(ValueError, match="redirect URI"):
        city.citizen_app(redirect_uris=[uri])


@pytest.mark.parametrize(
    "uri", ["https://a.test/cb", "http://127.0.0.1:8765/cb", "http://localhost/cb", "fr.app.mine:/cb"]
)
def test_3_1_2_a_safe_one_can(city: City, uri: str) -> None:
    with Session(city.engine) as session:
        found = clients.find(session, city.citizen_app(redirect_uris=[uri]).id)
    assert found is not None
    assert found.redirect_uris == (uri,)


def test_a_kind_bounds_what_a_client_can_be_registered_for(city: City) -> None:
    key = ECKey.generate_key("P-256")
    for kind, scope in ((Kind.DEPOSIT, "patient/*.rs"), (Kind.OPERATOR, "openid"), (Kind.DEPOSIT, "user/*.rs")):
        with pytest.raises(ValueError, match="cannot hold"):
            city.deposit(key, kind=kind, scopes=[scope])
    with pytest.raises(ValueError, match="cannot hold"):
        city.citizen_app(scopes=["system/*.rs"])
    with pytest.raises(ValueError, match="public keys only"):
        city.deposit(key, jwks={"keys": [key.as_dict(private=True)]})
    with pytest.raises(ValueError, match="signs"):
        city.deposit(key, jwks=None)


async def test_no_token_or_code_is_logged(city: City, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    app, lucie = city.citizen_app(), city.person()
    code = await city.code(app, lucie)
    token = (await city.redeem(app, code)).json()["access_token"]
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert token not in said
    assert code not in said


async def test_without_a_database_the_token_endpoint_is_unavailable(city: City) -> None:
    city.server.start()
    city.server.engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/none")
    answer = await city.post("/oauth/token", {"grant_type": "authorization_code", "code": "x", "client_id": "x"})
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * 70_000, b"&".join(b"a=1" for _ in range(200)), b"{}"])
async def test_a_body_that_is_not_a_small_form_is_refused(city: City, body: bytes) -> None:
    async with city.browser() as http:
        kind = "application/json" if body == b"{}" else "application/x-www-form-urlencoded"
        response = await http.post("/oauth/token", content=body, headers={"Content-Type": kind})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
