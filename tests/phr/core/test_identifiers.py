"""The national identifiers check their digits and keep their numbers to themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phr.core.identifiers import (
    FINESS,
    INS,
    INS_NIR,
    INS_NIR_TEST,
    RPPS,
    NationalProfessional,
    NationalStructure,
    ins_key,
)


@pytest.mark.parametrize(
    ("matricule", "key"),
    [
        ("1850578006084", "91"),
        ("255082A004123", "69"),
        ("255082B004123", "96"),
        ("2000101999001", "85"),
    ],
)
def test_the_key_is_97_minus_the_remainder(matricule: str, key: str) -> None:
    assert ins_key(matricule) == key


@given(st.integers(0, 9_999_999), st.sampled_from(["2A", "2B", "75", "99"]))
def test_corsica_keys_equal_the_other_published_formula(n: int, department: str) -> None:
    digits = f"{n:010d}"
    matricule = "1" + digits[:4] + department + digits[4:]
    letter = {"2A": 1_000_000, "2B": 2_000_000}.get(department, 0)
    number = int(matricule.replace("A", "0").replace("B", "0")) - letter
    assert ins_key(matricule) == f"{97 - number % 97:02d}"
    assert INS.parse(matricule + ins_key(matricule)).value[:13] == matricule


def test_an_ins_carries_its_authority() -> None:
    ins = INS.parse("1 85 05 78 006 084 91", f"urn:oid:{INS_NIR_TEST}")
    assert (ins.value, ins.oid, ins.test) == ("185057800608491", INS_NIR_TEST, True)
    assert ins.system == "urn:oid:1.2.250.1.213.1.4.10"
    assert INS.parse("255082a00412369").value == "255082A00412369"
    assert INS.parse("185057800608491") != ins
    assert not INS("185057800608491", INS_NIR).test


@pytest.mark.parametrize(
    "number",
    [
        "",
        "1850578006084",
        "185057800608492",
        "123456789012345",
        "1850578006084911",
        "185057800608491\n",
        "985057800608491",
        "١٨٥٠٥٧٨٠٠٦٠٨٤٩١",
        "2550825A0412369",
        "18505780060849\u0661",
    ],
)
def test_a_wrong_ins_is_refused_without_being_repeated(number: str) -> None:
    with pytest.raises(ValueError) as caught:
        INS.parse(number)
    assert not number.strip() or number.strip() not in str(caught.value)


def test_an_unknown_authority_is_refused() -> None:
    with pytest.raises(ValueError, match="assigning authority"):
        INS.parse("185057800608491", "1.2.3")


def test_an_rpps_is_eleven_digits_with_luhn() -> None:
    assert RPPS.parse("810000005479") == RPPS("10000005479")
    assert RPPS("10000005479").national.value == "810000005479"
    assert RPPS("10000005479").system == "https://rpps.esante.gouv.fr"
    for wrong in ("10000005478", "1000000547", "810000005478", "1000000547x", "", "١٠٠٠٠٠٠٥٤٧٩"):
        with pytest.raises(ValueError):
            RPPS.parse(wrong)


def test_a_finess_has_luhn_and_corsica_its_form() -> None:
    for number in ("750712184", "2A0000014", "2B0000020"):
        assert FINESS.parse(number).value == number
        assert FINESS.parse("1" + number).national == NationalStructure("1" + number)
    assert FINESS.parse("2a0000014").value == "2A0000014"
    assert FINESS("750712184").system == "https://finess.esante.gouv.fr"
    for wrong in ("750712185", "2C0000014", "75071218", "A20000014", ""):
        with pytest.raises(ValueError):
            FINESS.parse(wrong)


def test_national_ids_say_their_register() -> None:
    doctor = NationalProfessional.parse("810000005479")
    assert doctor.rpps == RPPS("10000005479")
    assert doctor.system == "urn:oid:1.2.250.1.71.4.2.1"
    assert NationalProfessional.parse("ANS20210107161422").rpps is None
    hospital = NationalStructure.parse("1750712184")
    assert hospital.finess == FINESS("750712184")
    assert hospital.system == "urn:oid:1.2.250.1.71.4.2.2"
    assert NationalStructure.parse("312345678901234").finess is None
    for wrong in ("810000005478", "", "a b", "8" * 65):
        with pytest.raises(ValueError):
            NationalProfessional.parse(wrong)
    for wrong in ("1750712185", "", "a b"):
        with pytest.raises(ValueError):
            NationalStructure.parse(wrong)


def test_repr_keeps_the_number() -> None:
    values: list[INS | RPPS | FINESS | NationalProfessional | NationalStructure] = [
        INS("185057800608491"),
        RPPS("10000005479"),
        FINESS("750712184"),
        NationalProfessional("810000005479"),
        NationalStructure("1750712184"),
    ]
    for value in values:
        assert value.value not in repr(value)
        assert value.value not in str(value)
