"""The pages are tested on the same small city as the server behind them, over ASGI or served to a real browser."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from starlette.types import ASGIApp

from phr.core.keys import SystemKeys
from tests.auth.city import City, Clock
from tests.auth.conftest import auth_engine, auth_keys, city, clock

__all__ = ["auth_engine", "auth_keys", "city", "clock"]

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """The application behind a real server, on a port that is ours already."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    running.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        running.join(20)
        listener.close()


@pytest.fixture
def served(auth_engine: Engine, auth_keys: SystemKeys) -> Iterator[City]:
    """A city served on localhost: a host name, as passkeys need, and a secure context without TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = City(auth_engine, auth_keys, Clock(), issuer=f"http://localhost:{listener.getsockname()[1]}")
    found.server.start()
    with serving(found.app, listener):
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window. For modules without async tests: Playwright keeps a loop of its own."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console held against the pages: a broken policy, a script error, a missing file."""
    return []


@pytest.fixture
def page(chromium: Browser, served: City, complaints: list[str]) -> Iterator[Page]:
    """A tab of a French reader's browser with no past."""
    context = chromium.new_context(base_url=served.issuer, locale="fr-FR", viewport={"width": 900, "height": 900})
    context.set_default_timeout(20_000)
    tab = context.new_page()
    tab.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
