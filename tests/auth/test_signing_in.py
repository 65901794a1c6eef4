"""Signing in: the second factor and its tries, what is proven, and what the person is told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pyotp
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import accounts, factors, tables, throttle
from auth.second import Purpose, Refusal, Way
from auth.security import PasswordRefusal, Security
from auth.sessions import Visitor
from auth.signin import Admitted, Pending, SignIn
from tests.auth.authenticator import Authenticator
from tests.auth.city import ISSUER, PASSWORD, City, Person


def pending(city: City, person: Person) -> Pending:
    found = SignIn(city.server).password(person.login, PASSWORD, "192.0.2.9")
    assert isinstance(found, Pending)
    return found


def answered(city: City, secret: str, way: str, answer: str, device: str | None = None) -> Admitted | Refusal:
    return SignIn(city.server).second(secret, way, answer, "Firefox/140 Linux", device, "fr")


def visitor(city: City, secret: str) -> Visitor:
    found = city.server.visitor(secret)
    assert found is not None
    return found


def with_totp(city: City, person: Person) -> pyotp.TOTP:
    who, security = visitor(city, city.session(person)), Security(city.server)
    enrolment = security.begin_totp(who)
    app = pyotp.TOTP(enrolment.secret)
    assert security.confirm_totp(who, enrolment, app.at(city.clock()), "", "fr")
    city.clock.pass_by(seconds=60)
    return app


def with_passkey(city: City, person: Person) -> Authenticator:
    who, security, device = visitor(city, city.session(person)), Security(city.server), Authenticator(ISSUER)
    assert security.add_passkey(who, device.make(security.passkey_options(who)), "", "fr") is None
    return device


def with_codes(city: City, person: Person) -> list[str]:
    return Security(city.server).renew_recovery(visitor(city, city.session(person)), "fr")


def subjects(city: City, person: Person) -> list[str]:
    return [mail["subject"] for mail in city.mails(person.email)]


def test_each_way_and_what_it_proves(city: City) -> None:
    """RFC 8176 §2 methods; `phr` is of OpenID Connect EAP ACR Values, `mfa` our own."""
    lucie = city.person()
    assert pending(city, lucie).ways == (Way.MAIL,)
    app, device, codes = with_totp(city, lucie), with_passkey(city, lucie), with_codes(city, lucie)
    signing = SignIn(city.server)
    assert pending(city, lucie).ways == tuple(Way)

    def shown(way: Way) -> str:
        if way is Way.TOTP:
            return app.at(city.clock())
        return codes[0] if way is Way.RECOVERY else city.mailed_code(lucie.email)

    for way in (Way.TOTP, Way.MAIL, Way.RECOVERY):
        secret = pending(city, lucie).secret
        if way is Way.MAIL:
            assert signing.send_code(secret, "fr") is None
        admitted = answered(city, secret, way, shown(way))
        assert isinstance(admitted, Admitted), way
        proof = visitor(city, admitted.session).proof
        assert (proof.amr, proof.acr, proof.at) == (
            ("pwd", "otp", "mfa"),
            "mfa",
            city.clock().replace(tzinfo=proof.at.tzinfo),
        )
    secret = pending(city, lucie).secret
    challenge = signing.challenge(secret)
    assert challenge is not None
    admitted = answered(city, secret, Way.PASSKEY, device.show(challenge))
    assert isinstance(admitted, Admitted)
    assert visitor(city, admitted.session).proof.amr == ("pwd", "pop", "user", "mfa")
    assert visitor(city, admitted.session).proof.acr == "phr"


def test_a_passkey_alone(city: City) -> None:
    lucie = city.person()
    device, signing = with_passkey(city, lucie), SignIn(city.server)
    challenge = signing.passkey_options("192.0.2.30")
    assert challenge is not None
    admitted = signing.passkey(device.show(challenge), "192.0.2.30", "", None, "fr")
    assert isinstance(admitted, Admitted)
    proof = visitor(city, admitted.session).proof
    assert (proof.amr, proof.acr) == (("pop", "user", "mfa"), "phr")
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, lucie.id)
    challenge = signing.passkey_options("192.0.2.30")
    assert challenge is not None
    assert not isinstance(signing.passkey(device.show(challenge), "192.0.2.30", "", None, "fr"), Admitted)


def test_passkeys_are_not_asked_for_without_end(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.signin.PASSKEY_TRIES", 2)
    signing = SignIn(city.server)
    assert [signing.passkey_options("2001:db8:7::1") is None for _ in range(3)] == [False, False, True]
    assert signing.passkey_options("2001:db8:8::1") is not None


def test_a_wait_is_over_once_and_after_a_quarter_of_an_hour(city: City) -> None:
    lucie = city.person()
    app = with_totp(city, lucie)
    secret, late = pending(city, lucie).secret, pending(city, lucie).secret
    assert isinstance(answered(city, secret, "totp", app.at(city.clock())), Admitted)
    city.clock.pass_by(seconds=30)
    assert answered(city, secret, "totp", app.at(city.clock())) is Refusal.GONE
    city.clock.pass_by(minutes=15)
    assert answered(city, late, "totp", app.at(city.clock())) is Refusal.GONE
    assert answered(city, "unknown", "totp", app.at(city.clock())) is Refusal.GONE


def test_a_wait_to_prove_again_signs_nobody_in(city: City) -> None:
    lucie = city.person()
    app = with_totp(city, lucie)
    again = SignIn(city.server).again(visitor(city, city.session(lucie)))
    assert again is not None
    assert answered(city, again.secret, "totp", app.at(city.clock())) is Refusal.GONE


@pytest.mark.parametrize("way", ["", "passkey", "recovery", "totp", "pwd"])
def test_a_way_the_account_does_not_have(city: City, way: str) -> None:
    lucie = city.person()
    assert answered(city, pending(city, lucie).secret, way, "000000") is Refusal.WRONG


def test_a_mailed_code_is_of_its_own_sign_in(city: City) -> None:
    lucie = city.person()
    mine, other = pending(city, lucie).secret, pending(city, lucie).secret
    assert answered(city, mine, "mail", "000000") is Refusal.SPENT, "none was sent"
    assert SignIn(city.server).send_code(mine, "fr") is None
    code = city.mailed_code(lucie.email)
    assert answered(city, other, "mail", code) is Refusal.SPENT
    assert SignIn(city.server).send_code(mine, "fr") is None
    second = city.mailed_code(lucie.email)
    if second != code:
        assert answered(city, mine, "mail", code) is Refusal.WRONG, "a new code voids the one before"
    assert isinstance(answered(city, mine, "mail", second), Admitted)


def test_second_factor_tries_are_counted_for_the_account(city: City) -> None:
    """Across sign-ins and processes, whatever the way; the person is told once that their password is known."""
    lucie = city.person()
    app = with_totp(city, lucie)
    for number in range(throttle.SECOND_TRIES):
        secret = pending(city, lucie).secret
        assert answered(city, secret, "totp" if number % 2 else "recovery", "nothing") is Refusal.WRONG
        with Session(city.engine) as session, session.begin():
            throttle.forgive(session, city.keys, lucie.login, "192.0.2.9")
    again = City(city.engine, city.keys, city.clock)
    secret = pending(again, lucie).secret
    for _ in range(3):
        assert answered(again, secret, "totp", app.at(city.clock())) is Refusal.THROTTLED
    assert subjects(city, lucie).count("Trop d’essais pour se connecter à votre compte") == 1
    city.clock.pass_by(minutes=15)
    assert isinstance(answered(again, pending(again, lucie).secret, "totp", app.at(city.clock())), Admitted)


def test_codes_are_not_mailed_without_end(city: City) -> None:
    lucie = city.person()
    signing, secret = SignIn(city.server), pending(city, lucie).secret
    sent = [signing.send_code(secret, "fr") for _ in range(throttle.MAIL_TRIES + 1)]
    assert sent == [None] * throttle.MAIL_TRIES + [Refusal.THROTTLED]
    assert isinstance(answered(city, secret, "mail", city.mailed_code(lucie.email)), Admitted)
    assert signing.send_code(pending(city, lucie).secret, "fr") is None, "a success forgives"


def parallel(answer: Any) -> list[Admitted | Refusal]:
    start = Barrier(6)

    def one() -> Admitted | Refusal:
        start.wait()
        found: Admitted | Refusal = answer()
        return found

    with ThreadPoolExecutor(6) as pool:
        return [done.result() for done in [pool.submit(one) for _ in range(6)]]


@pytest.mark.parametrize("way", ["totp", "recovery", "mail"])
def test_of_parallel_answers_one_signs_in(city: City, way: str) -> None:
    lucie = city.person()
    app, codes = with_totp(city, lucie), with_codes(city, lucie)
    for number in range(3):
        city.clock.pass_by(seconds=30)
        secret = pending(city, lucie).secret
        assert SignIn(city.server).send_code(secret, "fr") is None
        answer = {"totp": app.at(city.clock()), "recovery": codes[number], "mail": city.mailed_code(lucie.email)}[way]
        results = parallel(lambda secret=secret, answer=answer: answered(city, secret, way, answer))
        assert sum(isinstance(one, Admitted) for one in results) == 1


def test_one_step_in_six_parallel_sign_ins_serves_one(city: City) -> None:
    lucie = city.person()
    app = with_totp(city, lucie)
    waits = [pending(city, lucie).secret for _ in range(6)]
    code = app.at(city.clock())
    results = parallel(lambda: answered(city, waits.pop(), "totp", code))
    assert sum(isinstance(one, Admitted) for one in results) == 1


def test_a_new_browser_is_told_and_a_recovery_code_too(city: City) -> None:
    lucie = city.person()
    codes = with_codes(city, lucie)
    admitted = answered(city, pending(city, lucie).secret, "recovery", codes[0])
    assert isinstance(admitted, Admitted)
    before = subjects(city, lucie).count("Nouvelle connexion à votre compte")
    answered(city, pending(city, lucie).secret, "recovery", codes[1], admitted.device)
    assert subjects(city, lucie).count("Nouvelle connexion à votre compte") == before
    last = [mail for mail in city.mails(lucie.email) if mail["subject"] == "Un code de secours a été utilisé"][-1]
    assert "il vous en reste 8." in last["text"]


def test_a_fresh_proof_is_written_in_the_session_that_asked(city: City) -> None:
    lucie = city.person()
    app, signing = with_totp(city, lucie), SignIn(city.server)
    mine, other = city.session(lucie), city.session(lucie)
    city.clock.pass_by(minutes=30)
    wait = signing.again(visitor(city, mine))
    assert wait is not None
    code = app.at(city.clock())
    assert signing.prove(visitor(city, other), other, wait.secret, "totp", code, "fr") is Refusal.GONE
    assert signing.prove(visitor(city, mine), mine, wait.secret, "totp", "000000", "fr") is Refusal.WRONG
    assert signing.prove(visitor(city, mine), mine, wait.secret, "totp", code, "fr") is None
    assert city.clock() - visitor(city, mine).proof.at < timedelta(seconds=1)
    assert city.clock() - visitor(city, other).proof.at > timedelta(minutes=29)
    assert signing.waiting(wait.secret, Purpose.AGAIN) is None


def test_removing_a_factor(city: City) -> None:
    lucie, other = city.person(), city.person()
    with_totp(city, lucie)
    who, stranger = visitor(city, city.session(lucie)), visitor(city, city.session(other))
    (kept,) = Security(city.server).factors(lucie.id)
    assert not Security(city.server).remove(stranger, kept.id, "fr")
    assert Security(city.server).remove(who, kept.id, "fr")
    assert not Security(city.server).remove(who, kept.id, "fr")
    assert pending(city, lucie).ways == (Way.MAIL,), "the way back in is always there"
    assert subjects(city, lucie)[-1] == "Une façon de vous connecter a été retirée"


def test_changing_the_password(city: City) -> None:
    lucie = city.person()
    mine, other = city.session(lucie), city.session(lucie)
    security, who = Security(city.server), visitor(city, mine)
    assert security.change_password(who, "wrong password", "trois petits chats", "fr") is PasswordRefusal.WRONG
    weakness = security.change_password(who, PASSWORD, lucie.login, "fr")
    assert weakness is not None
    assert weakness.value == "password_personal"
    assert security.change_password(who, PASSWORD, "trois petits chats", "fr") is None
    assert city.server.visitor(other) is None
    assert city.server.visitor(mine) is not None
    assert not isinstance(SignIn(city.server).password(lucie.login, PASSWORD, "192.0.2.9"), Pending)
    assert isinstance(SignIn(city.server).password(lucie.login, "trois petits chats", "192.0.2.9"), Pending)
    assert subjects(city, lucie)[-1] == "Votre mot de passe a été changé"


def test_the_old_password_is_not_guessed(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    lucie = city.person()
    who = visitor(city, city.session(lucie))
    monkeypatch.setattr(accounts, "verify", lambda h, p: False)
    for _ in range(throttle.NAME_TRIES):
        assert Security(city.server).change_password(who, "no", "trois petits chats", "fr") is PasswordRefusal.WRONG
    assert Security(city.server).change_password(who, PASSWORD, "trois petits chats", "fr") is PasswordRefusal.THROTTLED


def test_factors_hold_nothing_in_clear(city: City) -> None:
    lucie = city.person()
    app = with_totp(city, lucie)
    with Session(city.engine) as session:
        (kept,) = factors.of_account(session, city.keys, lucie.id)
        row = session.execute(select(tables.factor).where(tables.factor.c.account == lucie.id)).one()
    assert kept.values["secret"] == app.secret
    assert app.secret.encode() not in row.sealed
