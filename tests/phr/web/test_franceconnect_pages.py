"""A citizen comes from a FranceConnect-like provider: into their account, on to enrolment, or told nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from auth import accounts
from auth.providers import Provider
from auth.sandbox import people
from auth.sandbox.provider import FC, Client, SandboxProvider
from auth.sandbox.routes import router
from phr.core import settings as core
from phr.demo import people as demo
from phr.demo.people import patient
from phr.traits import record_traits
from phr.web import enrolment as enrolment_pages
from phr.web import franceconnect as pages
from phr.web.pages import static_router
from tests.auth.elsewhere import CLAIRE, SECRET, Wire, arrive, forge_signed, leave
from tests.house import House

WHERE = "/signin/franceconnect"


@dataclass
class Town:
    """An installation, its pages, and the provider of citizens."""

    house: House
    provider: Provider
    wire: Wire
    home: SandboxProvider
    app: FastAPI
    resource: dict[str, Any]

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app)
        headers = {"Accept-Language": "fr"}
        return httpx.AsyncClient(transport=transport, base_url=self.house.settings.issuer, headers=headers)

    async def record(self, **changes: Any) -> str:
        """Claire's record, known by her traits."""
        record = await self.house.open_record()
        installation = self.house.parts.installation
        async with installation.database.transaction() as session:
            await record_traits(session, installation, record, {**self.resource, **changes})
        return record

    def account(self, record: str) -> Any:
        server = self.house.parts.server
        with Session(server.engine) as session, session.begin():
            return accounts.enroll(
                session, server.keys, "claire.m", "une phrase tout à fait longue", "Claire Moreau",
                "claire@poste.test", record, server.clock(),
            )  # fmt: skip

    def visitor(self, browser: httpx.AsyncClient) -> Any:
        return self.house.parts.server.visitor(browser.cookies.get("carnet_session"))


@pytest.fixture
def town(house: House) -> Iterator[Town]:
    settings = house.settings
    mine = Client("carnet", SECRET, (f"{settings.issuer}{pages.CALLBACK}",))
    home = SandboxProvider(settings, FC, people.citizens([CLAIRE]), (mine,))
    elsewhere = FastAPI()
    elsewhere.include_router(router(home))
    wire = Wire(elsewhere)
    told = core.Provider(f"{home.base}/.well-known/openid-configuration", "carnet", SECRET)
    provider = Provider(told, transport=wire)
    app = FastAPI()
    for routes in (
        router(home),
        pages.router(house.parts.server, provider, house.parts.installation),
        enrolment_pages.router(house.parts.server, settings.terms_version),
        static_router(),
    ):
        app.include_router(routes)
    identity = replace(demo.claire(date(2026, 11, 22)), birth=date(1990, 5, 18))
    yield Town(house, provider, wire, home, app, patient(identity, "Practitioner/x"))
    provider.close()


async def test_into_their_own_account_and_no_other(town: Town) -> None:
    account = town.account(await town.record())
    async with town.browser() as browser:
        answer = await arrive(browser, "claire", WHERE)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/account"
        found = town.visitor(browser)
    assert found.account.id == account
    assert found.proof.acr == "eidas2"


async def test_back_to_the_application_that_asked(town: Town) -> None:
    town.account(await town.record())
    async with town.browser() as browser:
        answer = await arrive(browser, "claire", WHERE, client_id="app", prompt="login")
    assert answer.headers["location"] == "/oauth/authorize?client_id=app"


async def test_the_request_asks_for_the_operators_level(town: Town) -> None:
    async with town.browser() as browser:
        asked = httpx.URL(await leave(browser, WHERE)).params
    assert asked["acr_values"] == "eidas2"
    assert asked["scope"] == "openid profile birth identite_pivot"


async def test_who_has_no_account_goes_on_to_enrolment(town: Town) -> None:
    await town.record()
    async with town.browser() as browser:
        answer = await arrive(browser, "claire", WHERE)
        assert answer.headers["location"] == "/enrol/details"
        assert browser.cookies.get("carnet_enrolment")
        page = await browser.get("/enrol/details")
        assert page.status_code == 200
        assert "Claire" in page.text
        assert town.visitor(browser) is None


@pytest.mark.parametrize("why", ["nobody", "two", "closed account"])
async def test_all_that_opens_nothing_looks_the_same(town: Town, why: str) -> None:
    if why == "two":
        town.account(await town.record())
        await town.record()
    if why == "closed account":
        account = town.account(await town.record())
        with Session(town.house.parts.engine) as session, session.begin():
            accounts.disable(session, account)
    async with town.browser() as browser:
        page = await arrive(browser, "claire", WHERE)
        assert page.status_code == 403
        assert town.visitor(browser) is None
        assert "carnet_enrolment" not in browser.cookies
    told = page.text.split("<main")[1]
    assert "pas pu retrouver votre carnet" in told
    assert "Claire" not in told
    assert "compte" not in told


@pytest.mark.parametrize("acr", ["eidas1", "", "0", None, ["eidas3"]])
async def test_below_the_level_nothing_opens(town: Town, acr: object) -> None:
    town.account(await town.record())

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("/token"):
            return None
        header, claims = town.provider.signed(response.json()["id_token"])
        forged = forge_signed(header, {**claims, "acr": acr}, town.home.key)
        return httpx.Response(200, json={**response.json(), "id_token": forged})

    async with town.browser() as browser:
        back = await leave(browser, WHERE)
        sent = await browser.post(back, data={"person": "claire"})
        town.provider.signed(forge_signed({"alg": "ES256", "kid": town.home.kid}, {}, town.home.key))
        town.wire.change = change
        page = await browser.get(sent.headers["location"])
        assert page.status_code == 403
        assert "pas assez sûr" in page.text
        assert town.visitor(browser) is None


async def test_signed_userinfo_by_another_key_is_nobodys(town: Town) -> None:

    town.account(await town.record())

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("/userinfo"):
            return None
        header, claims = town.provider.signed(response.text)
        forged = forge_signed(header, claims, ECKey.generate_key("P-256"))
        return httpx.Response(200, text=forged, headers={"Content-Type": "application/jwt"})

    town.wire.change = change
    async with town.browser() as browser:
        page = await arrive(browser, "claire", WHERE)
        assert page.status_code == 400
        assert town.visitor(browser) is None


async def test_userinfo_signed_for_another_client_is_nobodys(town: Town) -> None:
    town.account(await town.record())

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("/userinfo"):
            return None
        header, claims = town.provider.signed(response.text)
        forged = forge_signed(header, {**claims, "aud": "another"}, town.home.key)
        return httpx.Response(200, text=forged, headers={"Content-Type": "application/jwt"})

    town.wire.change = change
    async with town.browser() as browser:
        assert (await arrive(browser, "claire", WHERE)).status_code == 400


async def test_without_a_provider_the_page_says_what_else_to_do(house: House) -> None:
    app = FastAPI()
    app.include_router(pages.router(house.parts.server, None, house.parts.installation))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://carnet.test") as browser:
        page = await browser.get(WHERE, params={"client_id": "app"})
        assert page.status_code == 404
        assert "/signin?client_id=app" in page.text
        assert (await browser.get(pages.CALLBACK)).headers["location"] == WHERE


async def test_the_sandbox_signs_userinfo_like_the_real_one(town: Town) -> None:
    assert FC.signed_userinfo
    assert town.home.people["claire"].userinfo["birthcountry"] == "99100"
