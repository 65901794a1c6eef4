"""Invitations: what a code is worth without the rest, what a refusal tells, and how often one may try."""

from threading import Barrier, Thread
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import invitations, tables, throttle
from auth.invitations import Invitation, InvitationRefusal
from phr.core.identifiers import INS, ins_key
from tests.auth.city import City

BORN = "1985-05-17"


def new_ins() -> INS:
    first = f"28501{uuid4().int % 90 + 10:02d}{uuid4().int % 10**6:06d}"
    return INS(first + ins_key(first))


def invited(city: City, ins: INS, born: str = BORN) -> str:
    with Session(city.engine) as session, session.begin():
        return invitations.invite(
            session,
            city.keys,
            record=f"00a-{uuid4().hex}",
            ins=ins,
            birth_date=born,
            given="Lucie",
            family="Martin",
            now=city.clock(),
        )


def redeemed(
    city: City, code: str, ins: str, born: str = BORN, address: str | None = None
) -> Invitation | InvitationRefusal:
    """Each try from an address of its own, unless told."""
    where = address or f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    with Session(city.engine) as session, session.begin():
        return invitations.redeem(
            session, city.keys, code=code, ins=ins, birth_date=born, address=where, now=city.clock()
        )


def used(city: City, found: Invitation) -> bool:
    with Session(city.engine) as session, session.begin():
        return invitations.use(session, found.hash, city.clock())


def test_a_code_is_short_to_type_and_long_to_guess(city: City) -> None:
    codes = {invited(city, new_ins()) for _ in range(50)}
    assert len(codes) == 50
    assert all(len(code) == 12 and not set(code) & set("0O1IL") for code in codes)
    assert len(invitations.ALPHABET) ** 12 > 2**55
    assert invitations.shown("ABCDEFGHJKMN") == "ABCD-EFGH-JKMN"


@pytest.mark.parametrize("spell", [str.lower, invitations.shown, lambda code: f" {code[:5]} {code[5:]} "])
def test_case_spaces_and_dashes_do_not_matter(city: City, spell: object) -> None:
    ins = new_ins()
    code = invited(city, ins)
    number = f"{ins.value[0]} {ins.value[1:3]} {ins.value[3:].lower()}"
    assert callable(spell)
    found = redeemed(city, spell(code), number)
    assert isinstance(found, Invitation)
    assert (found.given, found.family) == ("Lucie", "Martin")


def test_the_three_are_needed_and_a_refusal_is_one_word(city: City) -> None:
    ins, other = new_ins(), new_ins()
    code = invited(city, ins)
    invited(city, other)
    wrong = [
        redeemed(city, "ABCDEFGHJKMN", ins.value),
        redeemed(city, code, other.value),
        redeemed(city, code, new_ins().value),
        redeemed(city, code, ins.value, "1985-05-18"),
        redeemed(city, "", "", ""),
        redeemed(city, code, "é" * 500, "\ufffd"),
    ]
    assert set(wrong) == {InvitationRefusal.WRONG}
    assert isinstance(redeemed(city, code, ins.value), Invitation)


def test_the_database_holds_neither_the_code_nor_the_person(city: City) -> None:
    ins = new_ins()
    code = invited(city, ins)
    with Session(city.engine) as session:
        rows = session.execute(select(tables.invitation)).all()
    shown = b"".join(bytes(row.sealed) for row in rows) + "".join(str(row.hash) for row in rows).encode()
    for secret in (code, ins.value, BORN, "Lucie", "Martin"):
        assert secret.encode() not in shown


def test_it_lives_six_weeks(city: City) -> None:
    ins = new_ins()
    code = invited(city, ins)
    city.clock.pass_by(weeks=6, seconds=-1)
    assert isinstance(redeemed(city, code, ins.value), Invitation)
    city.clock.pass_by(seconds=1)
    assert redeemed(city, code, ins.value) is InvitationRefusal.WRONG


def test_shown_is_not_used_and_used_is_for_ever(city: City) -> None:
    """A person who stops half-way comes back with the same letter."""
    ins = new_ins()
    code = invited(city, ins)
    first, again = redeemed(city, code, ins.value), redeemed(city, code, ins.value)
    assert isinstance(first, Invitation)
    assert first == again
    assert used(city, first)
    assert not used(city, first)
    assert redeemed(city, code, ins.value) is InvitationRefusal.WRONG


def test_six_at_once_use_it_once(city: City) -> None:
    ins = new_ins()
    found = redeemed(city, invited(city, ins), ins.value)
    assert isinstance(found, Invitation)
    barrier, won = Barrier(6), []

    def race() -> None:
        with Session(city.engine) as session, session.begin():
            session.connection()
            barrier.wait()
            won.append(invitations.use(session, found.hash, city.clock()))

    racers = [Thread(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(won) == [False] * 5 + [True]


def test_a_code_is_not_a_way_to_guess_whose_it_is(city: City) -> None:
    """Who found a letter may not try one person after another: at the tenth the code is dead."""
    ins = new_ins()
    code = invited(city, ins)
    for _ in range(invitations.WRONG_TRIES - 1):
        assert redeemed(city, code, new_ins().value) is InvitationRefusal.WRONG
    assert isinstance(redeemed(city, code, ins.value), Invitation)
    assert redeemed(city, code, new_ins().value) is InvitationRefusal.WRONG
    assert redeemed(city, code, ins.value) is InvitationRefusal.WRONG


def test_one_person_is_tried_ten_times_in_a_quarter_of_an_hour(city: City) -> None:
    ins = new_ins()
    code = invited(city, ins)
    for _ in range(throttle.NAME_TRIES):
        assert redeemed(city, "ABCDEFGHJKMN", ins.value) is InvitationRefusal.WRONG
    assert redeemed(city, code, f" {ins.value} ") is InvitationRefusal.THROTTLED
    city.clock.pass_by(minutes=16)
    assert isinstance(redeemed(city, code, ins.value), Invitation)


def test_a_success_forgives_the_tries_before_it(city: City) -> None:
    ins = new_ins()
    code = invited(city, ins)
    for _ in range(2):
        for _ in range(throttle.NAME_TRIES - 1):
            assert redeemed(city, "ABCDEFGHJKMN", ins.value) is InvitationRefusal.WRONG
        assert isinstance(redeemed(city, code, ins.value), Invitation)


def test_one_address_is_slowed_down_whoever_it_tries(city: City) -> None:
    ins, address = new_ins(), f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    code = invited(city, ins)
    for _ in range(throttle.ADDRESS_TRIES):
        assert redeemed(city, "ABCDEFGHJKMN", new_ins().value, address=address) is InvitationRefusal.WRONG
    assert redeemed(city, code, ins.value, address=address) is InvitationRefusal.THROTTLED
    assert isinstance(redeemed(city, code, ins.value), Invitation)


def test_a_stranger_is_refused_like_a_person_who_is_here(city: City) -> None:
    """The same words for an INS nobody invited, also when it is refused for having been tried too often."""
    here, nowhere = new_ins(), new_ins()
    invited(city, here)
    tried = [[redeemed(city, "ABCDEFGHJKMN", ins.value) for _ in range(12)] for ins in (here, nowhere)]
    assert tried[0] == tried[1]
