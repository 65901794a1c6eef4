"""The page of the journal in a real browser, on the whole application: what it says, its filters, its copies, axe."""

import asyncio
import csv
import io
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # publishes no types
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader
from sqlalchemy.orm import Session

from auth import accounts, terms
from auth.accounts import Account
from auth.choices import RecordChoice
from auth.sessions import Proof, start
from phr.access.journal import Tag
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.app import create_app
from phr.core.settings import Settings
from phr.web import words
from phr.web.mine import mark
from tests.access.city import professional
from tests.access.test_journal import many
from tests.access.worlds import DOCTOR
from tests.house import House, observation

FR, EN = words.TEXTS["fr"], words.TEXTS["en"]
T = TypeVar("T")


@dataclass(slots=True)
class Served:
    """The whole application on a port, in a thread with its own loop, and one person with a journal."""

    house: House
    issuer: str
    loop: asyncio.AbstractEventLoop
    record: str = ""
    made: str = ""
    child: str = ""
    ward: str = ""
    secret: str = ""

    def wait(self, work: Awaitable[T]) -> T:
        """Run there what is asynchronous."""

        async def done() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(120)


async def _serve(
    settings: Settings, url: str, listener: socket.socket, ready: Callable[[House], None], over: Any
) -> None:
    async with House.build(settings, url) as house:
        server = uvicorn.Server(uvicorn.Config(create_app(settings, house.parts), log_config=None, lifespan="off"))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        ready(house)
        await asyncio.to_thread(over.wait)
        server.should_exit = True
        await running


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    """The application, and Ada, signed in: their own record, a child's, and one they are a caregiver in."""
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://localhost:{listener.getsockname()[1]}"
    began, over, found = threading.Event(), threading.Event(), list[Served]()

    def ready(house: House) -> None:
        found.append(Served(house, issuer, asyncio.get_running_loop()))
        began.set()

    def run() -> None:
        asyncio.run(_serve(replace(settings, issuer=issuer), database_url, listener, ready, over))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert began.wait(60)
        [served] = found
        served.wait(_live(served))
        yield served
    finally:
        over.set()
        thread.join(30)
        listener.close()


async def _live(served: Served) -> None:
    house, server = served.house, served.house.parts.server
    served.record, served.child, served.ward = [await house.open_record() for _ in range(3)]
    with Session(server.engine) as session, session.begin():
        now = server.clock()
        account = accounts.enroll(
            session, server.keys, "ada", "correct horse", "Ada Durand", "ada@poste.test", served.record, now
        )
        terms.accepted(session, server.keys, account, house.settings.terms_version, now)
        who = accounts.find(session, server.keys, account)
        assert isinstance(who, Account)
        served.secret = start(session, server.keys, who, Proof(("pwd", "otp", "mfa"), "mfa", now), "Firefox", now)[1]
    mine = RecordChoice(served.record, "Ada Durand", own=True)
    others = [RecordChoice(served.child, "Léo", own=False), RecordChoice(served.ward, "Mamie", own=False)]
    server.records = lambda *_: [mine, *others]
    await house.represent(served.child, str(account))
    await house.represent(served.ward, str(account), "consult")
    await house.relate(served.record, DOCTOR.id)
    served.made = (await house.citizen(served.record).post("Observation", observation(served.record))).json()["id"]
    assert (await professional(house).get(f"Observation/{served.made}")).status_code == 200
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(served.record, CREATE, Tag.ACCESS, f"Patient/{served.record}/$open-access") as deed:
        deed.refused, deed.motive = "blocked", "Patient <inconscient> & seul"
    await house.depositor().post("Observation", observation(served.child))


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Tab = Callable[..., Page]


@pytest.fixture
def tab(chromium: Browser, served: Served) -> Iterator[Tab]:
    """Opens a tab where Ada is signed in, which keeps what its console says."""
    opened, said = [], list[str]()

    def opening(**options: Any) -> Page:
        known: dict[str, Any] = {
            "base_url": served.issuer,
            "locale": "fr-FR",
            "viewport": {"width": 900, "height": 900},
        }
        context = chromium.new_context(**(known | options))
        context.add_cookies([{"name": "carnet_session", "value": served.secret, "url": served.issuer}])
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", lambda told: said.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        opened.append(context)
        return page

    yield opening
    for context in opened:
        context.close()
    assert [line for line in said if "status of 403" not in line and "404" not in line] == []


def sound(page: Page) -> None:
    """Nothing that axe sees."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], page.url


def group(page: Page, name: str) -> None:
    page.get_by_role("navigation", name=FR["journal_groups"]).get_by_role("link", name=name, exact=True).click()
    expect(page.locator(".button[aria-current=page]")).to_have_text(name)


def test_the_journal_is_read_by_group_and_by_day(served: Served, tab: Tab) -> None:
    page = tab()
    page.goto("/me/journal")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["journal_title"])
    lines = page.locator("ul.list > li")
    doctor = lines.filter(has_text="Le Dr Lou PETIT (médecin, Cabinet) a consulté 1 résultat ou mesure")
    expect(doctor).to_contain_text("au titre d’une relation de soins, avec software.")
    doctor.locator("summary").click()
    expect(doctor.get_by_text("Pourquoi : Relation de soins")).to_be_visible()
    expect(doctor.get_by_text("Logiciel : software")).to_be_visible()
    attempt = lines.filter(has_text="a tenté d’ouvrir votre carnet")
    expect(attempt.locator(".problem")).to_have_text(FR["journal_refused"])
    expect(attempt).to_contain_text("Motif indiqué : Patient <inconscient> & seul")
    group(page, FR["journal_group_professionals"])
    expect(lines).to_have_count(1)
    group(page, FR["journal_group_mine"])
    expect(lines.filter(has_text="Vous avez ajouté 1 résultat ou mesure")).to_have_count(1)
    group(page, FR["journal_group_services"])
    expect(lines.filter(has_text="Le Dr")).to_have_count(0)
    group(page, FR["journal_group_representatives"])
    expect(page.get_by_role("status").first).to_have_text(FR["journal_empty"])
    group(page, FR["journal_group_all"])
    page.get_by_label(FR["journal_only_refused"]).check()
    page.get_by_role("button", name=FR["journal_filter"]).click()
    expect(lines).to_have_count(1)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    page.get_by_label(FR["journal_only_refused"]).uncheck()
    page.get_by_label(FR["journal_until"]).fill((yesterday - timedelta(days=1)).isoformat())
    page.get_by_role("button", name=FR["journal_filter"]).click()
    expect(lines).to_have_count(0)
    sound(page)


def test_older_entries_follow_and_the_way_back(served: Served, tab: Tab) -> None:
    served.wait(many(served.house, served.record, served.made, 120))
    page = tab()
    page.goto("/me/journal?group=services")
    lines = page.locator("ul.list > li")
    expect(lines).to_have_count(50)
    expect(page.get_by_role("link", name=FR["journal_newest"])).to_have_count(0)
    page.get_by_role("link", name=FR["journal_older"]).click()
    expect(page.get_by_role("link", name=FR["journal_newest"])).to_be_visible()
    expect(lines).to_have_count(50)
    assert parse_qs(urlsplit(page.url).query)["group"] == ["services"]
    page.get_by_role("link", name=FR["journal_older"]).click()
    expect(page.get_by_role("link", name=FR["journal_older"])).to_have_count(0)
    page.get_by_role("link", name=FR["journal_newest"]).click()
    expect(page.get_by_role("link", name=FR["journal_older"])).to_be_visible()


def test_what_the_reader_looked_at_does_not_bury_what_others_did(served: Served, tab: Tab) -> None:
    page = tab()
    for _ in range(4):
        page.goto("/me/journal")
    lines, folded = page.locator("ul.list > li"), page.get_by_text(FR["journal_own_looks"].format(n=3))
    expect(folded).to_have_count(1)
    expect(page.get_by_text("Vous avez consulté le journal").first).to_be_hidden()
    folded.click()
    expect(lines.filter(has=folded).get_by_text("Vous avez consulté le journal")).to_have_count(3)
    # What they did, what they did with another application, and what others did stand each on its line.
    expect(lines.filter(has_text="Vous avez ajouté 1 résultat ou mesure")).to_have_count(1)
    expect(lines.filter(has_text="Le Dr Lou PETIT")).to_have_count(1)
    sound(page)
    for _ in range(4):
        page.goto(f"/me/journal?record={mark(served.child)}&group=representatives")
    expect(page.get_by_text(FR["journal_own_looks"].format(n=3))).to_have_count(1)


def test_a_child_s_journal_and_one_that_is_not_for_a_caregiver(served: Served, tab: Tab) -> None:
    page = tab()
    page.goto("/me/journal")
    page.get_by_label(FR["journal_whose"], exact=True).select_option("Léo")
    page.get_by_role("button", name=FR["journal_choose"]).click()
    expect(page.locator("ul.list > li").filter(has_text="Le logiciel hospital a ajouté 1 résultat")).to_have_count(1)
    expect(page.get_by_text(FR["journal_group_mine_other"])).to_be_visible()
    group(page, FR["journal_group_representatives"])
    expect(page.locator("ul.list > li").first).to_contain_text("Vous avez consulté le journal")
    page.get_by_label(FR["journal_whose"], exact=True).select_option("Mamie")
    page.get_by_role("button", name=FR["journal_choose"]).click()
    expect(page.get_by_role("alert")).to_have_text(FR["journal_not_yours"])
    expect(page.locator("[data-export]")).to_have_count(0)
    sound(page)


def test_a_copy_is_prepared_with_its_progress_and_saved(served: Served, tab: Tab) -> None:
    served.wait(many(served.house, served.record, served.made, 2_000))
    page = tab()
    page.goto("/me/journal")
    with page.expect_download() as began:
        page.get_by_role("link", name=FR["journal_csv"]).click()
        expect(page.locator("#progress")).to_be_visible()
    assert began.value.suggested_filename.endswith(".csv")
    rows = list(csv.DictReader(io.StringIO(Path(began.value.path()).read_bytes().decode("utf-8-sig"), newline="")))
    assert len(rows) > 2_000
    expect(page.locator("#progress [role=status]")).to_have_text(FR["journal_ready"])
    sound(page)
    page.goto("/me/journal?group=professionals")
    with page.expect_download() as began:
        page.get_by_role("link", name=FR["journal_pdf"]).click()
    (printed,) = PdfReader(began.value.path()).pages
    assert "Le Dr Lou PETIT" in printed.extract_text()


def test_without_a_script_a_plain_link_gives_the_copy(served: Served, tab: Tab) -> None:
    page = tab(java_script_enabled=False)
    page.goto("/me/journal?group=professionals")
    with page.expect_download() as began:
        page.get_by_role("link", name=FR["journal_csv"]).click()
    assert b"Lou PETIT" in Path(began.value.path()).read_bytes()


def test_pieces_come_as_they_are_read_and_a_reader_who_leaves_ends_it(served: Served) -> None:
    served.wait(many(served.house, served.record, served.made, 3_000))
    cookies = {"carnet_session": served.secret}
    with httpx.Client(base_url=served.issuer, cookies=cookies, timeout=60) as browser:
        with browser.stream("GET", "/me/journal/export?form=csv") as answer:
            assert "content-length" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"
            first = next(answer.iter_raw())
        assert first.startswith(b"\xef\xbb\xbf")
        assert len(first) < 100_000
        assert browser.get("/me/journal/export?form=csv").text.count("\r\n") > 3_000
        nobody = httpx.get(f"{served.issuer}/me/journal/export?form=csv")
        assert (nobody.status_code, nobody.headers["location"]) == (303, "/signin")
        other = browser.get(f"/me/journal/export?form=csv&record={mark(served.ward)}")
        assert (other.status_code, other.headers["location"]) == (303, f"/me/journal?record={mark(served.ward)}")
        assert browser.get("/me/journal?since=2026-02-30").text.count("Cette date n’existe pas") == 1
        unknown = browser.get("/me/journal?record=x&group=x&cursor=x")
        assert unknown.status_code == 400
        assert FR["journal_unavailable"] in unknown.text


def test_every_state_is_sound_on_a_telephone(served: Served, tab: Tab, scheme: str, tmp_path: Path) -> None:
    """Nothing is wider than 390 pixels, in light and in dark; each state is drawn in the test's folder."""
    served.wait(many(served.house, served.record, served.made, 60))
    phone = tab(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    wide = tab(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    addresses = {
        "all": "/me/journal",
        "professionals": "/me/journal?group=professionals",
        "refused": "/me/journal?refused=yes",
        "empty": "/me/journal?until=2020-01-01",
        "caregiver": f"/me/journal?record={mark(served.ward)}",
        "english": "/me/journal?ui_locales=en&group=professionals",
    }
    for name, address in addresses.items():
        for page, width in ((phone, 390), (wide, 1280)):
            page.goto(address)
            for summary in page.locator("summary").all()[:2]:
                summary.click()
            sound(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.screenshot(path=tmp_path / f"{scheme}-{width}-{name}.png", full_page=True)
    expect(phone.get_by_text("Dr Lou PETIT (physician, Cabinet) viewed 1 result or measurement")).to_be_visible()
    expect(phone.get_by_role("heading", level=1)).to_have_text(EN["journal_title"])
