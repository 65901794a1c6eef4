"""The texts about prevention in a real browser: a phone and a desk, light and dark, two languages, axe, no scripts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from phr.core.settings import Settings
from phr.prevention.contents import CONTENTS
from phr.web import words
from phr.web.words import TEXTS
from tests import kin
from tests.phr.web.household import Served, browser, read, serving
from tests.phr.web.test_sight_browser import opened, walk

FR = TEXTS["fr"]
BORN = f"{datetime.now(UTC).year - 30}-01-02"


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


@pytest.mark.parametrize(("scheme", "width", "locale"), [("light", 390, "fr-FR"), ("dark", 1200, "en-GB")])
def test_a_text_is_found_and_read(
    chromium: Browser, served: Served, tmp_path: Path, scheme: str, width: int, locale: str
) -> None:
    sarah = served.wait(kin.person(served.house, "Sarah", "Benali", BORN))
    size, language = {"width": width, "height": 844}, locale[:2]
    tab = opened(chromium, served, sarah, tmp_path, color_scheme=scheme, viewport=size, locale=locale)
    page, text = tab.page, TEXTS[language]
    page.goto("/me/contents")
    expect(page.get_by_role("heading", name=text["contents_for-me"])).to_be_visible()
    tab.look("list")
    title = getattr(CONTENTS["mental-health"].title, language)
    walk(page, page.get_by_role("link", name=title))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("strong", has_text="3114")).to_be_visible()
    for one in CONTENTS:
        page.goto(f"/me/contents/{one}")
        tab.look(one)
    page.get_by_role("link", name=text["contents_back"]).click()
    page.wait_for_url("**/me/contents")
    page.context.close()
    assert tab.said == []


def test_what_the_pages_say_to_each(served: Served) -> None:
    async def told() -> None:
        house = served.house
        claire = await kin.person(house, "Claire", "Moreau", BORN)
        child = await kin.person(house, "Léo", "Moreau", f"{datetime.now(UTC).year - 5}-01-02", account=False)
        await kin.represent(child, claire)
        async with browser(house, claire.account) as tab:
            own, his = read(await tab.get("/me/contents")), read(await tab.get(f"/me/contents?record={child.record}"))
            assert "Les écrans et les enfants" not in own
            assert "Les écrans et les enfants" in his
            assert FR["contents_for-me_other"] in his
            lost = await tab.get("/me/contents/nothing")
            assert (lost.status_code, lost.headers["location"]) == (303, "/me/contents")
            tab.http.cookies.clear()
            assert (await tab.get("/me/contents")).headers["location"] == "/signin"
            assert (await tab.get("/me/contents/sleep")).headers["location"] == "/signin"

    served.wait(told())


def test_every_text_is_said_in_both_languages() -> None:
    named = [{name for name in TEXTS[language] if name.startswith("contents_")} for language in ("fr", "en")]
    assert named[0] == named[1]
    folder = Path(words.__file__).parent / "templates"
    pages = "".join(path.read_text() for path in folder.glob("contents*.html"))
    lists = {f"contents_{name}{more}" for name in ("for-me", "could-interest") for more in ("", "_other")}
    assert {*re.findall(r"text\.(contents_\w+)", pages)} | lists == named[0]
