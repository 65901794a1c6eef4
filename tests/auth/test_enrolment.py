"""Making an account: what each step keeps, what it refuses, what it tells to whom, and how many it makes."""

import re
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from auth import accounts, invitations, mail, mailed_codes, sessions, tables, terms, tickets
from auth.accounts import Account
from auth.enrolment import PURPOSE, Details, Enrolled, Enrolment, EnrolmentRefusal, Field
from auth.invitations import InvitationRefusal
from auth.mailed_codes import CodeRefusal
from phr.core import outbox
from tests.auth.city import City
from tests.auth.test_invitations import BORN, new_ins

ADDRESS = "2001:db8:7::1"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CORRECT = "des tomates bien rouges"


@pytest.fixture
def enrolment(city: City) -> Enrolment:
    outbox.outbox.create(city.engine, checkfirst=True)
    with Session(city.engine) as session, session.begin():
        session.execute(delete(outbox.outbox))
    return Enrolment(city.server, "3")


def letter(city: City, record: str | None = None) -> tuple[str, str]:
    """A code, and the INS it is for."""
    ins = new_ins()
    with Session(city.engine) as session, session.begin():
        code = invitations.invite(
            session,
            city.keys,
            record=record or f"00a-{uuid4().hex}",
            ins=ins,
            birth_date=BORN,
            given="Lucie",
            family="Martin",
            now=city.clock(),
        )
    return code, ins.value


def begun(city: City, enrolment: Enrolment, record: str | None = None) -> str:
    code, ins = letter(city, record)
    secret = enrolment.redeem(code, ins, BORN, ADDRESS)
    assert isinstance(secret, str)
    return secret


def details(**changes: str) -> Details:
    mark = uuid4().hex[:10]
    values = {"login": f"lucie.{mark}", "email": f"lucie.{mark}@poste.test", "password": CORRECT, "terms": "3"}
    return Details(**(values | changes))


def chosen(city: City, enrolment: Enrolment, secret: str, **changes: str) -> str:
    """Choose, and the code that was mailed."""
    city.clock.pass_by(milliseconds=1)
    assert enrolment.choose(secret, details(**changes), "fr", ADDRESS) is None
    return code_in(letters(city)[-1])


def letters(city: City) -> list[dict[str, Any]]:
    with Session(city.engine) as session:
        return outbox.waiting(session, city.keys, mail.KIND)


def another(city: City, enrolment: Enrolment, secret: str) -> str:
    city.clock.pass_by(milliseconds=1)
    assert enrolment.again(secret, "fr") is None
    return code_in(letters(city)[-1])


def code_in(message: dict[str, Any]) -> str:
    found = re.search(r"\b[0-9]{6}\b", message["text"])
    assert found is not None, message["text"]
    return found[0]


def verified(enrolment: Enrolment, secret: str, code: str) -> Enrolled | CodeRefusal | EnrolmentRefusal:
    return enrolment.verify(secret, code, AGENT, None, "fr")


def made(city: City, enrolment: Enrolment, **changes: str) -> Account:
    secret = begun(city, enrolment)
    found = verified(enrolment, secret, chosen(city, enrolment, secret, **changes))
    assert isinstance(found, Enrolled)
    return found.account


def test_from_the_letter_to_the_account(city: City, enrolment: Enrolment) -> None:
    record = f"00a-{uuid4().hex}"
    secret = begun(city, enrolment, record)
    pending = enrolment.pending(secret)
    assert pending is not None
    assert (pending.given, pending.login, pending.asked) == ("Lucie", "", False)
    wish = details(login=" Lucie.Du.69 ", email="Lucie69@Poste.test")
    assert enrolment.choose(secret, wish, "fr", ADDRESS) is None
    found = verified(enrolment, secret, code_in(letters(city)[-1]))
    assert isinstance(found, Enrolled)
    assert (found.account.login, found.account.email) == ("lucie.du.69", "Lucie69@Poste.test")
    assert (found.account.name, found.account.record) == ("Lucie Martin", record)
    visitor = city.server.visitor(found.session)
    assert visitor is not None
    assert (visitor.proof.acr, visitor.proof.amr) == ("mfa", ("pwd", "otp", "mfa"))
    with Session(city.engine) as session:
        assert accounts.verify(accounts.lookup(session, city.keys, "lucie69@poste.test")[1], CORRECT)
        assert terms.version_of(session, city.keys, found.account.id) == "3"
        assert accounts.of_record(session, city.keys, record) == found.account.id
    assert "Votre compte Carnet est ouvert" in [message["subject"] for message in letters(city)]
    assert all("Martin" not in message["text"] for message in letters(city))


def test_nothing_stays_to_be_used_again(city: City, enrolment: Enrolment) -> None:
    code, ins = letter(city)
    secret = enrolment.redeem(code, ins, BORN, ADDRESS)
    assert isinstance(secret, str)
    mailed = chosen(city, enrolment, secret)
    assert isinstance(verified(enrolment, secret, mailed), Enrolled)
    assert verified(enrolment, secret, mailed) is EnrolmentRefusal.GONE
    assert enrolment.redeem(code, ins, BORN, ADDRESS) is InvitationRefusal.WRONG


def test_an_enrolment_left_half_way_can_begin_again(city: City, enrolment: Enrolment) -> None:
    code, ins = letter(city)
    first = enrolment.redeem(code, ins, BORN, ADDRESS)
    assert isinstance(first, str)
    old = chosen(city, enrolment, first)
    city.clock.pass_by(hours=1)
    assert verified(enrolment, first, old) is EnrolmentRefusal.GONE
    assert enrolment.pending(first) is None
    assert enrolment.choose(first, details(), "fr", ADDRESS) is EnrolmentRefusal.GONE
    second = enrolment.redeem(code, ins, BORN, ADDRESS)
    assert isinstance(second, str)
    assert isinstance(verified(enrolment, second, chosen(city, enrolment, second)), Enrolled)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"login": "ab"}, Field.LOGIN),
        ({"login": "lucie@poste.test"}, Field.LOGIN),
        ({"login": "-lucie"}, Field.LOGIN),
        ({"login": "l" * 41}, Field.LOGIN),
        ({"email": "lucie"}, Field.EMAIL),
        ({"email": "lucie@poste"}, Field.EMAIL),
        ({"email": "lucie@poste.test\nBcc: all@poste.test"}, Field.EMAIL),
        ({"email": f"lucie@{'a' * 250}.test"}, Field.EMAIL),
        ({"password": "short"}, Field.PASSWORD),
        ({"password": "password1234"}, Field.PASSWORD),
        ({"password": "martin17051985"}, Field.PASSWORD),
        ({"terms": ""}, Field.TERMS),
        ({"terms": "2"}, Field.TERMS),
    ],
)
def test_what_cannot_be_is_told_by_field(
    city: City, enrolment: Enrolment, change: dict[str, str], field: Field
) -> None:
    secret = begun(city, enrolment)
    found = enrolment.choose(secret, details(**change), "fr", ADDRESS)
    assert isinstance(found, dict)
    assert list(found) == [field]
    assert letters(city) == []


def test_the_ticket_keeps_no_password(city: City, enrolment: Enrolment) -> None:
    secret = begun(city, enrolment)
    chosen(city, enrolment, secret)
    with Session(city.engine) as session:
        values = tickets.read(session, city.keys, PURPOSE, secret, city.clock())
    assert CORRECT not in str(values)
    assert "$argon2id$" in str(values)


def test_a_taken_sign_in_name_is_told(city: City, enrolment: Enrolment) -> None:
    there = city.person()
    secret = begun(city, enrolment)
    assert enrolment.choose(secret, details(login=there.login.upper()), "fr", ADDRESS) == {
        Field.LOGIN: "enrol_login_taken"
    }


def seen(enrolment: Enrolment, secret: str, city: City, email: str) -> list[Any]:
    """All that somebody without the mailbox sees, until they give up."""
    told: list[Any] = [enrolment.choose(secret, details(email=email), "fr", ADDRESS)]
    pending = enrolment.pending(secret)
    told.append(pending is not None and pending.asked)
    told += [verified(enrolment, secret, "000000") for _ in range(7)]
    told.append(enrolment.again(secret, "fr"))
    told += [verified(enrolment, secret, "000000") for _ in range(2)]
    city.clock.pass_by(minutes=10)
    told.append(verified(enrolment, secret, "000000"))
    told += [enrolment.again(secret, "fr") for _ in range(6)]
    return told


def test_a_taken_address_is_told_to_its_owner_alone(city: City, enrolment: Enrolment) -> None:
    """What the page says is the same to the last word, whatever is tried; the owner gets a mail that says it."""
    there = city.person()
    free = seen(enrolment, begun(city, enrolment), city, f"{uuid4().hex}@poste.test")
    taken = seen(enrolment, begun(city, enrolment), city, there.email.upper())
    assert free == taken
    assert CodeRefusal.SPENT in free
    assert CodeRefusal.WRONG in free
    assert EnrolmentRefusal.THROTTLED in free
    sent = [message for message in letters(city) if message["to"].casefold() == there.email]
    assert {message["subject"] for message in sent} == {"Vous avez déjà un compte Carnet"}
    assert not any(re.search(r"[0-9]{6}", message["text"]) for message in sent)


def test_a_wrong_code_is_tried_five_times_and_another_can_be_asked(city: City, enrolment: Enrolment) -> None:
    secret = begun(city, enrolment)
    first = chosen(city, enrolment, secret)
    wrong = f"{(int(first) + 1) % 10**6:06d}"
    told = [verified(enrolment, secret, wrong) for _ in range(mailed_codes.TRIES)]
    assert told[0] is CodeRefusal.WRONG
    assert verified(enrolment, secret, first) is CodeRefusal.SPENT
    assert isinstance(verified(enrolment, secret, another(city, enrolment, secret)), Enrolled)


def test_another_code_ends_the_one_before(city: City, enrolment: Enrolment) -> None:
    secret = begun(city, enrolment)
    first = chosen(city, enrolment, secret)
    second = another(city, enrolment, secret)
    assert first == second or verified(enrolment, secret, first) is CodeRefusal.WRONG
    assert isinstance(verified(enrolment, secret, second), Enrolled)


def test_what_was_taken_in_between(city: City, enrolment: Enrolment) -> None:
    """The name: choose another, with the same ticket. The address, whose code was shown: it is theirs, so told."""
    first, second, third = (begun(city, enrolment) for _ in range(3))
    code = chosen(city, enrolment, first, login="same.name")
    other = chosen(city, enrolment, second, login="same.name", email="same@poste.test")
    late = chosen(city, enrolment, third, email="same@poste.test")
    assert isinstance(verified(enrolment, first, code), Enrolled)
    assert verified(enrolment, second, other) is EnrolmentRefusal.LOGIN_TAKEN
    other = chosen(city, enrolment, second, email="same@poste.test")
    assert isinstance(verified(enrolment, second, other), Enrolled)
    assert verified(enrolment, third, late) is EnrolmentRefusal.EXISTS


def test_a_record_has_one_account_whatever_the_letters(city: City, enrolment: Enrolment) -> None:
    record = f"00a-{uuid4().hex}"
    first, second = begun(city, enrolment, record), begun(city, enrolment, record)
    late = chosen(city, enrolment, second)
    assert isinstance(verified(enrolment, first, chosen(city, enrolment, first)), Enrolled)
    assert verified(enrolment, second, late) is EnrolmentRefusal.EXISTS
    assert enrolment.redeem(*letter(city, record), BORN, ADDRESS) is EnrolmentRefusal.EXISTS


def racing(city: City, enrolment: Enrolment, secrets: list[str]) -> list[object]:
    """Everybody verifies at once, each on a connection of its own."""
    codes = [chosen(city, enrolment, secret) for secret in secrets]
    barrier = Barrier(len(secrets))
    answers: list[object] = []

    def race(secret: str, code: str) -> None:
        barrier.wait()
        answers.append(verified(enrolment, secret, code))

    racers = [Thread(target=race, args=pair) for pair in zip(secrets, codes, strict=True)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return answers


def one_letter_in_six_browsers(city: City, enrolment: Enrolment, record: str) -> list[str]:
    code, ins = letter(city, record)
    return [str(enrolment.redeem(code, ins, BORN, ADDRESS)) for _ in range(6)]


def six_letters(city: City, enrolment: Enrolment, record: str) -> list[str]:
    return [begun(city, enrolment, record) for _ in range(6)]


@pytest.mark.parametrize("begin", [one_letter_in_six_browsers, six_letters])
def test_six_at_once_make_one_account(
    city: City, enrolment: Enrolment, begin: Callable[[City, Enrolment, str], list[str]]
) -> None:
    before = counted(city)
    answers = racing(city, enrolment, begin(city, enrolment, f"00a-{uuid4().hex}"))
    assert sum(isinstance(answer, Enrolled) for answer in answers) == 1, answers
    assert {answer for answer in answers if not isinstance(answer, Enrolled)} <= {
        EnrolmentRefusal.GONE,
        EnrolmentRefusal.EXISTS,
    }
    assert counted(city) == before + 1


def test_one_ticket_sent_twice_makes_one_account(city: City, enrolment: Enrolment) -> None:
    secret = begun(city, enrolment)
    code, before = chosen(city, enrolment, secret), counted(city)
    barrier, answers = Barrier(6), []

    def race() -> None:
        barrier.wait()
        answers.append(verified(enrolment, secret, code))

    racers = [Thread(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sum(isinstance(answer, Enrolled) for answer in answers) == 1
    assert counted(city) == before + 1


def counted(city: City) -> int:
    with Session(city.engine) as session:
        return session.execute(select(func.count()).select_from(tables.account)).scalar_one()


def test_handed_over_by_an_identity_provider(city: City, enrolment: Enrolment) -> None:
    federated = uuid4()
    values = {
        "record": f"00a-{uuid4().hex}",
        "via": "franceconnect",
        "invitation": None,
        "federated": federated.hex,
        "given": "Lucie",
        "family": "Martin",
    }
    with Session(city.engine) as session, session.begin():
        secret = tickets.issue(session, city.keys, PURPOSE, values, timedelta(hours=1), city.clock())
    found = verified(enrolment, secret, chosen(city, enrolment, secret))
    assert isinstance(found, Enrolled)
    linked = select(tables.federated_account.c.account).where(tables.federated_account.c.hash == federated)
    with Session(city.engine) as session:
        assert session.execute(linked).scalar_one() == found.account.id


def test_a_new_version_of_the_terms_is_asked_of_everybody(city: City, enrolment: Enrolment) -> None:
    account = made(city, enrolment).id
    assert not enrolment.needs_terms(account)
    newer = Enrolment(city.server, "4")
    assert newer.needs_terms(account)
    city.clock.pass_by(days=1)
    newer.accept_terms(account)
    assert not newer.needs_terms(account)
    assert newer.needs_terms(UUID(int=0))


def test_the_session_is_the_new_account_s(city: City, enrolment: Enrolment) -> None:
    account = made(city, enrolment)
    with Session(city.engine) as session:
        assert [one.subject for one in sessions.of_account(session, city.keys, account.id, city.clock())] == [
            account.id
        ]
