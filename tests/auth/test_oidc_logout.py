"""OpenID Connect RP-Initiated Logout 1.0 and Back-Channel Logout 1.0, as the provider."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy.orm import Session

from auth import logout
from auth.clients import Client
from phr.core import outbox
from tests.auth.browsing import OFFLINE, REGISTERED, entered, refreshed, works
from tests.auth.city import City, Person, action, allow, asked, hidden, returned

GOODBYE = "https://app.test/goodbye"
SCOPES = "openid patient/Observation.rs"


def app_of(city: City, **metadata: Any) -> Client:
    return city.citizen_app(**REGISTERED, metadata={"post_logout_redirect_uris": [GOODBYE], **metadata})


async def connected(city: City, browser: httpx.AsyncClient, app: Client, scope: str = SCOPES) -> dict[str, Any]:
    page = await browser.get(f"/oauth/authorize?{urlencode(asked(app, scope=scope))}")
    answer = await city.redeem(app, returned(await allow(browser, page))["code"])
    body: dict[str, Any] = answer.json()
    return body


def is_out(answer: httpx.Response) -> bool:
    return any(
        re.match(r'__Host-carnet_session=("")?;.*Max-Age=0', line) for line in answer.headers.get_list("set-cookie")
    )


async def test_2_a_hint_of_this_session_signs_out_and_comes_back(city: City) -> None:
    """ "the OP MUST include the state value if the RP's initial Logout Request included state"."""
    app = app_of(city)
    async with city.browser() as browser:
        secret = entered(city, browser, city.person())
        token = await connected(city, browser, app)
        query = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": GOODBYE, "state": "kept"}
        answer = await browser.get(f"/oauth/logout?{urlencode(query)}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{GOODBYE}?state=kept")
    assert is_out(answer)
    assert city.server.visitor(secret) is None
    assert not await works(city, token["access_token"])


async def test_6_without_a_hint_the_person_is_asked(city: City) -> None:
    """ "OPs SHOULD obtain explicit confirmation from the End-User"."""
    async with city.browser() as browser:
        secret = entered(city, browser, city.person())
        page = await browser.get("/oauth/logout")
        assert page.status_code == 200
        assert city.server.visitor(secret) is not None
        forged = await browser.post(action(page), data={"csrf": "0" * 64})
        assert forged.status_code == 403
        assert city.server.visitor(secret) is not None
        done = await browser.post(action(page), data={"csrf": hidden(page)})
        assert is_out(done)
    assert city.server.visitor(secret) is None


async def test_3_another_address_is_never_gone_to(city: City) -> None:
    """ "The OP MUST NOT perform post-logout redirection if the … value … does not exactly match"."""
    app = app_of(city)
    async with city.browser() as browser:
        entered(city, browser, city.person())
        token = await connected(city, browser, app)
        for uri in ("https://evil.test/", GOODBYE + "/", GOODBYE + "?x=1"):
            query = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": uri}
            answer = await browser.get(f"/oauth/logout?{urlencode(query)}")
            assert "location" not in answer.headers


async def test_2_a_hint_we_did_not_sign_is_refused(city: City) -> None:
    """ "the OP MUST validate that it was the issuer of the ID Token"."""
    app = app_of(city)
    async with city.browser() as browser:
        secret = entered(city, browser, city.person())
        token = await connected(city, browser, app)
        head, body, mark = token["id_token"].split(".")
        for hint in (f"{head}.{body}.{mark[:-4]}AAAA", "e30.e30.", "garbage"):
            query = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE}
            assert (await browser.get(f"/oauth/logout?{urlencode(query)}")).status_code == 400
    assert city.server.visitor(secret) is not None


async def test_what_was_granted_offline_goes_on(city: City) -> None:
    """Back-Channel §2.7: "Refresh tokens issued with the offline_access property normally SHOULD NOT be revoked"."""
    app, online = app_of(city), app_of(city)
    async with city.browser() as browser:
        secret = entered(city, browser, city.person())
        kept = await connected(city, browser, app, OFFLINE["scope"])
        gone = await connected(city, browser, online)
    city.server.sign_out(secret)
    assert (await refreshed(city, app, kept["refresh_token"])).status_code == 200
    assert not await works(city, gone["access_token"])


async def test_the_persons_other_browsers_stay(city: City) -> None:
    app, lucie = app_of(city), city.person()
    async with city.browser() as here, city.browser() as there:
        leaving = entered(city, here, lucie)
        gone = await connected(city, here, app)
        staying = entered(city, there, lucie)
        kept = await connected(city, there, app)
    city.server.sign_out(leaving)
    assert not await works(city, gone["access_token"])
    assert await works(city, kept["access_token"])
    assert city.server.visitor(staying) is not None


@pytest.fixture
def relying_party() -> Iterator[tuple[str, list[dict[str, list[str]]], list[int]]]:
    """An app's back-channel address: what was posted to it, and the statuses it answers in turn (then 200)."""
    posted: list[dict[str, list[str]]] = []
    statuses: list[int] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            posted.append(parse_qs(body))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/logout", posted, statuses
    finally:
        server.shutdown()
        server.server_close()


async def signed_out(city: City, app: Client, person: Person) -> dict[str, Any]:
    async with city.browser() as browser:
        secret = entered(city, browser, person)
        token = await connected(city, browser, app)
    city.server.sign_out(secret)
    return token


async def test_backchannel_2_5_the_apps_of_the_session_are_told_until_they_answer(
    city: City, relying_party: tuple[str, list[dict[str, list[str]]], list[int]]
) -> None:
    """ "The OP … sending a logout token … to all logged-in RPs", by POST, and again when it failed."""
    address, posted, statuses = relying_party
    statuses.append(503)
    app = app_of(city, backchannel_logout_uri=address)
    token = await signed_out(city, app, city.person())
    deliverers = {logout.KIND: logout.deliverer(city.issuer, city.server.signing)}
    while outbox.send_one(city.engine, city.keys, deliverers, city.clock()):
        city.clock.pass_by(minutes=1)
    assert len(posted) == 2
    public = KeySet.import_key_set({"keys": city.server.signing.jwks(city.clock())["keys"]})
    first, second = (jwt.decode(one["logout_token"][0], public, algorithms=["ES256"]) for one in posted)
    mine = jwt.decode(token["id_token"], public, algorithms=["ES256"]).claims
    assert first.header["typ"] == "logout+jwt"
    claims = first.claims
    assert (claims["iss"], claims["aud"]) == (city.issuer, app.id)
    assert (claims["sub"], claims["sid"]) == (mine["sub"], mine["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in claims
    assert claims["jti"] == second.claims["jti"]
    assert claims["exp"] - claims["iat"] == 120


async def test_nobody_else_is_told(city: City) -> None:
    app = app_of(city)
    await signed_out(city, app, city.person())
    with Session(city.engine) as session:
        notices = outbox.waiting(session, city.keys, logout.KIND)
    assert [notice for notice in notices if notice["aud"] == app.id] == []
