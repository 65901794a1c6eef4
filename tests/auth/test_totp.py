"""RFC 6238: time steps, each of which serves once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy.orm import Session

from auth import factors, recovery, totp
from auth.factors import Kind
from auth.totp import Enrolment
from tests.auth.city import City, Person

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def begun(city: City, person: Person) -> Enrolment:
    with Session(city.engine) as session, session.begin():
        return totp.begin(session, city.keys, person.id, person.login, city.clock())


def confirmed(city: City, person: Person, enrolment: Enrolment, code: str) -> bool:
    with Session(city.engine) as session, session.begin():
        return totp.confirm(session, city.keys, enrolment, person.id, code, "Mon téléphone", city.clock())


def verified(city: City, person: Person, code: str) -> bool:
    with Session(city.engine) as session, session.begin():
        return totp.verify(session, city.keys, person.id, code, city.clock())


def application(city: City, person: Person) -> pyotp.TOTP:
    """An application the person added, one step ago."""
    enrolment = begun(city, person)
    app = pyotp.TOTP(enrolment.secret)
    assert confirmed(city, person, enrolment, app.at(city.clock()))
    city.clock.pass_by(seconds=60)
    return app


def test_the_uri_says_what_applications_read(city: City) -> None:
    lucie = city.person()
    enrolment = begun(city, lucie)
    parts = urlsplit(enrolment.uri)
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", f"/Carnet:{lucie.login}")
    assert asked == {"secret": [enrolment.secret], "issuer": ["Carnet"]}
    assert len(enrolment.secret) * 5 >= 160, "RFC 4226 §4 R6: a shared secret of 160 bits is recommended"


def test_an_application_is_kept_once_it_showed_a_right_code(city: City) -> None:
    lucie = city.person()
    enrolment = begun(city, lucie)
    code = pyotp.TOTP(enrolment.secret).at(city.clock())
    assert not confirmed(city, lucie, enrolment, f"{(int(code) + 1) % 10**6:06d}")
    assert not verified(city, lucie, code)
    assert confirmed(city, lucie, enrolment, code)
    assert not confirmed(city, lucie, enrolment, code), "once"
    with Session(city.engine) as session:
        (kept,) = factors.of_account(session, city.keys, lucie.id)
    assert (kept.kind, kept.label, kept.last_used) == (Kind.TOTP, "Mon téléphone", None)


def test_an_enrolment_is_its_accounts(city: City) -> None:
    lucie, other = city.person(), city.person()
    enrolment = begun(city, lucie)
    with Session(city.engine) as session:
        assert totp.begun(session, city.keys, other.id, enrolment.ticket, city.clock()) is None
        assert totp.begun(session, city.keys, lucie.id, enrolment.ticket, city.clock()) == enrolment


def test_an_enrolment_ends_and_is_not_guessed(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    lucie = city.person()
    monkeypatch.setattr(totp, "ENROLMENT_TRIES", 2)
    late, guessed = begun(city, lucie), begun(city, lucie)
    for _ in range(2):
        assert not confirmed(city, lucie, guessed, "no")
    assert not confirmed(city, lucie, guessed, pyotp.TOTP(guessed.secret).at(city.clock()))
    city.clock.pass_by(minutes=15)
    assert not confirmed(city, lucie, late, pyotp.TOTP(late.secret).at(city.clock()))


def test_5_2_a_code_serves_once(city: City) -> None:
    """RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of the OTP"."""
    lucie = city.person()
    app = application(city, lucie)
    code = app.at(city.clock())
    assert verified(city, lucie, code)
    assert not verified(city, lucie, code)
    city.clock.pass_by(seconds=30)
    assert not verified(city, lucie, code), "nor in the step after, where it would still be in the window"


def test_the_code_that_confirmed_is_used_up(city: City) -> None:
    lucie = city.person()
    enrolment = begun(city, lucie)
    code = pyotp.TOTP(enrolment.secret).at(city.clock())
    assert confirmed(city, lucie, enrolment, code)
    assert not verified(city, lucie, code)


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_5_2_one_step_early_or_late(city: City, steps: int, right: bool) -> None:
    """RFC 6238 §5.2: "We RECOMMEND that at most one time step is allowed as the network delay"."""
    lucie = city.person()
    city.clock.now = NOON
    app = application(city, lucie)
    city.clock.pass_by(minutes=10)
    assert verified(city, lucie, app.at(city.clock() + timedelta(seconds=30 * steps))) is right


def test_an_earlier_step_after_a_later_one_is_refused(city: City) -> None:
    lucie = city.person()
    app = application(city, lucie)
    early, late = app.at(city.clock()), app.at(city.clock() + timedelta(seconds=30))
    assert verified(city, lucie, late)
    assert not verified(city, lucie, early)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "é", "\ud800", "１２３４５６", "-1"])
def test_what_is_no_code(city: City, typed: str) -> None:
    lucie = city.person()
    application(city, lucie)
    assert not verified(city, lucie, typed)


def test_anothers_code_is_no_good(city: City) -> None:
    lucie, other = city.person(), city.person()
    app = application(city, lucie)
    application(city, other)
    assert not verified(city, other, app.at(city.clock()))


def test_of_parallel_uses_of_a_step_one_succeeds(city: City) -> None:
    lucie = city.person()
    app = application(city, lucie)
    for _ in range(5):
        city.clock.pass_by(seconds=30)
        code, start = app.at(city.clock()), Barrier(6)

        def use(code: str = code, start: Barrier = start) -> bool:
            start.wait()
            return verified(city, lucie, code)

        with ThreadPoolExecutor(6) as pool:
            answers = [one.result() for one in [pool.submit(use) for _ in range(6)]]
        assert answers.count(True) == 1


def codes(city: City, person: Person) -> list[str]:
    with Session(city.engine) as session, session.begin():
        return recovery.renew(session, city.keys, person.id, city.clock())


def used(city: City, person: Person, code: str) -> bool:
    with Session(city.engine) as session, session.begin():
        return recovery.use(session, city.keys, person.id, code)


def test_ten_recovery_codes_each_used_once(city: City) -> None:
    lucie, other = city.person(), city.person()
    made = codes(city, lucie)
    assert len(set(made)) == 10
    assert not used(city, other, made[0])
    for code in made:
        assert used(city, lucie, code)
        assert not used(city, lucie, code)


def test_a_recovery_code_is_read_as_people_write_it(city: City) -> None:
    lucie = city.person()
    first, second = codes(city, lucie)[:2]
    assert used(city, lucie, f" {first.upper().replace('-', ' ').replace('0', 'O').replace('1', 'l')} ")
    assert not used(city, lucie, second[:-1])
    for typed in ("", "-", "\ud800", "é" * 5000):
        assert not used(city, lucie, typed)


def test_new_recovery_codes_void_the_old(city: City) -> None:
    lucie = city.person()
    old, new = codes(city, lucie), codes(city, lucie)
    assert not any(used(city, lucie, code) for code in old)
    with Session(city.engine) as session:
        assert recovery.left(session, city.keys, lucie.id) == 10
    assert used(city, lucie, new[0])


def test_of_parallel_uses_of_a_recovery_code_one_succeeds(city: City) -> None:
    lucie = city.person()
    for code in codes(city, lucie)[:5]:
        start = Barrier(6)

        def use(code: str = code, start: Barrier = start) -> bool:
            start.wait()
            return used(city, lucie, code)

        with ThreadPoolExecutor(6) as pool:
            answers = [one.result() for one in [pool.submit(use) for _ in range(6)]]
        assert answers.count(True) == 1


def test_a_factor_of_another_account_is_not_found(city: City) -> None:
    lucie, other = city.person(), city.person()
    application(city, lucie)
    with Session(city.engine) as session, session.begin():
        (mine,) = factors.of_account(session, city.keys, lucie.id)
        assert factors.find(session, city.keys, other.id, mine.id) is None
        assert not factors.remove(session, other.id, mine.id)
        assert not factors.remove(session, lucie.id, uuid4())
        assert factors.remove(session, lucie.id, mine.id)
        assert not factors.remove(session, lucie.id, mine.id)
