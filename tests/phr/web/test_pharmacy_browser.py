"""A pharmacist with only a browser: the camera, a photograph, the keyboard alone; phone and desk, light and dark."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from auth.professionals import Professional
from phr import qr
from phr.core.settings import Settings
from phr.web.words import TEXTS
from tests import kin
from tests.phr.care import DOCTOR
from tests.phr.web.conftest import CHROMIUM, FLAGS
from tests.phr.web.dispensary import listed, practising, visits
from tests.phr.web.household import Served, serving
from tests.phr.web.test_prescriptions_browser import SCREENS, several
from tests.phr.web.test_sight_browser import Tab, walk
from tests.prescription.rx import PARK, STATION, Counter, said

FR = TEXTS["fr"]
PHARMACY = "/pro/pharmacy"
WIDE, HIGH = 640, 480


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


@pytest.fixture
def rx(served: Served) -> Counter:
    """Claire, a prescriber, and a pharmacy that is in the directory."""
    claire = served.wait(kin.person(served.house, "Claire", "Moreau"))
    served.wait(listed(served.house))
    return visits(claire)


def at_the_counter(
    chromium: Browser, served: Served, folder: Path, who: Professional | None = PARK, **more: Any
) -> Tab:
    """A new browser of a professional, or of nobody."""
    known = {"base_url": served.issuer, "locale": "fr-FR", "viewport": {"width": 900, "height": 900}, **more}
    context = chromium.new_context(**known)
    if who is not None:
        secret = practising(served.house, who)
        context.add_cookies([{"name": "carnet_session", "value": secret, "url": served.issuer}])
    context.set_default_timeout(20_000)
    return Tab(context.new_page(), folder)


def shown(url: str) -> Image.Image:
    """A sheet of paper with the QR of a prescription on it, as a camera sees it."""
    seen = Image.new("L", (WIDE, HIGH), 190)
    drawn = Image.open(BytesIO(qr.png(url, 7))).convert("L")
    seen.paste(drawn.rotate(7, expand=True, fillcolor=255), (170, 90))
    return seen


def filmed(picture: Image.Image, path: Path) -> Path:
    """A film of this picture, in the format Chromium's false camera takes (YUV4MPEG2)."""
    frame = b"FRAME\n" + picture.tobytes() + b"\x80" * (WIDE * HIGH // 2)
    path.write_bytes(f"YUV4MPEG2 W{WIDE} H{HIGH} F5:1 Ip A1:1 C420jpeg\n".encode() + frame * 5)
    return path


@pytest.mark.parametrize("readable", [True, False])
def test_the_camera_reads_the_code(
    chromium: Browser, served: Served, rx: Counter, tmp_path: Path, readable: bool
) -> None:
    task, _ = served.wait(rx.prescribed())
    url = said(served.wait(rx.person.get(f"Task/{task}/$code")), "url")
    film = filmed(shown(url if readable else "https://example.org/"), tmp_path / "film.y4m")
    camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    flags = [*FLAGS, *camera, f"--use-file-for-fake-video-capture={film}"]
    watched = chromium.browser_type.launch(executable_path=str(CHROMIUM), args=flags)
    tab = at_the_counter(watched, served, tmp_path, viewport={"width": 390, "height": 844})
    page = tab.page
    page.goto(PHARMACY)
    page.get_by_role("button", name=FR["pharmacy_scan"]).click()
    if readable:
        page.wait_for_url(f"**{PHARMACY}/{task}")
        expect(page.get_by_role("heading", name="Amlodipine 5 mg")).to_be_visible()
    else:
        with page.expect_response("**/scan") as answer:
            expect(page.locator("video")).to_be_visible()
        assert answer.value.status == 204
        expect(page.locator("[data-told]")).to_have_text(FR["pharmacy_scan_looking"])
        tab.look("camera")
        expect(page.get_by_role("button", name=FR["pharmacy_scan_stop"])).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("video")).to_be_hidden()
        expect(page.get_by_role("button", name=FR["pharmacy_scan"])).to_be_focused()
    watched.close()
    assert tab.said == []


def test_a_photograph_is_read_and_a_camera_refused_is_told(
    chromium: Browser, served: Served, rx: Counter, tmp_path: Path
) -> None:
    task, _ = served.wait(rx.prescribed())
    url = said(served.wait(rx.person.get(f"Task/{task}/$code")), "url")
    tab = at_the_counter(chromium, served, tmp_path)
    page = tab.page
    page.goto(PHARMACY)
    page.get_by_role("button", name=FR["pharmacy_scan"]).click()
    expect(page.locator("[data-told]")).to_have_text(FR["pharmacy_scan_refused"])
    sheet, words = tmp_path / "sheet.jpg", tmp_path / "words.txt"
    shown("rien").resize((2560, 1920)).save(sheet)
    page.get_by_label(FR["pharmacy_scan_file"]).set_input_files(sheet)
    expect(page.locator("[data-told]")).to_have_text(FR["pharmacy_scan_nothing"])
    words.write_text("rien")
    page.get_by_label(FR["pharmacy_scan_file"]).set_input_files(words)
    expect(page.locator("[data-told]")).to_have_text(FR["pharmacy_scan_failed"])
    shown(url).resize((2560, 1920)).save(sheet)
    page.get_by_label(FR["pharmacy_scan_file"]).set_input_files(sheet)
    page.wait_for_url(f"**{PHARMACY}/{task}")
    page.context.close()
    assert tab.said == []


def test_the_link_of_a_qr_keeps_its_code_until_the_pharmacist_is_there(
    chromium: Browser, served: Served, rx: Counter, tmp_path: Path
) -> None:
    task, code = served.wait(rx.prescribed())
    url = said(served.wait(rx.person.get(f"Task/{task}/$code")), "url")
    plain, asked = code.replace("-", ""), list[str]()
    anybody = at_the_counter(chromium, served, tmp_path, None, viewport={"width": 390, "height": 844})
    page = anybody.page
    page.on("request", lambda request: asked.append(request.url + (request.post_data or "")))
    page.goto(url)
    expect(page.get_by_text(FR["link_what"])).to_be_visible()
    expect(page.get_by_text(FR["link_kept"])).to_be_visible()
    assert page.url == f"{served.issuer}/p"
    anybody.look("link")
    assert not any(plain in one.partition("#")[0] for one in asked)
    secret = practising(served.house, PARK)
    page.context.add_cookies([{"name": "carnet_session", "value": secret, "url": served.issuer}])
    page.goto(PHARMACY)  # where signing in leads back to
    expect(page.get_by_label(FR["pharmacy_code"], exact=True)).to_have_value(plain)
    expect(page.locator(":focus")).to_have_text(FR["pharmacy_open"])
    page.goto("/p")
    page.goto(url)
    anybody.look("link-pharmacist")
    expect(page.locator(":focus")).to_have_text(FR["link_open"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PHARMACY}/{task}")
    page.goto(PHARMACY)
    expect(page.get_by_label(FR["pharmacy_code"], exact=True)).to_have_value("")
    page.context.close()
    assert anybody.said == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, rx: Counter, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    more: dict[str, Any] = {"color_scheme": scheme, "locale": locale, "viewport": {"width": width, "height": 844}}
    ready, part, over = served.wait(several(rx))
    code = said(served.wait(rx.person.get(f"Task/{ready}/$code")), "code")
    tab = at_the_counter(chromium, served, tmp_path, **more)
    page = tab.page
    page.goto(PHARMACY)
    tab.look("pharmacy")
    page.locator("#code").fill("0000")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("role", "alert")
    tab.look("wrong")
    page.goto(f"{PHARMACY}/{part}")
    tab.look("resume")
    page.locator("button[value=accept]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "status")
    tab.look("dispense")
    page.locator("input[value=decline]").first.check()
    page.locator("button[value=dispense]").click()
    expect(page.locator(":focus")).to_have_attribute("role", "alert")
    tab.look("refused")
    page.goto(f"{PHARMACY}/{over}")
    tab.look("absent")
    other = at_the_counter(chromium, served, tmp_path, STATION, **more)
    other.page.goto(PHARMACY)
    other.page.locator("#code").fill(code)
    other.page.keyboard.press("Enter")
    other.page.wait_for_url(f"**{PHARMACY}/{ready}")
    other.look("opened")
    for who in (DOCTOR, None):
        stranger = at_the_counter(chromium, served, tmp_path, who, **more)
        for path in (PHARMACY, "/p"):
            stranger.page.goto(path)
            stranger.look(f"stranger{path.replace('/', '-')}")
        stranger.page.context.close()
        assert stranger.said == []
    for one in (tab, other):
        one.page.context.close()
        assert [line for line in one.said if not any(code in line for code in ("403", "404", "422"))] == []


def test_it_is_dispensed_with_the_keyboard_alone_and_without_scripts(
    chromium: Browser, served: Served, rx: Counter, tmp_path: Path
) -> None:
    task, code = served.wait(rx.prescribed())
    tab = at_the_counter(chromium, served, tmp_path, java_script_enabled=False)
    page, keyboard = tab.page, tab.page.keyboard
    page.goto(PHARMACY)
    expect(page.get_by_role("button", name=FR["pharmacy_scan"])).to_have_count(0)
    expect(page.get_by_label(FR["pharmacy_scan_file"])).to_be_hidden()
    walk(page, page.locator("#code"))
    keyboard.type(code.lower().replace("-", " "))
    keyboard.press("Enter")
    walk(page, page.locator("button[value=accept]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["pharmacy_done_accept"])
    quantity = page.get_by_label("Quantité délivrée")
    expect(quantity).to_have_value("30")
    walk(page, quantity)
    keyboard.press("Control+a")
    keyboard.type("500")
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["pharmacy_too_much"])
    expect(quantity).to_have_value("500")
    walk(page, quantity)
    keyboard.press("Control+a")
    keyboard.type("12")
    walk(page, page.get_by_text(FR["pharmacy_substitute"]))
    keyboard.press("Enter")
    walk(page, page.get_by_label(FR["pharmacy_product"]))
    keyboard.type("Amlodipine Biogaran 5 mg")
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    walk(page, page.locator("button[value=dispense]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["pharmacy_done_dispense"])
    [line] = served.wait(rx.lines(rx.person, task))
    [given] = line["dispense"]
    assert (given["quantity"]["value"], given["substitution"]["wasSubstituted"]) == (12, True)
    walk(page, page.locator("button[value=complete]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["pharmacy_done_complete"])
    page.context.close()
    assert [one for one in tab.said if "422" not in one] == []
