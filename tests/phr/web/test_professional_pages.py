"""A professional signs in with a browser: at their provider, then saying as what; and the provider signs them out."""

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth import tables
from auth.sandbox import people
from phr.web import professional
from tests.auth.city import City, hidden
from tests.auth.elsewhere import Elsewhere, arrive, leave, picked

GP, TWO = people.rpps(11), people.rpps(34)


@pytest.fixture
def elsewhere(city: City, tmp_path: Path) -> Elsewhere:
    return Elsewhere(city, tmp_path)


async def choose(browser: httpx.AsyncClient, chosen: str = "0") -> httpx.Response:
    page = await browser.get("/signin/professional/activity")
    assert page.status_code == 200, page.text
    form = {"csrf": hidden(page), "activity": chosen}
    return await browser.post("/signin/professional/activity", data=form)


async def signed_in(browser: httpx.AsyncClient, person: str, chosen: str = "0") -> httpx.Response:
    back = await arrive(browser, person)
    assert back.status_code == 303, back.text
    assert back.headers["location"] == "/signin/professional/activity"
    return await choose(browser, chosen)


def visitor(city: City, browser: httpx.AsyncClient) -> object:
    return city.server.visitor(browser.cookies.get("__Host-carnet_session"))


async def test_a_doctor_signs_in_and_is_shown_who_they_are(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser:
        back = await arrive(browser, "gp")
        assert "code=" not in back.headers["location"]
        page = await browser.get("/signin/professional/activity")
        assert "Hélène GARNIER" in page.text
        assert "Médecin, Maison de santé des Tilleuls" in page.text
        answer = await choose(browser)
        assert answer.headers["location"] == "/professional/assistants"
        found = city.server.visitor(browser.cookies.get("__Host-carnet_session"))
    assert found is not None
    assert found.professional is not None
    assert (found.professional.id, found.professional.profession, found.professional.system) == (GP, "10", "TRE_G15")
    assert found.professional.structure == f"1{people.PRACTICE.finess}"
    assert found.account is None
    assert found.proof.acr == "eidas1"
    assert found.proof.amr == ("hwk", "pin")


async def test_the_request_to_the_provider_is_the_one_documented(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        address = httpx.URL(await leave(browser, prompt="login", max_age="60"))
    assert address.params["scope"] == "openid scope_all"
    assert address.params["acr_values"] == "eidas1"
    assert address.params["code_challenge_method"] == "S256"
    assert len(address.params["nonce"]) >= 32
    assert len({address.params[name] for name in ("state", "nonce", "code_challenge")}) == 3
    assert (address.params["prompt"], address.params["max_age"]) == ("login", "60")


async def test_who_works_in_two_places_says_which(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser:
        await arrive(browser, "two-places")
        page = await browser.get("/signin/professional/activity")
        assert "Cabinet du docteur Vernet" in page.text
        assert "Centre hospitalier du Confluent" in page.text
        assert "checked" not in page.text
        for nothing in ("", "2", "-1", "٠", "x", "9" * 5000):
            form = {"csrf": hidden(page), "activity": nothing}
            refused = await browser.post("/signin/professional/activity", data=form)
            assert refused.status_code == 400
            assert "Choisissez une activité" in refused.text
        assert visitor(city, browser) is None
        await choose(browser, "1")
        found = city.server.visitor(browser.cookies.get("__Host-carnet_session"))
    assert found is not None
    assert found.professional is not None
    assert found.professional.id == TWO
    assert found.professional.structure == f"1{people.HOSPITAL.finess}"


async def test_the_choice_is_made_once_by_the_browser_that_arrived(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser, city.browser() as another:
        await signed_in(browser, "gp")
        again = await browser.get("/signin/professional/activity")
        assert again.headers["location"] == "/signin/professional"
        assert (await another.get("/signin/professional/activity")).headers["location"] == "/signin/professional"
        form = {"csrf": "0" * 64, "activity": "0"}
        await arrive(another, "gp")
        assert (await another.post("/signin/professional/activity", data=form)).status_code == 400
        assert visitor(city, another) is None


async def test_the_application_that_asked_is_gone_back_to(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        await arrive(browser, "gp", client_id="app", scope="user/*.rs", prompt="login")
        answer = await choose(browser)
    assert answer.headers["location"] == "/oauth/authorize?client_id=app&scope=user%2F%2A.rs"


async def test_a_secretary_has_no_profession_and_a_trainee_is_no_doctor(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser:
        await signed_in(browser, "secretary")
        secretary = city.server.visitor(browser.cookies.get("__Host-carnet_session"))
        await signed_in(browser, "trainee")
        trainee = city.server.visitor(browser.cookies.get("__Host-carnet_session"))
    assert secretary is not None
    assert secretary.professional is not None
    assert (secretary.professional.profession, secretary.professional.role) == ("", "99")
    assert trainee is not None
    assert trainee.professional is not None
    assert trainee.professional.trainee
    assert trainee.professional.system == "TRE_G16"


async def test_the_provider_signs_out_what_it_signed_in(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as here, city.browser() as there:
        await signed_in(here, "gp")
        sid = next(iter(dict(elsewhere.psc.sessions.all())))
        await signed_in(there, "gp")
        notice = elsewhere.psc.end(sid)
        assert notice is not None
        answer = await city.post("/oauth/providers/professional/logout", {"logout_token": notice[1]})
        assert answer.status_code == 200
        # Back-Channel Logout 1.0 §2.8: "SHOULD include … Cache-Control: no-store".
        assert answer.headers["cache-control"] == "no-store"
        assert visitor(city, here) is None
        assert visitor(city, there) is not None
        again = await city.post("/oauth/providers/professional/logout", {"logout_token": notice[1]})
    assert again.status_code == 400
    assert again.headers["cache-control"] == "no-store"
    assert again.json()["error"] == "invalid_request"


async def test_without_a_provider_the_page_says_so(city: City, elsewhere: Elsewhere) -> None:
    city.app.router.routes.clear()
    city.app.include_router(professional.router(city.server, None, elsewhere.settings))
    async with city.browser() as browser:
        page = await browser.get("/signin/professional")
        assert page.status_code == 404
        assert "n’est pas installée" in page.text
        assert (await browser.get("/signin/professional/callback")).status_code == 303
        answer = await browser.post("/oauth/providers/professional/logout", data={"logout_token": "x"})
        assert answer.status_code == 400


async def test_a_silent_provider_has_a_page(elsewhere: Elsewhere) -> None:
    elsewhere.wire.change = lambda request, response: httpx.Response(503)
    async with elsewhere.city.browser() as browser:
        page = await browser.get("/signin/professional", headers={"Accept-Language": "en"})
    assert page.status_code == 503
    assert "does not answer" in page.text


async def test_a_refusal_at_the_provider_has_a_page(elsewhere: Elsewhere) -> None:
    async with elsewhere.city.browser() as browser:
        address = httpx.URL(await leave(browser))
        query = {"error": "access_denied", "state": address.params["state"], "iss": elsewhere.psc.issuer}
        page = await browser.get("/signin/professional/callback", params=query)
    assert page.status_code == 400
    assert "refusée ou abandonnée" in page.text


async def test_pages_hold_no_code_and_the_database_no_name(elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    async with city.browser() as browser:
        address = await picked(browser, await leave(browser), "gp")
        await browser.get(address)
        answer = await choose(browser)
        page = await browser.get(answer.headers["location"])
    code = httpx.URL(address).params["code"]
    assert code not in page.text
    with Session(city.engine) as session:
        stored = session.execute(select(tables.browser_session.c.sealed)).scalars().all()
        assert session.execute(select(func.count()).select_from(tables.provider_session)).scalar_one() > 0
    assert not any(b"GARNIER" in (row or b"") for row in stored)
    assert re.search(r"Référence|eyJ", page.text) is None
