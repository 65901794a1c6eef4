"""A professional as tokens carry them: what is kept, what is refused, and nothing in a log."""

import pytest

from auth.professionals import Professional
from phr.core.keys import SystemKeys

DOCTOR = Professional(
    "899700990115", "GARNIER", "Hélène", "10", "C", "SM54", "1690991010", "Maison de santé", "SA52", "L",
    role="", section="", activity="GENR01", regulation="1",
)  # fmt: skip


def test_a_claim_holds_what_is_not_empty_and_comes_back() -> None:
    claim = DOCTOR.claim()
    assert "role" not in claim
    assert claim["regulation"] == "1"
    assert Professional.of_claim(claim) == DOCTOR


def test_who_has_no_profession_is_somebody_still() -> None:
    secretary = Professional("ANS1", "T", "M", "", "", "", "1690991010", "", "", "S", role="99")
    assert Professional.of_claim(secretary.claim()) == secretary
    assert secretary.system == ""


@pytest.mark.parametrize(
    "claim",
    [
        None,
        [],
        "x",
        {},
        {"id": ""},
        {"id": 3},
        {"id": "8", "admin": "yes"},
        {"id": "8", "skill": None},
        {"family": "A"},
    ],
)
def test_what_is_no_professional(claim: object) -> None:
    with pytest.raises(ValueError):
        Professional.of_claim(claim)


@pytest.mark.parametrize(
    ("profession", "category", "system"),
    [
        ("10", "C", "TRE_G15"),
        ("10", "M", "TRE_G15"),
        ("10", "E", "TRE_G16"),
        ("50", "C", "TRE_G15"),
        ("71", "C", "TRE_R95"),
        ("93", "C", "TRE_R95"),
        ("41", "C", "TRE_R94"),
        ("99", "C", "TRE_R291"),
        ("", "C", ""),
    ],
)
def test_a_code_is_read_in_its_system(profession: str, category: str, system: str) -> None:
    """Code 10 exists twice: a doctor, and one who learns."""
    who = Professional("8", "", "", profession, category, "", "", "", "", "")
    assert who.system == system
    assert who.trainee == (category == "E")


def test_the_keyed_id_is_the_persons_whatever_the_activity(auth_keys: SystemKeys) -> None:
    elsewhere = Professional(DOCTOR.id, "X", "Y", "60", "C", "", "3999", "", "", "")
    other = Professional("899700990149", "GARNIER", "Hélène", "10", "C", "", "", "", "", "")
    assert DOCTOR.subject(auth_keys) == elsewhere.subject(auth_keys) != other.subject(auth_keys)


def test_nothing_that_identifies_reaches_a_log() -> None:
    assert str(DOCTOR) == 'professional of profession "10"'
