"""The pages of enrolment and of the account in a real browser: the keyboard alone, a phone's width, dark, and axe."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth import accounts, grants, terms
from auth.choices import RecordChoice
from auth.sessions import Proof, find, start
from phr.core.keys import SystemKeys
from phr.web import account, enrolment
from tests.auth.city import City, Clock, Person
from tests.phr.web.conftest import serving
from tests.phr.web.test_enrolment_pages import PHRASE, letter


@pytest.fixture
def served(auth_engine: Engine, auth_keys: SystemKeys, clock: Clock) -> Iterator[City]:
    """The city with these pages, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    city = City(auth_engine, auth_keys, clock, f"http://127.0.0.1:{listener.getsockname()[1]}")
    for routes in (enrolment.router(city.server, "3"), account.router(city.server)):
        city.app.router.routes[:0] = routes.routes
    with serving(city.app, listener):
        yield city


Look = Callable[[Page, str], None]


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, served: City) -> Iterator[Page]:
    """A phone, in French, that keeps what its console says."""
    context = chromium.new_context(
        base_url=served.issuer,
        locale="fr-FR",
        viewport={"width": 390, "height": 844},
        color_scheme=request.param,
    )
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    yield opened
    context.close()
    assert [line for line in said if "Content Security Policy" in line] == []


@pytest.fixture
def look(tmp_path: Path, page: Page, request: pytest.FixtureRequest) -> Look:
    """Check a page as it stands, and keep a picture."""
    axe = Axe()
    scheme = request.node.callspec.params["page"]

    def looked(page: Page, name: str) -> None:
        page.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)
        found = axe.run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} scrolls sideways"

    return looked


def filled(page: Page, **fields: str) -> None:
    """Type into the fields, then send with the keyboard."""
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_an_enrolment_with_the_keyboard_alone(served: City, page: Page, look: Look) -> None:
    paper = letter(served)
    page.goto("/enrol")
    look(page, "enrol")
    filled(page, **(paper | {"code": "ABCD-EFGH-JKMN"}))
    look(page, "enrol-wrong")
    assert page.locator("[role=alert]").is_visible()
    assert page.locator("#ins").input_value() == paper["ins"]
    filled(page, code=paper["code"].lower())
    assert page.locator("h1").inner_text() == "Comment vous vous connecterez"
    look(page, "details")
    mark = uuid4().hex[:8]
    page.locator("#terms").focus()
    page.keyboard.press("Space")
    filled(page, login="Lucie Martin", email="lucie", password="martin1985")
    look(page, "details-wrong")
    page.locator("#terms").focus()
    page.keyboard.press("Space")
    filled(page, login=f"lucie.{mark}", email=f"lucie.{mark}@poste.test", password=PHRASE)
    look(page, "verify")
    filled(page, code="000000")
    look(page, "verify-wrong")
    with page.expect_navigation():
        page.get_by_role("button", name="Renvoyer un message").press("Enter")
    look(page, "verify-again")
    filled(page, code=served.mailed_code(f"lucie.{mark}@poste.test"))
    assert page.locator("h1").inner_text() == "Votre compte est ouvert"
    look(page, "done")
    page.goto("/account")
    look(page, "account-new")


def test_the_terms(served: City, page: Page, look: Look) -> None:
    page.goto("/terms")
    look(page, "terms")
    signed_in(served, page, served.person())
    page.goto("/terms/accept")
    look(page, "terms-accept")
    page.locator("#terms").check()
    page.get_by_role("button", name="Accepter et continuer").press("Enter")
    page.wait_for_url("**/account")


def test_devices_and_applications(served: City, page: Page, look: Look) -> None:
    person, child = served.person(), f"00a-{uuid4().hex}"
    served.server.records = lambda session, keys, who, now: [
        RecordChoice(person.record, person.name, own=True),
        RecordChoice(child, "Lina", own=False),
    ]
    signed_in(served, page, person)
    access(served, person, "Mon Suivi", person.record)
    access(served, person, "Petits Pas, le carnet de vaccination des enfants", child)
    page.goto("/account")
    look(page, "account")
    page.get_by_role("button", name="Retirer l’accès : Mon Suivi").press("Enter")
    page.wait_for_url("**/account?ended=app")
    assert page.locator("[role=status]").inner_text() == "L’application n’a plus accès."
    look(page, "account-ended")
    page.get_by_role("button", name="Mettre fin à tous les accès").press("Enter")
    page.wait_for_url("**/account?ended=all")
    assert page.get_by_role("button", name="Retirer l’accès").count() == 0


def session_of(city: City, person: Person, agent: str) -> tuple[Any, str]:
    proof = Proof(("pwd", "otp", "mfa"), "mfa", city.clock())
    with Session(city.engine) as session, session.begin():
        who = accounts.find(session, city.keys, person.id)
        assert who is not None
        secret = start(session, city.keys, who, proof, agent, city.clock())[1]
        visitor = find(session, city.keys, secret, city.clock())
        assert visitor is not None
        return visitor, secret


def signed_in(city: City, page: Page, person: Person) -> None:
    secret = session_of(city, person, "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0")[1]
    page.context.add_cookies([{"name": "carnet_session", "value": secret, "url": city.issuer}])


def access(city: City, person: Person, name: str, record: str) -> None:
    visitor = session_of(city, person, "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36")[0]
    app = city.citizen_app(name=name)
    scopes = ["openid", "patient/DocumentReference.rs", "patient/Observation.cruds"]
    with Session(city.engine) as session, session.begin():
        grants.record(session, city.keys, app, visitor, scopes, record, None, True, city.clock())
        terms.accepted(session, city.keys, person.id, "3", city.clock())
