"""Browsers known to an account: a keyed mark in a cookie, and a mail when there is none."""

import pytest
from sqlalchemy.orm import Session

from auth import accounts, devices
from tests.auth.city import City, Person

FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


def greeted(city: City, person: Person, cookie: str | None, first: bool = False) -> str:
    with Session(city.engine) as session, session.begin():
        account = accounts.find(session, city.keys, person.id)
        assert account is not None
        return devices.greet(session, city.keys, account, cookie, FIREFOX, "fr", city.clock(), first)


def told(city: City, person: Person) -> int:
    return sum(mail["subject"] == "Nouvelle connexion à votre compte" for mail in city.mails(person.email))


def test_a_new_browser_is_told_and_a_known_one_is_not(city: City) -> None:
    lucie = city.person()
    cookie = greeted(city, lucie, None)
    assert told(city, lucie) == 1
    assert "Firefox sur Android" in city.mails(lucie.email)[-1]["text"]
    cookie = greeted(city, lucie, cookie)
    city.clock.pass_by(days=364)
    cookie = greeted(city, lucie, cookie)
    assert told(city, lucie) == 1
    city.clock.pass_by(days=366)
    greeted(city, lucie, cookie)
    assert told(city, lucie) == 2


def test_the_browser_that_opened_the_account_is_no_news(city: City) -> None:
    lucie = city.person()
    cookie = greeted(city, lucie, None, first=True)
    greeted(city, lucie, cookie)
    assert told(city, lucie) == 0


def test_a_mark_is_one_accounts(city: City) -> None:
    lucie, other = city.person(), city.person()
    cookie = greeted(city, lucie, None)
    assert str(lucie.id) not in cookie
    shared = greeted(city, other, cookie)
    assert told(city, other) == 1
    greeted(city, lucie, shared)
    greeted(city, other, shared)
    assert (told(city, lucie), told(city, other)) == (1, 1)


def test_five_accounts_at_most(city: City) -> None:
    people, cookie = [city.person() for _ in range(6)], None
    for person in people:
        cookie = greeted(city, person, cookie)
    assert cookie is not None
    assert len(cookie.split(".")) == 5
    greeted(city, people[-1], cookie)
    greeted(city, people[0], cookie)
    assert (told(city, people[-1]), told(city, people[0])) == (1, 2)


@pytest.mark.parametrize("change", ["0", "", ".", "é", "-" * 5000])
def test_a_forged_mark_is_no_mark(city: City, change: str) -> None:
    lucie = city.person()
    cookie = greeted(city, lucie, None)
    day, salt, mark = cookie.split("-")
    for forged in (
        change,
        f"{day}-{salt}-{'0' * 32}",
        f"{int(day, 16) + 1:x}-{salt}-{mark}",
        f"{cookie}{change or 'x'}",
    ):
        before = told(city, lucie)
        greeted(city, lucie, forged)
        assert told(city, lucie) == before + (0 if forged == f"{cookie}." else 1)


@pytest.mark.parametrize(
    ("agent", "french"),
    [
        ("", "un navigateur inconnu"), ("curl/8", "un navigateur inconnu"), (FIREFOX, "Firefox sur Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/143.0 Safari/537.36 Edg/143.0", "Edge sur Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari sur iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0 Safari/537.36", "Chrome sur Linux"),
        ("Mozilla/5.0 <b>{code}</b> Firefox/1", "Firefox"),
    ],
)  # fmt: skip
def test_a_browser_is_named_coarsely(agent: str, french: str) -> None:
    assert devices.named(agent, "fr") == french
