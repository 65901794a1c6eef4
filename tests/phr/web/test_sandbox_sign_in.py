"""The sandbox as it is served: its providers sign people in to the real application, over real sockets, two hosts."""

from collections.abc import Iterator

import httpx
import pytest

from tests.auth.city import hidden


@pytest.fixture
def browser(carnet: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=carnet, headers={"Accept-Language": "fr"}) as made:
        yield made


def through(browser: httpx.Client, path: str, person: str) -> httpx.Response:
    """To the provider, pick, and back: what our callback answers."""
    away = browser.get(path)
    assert away.status_code == 303, away.text
    page = browser.get(away.headers["location"])
    assert f'value="{person}"' in page.text
    picked = browser.post(away.headers["location"], data={"person": person})
    assert picked.status_code == 303, picked.text
    return browser.get(picked.headers["location"])


def test_everybody_listed_can_be_picked(browser: httpx.Client, carnet: str) -> None:
    told = browser.get("/sandbox").json()
    assert len(told["professionals"]) == 10
    for kind in ("professionals", "citizens"):
        document = httpx.get(told["providers"][kind]["discovery"]).json()
        assert document["issuer"].startswith(f"{carnet}/sandbox/")
    page = browser.get(browser.get(told["providers"]["professionals"]["sign_in"]).headers["location"])
    assert all(f'value="{one["pick"]}"' in page.text for one in told["professionals"])


def test_a_professional_signs_in_and_the_provider_signs_them_out(browser: httpx.Client) -> None:
    assert "//localhost:" in browser.get("/signin/professional").headers["location"]
    back = through(browser, "/signin/professional", "pharmacist")
    assert back.headers["location"] == "/signin/professional/activity"
    page = browser.get(back.headers["location"])
    assert "Pharmacie du Parc" in page.text
    answer = browser.post("/signin/professional/activity", data={"csrf": hidden(page), "activity": "0"})
    assert answer.headers["location"] == "/professional/assistants"
    assert "Yanis COHEN" in browser.get("/professional/assistants").text
    ended = browser.post("/sandbox/psc/logout", data={"person": "pharmacist"})
    assert "prévenus : 1" in ended.text
    assert browser.get("/professional/assistants").headers["location"] == "/signin/professional"


def test_a_citizen_comes_from_the_public_provider(browser: httpx.Client) -> None:
    answer = through(browser, "/signin/franceconnect", "claire.moreau")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/account"
    assert "Claire" in browser.get("/account").text
    mails = browser.get("/sandbox/mail", params={"to": "claire.moreau@carnet.example"}).json()
    assert mails, "a new browser is told by mail"
