"""Draws docs/screenshots/*.png from the demo world. Not a test: it runs only when named, `pytest <this file>`."""

from pathlib import Path

from playwright.sync_api import Browser, Page

from auth.sandbox.people import rpps
from phr.web import words
from tests.phr.web.test_share_browser import made, sign_in, sign_in_as

FR = words.TEXTS["fr"]
FOLDER = Path(__file__).parents[3] / "docs" / "screenshots"
LARGEST = 120_000


def draw(page: Page, name: str, height: int = 900) -> None:
    """What a person sees of a page, on a screen of this height."""
    path = FOLDER / f"{name}.png"
    page.set_viewport_size({"width": 560, "height": height})
    page.screenshot(path=path)
    assert path.stat().st_size <= LARGEST


def test_the_screenshots(chromium: Browser, carnet: str) -> None:
    options = {"base_url": carnet, "locale": "fr-FR", "viewport": {"width": 560, "height": 900}}
    page, professional = (chromium.new_context(**options).new_page() for _ in range(2))  # type: ignore[arg-type]
    sign_in(page, carnet)
    page.goto("/me/share")
    page.get_by_role("button", name=FR["share_make"]).click()
    page.locator(".spoken").wait_for()
    draw(page, "share")
    professional.goto("/pro/redeem")
    professional.get_by_role("link", name=FR["redeem_sign_in"]).click()
    sign_in_as(professional, "nurse")
    professional.goto("/pro/redeem")
    professional.get_by_label(FR["redeem_code"], exact=True).fill(made(page))
    draw(professional, "redeem", 600)
    professional.keyboard.press("Enter")
    professional.wait_for_url("**/pro/record/**")
    page.goto("/me/access")
    page.get_by_text(FR["access_designate"]).click()
    page.locator("#designate-typed-number").fill(rpps(11).removeprefix("8"))
    page.locator("#designate-typed-name").fill("Dr Hélène Garnier")
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    page.goto("/me/access")
    draw(page, "access", 1300)
    page.goto("/me/journal")
    page.locator("#day-1").evaluate("one => one.scrollIntoView()")
    draw(page, "journal")
    page.goto("/me")
    draw(page, "me")
    page.goto("/me/prevention")
    draw(page, "prevention", 1000)
    page.goto("/me/prescriptions")
    draw(page, "prescriptions", 1000)
