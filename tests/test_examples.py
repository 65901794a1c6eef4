"""The scripts the README shows, run as printed against a real server in its own process."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"


class Form(HTMLParser):
    """The one form of a page: where it goes, and what it holds already."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form" and "post" in (found.get("method") or ""):
            self.action = self.action or str(found.get("action"))
        if tag == "input" and found.get("name") and (found.get("type") != "checkbox" or "checked" in found):
            self.fields.append((str(found["name"]), str(found.get("value") or "")))


def _sign_in(address: str, authorize: str) -> httpx.Response:
    """What a citizen does in a browser: sign in, leave everything ticked, allow."""
    person = httpx.get(f"{address}/sandbox").json()["citizens"][0]
    with httpx.Client(base_url=address, follow_redirects=True) as browser:
        form = Form(browser.get(authorize).text)
        named = {**dict(form.fields), "name": person["login"], "password": person["password"]}
        form = Form(browser.post(form.action, data=named).text)
        scopes = [value for name, value in form.fields if name == "scope"]
        ticked = {**dict(form.fields), "scope": scopes, "decision": "allow"}
        return browser.post(form.action, data=ticked)


def test_a_citizen_reads_a_document(carnet: str) -> None:
    script = [sys.executable, "-u", str(EXAMPLES / "read_a_document.py"), carnet]
    quiet = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=quiet) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("Sign in here")
        end = _sign_in(carnet, child.stdout.readline().strip())
        assert end.status_code == 200
        printed = child.stdout.read()
    assert child.returncode == 0
    assert re.search(r"\d+ bytes of [a-z]+/[a-z]+", printed)


def test_a_hospital_deposits_a_document(carnet: str) -> None:
    script = [sys.executable, str(EXAMPLES / "deposit_a_document.py"), carnet]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Deposited ")


def test_the_readme_shows_them() -> None:
    shown = (ROOT / "README.md").read_text() + (ROOT / "docs" / "depositing.md").read_text()
    for script in EXAMPLES.glob("*.py"):
        assert f"python3 docs/examples/{script.name}" in shown or f"python docs/examples/{script.name}" in shown
