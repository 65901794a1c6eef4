"""The pages in a real browser: the keyboard alone, passkeys of a virtual authenticator, axe on every page."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import CDPSession, Page, expect

from auth.choices import RecordChoice
from auth.factors import Kind
from auth.security import Security
from phr.web import words
from tests.auth.city import PASSWORD, City, Person, asked

FR = words.TEXTS["fr"]
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NEW = "trois petits chats"


@pytest.fixture
def app() -> Iterator[tuple[str, list[str]]]:
    """A native app's loopback listener (RFC 8252): its address, and the addresses the browser was sent to."""
    visited: list[str] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visited.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"back in the app")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/callback", visited
    server.shutdown()
    server.server_close()


@pytest.fixture
def authenticator(page: Page) -> tuple[CDPSession, str]:
    """A virtual authenticator with a fingerprint it recognises, in this tab."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, str(made["authenticatorId"])


def sound(page: Page) -> None:
    """No violation of WCAG 2.2 AA that axe can see."""
    found = Axe().run(page, options=WCAG).response["violations"]
    told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    assert told == [], page.url


def enter(page: Page, person: Person, password: str = PASSWORD) -> None:
    """The password, then the code that was mailed."""
    page.get_by_label(FR["name"]).fill(person.login)
    page.get_by_label(FR["password"]).fill(password)
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    page.wait_for_url("**/signin/second*")
    page.get_by_label(FR["answer_mail"]).fill(person.mailed_code())
    page.get_by_role("button", name=FR["continue"], exact=True).click()


def signed_in(page: Page, person: Person) -> None:
    page.goto("/signin")
    enter(page, person)
    page.wait_for_url("**/account*")
    page.goto("/account/security")


def test_signing_in_with_the_keyboard_alone(
    served: City, page: Page, app: tuple[str, list[str]], complaints: list[str]
) -> None:
    lucie, keyboard = served.person(), page.keyboard
    client = served.citizen_app(redirect_uris=[app[0]])
    wish = asked(client, redirect_uri=app[0], scope="patient/Condition.rs patient/Observation.rs", state="kept")
    page.goto(f"/oauth/authorize?{urlencode(wish)}")
    keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text(FR["skip"])
    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.type(lucie.login)
    keyboard.press("Tab")
    keyboard.type("wrong password")
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["wrong"])
    expect(page.get_by_label(FR["name"])).to_have_value(lucie.login)
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("autocomplete", "one-time-code")
    keyboard.type(lucie.mailed_code())
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["consent_title"])
    sound(page)
    page.locator("input[name=scope]").nth(1).focus()
    keyboard.press("Space")
    page.locator("button[value=allow]").focus()
    keyboard.press("Enter")
    page.wait_for_url("**/callback*")
    sent = parse_qs(urlsplit(app[1][0]).query)
    assert (sent["state"], sent["iss"]) == (["kept"], [served.issuer])
    assert "code" in sent
    # A refused password is answered 401, which the console tells; the app has no icon.
    assert [told for told in complaints if "401" not in told and "404" not in told] == []


def test_a_passkey_is_added_and_signs_in_alone(
    served: City, page: Page, authenticator: tuple[CDPSession, str], complaints: list[str]
) -> None:
    lucie = served.person()
    signed_in(page, lucie)
    page.get_by_role("link", name=FR["passkey_add"]).click()
    sound(page)
    expect(page.get_by_text(FR["passkey_unable"])).to_be_hidden()
    page.get_by_label(FR["label"]).fill("Mon téléphone")
    page.get_by_role("button", name=FR["passkey_make"]).click()
    page.wait_for_url("**/account/security")
    expect(page.get_by_text("Mon téléphone")).to_be_visible()
    sound(page)
    (kept,) = Security(served.server).factors(lucie.id)
    assert kept.kind is Kind.PASSKEY
    page.context.clear_cookies()
    page.goto("/signin")
    page.get_by_role("button", name=FR["passkey_sign_in"]).click()
    page.wait_for_url("**/account*")
    secret = next(one for one in page.context.cookies() if one.get("name") == "carnet_session")
    visitor = served.server.visitor(secret.get("value"))
    assert visitor is not None
    assert (visitor.subject, visitor.proof.acr) == (lucie.id, "phr")
    page.goto("/account/security")
    page.get_by_role("button", name=f"{FR['remove']} Mon téléphone").click()
    expect(page.get_by_text("Mon téléphone")).to_have_count(0)
    assert [told for told in complaints if "404" not in told] == []


def test_a_passkey_as_a_second_factor_and_one_that_fails(
    served: City, page: Page, authenticator: tuple[CDPSession, str]
) -> None:
    lucie = served.person()
    signed_in(page, lucie)
    page.get_by_role("link", name=FR["passkey_add"]).click()
    page.get_by_role("button", name=FR["passkey_make"]).click()
    page.wait_for_url("**/account/security")
    page.context.clear_cookies()
    page.goto("/signin")
    page.get_by_label(FR["name"]).fill(lucie.email)
    page.get_by_label(FR["password"]).fill(PASSWORD)
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    devtools, device = authenticator
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name=FR["passkey_use"]).click()
    expect(page.locator(":focus")).to_have_text(FR["passkey_failed"])
    sound(page)
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.get_by_role("button", name=FR["passkey_use"]).click()
    page.wait_for_url("**/account*")


def test_an_authenticator_application(served: City, page: Page) -> None:
    lucie = served.person()
    signed_in(page, lucie)
    page.get_by_role("link", name=FR["totp_add"]).click()
    sound(page)
    drawing = page.get_by_role("img", name=FR["totp_drawing"]).bounding_box()
    assert drawing is not None
    assert drawing["width"] > 150
    app = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_label(FR["answer_totp"]).fill("000000x")
    page.get_by_role("button", name=FR["totp_confirm"]).click()
    expect(page.locator(":focus")).to_have_text(FR["totp_wrong"])
    page.get_by_label(FR["answer_totp"]).fill(app.at(served.clock()))
    page.get_by_role("button", name=FR["totp_confirm"]).click()
    page.wait_for_url("**/account/security")
    served.clock.pass_by(seconds=60)
    page.context.clear_cookies()
    page.goto("/signin")
    page.get_by_label(FR["name"]).fill(lucie.login)
    page.get_by_label(FR["password"]).fill(PASSWORD)
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    sound(page)
    page.get_by_label(FR["answer_totp"]).fill(app.at(served.clock()))
    page.get_by_role("button", name=FR["continue"], exact=True).click()
    page.wait_for_url("**/account*")


def test_a_forgotten_password(served: City, page: Page) -> None:
    lucie = served.person()
    page.goto("/signin")
    page.get_by_role("link", name=FR["forgotten"]).click()
    sound(page)
    page.get_by_label(FR["name"]).fill(lucie.email)
    page.get_by_role("button", name=FR["reset_ask"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["reset_sent_title"])
    sound(page)
    found = re.search(r"http\S+/reset/\S+", served.mails(lucie.email)[-1]["text"])
    assert found is not None
    page.goto(found[0])
    sound(page)
    page.get_by_role("button", name=FR["mail_send"]).click()
    page.get_by_label(FR["answer_mail"]).fill(lucie.mailed_code())
    page.get_by_role("button", name=FR["continue"], exact=True).click()
    sound(page)
    page.get_by_label(FR["password_new"]).fill("password")
    page.get_by_role("button", name=FR["password_keep"]).click()
    expect(page.locator(":focus")).to_have_text(FR["password_common"])
    page.get_by_label(FR["password_new"]).fill(NEW)
    page.get_by_role("button", name=FR["password_keep"]).click()
    sound(page)
    page.get_by_role("link", name=FR["sign_in"]).click()
    enter(page, lucie, NEW)
    page.wait_for_url("**/account*")


def test_without_a_script_everything_but_passkeys_works(served: City, page: Page, tmp_path: Path) -> None:
    lucie = served.person()
    assert page.context.browser is not None
    context = page.context.browser.new_context(base_url=served.issuer, locale="fr-FR", java_script_enabled=False)
    tab = context.new_page()
    tab.goto("/signin")
    assert not tab.get_by_role("button", name=FR["passkey_sign_in"]).is_visible()
    signed_in(tab, lucie)
    tab.goto("/account/security/passkey")
    assert tab.get_by_text(FR["passkey_unable"]).is_visible()
    tab.goto("/account/security/recovery")
    tab.get_by_role("button", name=FR["codes_make"]).click()
    assert tab.locator(".codes li").count() == 10
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_sound_on_a_telephone(served: City, page: Page, scheme: Any, tmp_path: Path) -> None:
    """Nothing is wider than 390 pixels, in light and in dark; each page is drawn in the test's folder."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    lucie = served.person()

    def look(name: str) -> None:
        sound(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        page.screenshot(path=tmp_path / f"{scheme}-{name}.png", full_page=True)

    page.goto("/signin")
    look("signin")
    page.get_by_label(FR["name"]).fill(lucie.login)
    page.get_by_label(FR["password"]).fill("wrong password")
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    look("signin-wrong")
    page.get_by_label(FR["password"]).fill(PASSWORD)
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    page.get_by_label(FR["answer_mail"]).fill("no")
    page.get_by_role("button", name=FR["continue"], exact=True).click()
    look("second-wrong")
    page.get_by_label(FR["answer_mail"]).fill(lucie.mailed_code())
    page.get_by_role("button", name=FR["continue"], exact=True).click()
    for name in ("", "/password", "/passkey", "/totp", "/recovery"):
        page.goto(f"/account/security{name}")
        look(f"security{name.replace('/', '-')}")
    page.get_by_role("button", name=FR["codes_make"]).click()
    look("codes")
    page.goto("/account/security/totp")
    app = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_label(FR["label"]).fill("Mon téléphone du travail, le vieux")
    page.get_by_label(FR["answer_totp"]).fill(app.at(served.clock()))
    page.get_by_role("button", name=FR["totp_confirm"]).click()
    look("security-full")
    page.goto("/signin/again")
    look("again")
    mine = RecordChoice(lucie.record, lucie.name, own=True)
    served.server.records = lambda *_: [mine, RecordChoice(f"0a1-{'0' * 32}", "Léo", own=False)]
    page.goto(f"/oauth/authorize?{urlencode(asked(served.citizen_app()))}")
    look("consent-choice")
    page.goto("/oauth/logout")
    look("logout")
    for path in ("/reset", "/reset/nothing", "/oauth/authorize?client_id=x"):
        page.goto(path)
        look(path.strip("/").replace("/", "-").partition("?")[0])
