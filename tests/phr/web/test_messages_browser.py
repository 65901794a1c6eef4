"""The person's messages in a real browser: the keyboard, a phone and a desk, light and dark, two languages, axe."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, FilePayload, expect

from phr.core.settings import Settings
from phr.web import words
from phr.web.words import TEXTS
from tests import kin
from tests.deposit import clinic, deposited, document
from tests.messages.post import (
    PDF,
    PHARMACIST,
    SURGEON,
    file,
    known,
    letter,
    messages,
    named,
    pharmacy,
    reply,
    send,
    start,
    texts,
    threads,
)
from tests.phr.care import DOCTOR, software
from tests.phr.web.household import Browser as Tab
from tests.phr.web.household import Served, browser, read, serving
from tests.phr.web.test_sight_browser import opened, walk

FR = TEXTS["fr"]
SCREENS = [("light", 390, "fr-FR"), ("dark", 390, "en-GB"), ("dark", 1200, "fr-FR")]
MARKUP = "<img src=x onerror=alert(1)> & <b>gras</b>"


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def test_a_person_writes_to_a_pharmacy_reads_and_answers(
    chromium: Browser, served: Served, tmp_path: Path, screen: tuple[str, int, str]
) -> None:
    scheme, width, locale = screen
    house, text = served.house, TEXTS[locale[:2]]
    claire = served.wait(kin.person(house))
    served.wait(pharmacy(house))
    [doctor] = served.wait(known(house, claire.record, DOCTOR))
    by = served.wait(clinic(house))
    report = served.wait(deposited(house.depositor(), document(claire.record, by, description="Bilan sanguin")))
    thread = served.wait(start(doctor, claire.record, text=MARKUP, attachment=(f"DocumentReference/{report['id']}",)))
    size = {"width": width, "height": 844}
    tab = opened(chromium, served, claire, tmp_path, color_scheme=scheme, locale=locale, viewport=size)
    page = tab.page
    page.goto("/me/messages")
    expect(page.get_by_text(text["messages_unread_one"])).to_be_visible()
    tab.look("list")
    walk(page, page.get_by_role("link", name=re.compile("Une question")))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/me/messages/{thread}*")
    expect(page.locator(".words").first).to_have_text(MARKUP)
    expect(page.locator(".words img, .words b")).to_have_count(0)
    expect(page.get_by_role("link", name="Bilan sanguin")).to_be_visible()
    expect(page.locator("#message-1").get_by_text(text["messages_is_unread"], exact=True)).to_be_visible()
    tab.look("thread")
    # The keyboard alone: the answer, then the button that sends it.
    walk(page, page.get_by_label(text["messages_label_text"]))
    page.keyboard.type("Merci, je viens demain.")
    walk(page, page.get_by_role("button", name=text["messages_send"], exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(text["messages_done_sent"])
    expect(page.locator(":focus")).to_have_text(text["messages_done_sent"])
    assert served.wait(texts(doctor, thread)) == [MARKUP, "Merci, je viens demain."]
    expect(page.get_by_text(text["messages_is_unread"], exact=True)).to_have_count(0)
    tab.look("answered")
    page.get_by_role("button", name=re.compile(text["messages_recall"])).click()
    expect(page.get_by_role("status")).to_have_text(text["messages_done_recalled"])
    expect(page.get_by_text(text["messages_taken_back"])).to_be_visible()
    assert served.wait(texts(doctor, thread)) == [MARKUP, ""]
    page.get_by_role("button", name=text["messages_close"], exact=True).click()
    expect(page.get_by_text(text["messages_closed"])).to_be_visible()
    expect(page.get_by_label(text["messages_label_text"])).to_have_count(0)
    page.get_by_role("button", name=text["messages_archive"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(text["messages_done_archived"])
    expect(page.get_by_text(text["messages_nothing"])).to_be_visible()
    tab.look("empty")

    page.get_by_role("link", name=text["messages_new"]).click()
    tab.look("new")
    page.get_by_label(text["messages_search"]).fill("zzzz")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(text["messages_search_none"])
    page.get_by_label(text["messages_search"]).fill("parc")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio")).to_have_count(1)
    page.get_by_label(text["messages_label_subject"]).fill("Vaccin")
    page.get_by_label(text["messages_label_text"]).fill("Avez-vous ce vaccin ?")
    page.get_by_text(text["messages_attach"]).first.click()
    page.get_by_role("checkbox", name=re.compile("Bilan sanguin")).check()
    written: FilePayload = {"name": "lettre.pdf", "mimeType": "application/pdf", "buffer": PDF}
    page.get_by_label(text["messages_attach_file"]).set_input_files(written)
    tab.look("written")
    page.get_by_role("button", name=text["messages_send"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(text["messages_done_sent"])
    tab.look("sent")
    with page.expect_download() as download:
        page.get_by_role("link", name="lettre.pdf").click()
    assert Path(download.value.path()).read_bytes() == PDF
    page.context.close()
    assert tab.said == []
    team = software(house, PHARMACIST)
    [found] = served.wait(threads(team, "Communication/$threads")).values()
    said = served.wait(messages(team, found["header"]["id"]))[0]["communication"]["payload"]
    assert [next(iter(one)) for one in said] == ["contentString", "contentReference", "contentAttachment"]


def test_what_is_refused_is_said_and_nothing_typed_is_lost(served: Served) -> None:
    async def told() -> None:
        house = served.house
        claire = await kin.person(house)
        await pharmacy(house)
        [doctor] = await known(house, claire.record, DOCTOR)
        thread = await start(doctor, claire.record)
        here, new = f"/me/messages/{thread}", "/me/messages/new?q=parc"
        async with browser(house, claire.account) as tab:
            nobody = await tab.send(new, text="Mon texte", subject="X", q="parc")
            assert nobody.status_code == 422
            assert FR["messages_to"] in read(nobody)
            assert "Mon texte" in nobody.text
            wrong = await tab.send(here, do="reply", text="Bon\u202ejour")
            assert (wrong.status_code, FR["messages_text"] in read(wrong)) == (422, True)
            stranger = f"urn:oid:1.2.250.1.71.4.2.1|{SURGEON.id}"
            forbidden = await tab.send(new, to=stranger, text="X", subject="X", q="parc")
            assert (forbidden.status_code, FR["messages_forbidden"] in read(forbidden)) == (403, True)
            assert (await tab.send(here, do="nonsense")).status_code == 422
            typed = await _posted(
                tab, here, {"do": "reply", "text": "Voici."}, {"file": ("a.exe", b"MZ\x90\x00", "x/y")}
            )
            assert (typed.status_code, FR["messages_type"] in read(typed), "Voici." in typed.text) == (415, True, True)
            assert (await tab.http.post(here, data={"do": "close"})).status_code == 403
            # The same form, sent twice, is sent once.
            page = await tab.get(here)
            key = re.search(r'name="key" value="([0-9a-f]+)"', page.text)
            assert key is not None
            for _ in range(2):
                sent = await _posted(tab, here, {"do": "reply", "text": "Une fois.", "key": key[1]}, {})
                assert sent.status_code == 303
            assert await texts(doctor, thread) == ["Bonjour.", "Une fois."]
            [_, own] = await messages(doctor, thread)
            later = house.now() + timedelta(minutes=2)
            house.parts.server.clock = lambda: later
            late = await tab.send(here, do=f"recall:{own['communication']['id']}")
            assert (late.status_code, FR["messages_too_late"] in read(late)) == (409, True)

    served.wait(told())


def test_what_a_person_does_not_see_is_not_there(served: Served) -> None:
    async def told() -> None:
        house = served.house
        claire, other = await kin.person(house), await kin.person(house, "Marc", "Petit")
        jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
        await kin.care(jeanne, claire, "consult", "message")
        [doctor] = await known(house, other.record, DOCTOR)
        theirs = await start(doctor, other.record, attachment=[file()])
        url = (await messages(doctor, theirs))[0]["communication"]["payload"][1]["contentAttachment"]["url"]
        [gp] = await known(house, jeanne.record, DOCTOR)
        hers = await start(gp, jeanne.record, text="Pour Jeanne.")
        hidden = letter("Entre nous.", named(SURGEON), subject="Secret", professional_only=True)
        assert (await send(gp, jeanne.record, hidden)).status_code == 201
        await reply(gp, jeanne.record, hers, "Encore.")
        async with browser(house, claire.account) as tab:
            absent = await tab.get("/me/messages/000-0190aaaaaaaa7aaaaaaaaaaaaaaaaaaa")
            for path in (f"/me/messages/{theirs}", f"/me/messages/{theirs}/file/{url.removeprefix('Binary/')}"):
                page = await tab.get(path)
                assert (page.status_code, read(page)) == (404, read(absent)), path
            page = await tab.get(f"/me/messages?record={jeanne.record}")
            assert "Une question" in read(page)
            assert "Secret" not in read(page)
            thread = f"/me/messages/{hers}?record={jeanne.record}"
            assert "Pour Jeanne." in read(await tab.get(thread))
            assert FR["messages_done_sent"] in await tab.does(thread, do="reply", text="Elle vous remercie.")
            tab.http.cookies.clear()
            assert (await tab.get("/me/messages")).headers["location"] == "/signin"
        sender = (await messages(gp, hers))[-1]["communication"]["sender"]["display"]
        assert sender == "Claire Moreau (Jeanne Lefèvre)"

    served.wait(told())


def test_every_text_is_said_in_both_languages() -> None:
    said = [{name for name in TEXTS[language] if name.startswith("messages_")} for language in ("fr", "en")]
    assert said[0] == said[1]
    folder = Path(words.__file__).parent / "templates"
    pages = "".join(path.read_text() for path in folder.glob("messages*.html"))
    assert set(re.findall(r"text\.(messages_\w+)", pages)) <= said[0]


Files = dict[str, tuple[str, bytes, str]]


async def _posted(
    tab: Tab, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes, str]]
) -> httpx.Response:
    """Post a form as a browser posts one with files."""
    page = await tab.get(path)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert token is not None
    sent = files or {"file": ("", b"", "application/octet-stream")}
    return await tab.http.post(path, data={"csrf": token[1], **fields}, files=sent)
