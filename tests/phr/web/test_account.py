"""A citizen's devices and applications: what the page lists, and that what is ended is over at the next request."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.orm import Session

from auth import accounts, grants
from auth.choices import RecordChoice
from auth.clients import Client
from auth.sessions import Proof, find, start
from phr.web import account
from tests.auth.city import City, Clock, Person, allow, asked, hidden, returned
from tests.house import House

PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture
def town(city: City) -> City:
    """The city, with this page."""
    city.app.router.routes[:0] = account.router(city.server).routes
    return city


def admitted(city: City, browser: httpx.AsyncClient, person: Person, agent: str = PHONE) -> UUID:
    """Sign in without the pages: the session's id."""
    proof = Proof(("pwd", "otp", "mfa"), "mfa", city.clock())
    with Session(city.engine) as session, session.begin():
        who = accounts.find(session, city.keys, person.id)
        assert who is not None
        made, secret = start(session, city.keys, who, proof, agent, city.clock())
    browser.cookies.set(f"{'__Host-' if city.issuer.startswith('https') else ''}carnet_session", secret)
    return made


def granted(city: City, person: Person, name: str = "Mon Suivi", record: str | None = None) -> UUID:
    """An app has access, from a browser of its own."""
    app = city.citizen_app(name=name)
    proof = Proof(("pwd", "otp", "mfa"), "mfa", city.clock())
    with Session(city.engine) as session, session.begin():
        who = accounts.find(session, city.keys, person.id)
        assert who is not None
        secret = start(session, city.keys, who, proof, DESK, city.clock())[1]
        visitor = find(session, city.keys, secret, city.clock())
        assert visitor is not None
        return grants.record(
            session,
            city.keys,
            app,
            visitor,
            ["patient/Observation.rs", "offline_access"],
            record or person.record,
            None,
            True,
            city.clock(),
        )


def standing(city: City, person: Person) -> set[UUID]:
    with Session(city.engine) as session:
        return {grant.id for grant in grants.of_account(session, city.keys, person.id, city.clock())}


def shown(page: httpx.Response) -> str:
    """What a person reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text)))


async def ended(browser: httpx.AsyncClient, **form: str) -> httpx.Response:
    page = await browser.get("/account")
    return await browser.post("/account/end", data={"csrf": hidden(page), **form})


async def test_who_is_not_signed_in_is_asked_to(town: City) -> None:
    async with town.browser() as browser:
        assert (await browser.get("/account?ui_locales=en")).headers["location"] == "/signin?ui_locales=en"
        assert (await browser.post("/account/end", data={"all": "yes"})).headers["location"] == "/signin"


async def test_what_the_page_says(town: City) -> None:
    person, child = town.person(), f"00a-{uuid4().hex}"
    town.server.records = lambda session, keys, who, now: [
        RecordChoice(person.record, person.name, own=True),
        RecordChoice(child, "Lina", own=False),
    ]
    town.clock.now = datetime(2026, 11, 22, 13, 42, tzinfo=UTC)
    granted(town, person, "Mon Suivi")
    granted(town, person, "Petits Pas", child)
    granted(town, person, "Ancienne", f"00a-{uuid4().hex}")
    async with town.browser() as browser:
        admitted(town, browser, person)
        page = await browser.get("/account")
        text = shown(page)
    assert "Firefox sur Android Cet appareil" in text
    assert "Chrome sur Windows Dernière utilisation : 22/11/2026 à 14:42" in text
    assert "Mon Suivi Votre carnet" in text
    assert "Petits Pas Carnet de Lina" in text
    assert "Ancienne Un carnet que vous ne représentez plus" in text
    assert "Consulter vos résultats et mesures" in text
    assert "Accès donné le 22/11/2026, jusqu’au" in text
    assert 'href="/account/security"' in page.text
    assert "<script" not in page.text


async def test_the_page_in_english(town: City) -> None:
    async with town.browser(language="en") as browser:
        admitted(town, browser, town.person())
        text = shown(await browser.get("/account"))
    assert "Firefox on Android This device" in text
    assert "No application has access to your record." in text
    assert "End every access" not in text


async def test_nothing_shows_of_somebody_else(town: City) -> None:
    person, other = town.person(), town.person()
    granted(town, other, "Chez l’autre")
    async with town.browser() as browser:
        admitted(town, browser, person)
        assert "Chez l’autre" not in shown(await browser.get("/account"))


async def test_ending_one_application(town: City) -> None:
    person = town.person()
    gone, kept = granted(town, person), granted(town, person)
    async with town.browser() as browser:
        admitted(town, browser, person)
        answer = await ended(browser, grant=str(gone))
        assert answer.status_code == 303
        assert "L’application n’a plus accès." in shown(await browser.get(answer.headers["location"]))
    assert standing(town, person) == {kept}


async def test_ending_another_browser(town: City) -> None:
    person = town.person()
    async with town.browser() as phone, town.browser() as desk:
        admitted(town, phone, person)
        far = admitted(town, desk, person, DESK)
        answer = await ended(phone, session=str(far))
        assert answer.headers["location"] == "/account?ended=device"
        assert (await phone.get("/account")).status_code == 200
        assert (await desk.get("/account")).headers["location"] == "/signin"


async def test_ending_this_browser_signs_out(town: City) -> None:
    async with town.browser() as browser:
        here = admitted(town, browser, town.person())
        answer = await ended(browser, session=str(here))
        assert answer.headers["location"] == "/signin"
        assert '__Host-carnet_session="";' in answer.headers["set-cookie"]
        assert (await browser.get("/account")).headers["location"] == "/signin"


async def test_ending_everything_but_this_browser(town: City) -> None:
    person, other = town.person(), town.person()
    granted(town, person), granted(town, person)
    others = granted(town, other)
    async with town.browser() as phone, town.browser() as desk, town.browser() as neighbour:
        admitted(town, phone, person)
        admitted(town, desk, person, DESK)
        admitted(town, neighbour, other)
        answer = await ended(phone, all="yes")
        assert "Tous les autres accès sont arrêtés" in shown(await phone.get(answer.headers["location"]))
        assert (await desk.get("/account")).headers["location"] == "/signin"
        assert (await neighbour.get("/account")).status_code == 200
    assert standing(town, person) == set()
    assert standing(town, other) == {others}


async def test_nobody_ends_what_is_another_s(town: City) -> None:
    person, other = town.person(), town.person()
    theirs = granted(town, other)
    async with town.browser() as browser, town.browser() as neighbour:
        admitted(town, browser, person)
        far = admitted(town, neighbour, other)
        await ended(browser, grant=str(theirs))
        await ended(browser, session=str(far))
        await ended(browser, grant="not an id")
        assert (await neighbour.get("/account")).status_code == 200
        assert (await browser.get("/account")).status_code == 200
    assert standing(town, other) == {theirs}


async def test_another_site_ends_nothing(town: City) -> None:
    person = town.person()
    kept = granted(town, person)
    async with town.browser() as browser:
        admitted(town, browser, person)
        assert (await browser.post("/account/end", data={"grant": str(kept)})).status_code == 403
        assert (await browser.post("/account/end", data={"all": "yes", "csrf": "0" * 64})).status_code == 403
    assert standing(town, person) == {kept}


@pytest.fixture
def village(house: House) -> City:
    """The same pages over a whole installation, whose FHIR API is at `house`."""
    server = house.parts.server
    clock = Clock()
    built = City(server.engine, server.keys, clock, house.settings.issuer)
    built.app.router.routes[:0] = account.router(built.server).routes
    built.server.start()
    return built


@pytest.mark.parametrize("how", ["grant", "all"])
async def test_an_ended_access_is_refused_at_the_next_request(house: House, village: City, how: str) -> None:
    record = await house.open_record()
    person = village.person()
    with Session(village.engine) as session, session.begin():
        made = accounts.enroll(
            session, village.keys, "ada", "des tomates bien rouges", "Ada", "ada@poste.test", record, village.clock()
        )
    person = replace(person, id=made, login="ada", record=record)
    app = village.citizen_app()
    async with village.browser() as browser:
        admitted(village, browser, person)
        token = await token_of(village, browser, app)
        headers = {"Authorization": f"Bearer {token}"}
        assert (await house.http.get(f"/fhir/Patient/{record}", headers=headers)).status_code == 200
        (grant,) = standing(village, person)
        await ended(browser, **{how: str(grant)})
        assert (await house.http.get(f"/fhir/Patient/{record}", headers=headers)).status_code == 401


async def token_of(city: City, browser: httpx.AsyncClient, app: Client) -> str:
    """Through the consent page, as a signed-in person."""
    consent = await browser.get(f"/oauth/authorize?{urlencode(asked(app, scope='patient/Patient.rs'))}")
    code = returned(await allow(browser, consent))["code"]
    answer = await city.redeem(app, code)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
