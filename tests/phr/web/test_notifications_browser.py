"""The centre of notifications in a real browser: read, marked, silenced, and a browser that is really pushed to."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from phr.core.settings import Settings
from phr.notifications import pushing
from phr.notifications.web_push import SENTENCE
from phr.web.words import TEXTS
from tests import kin
from tests.kin import Person
from tests.notifications.browser import Subscription, encoded
from tests.notifications.sink import listening
from tests.notifications.told import centre, happen, send
from tests.phr.web.household import Served, serving
from tests.phr.web.test_sight_browser import SCREENS, Tab, opened, walk

FR = TEXTS["fr"]
PAGE = "/me/notifications"
SUBSCRIBED = """
([endpoint, p256dh, auth]) => {
  const made = { endpoint, toJSON: () => ({ endpoint, keys: { p256dh, auth } }) };
  PushManager.prototype.subscribe = async function (options) {
    if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new Error("not ours");
    localStorage.setItem("subscribed", "yes");
    return made;
  };
  PushManager.prototype.getSubscription = async () => localStorage.getItem("subscribed") ? made : null;
}
"""
"""What a browser that has a push service does: this one has none."""


@pytest.fixture
def served(settings: Settings, database_url: str) -> Iterator[Served]:
    with serving(settings, database_url) as found:
        yield found


@pytest.fixture
def claire(served: Served) -> Person:
    return served.wait(kin.person(served.house, "Claire", "Moreau"))


def happens(served: Served, who: Person, *kinds: str) -> None:
    for kind in kinds:
        served.wait(happen(served.house, who.record, kind))


def clean(tab: Tab) -> None:
    tab.page.context.close()
    assert tab.said == []


@pytest.mark.parametrize(("scheme", "width", "locale"), SCREENS)
def test_the_page_is_well_made(
    chromium: Browser, served: Served, claire: Person, tmp_path: Path, scheme: str, width: int, locale: str
) -> None:
    more = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}, "locale": locale}
    tab = opened(chromium, served, claire, tmp_path, **more)
    tab.page.goto(PAGE)
    tab.look("empty")
    happens(served, claire, "access", "emergency", "prescription", "message")
    given = Subscription("https://push.example/x").given()
    registered = claire.caller().post(f"{claire.patient}/$register-device", kin.parameters(**given))
    assert served.wait(registered).status_code == 201
    tab.page.goto(PAGE)
    tab.look("full")
    clean(tab)


def test_read_unread_deleted_and_counted_with_the_keyboard(
    chromium: Browser, served: Served, claire: Person, tmp_path: Path
) -> None:
    tab = opened(chromium, served, claire, tmp_path)
    page = tab.page
    page.goto("/me")
    expect(page.get_by_text(FR["me_notifications_none"])).to_be_visible()
    happens(served, claire, *(["document"] * 25), "message")
    page.goto("/me")
    walk(page, page.get_by_role("link", name=FR["me_notifications_many"].format(n=26)))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PAGE}")
    expect(page.locator("main li.card time")).to_have_count(20)
    first = page.locator("main li.card").first
    expect(first.get_by_text(FR["notifications_kind_message"])).to_be_visible()
    expect(first.get_by_text(FR["notifications_is_unread"], exact=True)).to_be_visible()
    walk(page, first.get_by_role("button", name=FR["notifications_read"]))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(FR["notifications_done_read"])
    first = page.locator("main li.card").first
    expect(first.get_by_text(FR["notifications_is_unread"], exact=True)).to_have_count(0)
    expect(page.get_by_text(FR["notifications_unread_count"].format(n=25))).to_be_visible()
    first.get_by_role("button", name=FR["notifications_unread"]).click()
    expect(page.get_by_text(FR["notifications_unread_count"].format(n=26))).to_be_visible()
    page.locator("main li.card").first.get_by_role("button", name=FR["notifications_delete"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["notifications_done_delete"])
    expect(page.get_by_text(FR["notifications_kind_message"])).to_have_count(0)
    page.get_by_role("link", name=FR["notifications_older"]).click()
    expect(page.locator("main li.card time")).to_have_count(5)
    page.get_by_role("link", name=FR["notifications_newest"]).click()
    page.get_by_role("button", name=FR["notifications_read_all"]).click()
    expect(page.get_by_text(FR["notifications_none_unread"])).to_be_visible()
    page.get_by_role("link", name=FR["notifications_only_unread"], exact=True).click()
    expect(page.get_by_text(FR["notifications_nothing_unread"])).to_be_visible()
    clean(tab)


def test_a_kind_is_silenced_by_one_way(chromium: Browser, served: Served, claire: Person, tmp_path: Path) -> None:
    tab = opened(chromium, served, claire, tmp_path)
    page = tab.page
    page.goto(PAGE)
    expect(page.get_by_role("switch")).to_have_count(16)
    switch = page.locator("#push-message")
    expect(switch).to_be_checked()
    switch.uncheck()
    page.get_by_role("button", name=FR["notifications_keep"]).click()
    expect(page.get_by_role("status")).to_have_text(FR["notifications_done_kept"])
    expect(page.locator("#push-message")).not_to_be_checked()
    expect(page.locator("#notify-message")).to_be_checked()
    said = served.wait(claire.caller().get(f"{claire.patient}/$preferences")).json()["parameter"]
    assert [
        one["name"] for one in said if one["name"].startswith(("push-", "notify-")) and not one["valueBoolean"]
    ] == ["push-message"]
    clean(tab)


def test_a_browser_is_notified_shows_it_once_and_no_more(
    chromium: Browser, served: Served, claire: Person, tmp_path: Path
) -> None:
    with listening() as sink:
        mine = Subscription(sink.url("/push"))
        tab = opened(chromium, served, claire, tmp_path)
        page = tab.page
        page.context.grant_permissions(["notifications"], origin=served.issuer)
        given = json.dumps([mine.endpoint, encoded(mine.point), encoded(mine.secret)])
        page.add_init_script(f"({SUBSCRIBED})({given})")
        page.goto(PAGE)
        page.get_by_role("button", name=FR["notifications_turn_on"]).click()
        expect(page.get_by_role("status")).to_have_text(FR["notifications_done_device"])
        expect(page.get_by_text(FR["notifications_this_browser"])).to_be_visible()
        expect(page.get_by_role("button", name=FR["notifications_turn_on"])).to_be_hidden()
        tab.look("notified")

        happens(served, claire, "message")
        server = served.house.parts.server
        deliverers = pushing.deliverers(server.engine, server.keys, served.house.settings)
        assert send(served.house, deliverers, datetime.now(UTC)) == 1
        [received] = sink.received
        [entry] = served.wait(centre(claire.caller(), claire.record))
        pushed = mine.opened(received.body)
        assert pushed == {"id": entry["id"], "text": SENTENCE}

        # The push service's last step is the browser's own: what was decrypted goes to our service worker, twice.
        cdp = page.context.new_cdp_session(page)
        registrations = list[str]()
        cdp.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda told: registrations.extend(one["registrationId"] for one in told["registrations"]),
        )
        cdp.send("ServiceWorker.enable")
        page.wait_for_timeout(300)
        for _ in range(2):
            sent = {"origin": served.issuer, "registrationId": registrations[0], "data": json.dumps(pushed)}
            cdp.send("ServiceWorker.deliverPushMessage", sent)
        shown = """async () => {
          const registration = await navigator.serviceWorker.getRegistration("/static/");
          for (let n = 0; n < 100; n++) {
            const found = await registration.getNotifications();
            if (found.length) return found.map((one) => [one.title, one.body, one.tag]);
            await new Promise((done) => setTimeout(done, 50));
          }
          return [];
        }"""
        assert page.evaluate(shown) == [["Carnet", SENTENCE, entry["id"]]]

        page.get_by_role("button", name=FR["notifications_remove"]).click()
        expect(page.get_by_role("status")).to_have_text(FR["notifications_done_removed"])
        page.reload()
        expect(page.get_by_role("button", name=FR["notifications_turn_on"])).to_be_visible()
        happens(served, claire, "message")
        assert send(served.house, deliverers, datetime.now(UTC)) == 0
        clean(tab)


def test_a_browser_that_does_not_agree_is_told_so(
    chromium: Browser, served: Served, claire: Person, tmp_path: Path
) -> None:
    tab = opened(chromium, served, claire, tmp_path)
    tab.page.add_init_script("Notification.requestPermission = async () => 'denied'")
    tab.page.goto(PAGE)
    tab.page.get_by_role("button", name=FR["notifications_turn_on"]).click()
    expect(tab.page.get_by_role("alert")).to_have_text(FR["notifications_refused"])
    tab.look("refused")
    clean(tab)


def test_a_caregiver_reads_theirs_and_chooses_nothing(chromium: Browser, served: Served, tmp_path: Path) -> None:
    jeanne = served.wait(kin.person(served.house, "Jeanne", "Lefèvre", "1948-11-02"))
    carer = served.wait(kin.person(served.house, "Claire", "Moreau"))
    served.wait(kin.care(jeanne, carer, "consult", "message"))
    happens(served, jeanne, "message", "access")
    tab = opened(chromium, served, carer, tmp_path)
    tab.page.goto(f"{PAGE}?record={jeanne.record}")
    expect(tab.page.get_by_text(FR["notifications_kind_message"])).to_be_visible()
    expect(tab.page.get_by_text(FR["notifications_kind_access"])).to_have_count(0)
    expect(tab.page.get_by_role("switch")).to_have_count(0)
    tab.look("caregiver")
    clean(tab)
