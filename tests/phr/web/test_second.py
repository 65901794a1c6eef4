"""The pages after the password: the second factor, a fresh proof, a forgotten password, and the security of an account.

Passkeys are in test_browser.py, with a real browser and its authenticator; here is what their pages refuse.
"""

import re
from urllib.parse import urlencode

import httpx
import pyotp
import pytest
from fastapi import FastAPI

from auth import rfc9470, throttle
from phr.web import signin, words
from tests.auth.city import PASSWORD, City, Person, action, asked, enter_code, enter_password, hidden, sign_in

FR = words.TEXTS["fr"]
NEW = "trois petits chats"


async def posted(browser: httpx.AsyncClient, page: httpx.Response, **form: str) -> httpx.Response:
    """The first form of a page, sent with these fields."""
    return await browser.post(action(page), data={"csrf": hidden(page)} | form)


async def signed_in(city: City, browser: httpx.AsyncClient) -> Person:
    lucie = city.person()
    response = await sign_in(browser, lucie, {})
    assert response.headers["location"] == "/account"
    return lucie


async def with_totp(city: City, browser: httpx.AsyncClient) -> pyotp.TOTP:
    """Add an application through the pages."""
    page = await browser.get("/account/security/totp")
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert found is not None
    assert ticket is not None
    app = pyotp.TOTP(found[1].replace(" ", ""))
    wrong = await posted(browser, page, ticket=ticket[1], answer="nothing", label="Mon téléphone")
    assert wrong.status_code == 400
    assert found[1] in wrong.text, "the same secret, which the application has by now"
    done = await posted(browser, page, ticket=ticket[1], answer=app.at(city.clock()), label="Mon téléphone")
    assert done.headers["location"] == "/account/security"
    city.clock.pass_by(seconds=60)
    return app


async def recovery_codes(browser: httpx.AsyncClient) -> list[str]:
    page = await posted(browser, await browser.get("/account/security/recovery"))
    return re.findall(r"<code>([0-9a-z-]+)</code>", page.text)


async def test_who_has_only_a_mailbox_finds_the_code_there(city: City) -> None:
    query, lucie = asked(city.citizen_app()), city.person()
    async with city.browser() as browser:
        password = await enter_password(browser, lucie, query)
        assert password.headers["location"] == f"/signin/second?{urlencode(query)}"
        assert "__Host-carnet_session" not in browser.cookies
        assert len(city.mails(lucie.email)) == 1
        page = await browser.get(password.headers["location"])
        assert FR["answer_mail_hint"] in page.text
        assert 'autocomplete="one-time-code"' in page.text
        wrong = await posted(browser, page, way="mail", answer="000000x")
        assert wrong.status_code == 401
        assert FR["second_wrong"] in wrong.text
        assert 'aria-describedby="answer-hint problem" aria-invalid="true"' in wrong.text
        signed = await enter_code(browser, lucie, password.headers["location"])
    assert signed.headers["location"].startswith("/oauth/authorize?")
    assert "__Host-carnet_pending" not in browser.cookies
    assert city.server.visitor(browser.cookies["__Host-carnet_session"]) is not None


async def test_another_code_can_be_asked_and_another_way_chosen(city: City) -> None:
    async with city.browser() as browser:
        lucie = await signed_in(city, browser)
        app = await with_totp(city, browser)
        codes = await recovery_codes(browser)
    async with city.browser() as browser:
        before = len(city.mails(lucie.email))
        page = await browser.get((await enter_password(browser, lucie, {})).headers["location"])
        assert FR["answer_totp_hint"] in page.text
        assert len(city.mails(lucie.email)) == before, "no mail nobody asked for"
        mail = await posted(browser, page, choose="mail")
        assert FR["answer_mail_hint"] in mail.text
        assert len(city.mails(lucie.email)) == before + 1
        assert FR["answer_mail_hint"] in (await browser.get("/signin/second")).text, "and after a reload"
        recovery = await posted(browser, mail, choose="recovery")
        assert FR["answer_recovery_hint"] in recovery.text
        assert (await posted(browser, recovery, choose="passkey")).status_code == 200, "a way they do not have"
        assert (await posted(browser, recovery, way="recovery", answer=codes[0])).status_code == 303
    async with city.browser() as browser:
        page = await browser.get((await enter_password(browser, lucie, {})).headers["location"])
        assert (await posted(browser, page, way="totp", answer=app.at(city.clock()))).status_code == 303


async def test_second_factor_refusals(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    query, lucie = asked(city.citizen_app()), city.person()
    monkeypatch.setattr(throttle, "SECOND_TRIES", 2)
    async with city.browser() as browser, city.browser() as stranger:
        page = await browser.get((await enter_password(browser, lucie, query)).headers["location"])
        nothing = await stranger.get(f"/signin/second?{urlencode(query)}")
        assert nothing.headers["location"] == f"/signin?{urlencode(query)}"
        forged = await posted(browser, page, csrf="0" * 64, way="mail", answer=lucie.mailed_code())
        assert forged.status_code == 400
        spent = await posted(browser, page, way="totp", answer="000000")
        assert spent.status_code == 401
        await posted(browser, page, way="mail", answer="")
        throttled = await posted(browser, page, way="mail", answer=lucie.mailed_code())
        assert throttled.status_code == 429
        city.clock.pass_by(minutes=15)
        gone = await posted(browser, page, way="mail", answer=lucie.mailed_code())
    assert gone.status_code == 400
    assert FR["second_gone"] in gone.text
    assert "__Host-carnet_session" not in browser.cookies


async def test_the_device_is_known_next_time(city: City) -> None:
    lucie = city.person()
    async with city.browser() as browser:
        for _ in range(2):
            await sign_in(browser, lucie, {})
    subjects = [mail["subject"] for mail in city.mails(lucie.email)]
    assert subjects.count("Nouvelle connexion à votre compte") == 1


async def test_passkey_endpoints_refuse_strangers(city: City) -> None:
    async with city.browser() as browser:
        page = await browser.get("/signin")
        for path in ("/signin/passkey/options", "/signin/second/options", "/account/security/passkey/options"):
            assert (await browser.post(path, data={"csrf": "no"})).status_code == 403
        assert (await browser.post("/signin/second/options", data={"csrf": hidden(page)})).status_code == 400
        asked_for = await browser.post("/signin/passkey/options", data={"csrf": hidden(page)})
        assert set(asked_for.json()) == {"ticket", "options"}
        assert (await browser.post("/signin/passkey", data={"csrf": "no", "answer": "{}"})).status_code == 403
        refused = await browser.post("/signin/passkey", data={"csrf": hidden(page), "answer": "{}"})
    assert refused.status_code == 401
    assert FR["passkey_expired"] in refused.text


async def test_forgotten_password_through_the_pages(city: City) -> None:
    lucie = city.person()
    async with city.browser() as browser:
        sent = await posted(browser, await browser.get("/reset"), name=lucie.email)
        unknown = await posted(browser, await browser.get("/reset"), name="nobody@poste.test")
        tokenless = [re.sub(r'value="[0-9a-f]{64}"', "", page.text) for page in (sent, unknown)]
        assert tokenless[0] == tokenless[1]
        (mail,) = city.mails(lucie.email)
        found = re.search(r"https://carnet\.test(/reset/\S+)", mail["text"])
        assert found is not None
        page = await browser.get(found[1])
        assert len(city.mails(lucie.email)) == 1, "a mail scanner that opens the link has nothing sent"
        page = await posted(browser, page, choose="mail")
        proven = await posted(browser, page, way="mail", answer=lucie.mailed_code())
        assert proven.headers["location"] == "/reset/new"
        weak = await posted(browser, await browser.get("/reset/new"), password="password123")
        assert weak.status_code == 400
        assert FR["password_common"] in weak.text
        done = await posted(browser, weak, password=NEW)
        assert done.headers["location"] == "/reset/done"
        assert (await browser.get("/reset/new")).status_code == 400
        used = await browser.get(found[1])
        assert used.status_code == 400
        assert FR["reset_gone"] in used.text
        signed = await sign_in(browser, lucie, {}, password=NEW)
    assert signed.status_code == 303


async def test_security_asks_who_is_there_and_how_lately(city: City) -> None:
    paths = ("/password", "/passkey", "/totp", "/recovery")
    async with city.browser() as browser:
        assert (await browser.get("/account/security")).headers["location"] == "/signin"
        lucie = await signed_in(city, browser)
        city.clock.pass_by(seconds=rfc9470.FRESH.total_seconds() + 1)
        assert (await browser.get("/account/security")).status_code == 200
        page = await browser.get("/signin")
        for path in paths:
            again = await browser.get(f"/account/security{path}")
            assert again.headers["location"] == f"/signin/again?{urlencode({'next': f'/account/security{path}'})}"
            changed = await browser.post(f"/account/security{path}", data={"csrf": hidden(page)})
            assert changed.headers["location"] == again.headers["location"]
        removed = await browser.post("/account/security/remove", data={"csrf": hidden(page), "factor": "recovery"})
        assert removed.headers["location"].startswith("/signin/again")
        options = await browser.post("/account/security/passkey/options", data={"csrf": hidden(page)})
        assert options.status_code == 403
        form = await posted(browser, await browser.get(again.headers["location"]), choose="mail")
        wrong = await posted(browser, form, way="mail", answer="no")
        assert wrong.status_code == 401
        back = await posted(browser, form, way="mail", answer=lucie.mailed_code())
        assert back.headers["location"] == "/account/security/recovery"
        assert (await browser.get(back.headers["location"])).status_code == 200
    visitor = city.server.visitor(browser.cookies["__Host-carnet_session"])
    assert visitor is not None
    assert visitor.proof.acr == "mfa"


@pytest.mark.parametrize(
    ("asked_for", "where"),
    [
        ("/account/security/totp", "/account/security/totp"), ("/oauth/authorize?a=b&c=d", "/oauth/authorize?a=b&c=d"),
        ("https://evil.test/account", "/account"), ("//evil.test/account", "/account"), ("/\\evil.test", "/account"),
        ("/accountant", "/account"), ("javascript:alert(1)", "/account"), ("", "/account"),
        ("/account/../oauth/consent\\x", "/account"), ("account", "/account"),
    ],
)  # fmt: skip
def test_a_fresh_proof_leads_back_to_our_own_pages_only(asked_for: str, where: str) -> None:
    assert signin._back([("next", asked_for)]) == where


async def test_factors_are_listed_and_removed(city: City) -> None:
    async with city.browser() as browser:
        lucie = await signed_in(city, browser)
        await with_totp(city, browser)
        codes = await recovery_codes(browser)
        assert len(codes) == 10
        page = await browser.get("/account/security")
        assert "Mon téléphone" in page.text
        assert "<strong>10</strong>" in page.text
        assert not any(code in page.text for code in codes), "shown once"
        factor = re.search(r'name="factor" value="([0-9a-f-]{36})"', page.text)
        assert factor is not None
        forged = await browser.post("/account/security/remove", data={"csrf": "no", "factor": factor[1]})
        assert forged.status_code == 403
        for which in (factor[1], "recovery", "nothing", ""):
            gone = await browser.post("/account/security/remove", data={"csrf": hidden(page), "factor": which})
            assert gone.headers["location"] == "/account/security"
        page = await browser.get("/account/security")
    assert "Mon téléphone" not in page.text
    assert "<strong>0</strong>" in page.text
    subjects = [mail["subject"] for mail in city.mails(lucie.email)]
    assert subjects.count("Une façon de vous connecter a été ajoutée") == 2
    assert subjects.count("Une façon de vous connecter a été retirée") == 2


async def test_the_password_is_changed_through_the_page(city: City) -> None:
    async with city.browser() as browser:
        lucie = await signed_in(city, browser)
        page = await browser.get("/account/security/password")
        wrong = await posted(browser, page, old="not this one", password=NEW)
        assert (wrong.status_code, FR["password_old_wrong"] in wrong.text) == (400, True)
        weak = await posted(browser, page, old=PASSWORD, password="short")
        assert (weak.status_code, FR["password_short"] in weak.text) == (400, True)
        done = await posted(browser, page, old=PASSWORD, password=NEW)
        assert (done.status_code, FR["password_changed"] in done.text) == (200, True)
        signed = await sign_in(browser, lucie, {}, password=NEW)
    assert signed.status_code == 303
    assert PASSWORD not in wrong.text + weak.text + done.text


async def test_franceconnect_is_offered_when_there_is_one(city: City) -> None:
    app = FastAPI()
    app.include_router(signin.router(city.server, franceconnect=True))
    query = asked(city.citizen_app())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=city.issuer) as browser, city.browser() as without:
        page = await browser.get(f"/signin?{urlencode(query)}")
        plain = await without.get(f"/signin?{urlencode(query)}")
    assert f'href="/signin/franceconnect?{urlencode(query).replace("&", "&amp;")}"' in page.text
    assert "franceconnect" not in plain.text
