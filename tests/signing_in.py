"""Signing in over HTTP on a served sandbox, as a person does in a browser: the pages, the code in the mail, consent.

The rule: forms are sent as the pages hold them; nothing is known of them but the fields a person fills in.
"""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

_CHOICE = re.compile(r'name="record" value="([^"]+)"[^>]*>\s*<span>([^<]+)')


class Form(HTMLParser):
    """The first form of a page: where it goes, and what it holds when nobody touches it."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self._inside = self._done = False
        self.feed(page.text)
        assert self._done, f"{page.status_code} {page.url.path} has no form"
        self.action = urljoin(str(page.url), self.action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._done:
            self._inside, self.action = True, found["action"]
        held = found.get("type") not in ("checkbox", "radio") or "checked" in found
        if tag == "input" and self._inside and "name" in found and held:
            self.fields.append((found["name"], found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._inside:
            self._inside, self._done = False, True

    def filled(self, **answers: Any) -> dict[str, Any]:
        """What is sent: the fields as they stand, and a person's answers."""
        sent: dict[str, Any] = {}
        for name, value in self.fields:
            sent.setdefault(name, []).append(value)
        return sent | answers


def sandbox(carnet: str) -> dict[str, Any]:
    """All that GET /sandbox tells."""
    found: dict[str, Any] = httpx.get(f"{carnet}/sandbox").json()
    return found


def client(carnet: str, id: str) -> dict[str, Any]:
    """One demo client as GET /sandbox tells it, with its private key if it has one."""
    found: dict[str, Any] = next(one for one in sandbox(carnet)["clients"] if one["client_id"] == id)
    return found


def as_citizen(carnet: str, authorize: str, login: str = "claire.moreau", *, whose: str = "", **consent: Any) -> str:
    """Sign in as a demo citizen at this authorization address, and consent. The address it ends on, at the app.

    `whose`: the name beside the record to choose, if there is a choice. `consent`: fields of the page filled in.
    """
    person = next(one for one in sandbox(carnet)["citizens"] if one["login"] == login)
    with httpx.Client(base_url=carnet) as browser:
        page = _follow(browser, browser.get(authorize))
        page = _send(browser, page, name=person["login"], password=person["password"])
        page = _send(browser, page, answer=_mailed_code(carnet, person["email"]))
        records = [record for record, label in _CHOICE.findall(page.text) if label.startswith(whose)]
        chosen = {"record": records[0]} if records else {}
        return str(_send(browser, page, decision="allow", **chosen, **consent).headers["location"])


def as_professional(carnet: str, authorize: str, pick: str = "gp", activity: str = "0", **consent: Any) -> str:
    """Sign in as a demo professional at the sandbox's provider, choose an activity and consent. Where it ends."""
    with httpx.Client(base_url=carnet) as browser:
        page = _follow(browser, browser.get(authorize))
        page = _send(browser, page, person=pick)
        page = _send(browser, page, activity=activity)
        return str(_send(browser, page, decision="allow", **consent).headers["location"])


def at_the_provider(address: str, pick: str = "gp") -> str:
    """Sign in at the sandbox's provider itself, as software does before it exchanges the token. Where it ends."""
    with httpx.Client() as browser:
        return str(_send(browser, _follow(browser, browser.get(address)), person=pick).headers["location"])


def answered(location: str) -> Mapping[str, str]:
    """The parameters in the address a sign-in ended on."""
    return httpx.URL(location).params


def _mailed_code(carnet: str, address: str) -> str:
    mails = httpx.get(f"{carnet}/sandbox/mail", params={"to": address}).json()
    codes = [code for mail in mails for code in re.findall(r"^\s*(\d{6,8})\s*$", mail["text"], re.MULTILINE)]
    assert codes, f"no code was mailed among {len(mails)} mails"
    return str(codes[-1])


def _send(browser: httpx.Client, page: httpx.Response, **answers: Any) -> httpx.Response:
    """Send the page's form; the page it leads to, or the redirect out of here."""
    form = Form(page)
    return _follow(browser, browser.post(form.action, data=form.filled(**answers)))


def _follow(browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Follow redirects as long as they stay here: an application's address need not answer."""
    while answer.is_redirect:
        there = urljoin(str(answer.url), answer.headers["location"])
        if urlsplit(there).path in ("/callback", ""):
            return answer
        answer = browser.get(there)
    assert answer.status_code == 200, f"{answer.status_code} {answer.url.path}"
    return answer
