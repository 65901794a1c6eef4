"""A professional's sign-in in a real browser, over real sockets: two hosts, the policy of each page, axe, a phone."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from auth import tables
from auth.mail import KIND
from phr.core import outbox
from phr.core.keys import SystemKeys
from phr.web import mailbox
from tests.auth.city import City, Clock
from tests.auth.elsewhere import Elsewhere
from tests.phr.web.conftest import serving


@pytest.fixture
def elsewhere(auth_engine: Engine, auth_keys: SystemKeys, clock: Clock, tmp_path: Path) -> Iterator[Elsewhere]:
    """The city, its providers and its pages, on a port of their own."""
    with Session(auth_engine) as session, session.begin():
        session.execute(delete(tables.assistant))
    listener = socket.create_server(("127.0.0.1", 0))
    city = City(auth_engine, auth_keys, clock, f"http://127.0.0.1:{listener.getsockname()[1]}")
    made = Elsewhere(city, tmp_path, served=True)
    city.app.include_router(mailbox.router(city.server, made.settings))
    with serving(city.app, listener):
        yield made
    made.provider.close()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, elsewhere: Elsewhere) -> Iterator[Page]:
    """A phone, in French, without JavaScript being needed; its console says nothing of a policy."""
    context = chromium.new_context(
        base_url=elsewhere.city.issuer,
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


def look(page: Page) -> None:
    """Nothing for axe to say, and nothing wider than the phone."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def pick(page: Page, person: str) -> None:
    """On the provider's page, with the keyboard."""
    page.locator(f"#person-{person}").focus()
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_from_the_providers_page_to_the_assistants(page: Page, elsewhere: Elsewhere) -> None:
    page.goto("/signin/professional")
    assert page.url.startswith(elsewhere.city.issuer.replace("127.0.0.1", "localhost"))
    look(page)
    pick(page, "two-places")
    assert page.url == f"{elsewhere.city.issuer}/signin/professional/activity"
    look(page)
    page.locator("#activity-1").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/professional/assistants")
    assert "Claire VERNET" in page.content()
    look(page)
    page.locator("#number").fill("rien")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.get_by_role("alert").is_visible()
    look(page)
    page.locator("#number").fill("ANS20260000000042")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "ANS20260000000042" in page.content()
    look(page)
    page.get_by_role("button", name="Se déconnecter").click()
    assert page.get_by_role("heading", name="Vous êtes déconnecté").is_visible()
    look(page)
    page.goto("/signin/professional")
    pick(page, "two-places")
    page.locator("#activity-0").check()
    page.get_by_role("button", name="Continuer").click()
    page.wait_for_url("**/professional/assistants")
    # The provider's own logout, through its back channel, over the network.
    page.goto(f"{elsewhere.psc.base}/logout")
    look(page)
    pick(page, "two-places")
    assert "logiciels prévenus : 2" in page.content()
    page.goto("/professional/assistants")
    assert "/sandbox/psc/auth" in page.url


def test_the_page_of_what_went_wrong(page: Page, elsewhere: Elsewhere) -> None:
    page.goto("/signin/professional/callback?state=x&code=y")
    assert "autre onglet" in page.content()
    look(page)
    page.get_by_role("link", name="Recommencer").click()
    page.wait_for_url("**/sandbox/psc/auth**")


def test_mail_is_read_by_people_and_by_scripts(page: Page, elsewhere: Elsewhere) -> None:
    city = elsewhere.city
    with Session(city.engine) as session, session.begin():
        session.execute(delete(outbox.outbox))
        for to in ("ada@poste.test", "bob@poste.test"):
            message = {"to": to, "subject": "Votre code", "text": "Bonjour,\n\n    123456\n\n<b>À bientôt</b>"}
            outbox.put(session, city.keys, KIND, message, city.clock())
    page.goto("/sandbox/mail")
    assert "123456" in page.content()
    assert "&lt;b&gt;" in page.content()
    look(page)
    found = httpx.get(f"{city.issuer}/sandbox/mail", params={"to": "ADA@poste.test"}).json()
    assert [one["to"] for one in found] == ["ada@poste.test"]
    assert found[0]["text"].startswith("Bonjour")
