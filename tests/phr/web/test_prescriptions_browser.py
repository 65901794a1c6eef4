"""A person's prescriptions in a real browser: the code on a phone and on paper, sending one with the keyboard alone."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from phr.core.settings import Settings
from phr.web.words import TEXTS
from tests import kin
from tests.phr.care import STRUCT
from tests.phr.web.dispensary import listed, visits
from tests.phr.web.household import Served, serving
from tests.phr.web.test_sight_browser import opened, walk
from tests.prescription.rx import PARK, STATION, Counter, line, said

FR = TEXTS["fr"]
MINE = "/me/prescriptions"
SCREENS = [("light", 390, "fr-FR"), ("dark", 390, "en-GB"), ("light", 1280, "en-GB"), ("dark", 1280, "fr-FR")]


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


async def several(rx: Counter) -> list[str]:
    """One in each state: to be shown, dispensed in part with all that may be said of it, cancelled."""
    ready, _ = await rx.prescribed()
    kept = {"allowedBoolean": False, "reason": {"coding": [{"system": "urn:x", "code": "MTE"}]}}
    extension = [
        {"url": "https://carnet.example/StructureDefinition/ald", "valueBoolean": True},
        {"url": "https://carnet.example/StructureDefinition/regulation", "valueCode": "list-i"},
    ]
    two = line(rx.record, "ZZZZ0001", rx.now, substitution=kept, extension=extension)
    two["medicationCodeableConcept"] = {"text": "Lévothyroxine sodique 75 microgrammes, comprimé sécable"}
    part, code = await rx.prescribed(line(rx.record, "ZZZZ0001", rx.now), two)
    secret = await rx.accepted(rx.park, part, code)
    assert (await rx.dispensed(rx.park, part, secret, 30)).status_code == 200
    over, _ = await rx.prescribed()
    await rx.move(rx.doctor, over, "cancel", reason="treatment-changed")
    return [ready, part, over]


def decoded(drawing: Locator) -> str:
    """What a camera reads of what is drawn on the screen."""
    found = zxingcpp.read_barcodes(Image.open(BytesIO(drawing.screenshot())).convert("L"))
    assert len(found) == 1
    return str(found[0].text)


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    rx = visits(claire)
    ready, part, over = served.wait(several(rx))
    pharmacy = served.wait(listed(served.house))
    served.wait(listed(served.house, STATION))
    size = {"width": width, "height": 844}
    tab = opened(chromium, served, claire, tmp_path, color_scheme=scheme, locale=locale, viewport=size)
    page = tab.page
    for name, path in (("list", ""), ("part", f"/{part}"), ("over", f"/{over}"), ("absent", f"/{over[:-4]}0000")):
        page.goto(MINE + path)
        tab.look(name)
    page.goto(f"{MINE}/pharmacy")
    page.locator("#name").fill("lyon")
    page.keyboard.press("Enter")
    expect(page.locator(f"#pharmacy-{pharmacy}")).to_be_visible()
    tab.look("found")
    page.locator(f"#pharmacy-{pharmacy}").check()
    page.locator("button[value=choose]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "status")
    page.goto(f"{MINE}/{ready}/send")
    expect(page.locator(f"#pharmacy-{pharmacy}")).to_be_checked()
    expect(page.locator("#share")).not_to_be_checked()
    page.locator("#name").fill("zzz")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("role", "alert")
    tab.look("send")
    page.locator("button[value=choose]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "status")
    tab.look("sent")
    page.goto(f"{MINE}/{ready}/code")
    tab.look("code")
    url = said(served.wait(rx.person.get(f"Task/{ready}/$code")), "url")
    assert url.startswith(f"{served.issuer}/p#")
    drawing = page.locator(".drawing.large")
    assert decoded(drawing) == url
    box = drawing.bounding_box()
    assert box is not None
    assert box["width"] >= 300
    page.emulate_media(media="print")
    assert decoded(drawing) == url
    expect(page.get_by_role("button")).to_have_count(0)
    page.screenshot(path=tmp_path / "print.png", full_page=True)
    page.context.close()
    assert [one for one in tab.said if "404" not in one] == []


def test_it_is_sent_taken_back_and_given_a_new_code_with_the_keyboard_alone(
    chromium: Browser, served: Served, tmp_path: Path
) -> None:
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    rx = visits(claire)
    task, code = served.wait(rx.prescribed())
    served.wait(listed(served.house))
    tab = opened(chromium, served, claire, tmp_path, java_script_enabled=False)
    page, keyboard = tab.page, tab.page.keyboard
    page.goto(MINE)
    walk(page, page.get_by_role("link", name=FR["prescription_send"]))
    keyboard.press("Enter")
    walk(page, page.locator("#name"))
    keyboard.type("parc")
    keyboard.press("Enter")
    walk(page, page.get_by_label("Pharmacie du Parc"))
    keyboard.press("Space")
    keyboard.press("Tab")
    expect(page.locator("#share")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["prescription_done_sent"])
    assert task in [one["id"] for one in inbox(served, rx)]
    walk(page, page.get_by_role("button", name=FR["prescription_take_back"]))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["prescription_done_taken-back"])
    assert inbox(served, rx) == []
    walk(page, page.get_by_role("link", name=FR["prescription_show"]))
    keyboard.press("Enter")
    assert page.locator(".spoken").inner_text().split() == code.split("-")
    walk(page, page.get_by_role("button", name=FR["prescription_renew"]))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["prescription_done_renewed"])
    new = said(served.wait(rx.person.get(f"Task/{task}/$code")), "code")
    assert page.locator(".spoken").inner_text().split() == new.split("-")
    assert new.replace("-", "") not in page.url
    page.context.close()
    assert tab.said == []


def inbox(served: Served, rx: Counter) -> list[dict[str, str]]:
    """What waits at the pharmacy."""
    found = served.wait(rx.park.get(f"Task?owner:identifier={STRUCT}|{PARK.structure}")).json()
    return [one["resource"] for one in found.get("entry", ())]
