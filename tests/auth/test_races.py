"""Six at once, released by a barrier, each on a database connection of its own: what is used once is used once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from auth import rfc9449, tickets
from auth.message import Answer, Message
from tests.auth.browsing import CALLBACK, OFFLINE, REGISTERED, code_for, tokens
from tests.auth.city import ASSERTION, VERIFIER, City
from tests.auth.prover import Prover

AT_ONCE = 6
Given = TypeVar("Given")


def together(work: Callable[[], Given]) -> list[Given]:
    """What each of six threads got, all of them started at the same instant."""
    barrier, got, failed = threading.Barrier(AT_ONCE), [], []

    def run() -> None:
        try:
            barrier.wait(10)
            got.append(work())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert len(got) == AT_ONCE
    return got


def asked(city: City, form: dict[str, str]) -> Callable[[], Answer]:
    message = Message("POST", form=list(form.items()), path="/oauth/token")
    return lambda: city.server.answer("token", message)


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


ONCE = [200, 400, 400, 400, 400, 400]


async def test_a_code(city: City) -> None:
    """RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once"."""
    app = city.citizen_app(**REGISTERED)
    code = await code_for(city, app, city.person())
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": app.id}
    assert statuses(together(asked(city, form | {"code_verifier": VERIFIER}))) == ONCE


async def test_a_refresh_token(city: City) -> None:
    """RFC 9700 §4.14.2: rotation; the five replays then end the family."""
    app = city.citizen_app(**REGISTERED)
    token = (await tokens(city, app, city.person(), **OFFLINE))["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.id}
    answers = together(asked(city, form))
    assert statuses(answers) == ONCE
    [won] = [answer.body["refresh_token"] for answer in answers if answer.status == 200]
    assert asked(city, form | {"refresh_token": won})().body["error"] == "invalid_grant"


def test_an_assertion(city: City) -> None:
    """RFC 7523 §3: "ensure that JWTs are not replayed by maintaining the set of used jti values"."""
    key = ECKey.generate_key("P-256")
    lab = city.deposit(key)
    form = {
        "grant_type": "client_credentials",
        "scope": "system/DocumentReference.cru",
        "client_assertion_type": ASSERTION,
        "client_assertion": city.assertion(lab, key),
    }
    assert statuses(together(asked(city, form))) == ONCE


def test_a_dpop_proof(city: City) -> None:
    """RFC 9449 §11.1, at the authorization server, whichever process is asked."""
    prover = Prover(city.keys, city.clock)
    proof = prover.check(prover.proof())

    def use() -> bool:
        with Session(city.engine) as session, session.begin():
            return rfc9449.once(session, city.keys, proof, city.clock())

    assert sorted(together(use)) == [False] * (AT_ONCE - 1) + [True]


def test_a_ticket(city: City) -> None:
    """A sign-in half done, a pushed request, a launch context: all rest on this."""
    with Session(city.engine) as session, session.begin():
        secret = tickets.issue(session, city.keys, "race", {"n": 1}, timedelta(minutes=1), city.clock())

    def take() -> bool:
        with Session(city.engine) as session, session.begin():
            return tickets.take(session, city.keys, "race", secret, city.clock()) is not None

    assert sorted(together(take)) == [False] * (AT_ONCE - 1) + [True]


def test_the_tries_of_a_ticket(city: City) -> None:
    with Session(city.engine) as session, session.begin():
        secret = tickets.issue(session, city.keys, "race", {}, timedelta(minutes=1), city.clock())

    def count() -> int | None:
        with Session(city.engine) as session, session.begin():
            return tickets.tried(session, "race", secret, city.clock())

    assert sorted(n or 0 for n in together(count)) == [1, 2, 3, 4, 5, 6]
