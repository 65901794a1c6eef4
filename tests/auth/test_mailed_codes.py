"""Six digits sent by e-mail: what is kept of them, and how often they serve."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import mailed_codes, tables
from auth.mailed_codes import CodeRefusal
from phr.core.vault import unseal
from tests.auth.city import City


def sent(city: City, purpose: str = "enrolment", values: dict[str, object] | None = None) -> tuple[str, str]:
    """The ticket's secret, and the code that was mailed."""
    lucie = city.person()
    with Session(city.engine) as session, session.begin():
        secret = mailed_codes.send(session, city.keys, purpose, lucie.email, values or {}, "fr", city.clock())
    return secret, city.mailed_code(lucie.email)


def checked(city: City, secret: str, code: str, purpose: str = "enrolment") -> dict[str, object] | CodeRefusal:
    with Session(city.engine) as session, session.begin():
        return mailed_codes.check(session, city.keys, purpose, secret, code, city.clock())


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_right_code_gives_the_values_once(city: City) -> None:
    secret, code = sent(city, values={"step": 2})
    assert checked(city, secret, other(code)) is CodeRefusal.WRONG
    assert checked(city, secret, code) == {"step": 2}
    assert checked(city, secret, code) is CodeRefusal.SPENT


@pytest.mark.parametrize("typed", ["{0} {1}", " {0}-{1}\n", "{0}\u00a0{1}"])
def test_a_code_may_be_typed_with_spaces(city: City, typed: str) -> None:
    secret, code = sent(city)
    assert checked(city, secret, typed.format(code[:3], code[3:])) == {}


@pytest.mark.parametrize("typed", ["", "é", "\ud800", "1" * 10_000, "１２３４５６"])
def test_anything_else_is_wrong(city: City, typed: str) -> None:
    secret, _ = sent(city)
    assert checked(city, secret, typed) is CodeRefusal.WRONG


def test_five_tries(city: City) -> None:
    secret, code = sent(city)
    answers = [checked(city, secret, other(code)) for _ in range(5)]
    assert answers == [CodeRefusal.WRONG] * 4 + [CodeRefusal.SPENT]
    assert checked(city, secret, code) is CodeRefusal.SPENT


def test_ten_minutes(city: City) -> None:
    secret, code = sent(city)
    city.clock.pass_by(minutes=10)
    assert checked(city, secret, code) is CodeRefusal.SPENT


def test_a_code_of_one_purpose_is_nothing_under_another(city: City) -> None:
    secret, code = sent(city, "enrolment")
    assert checked(city, secret, code, "second factor to sign in") is CodeRefusal.SPENT
    assert checked(city, secret, code) == {}


def test_the_code_is_not_kept_even_sealed(city: City) -> None:
    secret, code = sent(city)
    with Session(city.engine) as session:
        rows = session.execute(select(tables.ticket).where(tables.ticket.c.purpose == "code enrolment")).all()
    assert rows
    for row in rows:
        context = b"ticket|code enrolment|" + row.fingerprint
        plain = unseal(city.keys.get("accounts"), row.sealed, context).decode()
        assert code not in plain
        assert secret not in plain


def test_of_parallel_answers_one_is_right(city: City) -> None:
    """And none of the others is told more than that the code was used."""
    for _ in range(5):
        secret, code = sent(city)
        start = Barrier(5)

        def answer(secret: str = secret, code: str = code, start: Barrier = start) -> dict[str, object] | CodeRefusal:
            start.wait()
            return checked(city, secret, code)

        with ThreadPoolExecutor(5) as pool:
            answers = [one.result() for one in [pool.submit(answer) for _ in range(5)]]
        assert answers.count({}) == 1
        assert answers.count(CodeRefusal.SPENT) == 4


def test_parallel_guesses_are_all_counted(city: City) -> None:
    secret, code = sent(city)
    start = Barrier(10)

    def guess() -> dict[str, object] | CodeRefusal:
        start.wait()
        return checked(city, secret, other(code))

    with ThreadPoolExecutor(10) as pool:
        answers = [one.result() for one in [pool.submit(guess) for _ in range(10)]]
    assert answers.count(CodeRefusal.WRONG) == 4
    assert checked(city, secret, code) is CodeRefusal.SPENT
