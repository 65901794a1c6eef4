"""A forgotten password: what the link alone does (nothing), what else is asked, and what ends."""

import re
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from auth import accounts, tables, throttle
from auth.passwords import Weakness
from auth.reset import Reset, ResetRefusal
from auth.second import Purpose, Refusal, Way
from auth.security import Security
from auth.signin import Pending, SignIn
from tests.auth.city import PASSWORD, City, Person

NEW = "trois petits chats"


def asked(city: City, name: str, address: str = "192.0.2.40") -> None:
    Reset(city.server).ask(name, address, "fr", lambda secret: f"https://carnet.test/reset/{secret}")


def link(city: City, person: Person) -> str:
    """The secret in the newest link mailed."""
    found = [one for mail in city.mails(person.email) for one in re.findall(r"/reset/(\S+)", mail["text"])]
    return str(found[-1])


def proven(city: City, person: Person) -> str:
    """The secret that lets somebody with their mailbox alone choose a new password."""
    asked(city, person.login)
    secret = link(city, person)
    assert SignIn(city.server).send_code(secret, "fr", Purpose.RESET) is None
    found = Reset(city.server).prove(secret, "mail", city.mailed_code(person.email), "fr")
    assert isinstance(found, str)
    return found


async def test_everything_open_ends(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    session, token = city.session(lucie), await city.token(app, lucie)
    choice = proven(city, lucie)
    assert Reset(city.server).choose(choice, NEW, "fr") is None
    assert city.server.visitor(session) is None
    grant = UUID(str(city.server.verifier.verify(token["access_token"], city.clock()).grant))
    with Session(city.engine) as opened:
        revoked = select(tables.grant.c.revoked).where(tables.grant.c.id == grant)
        assert opened.execute(revoked).scalar_one() is not None
    signing = SignIn(city.server)
    assert not isinstance(signing.password(lucie.login, PASSWORD, "192.0.2.41"), Pending)
    assert isinstance(signing.password(lucie.login, NEW, "192.0.2.41"), Pending)
    assert city.mails(lucie.email)[-1]["subject"] == "Votre mot de passe a été remplacé"
    assert Reset(city.server).choose(choice, "another one of mine", "fr") is ResetRefusal.GONE


def test_the_link_alone_changes_nothing(city: City) -> None:
    lucie = city.person()
    asked(city, lucie.email)
    secret = link(city, lucie)
    assert Reset(city.server).choose(secret, NEW, "fr") is ResetRefusal.GONE
    assert Reset(city.server).prove(secret, "mail", "000000", "fr") is Refusal.SPENT
    assert isinstance(SignIn(city.server).password(lucie.login, PASSWORD, "192.0.2.42"), Pending)


def test_the_link_signs_nobody_in(city: City) -> None:
    lucie = city.person()
    asked(city, lucie.login)
    assert SignIn(city.server).waiting(link(city, lucie)) is None


def test_who_has_another_factor_must_show_it(city: City) -> None:
    lucie = city.person()
    who = city.server.visitor(city.session(lucie))
    assert who is not None
    enrolment = Security(city.server).begin_totp(who)
    app = pyotp.TOTP(enrolment.secret)
    assert Security(city.server).confirm_totp(who, enrolment, app.at(city.clock()), "", "fr")
    city.clock.pass_by(seconds=60)
    asked(city, lucie.login)
    secret = link(city, lucie)
    wait = SignIn(city.server).waiting(secret, Purpose.RESET)
    assert wait is not None
    assert wait.ways == (Way.TOTP,), "the mailbox was shown by the link already"
    assert SignIn(city.server).send_code(secret, "fr", Purpose.RESET) is Refusal.GONE
    assert Reset(city.server).prove(secret, "mail", "000000", "fr") is Refusal.WRONG
    assert isinstance(Reset(city.server).prove(secret, "totp", app.at(city.clock()), "fr"), str)


def test_a_link_serves_once_and_for_thirty_minutes(city: City) -> None:
    lucie = city.person()
    proven(city, lucie)
    assert SignIn(city.server).waiting(link(city, lucie), Purpose.RESET) is None
    asked(city, lucie.login)
    city.clock.pass_by(minutes=30)
    assert SignIn(city.server).waiting(link(city, lucie), Purpose.RESET) is None


@pytest.mark.parametrize(("password", "weakness"), [("short", Weakness.SHORT), ("password12345", Weakness.COMMON)])
def test_a_weak_password_is_refused_and_may_be_corrected(city: City, password: str, weakness: Weakness) -> None:
    choice = proven(city, city.person())
    assert Reset(city.server).choose(choice, password, "fr") is weakness
    assert Reset(city.server).chooses(choice)
    assert Reset(city.server).choose(choice, NEW, "fr") is None


def test_a_name_nobody_has_costs_the_same_statements(city: City) -> None:
    lucie = city.person()
    seen: list[str] = []
    event.listen(city.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))

    def statements(name: str) -> list[str]:
        seen.clear()
        asked(city, name, "192.0.2.77")
        return [one.split("sa_savepoint")[0] for one in seen]

    known, unknown = statements(lucie.login), statements("nobody.at.all")
    assert [one for one in known if not one.startswith("RELEASE")] == [
        one for one in unknown if not one.startswith("ROLLBACK")
    ]
    assert len(city.mails(lucie.email)) == 1
    assert not city.mails("nobody@invalid")
    with Session(city.engine) as session:
        mine = tables.ticket.c.purpose == Purpose.RESET
        before = session.execute(select(func.count()).select_from(tables.ticket).where(mine)).scalar_one()
        asked(city, "nobody.at.all", "192.0.2.77")
        session.rollback()
        after = session.execute(select(func.count()).select_from(tables.ticket).where(mine)).scalar_one()
    assert before == after


def test_a_mailbox_is_not_flooded(city: City) -> None:
    lucie = city.person()
    for number in range(throttle.MAIL_TRIES + 3):
        asked(city, lucie.login if number % 2 else lucie.email, f"198.51.100.{number}")
    assert len(city.mails(lucie.email)) == throttle.MAIL_TRIES


def test_a_disabled_account_gets_no_link(city: City) -> None:
    lucie = city.person()
    choice = proven(city, lucie)
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, lucie.id)
    before = len(city.mails(lucie.email))
    asked(city, lucie.login)
    assert len(city.mails(lucie.email)) == before
    assert Reset(city.server).choose(choice, NEW, "fr") is ResetRefusal.GONE
