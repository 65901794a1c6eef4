"""The pages of prevention in a real browser: a child, a woman of 52, a man of 70; the keyboard alone, axe."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from phr.core.settings import Settings
from phr.prevention.dates import add, day
from phr.web.words import TEXTS
from tests import kin
from tests.house import House
from tests.kin import Person
from tests.phr.web.household import Served, serving
from tests.phr.web.test_sight_browser import SCREENS, opened, walk

FR = TEXTS["fr"]
PREVENTION = "/me/prevention"


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


@dataclass(frozen=True, slots=True)
class People:
    """Nadia, 52, her son Tom, 14 months; and Paul, 70."""

    nadia: Person
    tom: Person
    paul: Person


async def person(house: House, given: str, family: str, gender: str, *, months: int, account: bool = True) -> Person:
    """Somebody who is so many months old today."""
    ins, born = house.new_ins(), add(day(house.now()), -months).isoformat()
    name = [{"use": "official", "family": family, "given": [given]}]
    record = await house.open_record(ins, name=name, birthDate=born, gender=gender)
    email = f"{given}@poste.test".lower()
    made = await kin.enroll(house, record, f"{given} {family}", email, born) if account else UUID(int=0)
    return Person(house, ins, given, family, born, record, made, email)


async def people(house: House) -> People:
    """Three people, with what a record of theirs holds."""
    nadia = await person(house, "Nadia", "Benali", "female", months=52 * 12 + 2)
    tom = await person(house, "Tom", "Benali", "male", months=14, account=False)
    paul = await person(house, "Paul", "Girard", "male", months=70 * 12 + 5)
    await kin.represent(tom, nadia)
    acting = nadia.acting(tom.record)
    for product, months in (("INFANRIX HEXA", (2, 4, 11)), ("PREVENAR 13", (2, 4, 11)), ("M-M-RVAXPRO", (12,))):
        for month in months:
            await vaccinate(acting, tom, product, month)
    for product, years in (("SHINGRIX", 66), ("REPEVAX", 65)):
        await vaccinate(paul.caller(), paul, product, years * 12)
    mammography = {"rule": "breast-cancer-screening", "said": "done"}
    on = add(day(house.now()), -9).isoformat()
    listed = [{"name": name, "valueCode": code} for name, code in mammography.items()]
    body = {"resourceType": "Parameters", "parameter": [*listed, {"name": "on", "valueDate": on}]}
    answer = await nadia.caller().post(f"{nadia.patient}/$answer-prevention", body)
    assert answer.status_code == 201, answer.text
    return People(nadia, tom, paul)


async def vaccinate(caller: Any, who: Person, product: str, months: int) -> None:
    """Write a vaccination given at this age, in months."""
    on = add(day(who.house.now()).fromisoformat(who.born), months) + timedelta(days=2)
    vaccine = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"text": product},
        "patient": {"reference": who.patient},
        "occurrenceDateTime": on.isoformat(),
        "lotNumber": f"L{months}",
    }
    answer = await caller.post("Immunization", vaccine)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_each_page_is_sound_on_each_screen(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    found = served.wait(people(served.house))
    size = {"width": width, "height": 844}
    options: dict[str, Any] = {"color_scheme": scheme, "locale": locale, "viewport": size}
    tab = opened(chromium, served, found.nadia, tmp_path, **options)
    page = tab.page
    for name, record in (("woman", ""), ("child", f"record={found.tom.record}")):
        page.goto(f"{PREVENTION}?{record}")
        page.screenshot(path=tmp_path / f"{name}-glance.png", full_page=True)
        tab.look(name)
        for below in ("vaccinations", "examinations"):
            page.goto(f"{PREVENTION}/{below}?{record}")
            tab.look(f"{name}-{below}")
    page.goto(f"{PREVENTION}/rule/breast-cancer-screening")
    tab.look("rule")
    page.goto(f"{PREVENTION}/rule/nothing")
    tab.look("rule-absent")
    page.goto(f"{PREVENTION}?theme=screening")
    tab.look("theme")
    page.locator("button[value=address]").click()
    tab.look("address")
    page.context.close()
    other = opened(chromium, served, found.paul, tmp_path, **options)
    other.page.goto(PREVENTION)
    other.page.screenshot(path=tmp_path / "man-glance.png", full_page=True)
    other.look("man")
    other.page.goto(f"{PREVENTION}/vaccinations")
    other.look("man-vaccinations")
    other.page.context.close()
    # A page that is not there is answered 404, which the console tells.
    assert [line for line in (*tab.said, *other.said) if "404" not in line] == []


def test_a_question_is_answered_with_the_keyboard_alone(chromium: Browser, served: Served, tmp_path: Path) -> None:
    nadia = served.wait(people(served.house)).nadia
    tab = opened(chromium, served, nadia, tmp_path)
    page, keyboard = tab.page, tab.page.keyboard
    page.goto("/me")
    walk(page, page.get_by_role("link", name=FR["me_nav_prevention"]))
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["prevention_title"])
    questions = page.locator("section[aria-labelledby=questions] .question")
    first, second, third = (questions.nth(n).locator("legend").inner_text() for n in range(3))
    for n in (0, 2):  # the second is passed over
        walk(page, questions.nth(n).get_by_role("radio", name=FR["prevention_unknown"]))
        keyboard.press("ArrowUp")
        expect(questions.nth(n).get_by_role("radio", name=FR["prevention_no"])).to_be_checked()
    walk(page, page.get_by_role("button", name=FR["prevention_answer"]))
    keyboard.press("Enter")
    # Where they were, not at the top of the page: what is left is just below.
    expect(page.locator("section[aria-labelledby=questions] :focus")).to_have_text(FR["prevention_done_answered"])
    expect(page.locator(":focus")).to_be_in_viewport()
    for words, left in ((first, 0), (second, 1), (third, 0)):
        expect(page.get_by_text(words, exact=True)).to_have_count(left)
    # What was done, on a day that is refused, then on another.
    duty = page.locator("#vaccine-dtp-adult")
    walk(page, duty.locator("summary").first)
    keyboard.press("Enter")
    walk(page, duty.locator("input[type=date]"))
    duty.locator("input[type=date]").evaluate("one => { one.removeAttribute('max'); one.value = '2300-01-01' }")
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["prevention_on_wrong"])
    date = page.locator("#vaccine-dtp-adult input[type=date]")
    expect(date).to_have_value("2300-01-01")
    expect(date).to_have_attribute("aria-invalid", "true")
    tab.look("wrong")
    yesterday = (day(served.house.now()) - timedelta(days=1)).isoformat()
    date.fill(yesterday)
    walk(page, page.locator("#vaccine-dtp-adult button[value=done]"))
    keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_text(FR["prevention_done_said"])
    expect(page.locator("#vaccine-dtp-adult")).to_have_count(0)
    tab.look("said")
    page.context.close()
    assert [line for line in tab.said if "400" not in line] == []


def test_all_of_it_works_without_scripts(chromium: Browser, served: Served, tmp_path: Path) -> None:
    found = served.wait(people(served.house))
    tab = opened(chromium, served, found.paul, tmp_path, java_script_enabled=False, locale="en-GB")
    page, texts = tab.page, TEXTS["en"]
    page.goto(PREVENTION)
    zoster = page.locator("#vaccine-zoster-65")
    zoster.locator("summary").nth(1).click()
    zoster.locator("select").select_option("6")
    zoster.locator("button[value=later]").click()
    expect(page.get_by_role("status")).to_have_text(texts["prevention_done_later"])
    expect(page.locator("section[aria-labelledby=soon] #vaccine-zoster-65")).to_contain_text(
        texts["prevention_postponed"]
    )
    page.locator("#vaccine-zoster-65 h3 a").click()
    page.get_by_role("button", name=texts["prevention_undo"]).click()
    expect(page.get_by_role("status")).to_have_text(texts["prevention_done_undone"])
    page.goto(PREVENTION)
    page.get_by_role("link", name=texts["prevention_theme_screening"]).click()
    expect(page.locator("#vaccine-zoster-65")).to_have_count(0)
    page.get_by_role("button", name=texts["prevention_calendar_make"]).click()
    address = page.get_by_label(texts["prevention_calendar_address"]).input_value()
    assert page.context.request.get(address).headers["content-type"].startswith("text/calendar")
    page.get_by_role("link", name=texts["prevention_back"]).click()
    page.get_by_role("button", name=texts["prevention_calendar_end"]).click()
    expect(page.get_by_role("status")).to_have_text(texts["prevention_done_ended"])
    assert page.context.request.get(address).status == 404
    page.context.close()
