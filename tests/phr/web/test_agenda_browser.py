"""The agenda in a real browser: a phone and a desk, light and dark, the keyboard; and its forms, without scripts."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from phr.core.settings import Settings
from phr.web.words import TEXTS
from tests import kin
from tests.agenda.diary import ahead, booked, remind
from tests.deposit import clinic, deposited, document
from tests.house import House
from tests.kin import Person
from tests.phr.web.household import Served, family, serving
from tests.phr.web.test_sight_browser import SCREENS, opened, walk

FR = TEXTS["fr"]
PARIS = ZoneInfo("Europe/Paris")
PAGE = "/me/agenda"


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


async def filled(house: House, who: Person) -> None:
    """An agenda with something of each kind."""
    me = who.caller()
    report = await deposited(house.depositor(), document(who.record, await clinic(house)))
    info = [{"reference": f"DocumentReference/{report['id']}"}]
    one = await booked(me, who.record, ahead(house, 6, 15), supportingInformation=info)
    await remind(me, who.record, title="À jeun demain", before="P1D", about={"reference": f"Appointment/{one['id']}"})
    await booked(me, who.record, ahead(house, 9), description="Prise de sang", status="cancelled")
    await booked(me, who.record, ahead(house, -20), description="Dentiste", participant=[_self(who)])
    await remind(
        me, who.record, at=ahead(house, 1).isoformat(), rule="FREQ=WEEKLY;BYDAY=MO,TH", text="Assise, au calme"
    )
    await remind(me, who.record, title="Pilulier", at=ahead(house, 1, 20).isoformat(), rule="FREQ=DAILY")
    over = await remind(me, who.record, title="Ancien", at=ahead(house, 1).isoformat())
    answer = await me.post(f"Task/{over['id']}/$end-reminder", {"resourceType": "Parameters"})
    assert answer.status_code == 200


def _self(who: Person) -> kin.Json:
    return {"actor": {"reference": who.patient}, "status": "accepted"}


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    text = TEXTS[locale[:2]]
    claire, _, _ = served.wait(family(served.house))
    served.wait(filled(served.house, claire))
    size = {"width": width, "height": 844}
    tab = opened(chromium, served, claire, tmp_path, viewport=size, color_scheme=scheme, locale=locale)
    page = tab.page
    page.goto(PAGE)
    expect(page.locator("table.month td.today")).to_have_count(1)
    page.screenshot(path=tmp_path / "agenda-closed.png", full_page=True)
    tab.look("agenda")
    page.locator("#visits ~ ul").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(text["agenda_change_visit"])
    tab.look("agenda-visit")
    page.goto(PAGE)
    page.locator("#alarms ~ ul").get_by_role("link").first.click()
    tab.look("agenda-alarm")
    page.goto(PAGE)
    page.locator("#titles-yes").check()
    page.get_by_role("button", name=text["agenda_calendar_make"]).click()
    expect(page.get_by_role("status")).to_have_text(text["agenda_calendar_made"])
    tab.look("agenda-calendar")
    page.goto(f"{PAGE}/visit/none")
    tab.look("agenda-absent")
    assert [line for line in tab.said if "status of 404" not in line] == []
    page.context.close()


def test_the_keyboard_is_enough(chromium: Browser, served: Served, tmp_path: Path) -> None:
    claire, _, _ = served.wait(family(served.house))
    tab = opened(chromium, served, claire, tmp_path, viewport={"width": 390, "height": 844})
    page, day = tab.page, ahead(served.house, 3)
    page.goto(PAGE)
    walk(page, page.locator("summary", has_text=FR["agenda_add_alarm"]))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Prendre la tension")
    expect(page.locator("#alarm-MO")).to_be_hidden()
    walk(page, page.locator("#alarm-repeat-once"))
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#alarm-MO")).to_be_visible()
    walk(page, page.locator("#alarm-MO"))
    page.keyboard.press("Space")
    tab.look("agenda-weekly")
    # Without an hour the browser holds it back; the server says so too.
    page.locator("#alarm-hour").evaluate("one => one.removeAttribute('required')")
    page.locator("#alarm-hour").press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["agenda_when_missing"])
    expect(page.locator("#alarm-title")).to_have_value("Prendre la tension")
    expect(page.locator("#alarm-MO")).to_be_checked()
    page.locator("#alarm-day").fill(f"{day:%Y-%m-%d}")
    page.locator("#alarm-hour").fill("08:00")
    page.locator("#alarm-hour").press("Enter")
    expect(page.get_by_role("status")).to_have_text(FR["agenda_done_reminded"])
    expect(page.locator("section[aria-labelledby=alarms]")).to_contain_text("tous les lundis à 8\u00a0h")
    assert tab.said == [] or all("status of 400" in line for line in tab.said)
    page.context.close()
