"""Signing in with a real browser: the keyboard alone, the policy that guards the pages, and the way back to the app."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
CALLBACK = "http://127.0.0.1:8765/callback"

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    """A headless Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"):
        options.add_argument(f"--{flag}")
    options.add_argument("--disable-background-networking")
    options.add_argument("--disable-component-update")
    options.add_experimental_option("prefs", {"intl.accept_languages": "fr"})
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.add_argument("--window-size=900,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def app() -> Iterator[list[str]]:
    """A native app's loopback listener (RFC 8252): the addresses the browser was sent to."""
    visited: list[str] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visited.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"back in the app")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 8765), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield visited
    finally:
        server.shutdown()
        server.server_close()


def test_signing_in_with_the_keyboard_alone(carnet: str, browser: WebDriver, app: list[str], tmp_path: Path) -> None:
    person = httpx.get(f"{carnet}/sandbox").json()["citizens"][0]
    wish = {
        "response_type": "code",
        "client_id": "carnet-demo-app",
        "redirect_uri": CALLBACK,
        "scope": "patient/DocumentReference.rs patient/Observation.rs",
        "state": "kept",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    browser.get(f"{carnet}/oauth/authorize?{urlencode(wish)}")
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "fr"
    browser.save_screenshot(str(tmp_path / "sign-in.png"))
    name = browser.find_element(By.NAME, "name")
    name.send_keys(person["login"], Keys.TAB, "wrong password", Keys.ENTER)
    waiting = WebDriverWait(browser, 20)
    waiting.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "[role=alert]"))
    browser.find_element(By.NAME, "password").send_keys(person["password"], Keys.ENTER)
    waiting.until(lambda driver: driver.find_elements(By.NAME, "scope"))
    browser.save_screenshot(str(tmp_path / "consent.png"))
    assert person["name"] in browser.page_source
    boxes = browser.find_elements(By.NAME, "scope")
    assert len(boxes) == 2
    boxes[1].send_keys(Keys.SPACE)
    browser.find_element(By.CSS_SELECTOR, "button[value=allow]").send_keys(Keys.ENTER)
    waiting.until(lambda driver: driver.current_url.startswith(CALLBACK))
    sent = parse_qs(urlsplit(next(path for path in app if path.startswith("/callback"))).query)
    assert sent["state"] == ["kept"]
    assert sent["iss"] == [carnet]
    assert "code" in sent
    told: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[attr-defined]  # Chromium's drivers have it
    assert [entry for entry in told if "Content Security Policy" in entry["message"]] == []
