"""The value sets and the facts: what a code is in, and what their files may not say."""

from pathlib import Path

import pytest

from phr.prevention import codes, facts
from phr.prevention.codes import ATC, NUVA, SAME, VALUE_SETS, sets_of

SETS = """\
[ash]
title = { fr = "Frêne", en = "Ash" }
names = ["Frêne 1"]

[[ash.code]]
system = "http://www.whocc.no/atc"
code = "J07"
display = "vaccines"
source = "WHO"
verified = false

[oak]
title = { fr = "Chêne", en = "Oak" }
includes = ["ash"]
"""
FACTS = """\
[tall]
question = { fr = "Grand ?", en = "Tall?" }
why = { fr = "Pour voir.", en = "To see." }
conditions = ["obesity"]
negative = "1y"
"""
FAULTS = {
    "an unknown field": ('code = "J07"', 'code = "J07"\nurgent = true', 8, "unknown field `urgent`"),
    "a missing field": ('source = "WHO"\n', "", 5, "required field `source`"),
    "one language": (', en = "Ash"', "", 2, "required field `en`"),
    "a title of nothing": ('fr = "Frêne"', 'fr = " "', 2, "a title in both languages"),
    "a name of nothing": ('"Frêne 1"', '"–"', 3, "a name has letters or digits"),
    "a system that is no URI": ('"http://www.whocc.no/atc"', '"ATC"', 5, "a code has a system, which is a URI"),
    "no code": ('code = "J07"', 'code = ""', 5, "a code has a system"),
    "a code with a space": ('code = "J07"', 'code = "J07 "', 5, "no spaces around it"),
    "another name of a system": (f'"{ATC}"', '"urn:oid:2.16.840.1.113883.6.73"', 5, f"this system is said {ATC}"),
    "an unknown set": ('includes = ["ash"]', 'includes = ["elm"]', 14, "elm is not a value set of codes/"),
    "what is not TOML": ("[oak]", "[oak", 12, "Expected ']'"),
}
FACT_FAULTS = {
    "an unknown field": ('negative = "1y"', 'never = "1y"', 5, "unknown field `never`"),
    "an unknown set": ('["obesity"]', '["obesityy"]', 4, "obesityy is not a value set of codes/"),
    "no duration": ('"1y"', '"1 year"', 5, "'1 year' is not a duration"),
    "one language": (', en = "Tall?"', "", 2, "required field `en`"),
    "what is not TOML": ("[tall]", "[tall", 1, "Expected ']'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_value_set_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    here, there, line, what = FAULTS[name]
    assert here in SETS
    (tmp_path / "trees.toml").write_text(SETS.replace(here, there, 1))
    with pytest.raises(ValueError) as caught:
        codes.load(tmp_path)
    assert any(one.startswith(f"trees.toml:{line}: ") and what in one for one in str(caught.value).splitlines()), str(
        caught.value
    )


def test_a_sound_file_of_value_sets_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "trees.toml").write_text(SETS)
    found = codes.load(tmp_path)
    assert found["ash"].names == ("frene 1",)
    assert found["oak"].includes == {"ash"}
    (tmp_path / "woods.toml").write_text(SETS.replace("[oak]", "[elm]"))
    with pytest.raises(ValueError, match=r"^woods\.toml:1: ash is in two files$"):
        codes.load(tmp_path)
    twice = SETS[SETS.index("[[ash.code]]") : SETS.index("[oak]")]
    (tmp_path / "woods.toml").write_text((SETS + twice).replace("ash", "yew").replace("oak", "elm"))
    with pytest.raises(ValueError, match=r"^woods\.toml:15: J07 is there twice$"):
        codes.load(tmp_path)


@pytest.mark.parametrize("name", FACT_FAULTS)
def test_a_fault_of_a_fact_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    here, there, line, what = FACT_FAULTS[name]
    path = tmp_path / "facts.toml"
    path.write_text(FACTS)
    assert facts.load(path)["tall"].conditions == {"obesity"}
    assert here in FACTS
    path.write_text(FACTS.replace(here, there, 1))
    with pytest.raises(ValueError) as caught:
        facts.load(path)
    assert any(one.startswith(f"facts.toml:{line}: ") and what in one for one in str(caught.value).splitlines()), str(
        caught.value
    )


def test_a_system_counts_by_any_of_its_names() -> None:
    assert set(SAME.values()) == {ATC, NUVA}
    for system in (ATC, *(one for one in SAME if SAME[one] == ATC)):
        assert "hpv" in sets_of([(system, "J07BM03")])  # by the beginning of the code
        assert "mmr" in sets_of([(system, "J07BD52")])
    for system in (NUVA, *(one for one in SAME if SAME[one] == NUVA)):
        assert sets_of([(system, "VAC0029")]) >= {"dtcap-ipv-reduced", "pertussis", "diphtheria-tetanus-polio"}
    assert sets_of([("urn:oid:1.2.3", "VAC0029"), (NUVA, "VAC9999")]) == frozenset()


def test_a_product_of_nuva_is_in_the_sets_its_name_is_in() -> None:
    listed = {(one.code, one.display) for found in VALUE_SETS.values() for one in found.codes if one.system == NUVA}
    assert len(listed) > 100
    for code, display in sorted(listed):
        assert sets_of([(NUVA, code)]) == sets_of([], [display]), display
