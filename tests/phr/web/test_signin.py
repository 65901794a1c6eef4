"""The sign-in, consent and error pages: what they say, what they refuse, and what the browser is told."""

import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
import pytest

from auth import scopes, throttle
from phr.web import words
from tests.auth.city import (
    CALLBACK,
    City,
    Clock,
    action,
    allow,
    asked,
    enter_password,
    hidden,
    returned,
    sign_in,
    ticked,
)


class Outline(HTMLParser):
    """What an assistive technology would look for."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


async def consent_page(city: City, browser: httpx.AsyncClient, query: dict[str, str]) -> httpx.Response:
    signed = await sign_in(browser, city.person(), query)
    assert signed.status_code == 303
    return await browser.get(signed.headers["location"])


async def every_page(city: City, language: str = "fr") -> list[httpx.Response]:
    query = asked(city.citizen_app(), scope="openid launch/patient patient/*.rs patient/Observation.c")
    async with city.browser(language=language) as browser:
        error = await browser.get("/oauth/authorize?client_id=x")
        signin = await browser.get(f"/signin?{urlencode(query)}")
        wrong = await sign_in(browser, city.person(), query, password="not the right one")
        await enter_password(browser, city.person(), query)
        second = await browser.get(f"/signin/second?{urlencode(query)}")
        refused = await browser.post(action(second), data={"csrf": hidden(second), "way": "mail", "answer": "no"})
        consent = await consent_page(city, browser, query)
        reset = await browser.get("/reset")
        security = [await browser.get(f"/account/security{page}") for page in ("", "/password", "/totp", "/recovery")]
        passkey = await browser.get("/account/security/passkey")
    found = [error, signin, wrong, second, refused, consent, reset, *security, passkey]
    assert [page.status_code for page in found] == [400, 200, 401, 200, 401, 200, 200, 200, 200, 200, 200, 200]
    return found


async def test_every_page_is_strict_with_the_browser(city: City) -> None:
    for page in await every_page(city):
        policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["style-src"] == policy["img-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"].startswith("'self'")
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert re.findall(r"<script[^>]*>[^<]", page.text) == [], "no inline code"
        scripted = "<script" in page.text
        assert policy.get("script-src") == policy.get("connect-src") == ("'self'" if scripted else None)
        assert not re.search(r"\son\w+=|\sstyle=|javascript:|https?://(?!app\.test)", page.text)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_is_accessible(city: City, language: str) -> None:
    for page in await every_page(city, language):
        outline = Outline(page)
        assert outline.all("html")[0]["lang"] == language
        assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
        labelled = {label["for"] for label in outline.all("label")}
        for field in outline.all("input"):
            assert field["type"] == "hidden" or field["id"] in labelled
        ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        for _, attrs in outline.tags:
            assert set((attrs.get("aria-describedby") or "").split()) <= set(ids)
        assert outline.all("a")[0] == {"class": "skip", "href": "#content"}


async def test_consent_may_redirect_to_the_client_and_sign_in_may_not(city: City) -> None:
    """Chromium applies form-action to the redirects that follow a post."""
    for uri, source in (
        (CALLBACK, "https://app.test"),
        ("http://127.0.0.1:8765/cb", "http://127.0.0.1:8765"),
        ("fr.app.mine:/cb", "fr.app.mine:"),
    ):
        query = asked(city.citizen_app(redirect_uris=[uri]), redirect_uri=uri)
        async with city.browser() as browser:
            signin = await browser.get(f"/signin?{urlencode(query)}")
            page = await consent_page(city, browser, query)
        assert page.headers["content-security-policy"].endswith(f"form-action 'self' {source}")
        assert signin.headers["content-security-policy"].endswith("form-action 'self'")


async def test_cookies(city: City) -> None:
    query = asked(city.citizen_app())
    async with city.browser() as browser:
        page = await browser.get(f"/signin?{urlencode(query)}")
        signed = await sign_in(browser, city.person(), query)
    for header in [*page.headers.get_list("set-cookie"), *signed.headers.get_list("set-cookie")]:
        assert header.startswith("__Host-carnet_")
        for mark in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert mark in header
    assert any(one.startswith("__Host-carnet_session=") for one in signed.headers.get_list("set-cookie"))


async def test_cookies_over_plain_http_in_a_sandbox(city: City) -> None:
    sandbox = City(city.engine, city.keys, Clock(), issuer="http://127.0.0.1:8000")
    query = asked(sandbox.citizen_app())
    async with sandbox.browser() as browser:
        assert (await consent_page(sandbox, browser, query)).status_code == 200
        assert set(browser.cookies) == {"carnet_session", "carnet_browser", "carnet_device"}


async def test_wrong_name_and_wrong_password_are_the_same_page(city: City) -> None:
    query = asked(city.citizen_app())
    lucie = city.person()
    pages = []
    async with city.browser() as browser:
        for name in (lucie.login, "x" * len(lucie.login)):
            page = await sign_in(browser, lucie, query, name=name, password="wrong password")
            pages.append((page.status_code, page.text.replace(name, "NAME")))
    assert pages[0][0] == 401
    assert pages[0] == pages[1]
    assert 'role="alert"' in pages[0][1]
    assert "wrong password" not in pages[0][1]


async def test_too_many_tries_are_told(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "NAME_TRIES", 1)
    query, lucie = asked(city.citizen_app()), city.person()
    async with city.browser() as browser:
        await sign_in(browser, lucie, query, password="wrong one")
        page = await sign_in(browser, lucie, query)
    assert page.status_code == 429
    assert words.TEXTS["fr"]["throttled"] in page.text


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
async def test_a_form_from_elsewhere_signs_nobody_in(city: City, csrf: str) -> None:
    query, lucie = asked(city.citizen_app()), city.person()
    async with city.browser() as browser:
        page = await sign_in(browser, lucie, query, csrf=csrf)
        assert page.status_code == 400
        assert "__Host-carnet_session" not in browser.cookies


async def test_another_browsers_form_token_is_no_good(city: City) -> None:
    query, lucie = asked(city.citizen_app()), city.person()
    async with city.browser() as mine, city.browser() as theirs:
        stolen = hidden(await theirs.get(f"/signin?{urlencode(query)}"))
        assert (await sign_in(mine, lucie, query, csrf=stolen)).status_code == 400


@pytest.mark.parametrize("csrf", ["", "0" * 64])
async def test_a_consent_from_elsewhere_gives_nothing(city: City, csrf: str) -> None:
    async with city.browser() as browser:
        page = await consent_page(city, browser, asked(city.citizen_app()))
        answer = await allow(browser, page, csrf=csrf)
        assert answer.status_code == 403
        assert "location" not in answer.headers


async def test_a_consent_without_a_session_gives_nothing(city: City) -> None:
    async with city.browser() as browser:
        page = await consent_page(city, browser, asked(city.citizen_app()))
        city.clock.pass_by(hours=2)
        assert (await allow(browser, page)).status_code == 403


async def test_each_scope_can_be_removed(city: City) -> None:
    app = city.citizen_app()
    query = asked(app, scope="openid launch/patient patient/Observation.rs patient/Condition.rs")
    async with city.browser() as browser:
        page = await consent_page(city, browser, query)
        assert ticked(page) == query["scope"].split()
        assert "Consulter vos résultats et mesures" in page.text
        back = returned(await allow(browser, page, scope=["launch/patient", "patient/Observation.rs"]))
    token = (await city.redeem(app, back["code"])).json()
    assert token["scope"] == "launch/patient patient/Observation.rs"
    assert "id_token" not in token
    assert city.server.verifier.verify(token["access_token"], city.clock()).scopes == (
        "launch/patient",
        "patient/Observation.rs",
    )


async def test_a_scope_that_was_not_asked_cannot_be_ticked(city: City) -> None:
    app = city.citizen_app()
    async with city.browser() as browser:
        page = await consent_page(city, browser, asked(app))
        back = returned(await allow(browser, page, scope=["patient/Observation.rs", "patient/*.cruds"]))
    assert (await city.redeem(app, back["code"])).json()["scope"] == "patient/Observation.rs"


@pytest.mark.parametrize(
    "form",
    [{"decision": "deny"}, {"decision": ""}, {"scope": []}, {"scope": ["openid"]}, {"scope": ["patient/Condition.rs"]}],
)
async def test_a_refusal_is_access_denied(city: City, form: dict[str, object]) -> None:
    query = asked(city.citizen_app(), scope="openid patient/Observation.rs", state="s")
    async with city.browser() as browser:
        back = returned(await allow(browser, await consent_page(city, browser, query), **form))
    assert (back["error"], back["state"]) == ("access_denied", "s")


async def test_the_consent_is_for_the_request_in_the_page(city: City) -> None:
    """A consent posted for changed parameters is judged like any other request."""
    app, other = city.citizen_app(), city.citizen_app(redirect_uris=["https://other.test/cb"])
    async with city.browser() as browser:
        page = await consent_page(city, browser, asked(app))
        moved = action(page).replace(app.id, other.id)
        answer = await browser.post(moved, data={"csrf": hidden(page), "decision": "allow", "scope": ticked(page)})
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_the_page_names_the_app_the_person_and_the_destination(city: City) -> None:
    app = city.citizen_app(name='<b>"Suivi" & Cie</b>')
    lucie = city.person()
    async with city.browser() as browser:
        signed = await sign_in(browser, lucie, asked(app))
        page = await browser.get(signed.headers["location"])
    assert "&lt;b&gt;&#34;Suivi&#34; &amp; Cie&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    assert lucie.name in page.text
    assert "app.test" in page.text


async def test_language_follows_the_browser_and_the_switch(city: City) -> None:
    query = asked(city.citizen_app())
    async with city.browser(language="en-GB,en;q=0.9,fr;q=0.5") as browser:
        page = await browser.get(f"/signin?{urlencode(query)}")
        assert "<h1>Sign in</h1>" in page.text
        switch = next(a["href"] for a in Outline(page).all("a") if a.get("class") == "switch")
        other = await browser.get(f"/signin{switch}")
    assert "<h1>Se connecter</h1>" in other.text
    assert dict(other.request.url.params) == query | {"ui_locales": "fr"}


async def test_sign_out(city: City) -> None:
    query = asked(city.citizen_app())
    async with city.browser() as browser:
        page = await consent_page(city, browser, query)
        secret = browser.cookies["__Host-carnet_session"]
        await browser.post(f"/signout?{urlencode(query)}", data={"csrf": "no"})
        assert city.server.visitor(secret) is not None
        gone = await browser.post(f"/signout?{urlencode(query)}", data={"csrf": hidden(page)})
        assert gone.headers["location"] == f"/oauth/authorize?{urlencode(query)}"
        assert "__Host-carnet_session" not in browser.cookies
    assert city.server.visitor(secret) is None


async def test_a_new_sign_in_has_a_new_secret(city: City) -> None:
    query, lucie = asked(city.citizen_app()), city.person()
    async with city.browser() as browser:
        browser.cookies.set("__Host-carnet_session", "chosen-by-a-stranger", domain="carnet.test")
        await sign_in(browser, lucie, query)
        values = [cookie.value for cookie in browser.cookies.jar if cookie.name == "__Host-carnet_session"]
    assert "chosen-by-a-stranger" not in [v for v in values if city.server.visitor(v)]
    assert sum(city.server.visitor(value) is not None for value in values) == 1


async def test_static_files(city: City) -> None:
    async with city.browser() as browser:
        style = await browser.get("/static/carnet.css")
        assert style.headers["content-type"].startswith("text/css")
        assert (await browser.get("/static/carnet.svg")).headers["content-type"] == "image/svg+xml"
        for name in ("missing.css", "..%2fsignin.py", "%2e%2e/signin.py"):
            assert (await browser.get(f"/static/{name}")).status_code == 404


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "card", 7), ("ink", "paper", 7), ("soft", "card", 4.5), ("soft", "paper", 4.5), ("accent", "card", 4.5),
        ("accent", "paper", 4.5), ("on-accent", "accent", 4.5), ("on-accent", "accent-strong", 4.5),
        ("problem", "problem-paper", 4.5), ("line", "card", 3), ("line", "paper", 3),
    ],
)  # fmt: skip
async def test_contrast_in_light_and_dark(city: City, front: str, back: str, least: float) -> None:
    """WCAG 2.2 §1.4.3 (text 4.5:1) and §1.4.11 (controls 3:1)."""
    async with city.browser() as browser:
        style = (await browser.get("/static/carnet.css")).text
    for part in (style.split("@media")[0], style.split("@media")[1]):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))
        lights = sorted((luminance(colours[front]), luminance(colours[back])))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= least


def test_scopes_are_told_in_words() -> None:
    assert words.scope_words("patient/DocumentReference.crs", "fr") == "Consulter et ajouter vos documents de santé"
    assert words.scope_words("patient/*.cruds", "en") == "View, add, change and delete everything in your record"
    assert words.scope_words("patient/Device.r", "en") == "View your Device"
    for scope in scopes.PLAIN:
        for language in words.LANGUAGES:
            assert words.scope_words(scope, language) != scope


def test_both_languages_say_the_same_things() -> None:
    assert set(words.TEXTS["fr"]) == set(words.TEXTS["en"])


@pytest.mark.parametrize(
    ("locales", "accepted", "language"),
    [
        (None, None, "fr"), (None, "de, en;q=0.5", "en"), ("en", "fr", "en"), (None, "en;q=0.1, fr-CA;q=0.2", "fr"),
        ("de", "en", "en"), (None, "en;q=x", "fr"), ("", "", "fr"), (None, ",,;q=", "fr"),
    ],
)  # fmt: skip
def test_preferred_language(locales: str | None, accepted: str | None, language: str) -> None:
    assert words.preferred(locales, accepted) == language
