"""Consent by purpose in a real browser: the keyboard alone, no script, axe, and what each choice gives."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from auth import accounts, clients, purposes, sessions
from auth.clients import Client
from auth.sessions import Proof
from phr.web import words
from tests.auth.city import VERIFIER, City, Person, asked
from tests.phr.portal import AGENDA, DOCUMENTS, MEASURES, SERVICE
from tests.phr.web.test_browser import app, sound

__all__ = ["app"]

FR = words.TEXTS["fr"]
SCOPES = "openid offline_access patient/Observation.crs patient/DocumentReference.rs patient/Appointment.cu"


Listening = tuple[str, list[str]]


def service(city: City, app: Listening, **changes: Any) -> Client:
    """A native application with three purposes, that listens where `app` says."""
    return city.citizen_app(
        redirect_uris=[app[0]],
        scopes=["openid", "offline_access", "patient/*.cruds"],
        metadata={"application_type": "native", "service": SERVICE | changes},
    )


def entered(city: City, page: Page, person: Person) -> None:
    """Sign in without the pages, which have tests of their own."""
    now = city.clock()
    with Session(city.engine) as session, session.begin():
        who = accounts.find(session, city.keys, person.id)
        assert who is not None
        _, secret = sessions.start(session, city.keys, who, Proof(("pwd", "otp", "mfa"), "mfa", now), "Firefox", now)
    page.context.add_cookies([{"name": "carnet_session", "value": secret, "url": city.issuer}])


def opened(page: Page, client: Client, **changes: str) -> None:
    wish = {"scope": SCOPES, "redirect_uri": client.redirect_uris[0], **changes}
    page.goto(f"/oauth/authorize?{urlencode(asked(client, **wish))}")
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["consent_title"])


def token(page: Page, client: Client) -> dict[str, Any]:
    """What the application gets for the code in the address."""
    page.wait_for_url("**/callback*")
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    form: dict[str, str | float | bool] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uris[0],
        "client_id": client.id,
        "code_verifier": VERIFIER,
    }
    found: dict[str, Any] = page.context.request.post("/oauth/token", form=form).json()
    return found


def test_purposes_are_chosen_with_the_keyboard_alone(
    served: City, page: Page, app: Listening, complaints: list[str]
) -> None:
    client, keyboard = service(served, app), page.keyboard
    entered(served, page, served.person())
    opened(page, client)
    sound(page)
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    for n in range(3):
        expect(boxes.nth(n)).not_to_be_checked()
    # A screen reader hears what a purpose is for, which way data goes, and which data.
    first = page.get_by_role("checkbox", name=MEASURES["label_fr"])
    told = "Des courbes. L’application lit votre carnet et y écrit. Consulter et ajouter vos résultats et mesures"
    expect(first).to_have_accessible_description(told)
    expect(page.get_by_role("checkbox", name=DOCUMENTS["label_fr"])).to_have_accessible_description(
        "Des courbes. L’application lit votre carnet, sans rien y écrire. Consulter vos documents de santé"
    )
    expect(page.get_by_role("checkbox", name=AGENDA["label_fr"])).to_have_accessible_description(
        "Des courbes. L’application écrit dans votre carnet, sans le lire. Ajouter et modifier vos rendez-vous"
    )
    keyboard.press("Tab")
    for _ in range(20):
        if first.evaluate("one => one === document.activeElement"):
            break
        keyboard.press("Tab")
    expect(first).to_be_focused()
    keyboard.press("Space")
    for _ in range(3):
        keyboard.press("Tab")
    once = page.get_by_role("radio", name=FR["duration_once"])
    expect(once).to_be_focused()
    keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=FR["duration_13-months"])).to_be_checked()
    keyboard.press("Tab")
    expect(page.get_by_role("button", name=FR["allow"])).to_be_focused()
    keyboard.press("Enter")
    given = token(page, client)
    assert given["scope"] == "openid patient/Observation.crs offline_access"
    assert "refresh_token" in given
    assert [told for told in complaints if "404" not in told] == []


def test_for_how_long_is_said_before_anything_is_allowed(served: City, page: Page, app: Listening) -> None:
    """Required, and none chosen for the person: the browser itself asks."""
    entered(served, page, served.person())
    opened(page, service(served, app))
    page.get_by_role("checkbox", name=MEASURES["label_fr"]).check()
    page.get_by_role("button", name=FR["allow"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(FR["consent_title"])
    assert page.get_by_role("radio", name=FR["duration_once"]).evaluate("one => one.validity.valueMissing")
    page.get_by_role("button", name=FR["deny"]).click()
    page.wait_for_url("**/callback*")
    assert parse_qs(urlsplit(page.url).query)["error"] == ["access_denied"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_a_script_on_a_telephone(served: City, page: Page, app: Listening, scheme: Any) -> None:
    assert page.context.browser is not None
    context = page.context.browser.new_context(
        base_url=served.issuer, locale="fr-FR", java_script_enabled=False, color_scheme=scheme,
        viewport={"width": 390, "height": 844},
    )  # fmt: skip
    tab, client = context.new_page(), service(served, app)
    entered(served, tab, served.person())
    opened(tab, client)
    tab.get_by_role("checkbox", name=AGENDA["label_fr"]).check()
    tab.get_by_role("radio", name=FR["duration_once"]).check()
    tab.get_by_role("button", name=FR["allow"]).click()
    given = token(tab, client)
    assert given["scope"] == "openid patient/Appointment.cu"
    assert "refresh_token" not in given
    context.close()


def test_what_changed_is_said(served: City, page: Page, app: Listening) -> None:
    client, person = service(served, app), served.person()
    entered(served, page, person)
    opened(page, client)
    page.get_by_role("checkbox", name=MEASURES["label_fr"]).check()
    page.get_by_role("radio", name=FR["duration_13-months"]).check()
    page.get_by_role("button", name=FR["allow"]).click()
    assert "refresh_token" in token(page, client)
    changed = {**MEASURES, "description_fr": "Des courbes, et des rappels."}
    with Session(served.engine) as session, session.begin():
        clients.describe(session, client.id, purposes.read(SERVICE | {"purposes": [changed, DOCUMENTS]}))
    opened(page, client)
    expect(page.get_by_role("status")).to_have_text(f"{FR['purposes_renewed']} {FR['purposes_dropped']}")
    label = f"{MEASURES['label_fr']} ({FR['purpose_changed']})"
    expect(page.get_by_role("checkbox", name=label)).not_to_be_checked()
    sound(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sound(page)
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("status")).to_contain_text(words.TEXTS["en"]["purposes_renewed"])
    expect(page.get_by_role("checkbox", name=MEASURES["label_en"])).to_be_visible()
    sound(page)


def test_one_purpose_is_ticked_and_lasts_once_when_nothing_more_is_asked(
    served: City, page: Page, app: Listening
) -> None:
    client = service(served, app, purposes=[DOCUMENTS])
    entered(served, page, served.person())
    opened(page, client, scope="patient/*.cruds")
    sound(page)
    expect(page.get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_text(FR["duration_only_once"])).to_be_visible()
    page.get_by_role("button", name=FR["allow"]).click()
    assert token(page, client)["scope"] == "patient/DocumentReference.rs"
