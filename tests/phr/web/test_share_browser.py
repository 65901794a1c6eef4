"""A code made by a person and redeemed by a professional, in a real browser, on a sandbox that is really served."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import Browser, Page, expect

from phr.web import words

FR = words.TEXTS["fr"]
CLAIRE = "claire.moreau"


class Tab:
    """One browser of one person: what its console holds against the pages, and how each page looks."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder, self.said = page, folder, list[str]()
        page.on("console", lambda told: self.said.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def look(self, name: str) -> None:
        """Nothing for axe to say, nothing wider than the screen; the page is drawn in the test's folder."""
        found = Axe().run(self.page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], name
        width = self.page.viewport_size
        assert width is not None
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width["width"], name
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)


@pytest.fixture(params=[("light", 390), ("dark", 390), ("light", 1200)], ids=lambda p: f"{p[0]}-{p[1]}")
def tabs(request: pytest.FixtureRequest, chromium: Browser, carnet: str, tmp_path: Path) -> Iterator[tuple[Tab, Tab]]:
    """The person's browser and the professional's, in French."""
    scheme, width = request.param
    contexts = [
        chromium.new_context(
            base_url=carnet, locale="fr-FR", viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        for _ in range(2)
    ]
    for context in contexts:
        context.set_default_timeout(20_000)
    person, professional = (Tab(context.new_page(), tmp_path) for context in contexts)
    yield person, professional
    for context in contexts:
        context.close()
    said = [line for tab in (person, professional) for line in tab.said]
    assert [line for line in said if not re.search(r"status of (40[0-9]|422|429)", line)] == []


def sign_in(page: Page, carnet: str) -> None:
    """As Claire, with the code in her mail."""
    told = httpx.get(f"{carnet}/sandbox").json()["citizens"]
    who = next(one for one in told if one["login"] == CLAIRE)
    page.goto("/signin")
    page.get_by_label(FR["name"]).fill(who["login"])
    page.get_by_label(FR["password"]).fill(who["password"])
    page.get_by_role("button", name=FR["sign_in"], exact=True).click()
    page.wait_for_url("**/signin/second*")
    mails = httpx.get(f"{carnet}/sandbox/mail", params={"to": who["email"]}).json()
    codes = [code for mail in mails for code in re.findall(r"^ +(\d{6,8})\s*$", mail["text"], re.MULTILINE)]
    page.get_by_label(FR["answer_mail"]).fill(codes[-1])
    page.get_by_role("button", name=FR["continue"], exact=True).click()
    page.wait_for_url("**/account*")


def sign_in_as(page: Page, person: str) -> None:
    """As a professional, at the sandbox's provider."""
    page.wait_for_url("**/sandbox/psc/**")
    page.locator(f"#person-{person}").check()
    page.locator("main button[type=submit], button[type=submit]").first.click()
    page.wait_for_url("**/signin/professional/activity")
    page.locator("#activity-0").check()
    page.get_by_role("button", name=FR["activity_go"]).click()
    page.wait_for_url(re.compile("/professional/assistants$|/pro/redeem"))


def made(page: Page) -> str:
    """The code on the page, as people read it."""
    return " ".join(page.locator(".spoken code").all_inner_texts())


def test_a_record_is_lent_seen_and_taken_back(tabs: tuple[Tab, Tab], carnet: str) -> None:
    person, professional = tabs
    page = person.page
    sign_in(page, carnet)
    page.goto("/me/share")
    expect(page.locator("#category-1")).to_be_hidden()
    person.look("share")
    # The keyboard alone: everything, for a day, for whoever it is shown to, is what Enter asks.
    page.locator("#what-all").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#category-1")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["share_what_missing"])
    expect(page.locator("#what-category")).to_be_checked()
    person.look("share-missing")
    page.locator("#whom-professional").check()
    page.locator("#what-all").check()
    page.get_by_label(FR["share_number"]).fill("12345678901")
    page.get_by_role("button", name=FR["share_make"]).click()
    expect(page.locator(":focus")).to_have_text(FR["share_professional_wrong"])
    expect(page.get_by_label(FR["share_number"])).to_have_value("12345678901")
    page.locator("#whom-anyone").check()
    page.get_by_role("button", name=FR["share_make"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["share_code_title"])
    drawing = page.get_by_role("img", name=FR["share_drawing"]).bounding_box()
    assert drawing is not None
    assert drawing["width"] >= 250
    person.look("code")
    link = page.get_by_label(FR["share_link"]).input_value()
    code = made(page)
    assert link == f"{carnet}/pro/redeem#{code.replace(' ', '')}"
    assert code.replace(" ", "") not in page.url
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=carnet)
    page.get_by_role("button", name=FR["share_copy"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["share_copied"])
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name=FR["share_end_now"])).to_be_hidden()
    expect(page.get_by_role("img", name=FR["share_drawing"])).to_be_visible()
    page.screenshot(path=person.folder / "print.png", full_page=True)
    page.emulate_media(media="screen")

    # The professional follows the link: the code leaves the address, and waits for them to sign in.
    pro = professional.page
    pro.goto(link)
    expect(pro.get_by_text(FR["redeem_kept"])).to_be_visible()
    assert pro.url == f"{carnet}/pro/redeem"
    professional.look("redeem-signed-out")
    pro.get_by_role("link", name=FR["redeem_sign_in"]).click()
    sign_in_as(pro, "gp")
    expect(pro.get_by_label(FR["redeem_code"], exact=True)).to_have_value(code.replace(" ", ""))
    expect(pro.locator(":focus")).to_have_text(FR["redeem_open"])
    professional.look("redeem")
    pro.get_by_label(FR["redeem_code"], exact=True).fill("0000-0000")
    pro.keyboard.press("Enter")
    expect(pro.locator(":focus")).to_have_text(FR["redeem_wrong"])
    professional.look("redeem-wrong")
    pro.get_by_label(FR["redeem_code"], exact=True).fill(code.lower())
    pro.keyboard.press("Enter")
    pro.wait_for_url("**/pro/record/*")
    expect(pro.get_by_role("heading", level=1)).to_have_text(FR["redeem_record_title"])
    professional.look("record")
    opened = pro.url
    last = pro.get_by_role("link", name=FR["redeem_read"]).last  # the first one is theirs: an author still sees it
    address = last.get_attribute("href")
    assert address is not None
    content = pro.context.request.get(address)
    assert content.status == 200
    assert len(content.body()) > 100
    assert content.headers["content-disposition"].startswith(("inline", "attachment"))
    assert content.headers["cache-control"] == "no-store"

    # The person reads who used it, and takes it back at once.
    page.get_by_role("link", name=FR["share_back"]).click()
    expect(page.get_by_text("GARNIER")).to_be_visible()
    person.look("share-used")
    page.locator("section[aria-labelledby=running] button").first.click()
    expect(page.get_by_role("status")).to_have_text(FR["share_ended"])
    person.look("share-ended")
    pro.goto(opened)
    expect(pro.locator(":focus")).to_have_text(FR["redeem_over"])
    assert pro.context.request.get(address).status == 404


@pytest.mark.parametrize("tabs", [("dark", 390)], indirect=True, ids=["dark-390"])
def test_a_code_ended_from_its_own_page_opens_nothing(tabs: tuple[Tab, Tab], carnet: str) -> None:
    person, professional = tabs
    page = person.page
    sign_in(page, carnet)
    page.goto("/me/share")
    page.locator("#what-document").check()
    page.locator("#document-1").check()
    page.locator("#whom-profession").check()
    page.get_by_label(FR["share_which_profession"]).select_option("10")
    page.locator("#minutes-15").check()
    page.locator("#several").check()
    person.look("share-filled")
    page.get_by_role("button", name=FR["share_make"]).click()
    code = made(page)
    beside = page.context.new_page()
    beside.goto("/me/share")
    running = beside.locator("section[aria-labelledby=running]")
    expect(running).to_contain_text(FR["share_one_document"])
    expect(running).to_contain_text(FR["profession_10"])
    expect(running).to_contain_text(FR["share_unused"])
    page.get_by_role("button", name=FR["share_end_now"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["share_ended"])
    expect(page.locator("section[aria-labelledby=running]")).to_have_count(0)
    pro = professional.page
    pro.goto("/signin/professional")
    sign_in_as(pro, "two-places")
    pro.goto("/pro/redeem")
    pro.get_by_label(FR["redeem_code"], exact=True).fill(code)
    pro.keyboard.press("Enter")
    expect(pro.locator(":focus")).to_have_text(FR["redeem_wrong"])


def test_forms_of_another_site_do_nothing(carnet: str) -> None:
    with httpx.Client(base_url=carnet) as browser:
        for path, form in (("/me/share", {"what": "all"}), ("/me/share/end", {"consent": "x"})):
            answer = browser.post(path, data=form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
        assert browser.get("/me/share").headers["location"] == "/signin"
        assert browser.post("/pro/redeem", data={"code": "0000-0000"}).status_code == 401
        assert browser.get("/pro/record/x").headers["location"] == "/pro/redeem"
        assert browser.get("/pro/record/x/content/y").headers["location"] == "/pro/redeem"
        page = browser.get("/pro/redeem")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]


def test_every_text_is_said_in_both_languages() -> None:
    named: dict[str, set[str]] = {
        language: {name for name in texts if name.startswith(("share_", "redeem_"))}
        for language, texts in words.TEXTS.items()
    }
    assert named["fr"] == named["en"]
    folder = Path(words.__file__).parent / "templates"
    used: Any = [(folder / f"{name}.html").read_text() for name in ("share", "share_code", "redeem", "redeem_record")]
    missing = [name for text in used for name in re.findall(r"text\.(\w+)", text) if name not in words.TEXTS["fr"]]
    assert missing == []
