"""The pages under /me in a real browser: the keyboard alone, a phone and a desk, light and dark, two languages, axe."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import Browser, Locator, Page, expect

from phr.core.settings import Settings
from phr.web.words import TEXTS
from tests import kin
from tests.kin import Person
from tests.phr.care import consents
from tests.phr.web.household import Served, doctor, family, populate, serving, session_of

FR = TEXTS["fr"]
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SCREENS = [("light", 390, "fr-FR"), ("dark", 390, "en-GB"), ("light", 1200, "en-GB"), ("dark", 1200, "fr-FR")]


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


class Tab:
    """One browser where somebody is signed in, which keeps what its console says."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder, self.said = page, folder, list[str]()
        page.on("console", lambda told: self.said.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def look(self, name: str) -> None:
        """Nothing for axe to say, nothing wider than the screen; the page is drawn in the test's folder."""
        self.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        found = Axe().run(self.page, options=WCAG).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], name
        size = self.page.viewport_size
        assert size is not None
        assert self.page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)


def opened(chromium: Browser, served: Served, who: Person, folder: Path, **more: Any) -> Tab:
    """A new browser of somebody."""
    known = {"base_url": served.issuer, "locale": "fr-FR", "viewport": {"width": 900, "height": 900}, **more}
    context = chromium.new_context(**known)
    context.add_cookies(
        [{"name": "carnet_session", "value": session_of(served.house, who.account), "url": served.issuer}]
    )
    context.set_default_timeout(20_000)
    return Tab(context.new_page(), folder)


def walk(page: Page, target: Locator, most: int = 120) -> None:
    """Press Tab until this has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("the keyboard does not get there")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    claire, leo, jeanne = served.wait(family(served.house))
    made = served.wait(populate(served.house, claire))
    served.wait(kin.care(claire, jeanne, "consult", "documents"))
    marc = served.wait(kin.person(served.house, "Marc", "Petit", "1983-01-09"))
    served.wait(kin.invite(claire.caller(), claire.patient, marc, ("consult", "agenda")))
    served.wait(kin.invite(marc.caller(), marc.patient, claire, ("consult",)))
    size = {"width": width, "height": 844}
    tab = opened(chromium, served, claire, tmp_path, color_scheme=scheme, locale=locale, viewport=size)
    page = tab.page
    for name in ("", "access", "people", "choices"):
        page.goto(f"/me/{name}".rstrip("/"))
        tab.look(name or "me")
    for name in ("", "access", "people"):
        page.goto(f"/me/{name}".rstrip("/") + f"?record={leo.record}")
        tab.look(f"child-{name or 'me'}")
    page.goto(f"/me?record={jeanne.record}")
    tab.look("caregiver")
    page.locator("button[value=leave]").click()
    tab.look("leave")
    page.goto("/me/access")
    page.locator("li", has_text="Mon Suivi").locator("summary").click()
    page.locator("button[value=erase]").click()
    tab.look("erase")
    page.goto("/me/access")
    page.locator("#blocks ~ details > summary").click()
    page.locator("#block-typed-number").fill("12345678901")
    page.locator("button[value=block-typed]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "alert")
    tab.look("wrong")
    page.goto("/me/access")
    page.locator("section", has=page.locator("#care")).locator("button[value=end]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "status")
    tab.look("ended")
    page.goto("/me?record=nobody&ui_locales=en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.context.close()
    assert made
    # The one form that was refused is answered 422, which the console tells.
    assert [line for line in tab.said if "422" not in line] == []


def test_an_access_is_ended_and_somebody_blocked_with_the_keyboard_alone(
    chromium: Browser, served: Served, tmp_path: Path
) -> None:
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    served.wait(populate(served.house, claire))
    tab = opened(chromium, served, claire, tmp_path)
    page, keyboard = tab.page, tab.page.keyboard
    page.goto("/me")
    walk(page, page.get_by_role("link", name=FR["me_access"]))
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["access_title"])
    walk(page, page.get_by_role("button", name="Mettre fin : Jean Morel"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["access_done_ended"])
    expect(page.get_by_text("Jean Morel")).to_have_count(0)
    walk(page, page.get_by_label("Autres choix : Lou Petit"))
    keyboard.press("Enter")
    walk(page, page.get_by_role("button", name="Bloquer : Lou Petit"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["access_done_blocked"])
    blocks = page.locator("section", has=page.locator("#blocks"))
    expect(blocks.get_by_text("Lou Petit")).to_be_visible()
    expect(page.locator("#care")).to_have_count(0)
    walk(page, blocks.locator("details > summary"))
    keyboard.press("Enter")
    walk(page, page.locator("#block-typed-number"))
    keyboard.type("12345678901")
    keyboard.press("Tab")
    keyboard.type("Docteur Éva Roux")
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["me_rpps_wrong"])
    expect(page.locator("#block-typed-name")).to_have_value("Docteur Éva Roux")
    walk(page, page.locator("#block-typed-number"))
    keyboard.press("Control+a")
    keyboard.type(doctor(31, "").value.removeprefix("8"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["access_done_blocked"])
    walk(page, page.get_by_role("button", name="Autoriser de nouveau : Docteur Éva Roux"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["access_done_allowed"])
    expect(page.get_by_text("Docteur Éva Roux")).to_have_count(0)
    page.context.close()
    assert [line for line in tab.said if "422" not in line] == []


def test_a_caregiver_is_invited_and_answers_with_the_keyboard_alone(
    chromium: Browser, served: Served, tmp_path: Path
) -> None:
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    jeanne = served.wait(kin.person(served.house, "Jeanne", "Lefèvre", "1948-11-02"))
    hers, his = (opened(chromium, served, who, tmp_path) for who in (claire, jeanne))
    page, keyboard = hers.page, hers.page.keyboard
    page.goto("/me/people")
    walk(page, page.get_by_text(FR["people_invite_caregiver"]))
    keyboard.press("Enter")
    for field, text in (("given", "Jeanne"), ("family", "Lefèvre"), ("birth", "2/11/1948"), ("ins", "123")):
        walk(page, page.locator(f"#invite-caregiver-{field}"))
        keyboard.type(text)
    walk(page, page.locator("#power-documents"))
    keyboard.press("Space")
    walk(page, page.locator("button[value=invite-caregiver]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["me_ins_wrong"])
    expect(page.locator("#invite-caregiver-birth")).to_have_value("2/11/1948")
    expect(page.locator("#power-documents")).to_be_checked()
    walk(page, page.locator("#invite-caregiver-ins"))
    keyboard.press("Control+a")
    keyboard.type(jeanne.ins)
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["people_done_invited"])
    page, keyboard = his.page, his.page.keyboard
    page.goto("/me")
    walk(page, page.get_by_role("link", name=FR["me_answer"], exact=True))
    keyboard.press("Enter")
    walk(page, page.get_by_role("button", name="Accepter : Claire"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["people_done_accepted"])
    walk(page, page.get_by_role("link", name="Claire"))
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["people_caring"] + "Claire")
    walk(page, page.locator("button[value=leave]"))
    keyboard.press("Enter")
    expect(page.get_by_text(FR["people_leave_told"])).to_be_visible()
    walk(page, page.locator("button[value=leave]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["people_done_left"])
    for tab in (hers, his):
        tab.page.context.close()
        assert [line for line in tab.said if "422" not in line] == []


def test_choices_are_made_with_the_keyboard_alone(chromium: Browser, served: Served, tmp_path: Path) -> None:
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    tab = opened(chromium, served, claire, tmp_path, java_script_enabled=False)
    page, keyboard = tab.page, tab.page.keyboard
    page.goto("/me/choices")
    switch = page.locator("#BTG")
    expect(switch).to_be_checked()
    switch.focus()
    keyboard.press("Space")
    keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(FR["choices_done_kept"])
    expect(page.locator("#BTG")).not_to_be_checked()
    page.locator('[id="category:BIOLOGIE"]').focus()
    keyboard.press("Space")
    keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(FR["choices_done_masked"])
    expect(page.locator('[id="category:BIOLOGIE"]')).to_be_checked()
    expect(page.locator('[id="category:REMB"]')).not_to_be_checked()
    found = served.wait(consents(claire.caller(), claire.record))
    rights = sorted(one["category"][0]["coding"][0]["code"] for one in found)
    assert rights == ["mask", "preference"]
    page.context.close()
    assert tab.said == []


def test_a_mandate_is_narrowed_by_its_date(chromium: Browser, served: Served, tmp_path: Path) -> None:
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    jeanne = served.wait(kin.person(served.house, "Jeanne", "Lefèvre", "1948-11-02"))
    served.wait(kin.care(claire, jeanne, "consult", "agenda"))
    tab = opened(chromium, served, claire, tmp_path)
    page = tab.page
    page.goto("/me/people")
    page.get_by_label("Réduire : Jeanne Lefèvre").click()
    day = (served.house.now() + timedelta(days=20)).date().isoformat()
    page.locator("input[name=until][min]").first.fill(day)
    page.locator("button[value=change]").click()
    expect(page.locator(":focus")).to_have_text(FR["people_done_changed"])
    page.get_by_label("Réduire : Jeanne Lefèvre").click()
    expect(page.locator("input[name=until][min]").first).to_have_value(day)
    page.context.close()
    assert tab.said == []
