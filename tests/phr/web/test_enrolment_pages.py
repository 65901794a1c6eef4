"""The pages of an enrolment: from the letter to the record, what each says, and what none of them tells."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.orm import Session

from auth import accounts, invitations, sessions, throttle
from auth.enrolment import Enrolment
from phr.web import enrolment
from phr.web.enrolment import birth_date
from tests.auth.city import PASSWORD, City, action, asked, hidden
from tests.auth.test_invitations import new_ins

BORN = "1985-05-17"
PHRASE = "des tomates bien rouges"


@pytest.fixture
def town(city: City) -> City:
    """The city, with these pages and terms of its own before any other."""
    city.app.router.routes[:0] = enrolment.router(city.server, "3").routes
    return city


def letter(city: City) -> dict[str, str]:
    """What a person copies from their letter and their card."""
    ins = new_ins()
    with Session(city.engine) as session, session.begin():
        code = invitations.invite(
            session,
            city.keys,
            record=f"00a-{uuid4().hex}",
            ins=ins,
            birth_date=BORN,
            given="Lucie",
            family="Martin",
            now=city.clock(),
        )
    return {"code": invitations.shown(code), "ins": ins.value, "birth": "17/05/1985"}


def wish(**changes: str) -> dict[str, str]:
    mark = uuid4().hex[:10]
    values = {"login": f"lucie.{mark}", "email": f"lucie.{mark}@poste.test", "password": PHRASE, "terms": "3"}
    return values | changes


async def sent(
    browser: httpx.AsyncClient, path: str, form: Mapping[str, str], query: Mapping[str, str] | None = None
) -> httpx.Response:
    """Open a page, fill its form and send it where the form says."""
    page = await browser.get(f"{path}?{urlencode(query)}" if query else path)
    assert page.status_code == 200, page.text
    return await browser.post(action(page), data={"csrf": hidden(page), **form})


async def to_the_code(city: City, browser: httpx.AsyncClient, **changes: str) -> dict[str, str]:
    assert (await sent(browser, "/enrol", letter(city))).status_code == 303
    chosen = wish(**changes)
    answer = await sent(browser, "/enrol/details", chosen)
    assert answer.status_code == 303, answer.text
    return chosen


async def test_from_the_letter_to_the_app_that_asked(town: City) -> None:
    """The authorization request that brought the person is kept through every step, and continues."""
    query = asked(town.citizen_app())
    async with town.browser() as browser:
        first = await sent(browser, "/enrol", letter(town), query)
        assert first.headers["location"] == f"/enrol/details?{urlencode(query)}"
        chosen = wish()
        second = await sent(browser, "/enrol/details", chosen, query)
        assert second.headers["location"] == f"/enrol/verify?{urlencode(query)}"
        code = town.mailed_code(chosen["email"])
        third = await sent(browser, "/enrol/verify", {"code": f"{code[:3]} {code[3:]}"}, query)
        assert third.headers["location"] == f"/enrol/done?{urlencode(query)}"
        done = await browser.get(third.headers["location"])
        assert "/account/security" in done.text
        onward = re.search(r'href="(/oauth/authorize\?[^"]+)"', done.text)
        assert onward is not None
        consent = await browser.get(onward[1].replace("&amp;", "&"))
        assert consent.status_code == 200
        assert "Mon Suivi" in consent.text


async def test_the_cookies_of_an_enrolment(town: City) -> None:
    async with town.browser() as browser:
        begun = await sent(browser, "/enrol", letter(town))
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-carnet_enrolment=")
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        chosen = wish()
        await sent(browser, "/enrol/details", chosen)
        before = browser.cookies["__Host-carnet_browser"]
        done = await sent(browser, "/enrol/verify", {"code": town.mailed_code(chosen["email"])})
        names = {header.partition("=")[0] for header in done.headers.get_list("set-cookie")}
        assert names == {
            "__Host-carnet_session",
            "__Host-carnet_browser",
            "__Host-carnet_device",
            "__Host-carnet_enrolment",
        }
        assert browser.cookies["__Host-carnet_browser"] != before
        assert "__Host-carnet_enrolment" not in browser.cookies


@pytest.mark.parametrize("wrong", ["code", "ins", "birth"])
async def test_which_of_the_three_was_wrong_is_not_told(town: City, wrong: str) -> None:
    async with town.browser() as browser:
        form, other = letter(town), letter(town)
        answer = await sent(browser, "/enrol", form | {wrong: other[wrong] if wrong != "birth" else "18/05/1985"})
    assert answer.status_code == 400
    told = re.search(r'id="problem"[^>]*>([^<]+)', answer.text)
    assert told is not None
    assert told[1].startswith("Ces trois informations")
    assert answer.text.count('aria-invalid="true"') == 3


async def test_trying_on_is_stopped(town: City) -> None:
    form = letter(town) | {"code": "ABCD-EFGH-JKMN"}
    async with town.browser(f"2001:db8:{uuid4().hex[:4]}::1") as browser:
        tried = [(await sent(browser, "/enrol", form)).status_code for _ in range(throttle.NAME_TRIES + 1)]
    assert tried == [400] * throttle.NAME_TRIES + [429]


async def test_a_step_is_nothing_without_the_one_before(town: City) -> None:
    async with town.browser() as browser:
        assert (await browser.get("/enrol/details")).headers["location"] == "/enrol"
        assert (await browser.get("/enrol/verify")).headers["location"] == "/enrol/details"
        assert (await browser.get("/enrol/done")).headers["location"] == "/signin"
        page = await browser.get("/enrol")
        for path, form in (("/enrol/details", wish()), ("/enrol/verify", {"code": "000000"})):
            answer = await browser.post(path, data={"csrf": hidden(page), **form})
            assert answer.status_code == 400
            assert "recommencez avec votre courrier" in answer.text
        await sent(browser, "/enrol", letter(town))
        assert (await browser.get("/enrol/verify")).headers["location"] == "/enrol/details"


async def test_no_form_of_another_site_is_taken(town: City) -> None:
    async with town.browser() as browser:
        form = letter(town)
        forged = await browser.post("/enrol", data=form)
        assert "restée ouverte trop longtemps" in forged.text
        assert "carnet_enrolment" not in str(forged.headers)
        await sent(browser, "/enrol", form)
        assert (await browser.post("/enrol/details", data=wish())).status_code == 400
        chosen = wish()
        await sent(browser, "/enrol/details", chosen)
        forged = await browser.post("/enrol/verify", data={"code": town.mailed_code(chosen["email"]), "csrf": "0" * 64})
        assert forged.status_code == 400
        assert (await browser.get("/enrol/done")).headers["location"] == "/signin"


async def test_what_to_correct_is_told_beside_its_field(town: City) -> None:
    async with town.browser() as browser:
        await sent(browser, "/enrol", letter(town))
        bad = {"login": "lu<cie", "email": "lucie", "password": "short", "terms": ""}
        answer = await sent(browser, "/enrol/details", bad)
    assert answer.status_code == 400
    for field in ("login", "email", "password", "terms"):
        assert re.search(rf'id="{field}"[^>]*aria-describedby="[^"]*{field}-fault"', answer.text)
        assert re.search(rf'id="{field}-fault">[^<]+', answer.text)
    assert "lu&lt;cie" in answer.text
    assert "short" not in answer.text
    assert answer.text.count('role="alert"') == 1


async def test_the_page_is_the_same_for_an_address_that_has_an_account(town: City) -> None:
    there = town.person()
    async with town.browser() as browser:
        await to_the_code(town, browser, email=there.email)
        taken = [await browser.get("/enrol/verify"), await sent(browser, "/enrol/verify", {"code": "000000"})]
    async with town.browser() as browser:
        chosen = await to_the_code(town, browser)
        free = [await browser.get("/enrol/verify"), await sent(browser, "/enrol/verify", {"code": "000000"})]

    def plain(page: httpx.Response, email: str) -> str:
        return re.sub(r'name="csrf" value="[0-9a-f]+"', "", page.text).replace(email, "")

    assert [page.status_code for page in taken] == [page.status_code for page in free] == [200, 400]
    assert [plain(page, there.email) for page in taken] == [plain(page, chosen["email"]) for page in free]
    assert [mail["subject"] for mail in town.mails(there.email)] == ["Vous avez déjà un compte Carnet"]


async def test_another_code_can_be_asked(town: City) -> None:
    async with town.browser() as browser:
        chosen = await to_the_code(town, browser)
        town.clock.pass_by(minutes=1)
        answer = await sent(browser, "/enrol/verify", {"again": "yes"})
        assert answer.status_code == 200
        assert 'role="status"' in answer.text
        done = await sent(browser, "/enrol/verify", {"code": town.mailed_code(chosen["email"])})
        assert done.status_code == 303


async def test_what_was_chosen_can_be_corrected(town: City) -> None:
    async with town.browser() as browser:
        chosen = await to_the_code(town, browser)
        page = await browser.get("/enrol/details")
        assert f'value="{chosen["login"]}"' in page.text
        assert f'value="{chosen["email"]}"' in page.text
        assert PHRASE not in page.text
        better = chosen | {"email": f"{uuid4().hex}@poste.test"}
        assert (await sent(browser, "/enrol/details", better)).status_code == 303
        done = await sent(browser, "/enrol/verify", {"code": town.mailed_code(better["email"])})
        assert done.status_code == 303


async def test_the_terms_in_both_languages(town: City) -> None:
    for language, title in (("fr", "Conditions d’utilisation"), ("en", "Terms of use")):
        async with town.browser(language=language) as browser:
            page = await browser.get("/terms")
        assert f"<h1>{title}</h1>" in page.text
        assert page.text.count("<p>") >= 4


async def test_new_terms_are_asked_once(town: City) -> None:
    person = town.person()
    query = asked(town.citizen_app())
    async with town.browser() as browser:
        assert (await browser.get("/terms/accept")).headers["location"] == "/signin"
        admit(town, browser, person.id)
        page = await browser.get(f"/terms/accept?{urlencode(query)}")
        assert page.status_code == 200
        assert "Version 3" in page.text
        for form, status in (({}, 400), ({"terms": "2"}, 400), ({"terms": "3"}, 303)):
            answer = await browser.post(action(page), data={"csrf": hidden(page), **form})
            assert answer.status_code == status
        assert answer.headers["location"].startswith("/oauth/authorize?")
        again = await browser.get(f"/terms/accept?{urlencode(query)}")
        assert again.headers["location"].startswith("/oauth/authorize?")
        assert not Enrolment(town.server, "3").needs_terms(person.id)


async def test_terms_are_not_accepted_by_another_site(town: City) -> None:
    person = town.person()
    async with town.browser() as browser:
        admit(town, browser, person.id)
        assert (await browser.post("/terms/accept", data={"terms": "3"})).status_code == 400
    assert Enrolment(town.server, "3").needs_terms(person.id)


def admit(city: City, browser: httpx.AsyncClient, account: UUID) -> None:
    """Sign in without the pages."""
    proof = sessions.Proof(("pwd", "otp", "mfa"), "mfa", city.clock())
    with Session(city.engine) as session, session.begin():
        who = accounts.find(session, city.keys, account)
        assert who is not None
        secret = sessions.start(session, city.keys, who, proof, "Firefox/140.0 Linux", city.clock())[1]
    browser.cookies.set("__Host-carnet_session", secret)


async def test_the_new_account_signs_in(town: City) -> None:
    assert PHRASE != PASSWORD
    async with town.browser() as browser:
        chosen = await to_the_code(town, browser)
        await sent(browser, "/enrol/verify", {"code": town.mailed_code(chosen["email"])})
    async with town.browser() as browser:
        form = {"name": chosen["email"].upper(), "password": PHRASE}
        page = await browser.get("/signin")
        answer = await browser.post("/signin", data={"csrf": hidden(page), **form})
        assert answer.status_code == 303


@pytest.mark.parametrize("typed", ["17/05/1985", " 17 5 1985 ", "17.05.1985", "1985-05-17", "17051985"])
def test_a_date_as_people_type_it(typed: str) -> None:
    assert birth_date(typed) == BORN


@pytest.mark.parametrize("typed", ["", "hier", "31/02/1985", "5/1985", "17/05/85/3", "00/00/0000", "9" * 400])
def test_what_is_no_date_is_nobody_s(typed: str) -> None:
    assert birth_date(typed) == typed[:20]
