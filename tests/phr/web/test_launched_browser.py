"""The page a card's SMART link opens, in a real browser: where the card leads, the keyboard alone, axe, each screen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from auth import clients
from auth.clients import Kind
from phr.core.settings import Settings
from phr.prevention.dates import add, day
from phr.web.words import TEXTS
from tests.house import House
from tests.phr.care import DOCTOR, software
from tests.phr.test_cds_hooks import KEY
from tests.phr.test_prevention import BREAST, no_risk, post
from tests.phr.web.household import Served, serving
from tests.phr.web.test_pharmacy_browser import at_the_counter
from tests.phr.web.test_sight_browser import SCREENS, walk

FR = TEXTS["fr"]


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


async def patient(house: House) -> str:
    """A woman of 52, a patient of the doctor's, whose software is registered."""
    with Session(house.parts.engine) as session, session.begin():
        known: dict[str, Any] = {"jwks": {"keys": [KEY.as_dict(private=False)]}, "now": house.now()}
        clients.register(session, id="software", name="x", kind=Kind.PROFESSIONAL, scopes=["user/*.cruds"], **known)
    name, born = [{"family": "Benali", "given": ["Nadia"]}], add(day(house.now()), -52 * 12 - 2).isoformat()
    record = await house.open_record(name=name, birthDate=born, gender="female")
    await post(house.depositor(), no_risk(record, add(day(house.now()), -1).isoformat()))
    await house.relate(record, DOCTOR.id)
    return record


def launched(served: Served, record: str) -> str:
    """The launch URL, as the doctor's software opens it from the card of the mammography."""
    form = {"client_id": "carnet-pages", "patient": record, "appContext": f'{{"rule": "{BREAST}"}}'}
    bearer = {"Authorization": f"Bearer {software(served.house).token}"}
    answer = httpx.post(f"{served.issuer}/oauth/launch", data=form, headers=bearer)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return f"/pro/prevention?{urlencode({'iss': made['iss'], 'launch': made['launch']})}"


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    record = served.wait(patient(served.house))
    options: dict[str, Any] = {"color_scheme": scheme, "locale": locale, "viewport": {"width": width, "height": 844}}
    tab = at_the_counter(chromium, served, tmp_path, DOCTOR, **options)
    page = tab.page
    page.goto(launched(served, record))
    page.screenshot(path=tmp_path / "arrived.png")
    tab.look("launched")
    page.goto("/pro/prevention?iss=x")
    tab.look("absent")
    # A launch that is no longer good is answered 400, which the console tells.
    assert [one for one in tab.said if "400" not in one] == []


def test_a_card_leads_to_an_opinion_by_the_keyboard_alone(chromium: Browser, served: Served, tmp_path: Path) -> None:
    record = served.wait(patient(served.house))
    tab = at_the_counter(chromium, served, tmp_path, DOCTOR)
    page = tab.page
    page.goto(launched(served, record))
    page.wait_for_url(f"**/pro/record/{record}/prevention#{BREAST}")
    card = page.locator(f"#{BREAST}")
    expect(card).to_be_in_viewport()
    walk(page, card.locator("summary").first)
    page.keyboard.press("Enter")
    walk(page, card.locator("input[value=contraindicated]"))
    page.keyboard.press("Space")
    walk(page, card.locator("textarea"))
    page.keyboard.type("Surveillance spécialisée")
    walk(page, card.locator("button", has_text=FR["launched_say_do"]))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**?done=said#{BREAST}")
    # It concerns her no more, so that it is among the rest; the address leads there all the same.
    expect(card.get_by_text("Surveillance spécialisée")).to_be_visible()
    expect(page.get_by_text(FR["launched_done_said"])).to_be_visible()
    walk(page, card.get_by_role("button", name=FR["launched_undo"]))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**?done=undone#{BREAST}")
    expect(card.get_by_text("En retard")).to_be_visible()
    assert tab.said == []
