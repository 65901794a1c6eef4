"""Passwords: what is refused, and that a good one is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.passwords import Weakness, judge

LUCIE = ("lucie.martin", "lucie.martin@poste.test", "1985-05-17")


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("", Weakness.SHORT), ("cheval9!x", Weakness.SHORT), ("x" * 1025, Weakness.LONG),
        ("password", Weakness.COMMON), ("PASSWORD", Weakness.COMMON), ("password2024!!", Weakness.COMMON),
        ("Football12345", Weakness.COMMON), ("1234567890", Weakness.COMMON), ("aaaaaaaaaaaaaa", Weakness.COMMON),
        ("lucie.martin", Weakness.PERSONAL), ("Lucie.Martin1985", Weakness.PERSONAL), ("17051985aa", Weakness.PERSONAL),
        ("17/05/1985-me", Weakness.PERSONAL), ("19850517lucie", Weakness.PERSONAL),
        ("lucie.martin@poste.test", Weakness.PERSONAL),
    ],
)  # fmt: skip
def test_weak_passwords(password: str, weakness: Weakness) -> None:
    assert judge(password, LUCIE) is weakness


@pytest.mark.parametrize(
    "password", ["correct horse battery", "demo-lucie.martin-carnet", "trois petits chats", "ééééàùçñøæ", "x7#Kq!mZ2w"]
)
def test_good_passwords(password: str) -> None:
    """NIST SP 800-63B §3.1.1.2: no composition rules."""
    assert judge(password, LUCIE) is None


def test_what_is_known_counts_for_nothing_rather_than_forbids() -> None:
    assert judge("lucie.martin" + "x7#Kq!mZ2w", LUCIE) is None
    assert judge("lucie.martin" + "x7#Kq!mZ2", LUCIE) is Weakness.PERSONAL


def test_the_length_is_counted_as_it_is_kept() -> None:
    """NIST SP 800-63B §3.1.1.2: each code point counts as one character, once normalized."""
    assert judge("e\u0301" * 4 + "abc", ()) is Weakness.SHORT


@given(st.text(max_size=1200), st.lists(st.text(max_size=30), max_size=4))
def test_nothing_known_makes_a_refused_password_good(password: str, about: list[str]) -> None:
    if judge(password, ()) is not None:
        assert judge(password, about) is not None
