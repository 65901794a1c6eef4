"""My check-up in a real browser: begun, left, taken up again, finished, shown, deleted; phone, desk, dark."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from phr import codes
from phr.checkup_answers import response_of
from phr.core.settings import Settings
from phr.questionnaires import QUESTIONNAIRES
from phr.web import words
from phr.web.words import TEXTS
from tests import deposit, kin
from tests.kin import Person
from tests.phr.care import DOCTOR, consents, software
from tests.phr.web.household import Served, browser, read, serving
from tests.phr.web.test_sight_browser import opened, walk

FR = TEXTS["fr"]
BORN = f"{datetime.now(UTC).year - 47}-03-04"
RPPS = DOCTOR.id.removeprefix("8")
spaced = partial(re.sub, r"\s+", " ")
SCREENS = [("light", 390), ("dark", 390), ("dark", 1200)]


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


def sarah_in(served: Served) -> Person:
    return served.wait(kin.person(served.house, "Sarah", "Benali", BORN))


def go_on(page: Page) -> None:
    page.get_by_role("button", name=FR["checkup_go_on"], exact=True).click()


def to_the_end(page: Page) -> None:
    """From the first theme to the last of the twelve."""
    for step in range(2, 13):
        go_on(page)
        page.wait_for_url(f"**step={step}")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_it_is_answered_step_by_step_and_shown_to_one_professional(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int]
) -> None:
    scheme, width = screen
    sarah = sarah_in(served)
    size = {"width": width, "height": 844}
    tab = opened(chromium, served, sarah, tmp_path, color_scheme=scheme, viewport=size)
    page = tab.page
    page.goto("/me/check-up")
    tab.look("home")
    page.get_by_role("button", name=FR["checkup_start"], exact=True).click()
    page.wait_for_url("**/me/check-up/answer*")
    expect(page.get_by_role("radio", name="Femme")).to_be_checked()
    expect(page.get_by_label("Votre date de naissance")).to_have_value(BORN)
    tab.look("step")
    page.get_by_label("Votre taille, en centimètres").fill("1,68 m")
    page.get_by_label("Votre poids, en kilos").fill("70")
    go_on(page)
    expect(page.locator(":focus")).to_have_text(FR["checkup_wrong"])
    expect(page.get_by_label("Votre taille, en centimètres")).to_have_value("1,68 m")
    expect(page.get_by_label("Votre poids, en kilos")).to_have_value("70")
    tab.look("wrong")
    page.get_by_label("Votre taille, en centimètres").fill("168")
    go_on(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre santé et votre famille")
    page.get_by_role("checkbox", name="un diabète").check()
    page.get_by_role("checkbox", name="un cancer du côlon ou du rectum").check()
    go_on(page)
    go_on(page)
    expect(page.get_by_text("mammographie")).to_be_visible()
    go_on(page)
    cigarettes = page.get_by_label("Combien de cigarettes par jour, à peu près ?")
    expect(cigarettes).to_be_hidden()
    page.get_by_role("group", name="Fumez-vous en ce moment ?").get_by_role("radio", name=FR["checkup_yes"]).check()
    expect(cigarettes).to_be_visible()
    cigarettes.fill("12")
    tab.look("follows")
    # Left, and taken up again: nothing is lost.
    page.get_by_role("button", name=FR["checkup_later"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["checkup_done_kept"])
    tab.look("kept")
    page.get_by_role("link", name=FR["checkup_continue"], exact=True).click()
    expect(page.get_by_label("Votre taille, en centimètres")).to_have_value("168")
    to_the_end(page)
    page.get_by_label("De quoi aimeriez-vous parler").fill("Mon sommeil <b>léger</b>")
    page.get_by_role("button", name=FR["checkup_review"], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["checkup_review_title"])
    expect(page.get_by_text("un diabète, un cancer du côlon ou du rectum")).to_be_visible()
    expect(page.get_by_text("Mon sommeil <b>léger</b>")).to_be_visible()
    tab.look("review")
    page.get_by_role("link", name=re.compile("Tabac")).click()
    page.get_by_role("group", name="Fumez-vous en ce moment ?").get_by_role("radio", name=FR["checkup_no"]).check()
    expect(page.get_by_label("Combien de cigarettes par jour, à peu près ?")).to_be_hidden()
    page.get_by_role("button", name=FR["checkup_go_back"], exact=True).click()
    expect(page.get_by_text("mammographie")).to_be_visible()
    page.goto("/me/check-up/review")
    expect(page.get_by_text("12", exact=True)).to_have_count(0)
    page.get_by_role("button", name=FR["checkup_finish"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["checkup_done_completed"])
    tab.look("done")
    address = page.get_by_role("link", name=FR["checkup_pdf"]).get_attribute("href")
    assert address is not None
    pdf = page.context.request.get(address)
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("attachment")
    assert pdf.headers["cache-control"] == "no-store"
    assert "Mon sommeil" in " ".join(one.extract_text() for one in PdfReader(BytesIO(pdf.body())).pages)
    # Shown: a wrong number is told beside it, the right one is taken.
    number = page.get_by_label(FR["checkup_number"])
    number.fill("12345678901")
    page.get_by_role("button", name=FR["checkup_share_now"]).click()
    expect(page.locator(":focus")).to_have_text(FR["me_rpps_wrong"])
    expect(number).to_have_value("12345678901")
    tab.look("wrong-number")
    number.fill(RPPS)
    page.get_by_role("button", name=FR["checkup_share_now"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["checkup_done_shared"])
    expect(page.get_by_text(RPPS)).to_be_visible()
    tab.look("shared")
    doctor = software(served.house, DOCTOR)
    seen = served.wait(doctor.get(f"DocumentReference?patient={sarah.record}")).json()
    assert len(seen["entry"]) == 1
    assert len(served.wait(consents(doctor, sarah.record))) == 1
    # Deleted: the professional sees nothing any more.
    page.get_by_role("button", name=re.compile(f"^{FR['checkup_delete_now']}")).click()
    expect(page.get_by_role("status")).to_have_text(FR["checkup_done_deleted"])
    expect(page.get_by_role("button", name=FR["checkup_start"], exact=True)).to_be_visible()
    assert "entry" not in served.wait(doctor.get(f"DocumentReference?patient={sarah.record}")).json()
    page.context.close()
    assert [line for line in tab.said if not re.search(r"status of 4(00|22)", line)] == []


def test_the_keyboard_alone_is_enough(chromium: Browser, served: Served, tmp_path: Path) -> None:
    sarah = sarah_in(served)
    page = opened(chromium, served, sarah, tmp_path).page
    page.goto("/me/check-up")
    walk(page, page.get_by_role("button", name=FR["checkup_start"], exact=True))
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/check-up/answer*")
    walk(page, page.get_by_label("Votre taille, en centimètres"))
    page.keyboard.type("168")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre santé et votre famille")
    walk(page, page.get_by_role("button", name=FR["checkup_go_back"], exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Votre taille, en centimètres")).to_have_value("168")
    page.context.close()


def test_it_works_without_scripts(chromium: Browser, served: Served, tmp_path: Path) -> None:
    sarah = sarah_in(served)
    page = opened(chromium, served, sarah, tmp_path, java_script_enabled=False).page
    page.goto("/me/check-up")
    page.get_by_role("button", name=FR["checkup_start"], exact=True).click()
    to_the_end(page)
    page.get_by_role("button", name=FR["checkup_review"], exact=True).click()
    page.get_by_role("button", name=FR["checkup_finish"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["checkup_done_completed"])
    page.context.close()


def test_what_the_page_says_to_each(served: Served) -> None:
    async def told() -> None:
        house = served.house
        young = await kin.person(house, "Léo", "Petit", f"{datetime.now(UTC).year - 35}-01-01")
        async with browser(house, young.account, "en") as tab:
            page = read(await tab.get("/me/check-up"))
            assert "There is no check-up at this age" in page
            assert f"The next one begins on 1 January {datetime.now(UTC).year + 10}" in page
            assert (await tab.get("/me/check-up/answer")).status_code == 303
        sarah = await kin.person(house, "Sarah", "Benali", BORN)
        helper = await kin.person(house, "Claire", "Moreau")
        await kin.care(sarah, helper, "consult")
        async with browser(house, helper.account) as tab:
            address = f"/me/check-up?record={sarah.record}"
            assert "Bilan prévention de Sarah" in read(await tab.get(address))
            refused = await tab.send(address, do="start")
            assert refused.status_code == 403
            assert TEXTS["fr"]["me_forbidden"] in read(refused)
        async with browser(house, sarah.account) as tab:
            await tab.send("/me/check-up", do="start")
            forged = await tab.http.post("/me/check-up/answer?step=1", data={"you.height": "170"})
            assert forged.status_code == 403
            assert (await tab.http.post("/me/check-up/review", data={})).status_code == 403
            assert (await tab.http.post("/me/check-up", data={"do": "delete"})).status_code == 403
            await tab.send("/me/check-up/answer?step=99", **{"talk.about": "x"})
            wrong = await tab.send("/me/check-up/answer?step=1", **{"you.sex": "other"})
            assert wrong.status_code == 400
            assert (await tab.get("/me/check-up/content/nothing")).status_code == 404
            assert (await tab.send("/me/check-up", do="delete", response="x")).status_code in (303, 400, 422)
        async with browser(house, helper.account) as tab:
            assert (await tab.http.get("/me/check-up")).status_code == 200

    served.wait(told())


def test_what_was_begun_before_the_questions_changed_is_not_lost(served: Served) -> None:
    async def told() -> None:
        sarah = await kin.person(served.house, "Sarah", "Benali", BORN)
        made = QUESTIONNAIRES["check-up-45-50"]
        theme = {"linkId": "talk", "item": [{"linkId": "talk.about", "answer": [{"valueString": "Mon sommeil"}]}]}
        gone = {"linkId": "gone", "item": [{"linkId": "gone.one", "answer": [{"valueBoolean": True}]}]}
        begun = response_of(made, {}, sarah.record, "in-progress") | {"item": [gone, theme]}
        begun["questionnaire"] = begun["questionnaire"].partition("|")[0] + "|2020-01-01"
        assert (await sarah.caller().post("QuestionnaireResponse", begun)).status_code == 201
        async with browser(served.house, sarah.account) as tab:
            assert spaced(FR["checkup_begun"].partition("{")[0]) + "1 réponses" in read(await tab.get("/me/check-up"))
            assert "Mon sommeil" in read(await tab.get("/me/check-up/review"))
            assert spaced(FR["checkup_done_completed"]) in await tab.does("/me/check-up/review")
        found = (await sarah.caller().get(f"QuestionnaireResponse?patient={sarah.record}")).json()["entry"]
        [kept] = [one["resource"] for one in found]
        assert (kept["status"], kept["questionnaire"]) == ("completed", made.canonical)
        # And those of the last time are taken up again.
        kept["questionnaire"] = begun["questionnaire"]
        assert (await sarah.caller().put(f"QuestionnaireResponse/{kept['id']}", kept)).status_code == 200
        async with browser(served.house, sarah.account) as tab:
            await tab.send("/me/check-up", do="start")
            assert "Mon sommeil" in read(await tab.get("/me/check-up/review"))

    served.wait(told())


def test_the_plan_that_comes_back_is_read_on_the_page(served: Served) -> None:
    async def told() -> None:
        sarah = await kin.person(served.house, "Sarah", "Benali", BORN)
        await served.house.relate(sarah.record, DOCTOR.id)
        kind, family = deposit.coded("http://loinc.org", "83869-8"), deposit.coded(codes.CLASS, "44")
        by = await deposit.clinic(served.house)
        async with browser(served.house, sarah.account) as tab:
            assert FR["checkup_no_plan"] in read(await tab.get("/me/check-up"))
            await deposit.deposited(
                software(served.house, DOCTOR), deposit.document(sarah.record, by, type=kind, category=[family])
            )
            page = await tab.get("/me/check-up")
            assert FR["checkup_no_plan"] not in read(page)
            [address] = re.findall(r'href="(/me/check-up/content/[^"]+)"', page.text)
            assert (await tab.get(address)).content == deposit.PDF
        other = await kin.person(served.house, "Marc", "Petit", BORN)
        async with browser(served.house, other.account) as tab:
            assert (await tab.get(address)).status_code == 404

    served.wait(told())


def test_every_text_is_said_in_both_languages() -> None:
    named = [{name for name in TEXTS[language] if name.startswith("checkup_")} for language in ("fr", "en")]
    assert named[0] == named[1]
    folder = Path(words.__file__).parent
    pages = "".join(path.read_text() for path in (folder / "templates").glob("checkup*.html"))
    code = "".join((folder / f"{name}.py").read_text() for name in ("checkups", "checkup_form"))
    used = {*re.findall(r"text\.(checkup_\w+)", pages), *re.findall(r'"(checkup_\w+)"', code)}
    done = {f"checkup_done_{name}" for name in ("completed", "kept", "shared", "deleted")}
    assert used - {"checkup_done_"} | done == named[0]
