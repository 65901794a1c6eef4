"""The strict traits in one spelling: what is the same person, and what is not enough to be anybody."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.traits import Traits, day, name, of_claims

CLAIMS = {
    "given_name": "Angela Claire Louise",
    "family_name": "DUBOIS",
    "gender": "female",
    "birthdate": "1962-08-24",
    "birthplace": "75107",
    "birthcountry": "99100",
}


@pytest.mark.parametrize(
    ("spelled", "normal"),
    [
        ("Lefèvre", "LEFEVRE"),
        ("LEFE\u0300VRE", "LEFEVRE"),
        ("d'Artagnan", "D ARTAGNAN"),
        ("D’ARTAGNAN", "D ARTAGNAN"),
        ("Saint-Exupéry", "SAINT EXUPERY"),
        ("  Le   Goff ", "LE GOFF"),
        ("Jean--Pierre", "JEAN PIERRE"),
        ("Lœtitia", "LOETITIA"),
        ("Ægir", "AEGIR"),
        ("Weiß", "WEISS"),
        ("Søren", "SOREN"),
        ("Łukasz", "LUKASZ"),
        ("N'Diaye‐Ba", "N DIAYE BA"),
        ("Nuñez", "NUNEZ"),
        ("ÿ", "Y"),
    ],
)
def test_one_spelling_of_a_name(spelled: str, normal: str) -> None:
    assert name(spelled) == normal


@pytest.mark.parametrize("spelled", ["", " ", "-", "'", "Анна", "山田", "R2D2", "A.", "A|B", None, 3, ["A"], "A" * 201])
def test_no_name(spelled: object) -> None:
    assert name(spelled) is None


@given(st.text())
def test_normalising_twice_is_normalising_once(spelled: str) -> None:
    once = name(spelled)
    assert once is None or name(once) == once


@pytest.mark.parametrize(
    ("spelled", "normal"),
    [
        ("1962-08-24", "1962-08-24"),
        ("1962-08-01", "1962-08-01"),
        ("1962-08", "1962-08-01"),
        ("1962-08-00", "1962-08-01"),
        ("1962-01-01", "1962-01-01"),
        ("1962", "1962-01-01"),
        ("1962-00-00", "1962-01-01"),
        ("2000-02-29", "2000-02-29"),
        ("1900-02-29", None),
        ("1962-13-01", None),
        ("1962-00-12", None),
        ("1962-8-2", None),
        ("24/08/1962", None),
        ("1962-08-24T00:00:00Z", None),
        ("0000", None),
        ("٢٠٠٠-01-01", None),
        ("", None),
        (None, None),
    ],
)
def test_a_presumed_day_has_one_form(spelled: object, normal: str | None) -> None:
    assert day(spelled) == normal


def test_the_claims_of_france_connect() -> None:
    found = of_claims(CLAIMS)
    assert found == Traits("DUBOIS", "ANGELA", "female", "1962-08-24", "75107")
    assert "DUBOIS" not in repr(found)


def test_somebody_born_abroad_has_their_country_for_a_place() -> None:
    found = of_claims({**CLAIMS, "birthplace": "", "birthcountry": "99350"})
    assert found is not None
    assert found.place == "99350"


def test_corsica_has_letters() -> None:
    found = of_claims({**CLAIMS, "birthplace": "2a004"})
    assert found is not None
    assert found.place == "2A004"


@pytest.mark.parametrize(
    "changes",
    [
        {"given_name": ""},
        {"given_name": None},
        {"given_name": ["Angela"]},
        {"family_name": ""},
        {"gender": "unknown"},
        {"gender": "FEMALE"},
        {"gender": None},
        {"birthdate": ""},
        {"birthplace": "", "birthcountry": "99100"},  # in France, and nobody says where
        {"birthplace": "", "birthcountry": ""},
        {"birthplace": "75107", "birthcountry": "99350"},  # two places
        {"birthplace": "7510"},
        {"birthplace": "2C004"},
        {"birthplace": 75107},
    ],
)
def test_traits_that_are_not_all_there_are_none(changes: dict[str, Any]) -> None:
    assert of_claims({**CLAIMS, **changes}) is None


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_each_claim_counts(claim: str) -> None:
    changed = {
        "given_name": "Claire Angela", "family_name": "DUBOS", "gender": "male", "birthdate": "1962-08-25",
        "birthplace": "75108", "birthcountry": "99101",
    }  # fmt: skip
    assert of_claims({**CLAIMS, claim: changed[claim]}) != of_claims(CLAIMS)
