"""What userinfo shaped like Pro Santé Connect's is read as: its identifiers, its codes, and each activity."""

import json
from typing import Any

import pytest

from auth import psc
from auth.sandbox import people
from auth.sandbox.people import professionals


def example() -> dict[str, Any]:
    """The shape of ansforge/PSC-POC's userinfo, as the sandbox gives it."""
    found = next(one for one in professionals() if one.id == "two-places").userinfo
    copied: dict[str, Any] = json.loads(json.dumps(dict(found)))
    return copied


def test_each_exercice_and_activity_is_one_professional() -> None:
    found = psc.professionals(example(), sandbox=False)
    assert [one.structure for one in found] == ["399999999900018", f"1{people.HOSPITAL.finess}"]
    assert {one.skill for one in found} == {"SM54"}
    assert [one.mode for one in found] == ["L", "S"]
    said = example()
    said["SubjectRefPro"]["exercices"] *= 2
    assert psc.professionals(said, sandbox=False) == found
    said["SubjectRefPro"]["exercices"][1] = {**said["SubjectRefPro"]["exercices"][1], "codeProfession": "60"}
    assert len(psc.professionals(said, sandbox=False)) == 4


def test_the_structure_is_finess_then_siret_then_the_providers_own() -> None:
    activity = {"numeroFinessSite": "690991010", "numeroSiretSite": "1", "identifiantTechniqueDeLaStructure": "C1"}
    assert psc.structure_of(activity) == "1690991010"
    assert psc.structure_of({**activity, "numeroFinessSite": ""}) == "31"
    assert psc.structure_of({"identifiantTechniqueDeLaStructure": "C1"}) == "C1"
    assert psc.structure_of({}) == ""


def test_only_eight_and_eleven_digits_are_an_rpps() -> None:
    assert psc.rpps("899700218896") == "99700218896"
    for other in ("ANS20210107161422", "99700218896", "8997002188961", "899700218896\n", "89970021889٦", "3690/12"):
        assert psc.rpps(other) is None


def test_test_identities_exist_in_a_sandbox_only() -> None:
    said = {**example(), "SubjectNameID": "ANS20210107161422"}
    assert psc.professionals(said, sandbox=True)[0].id == "ANS20210107161422"
    with pytest.raises(ValueError):
        psc.professionals(said, sandbox=False)
    assert psc.known("3690991010/0042", sandbox=False)


def test_french_booleans_and_coded_texts() -> None:
    assert psc.true("VRAI")
    assert not psc.true("FAUX")
    assert not psc.true("")
    for doubtful in ("true", "vrai", 1.5, "OUI"):
        with pytest.raises(ValueError):
            psc.true(doubtful)
    assert psc.coded("SA07^1.2.250.1.71.4.2.4") == ("SA07", "1.2.250.1.71.4.2.4")
    assert psc.coded("SA07") == ("SA07", "")
    with pytest.raises(ValueError):
        psc.coded("a^b^c")
    emergency = next(one for one in professionals() if one.id == "emergency").userinfo
    assert {one.regulation for one in psc.professionals(emergency, sandbox=False)} == {"1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"SubjectNameID": None},
        {"SubjectNameID": 8},
        {"SubjectNameID": "<script>"},
        {"SubjectRefPro": ["everything"]},
        {"SubjectRefPro": {"exercices": "all"}},
        {"SubjectRefPro": {"exercices": [3]}},
        {"SubjectRefPro": {"exercices": [{"codeProfession": 10}]}},
        {"SubjectRefPro": {"exercices": [{"nomDexercice": "A" * 300}]}},
        {"Acces_Regulation_Medicale": "peut-être"},
    ],
)
def test_what_is_not_understood_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        psc.professionals({**example(), **changes}, sandbox=True)


def test_somebody_without_an_exercice_is_of_their_organisation() -> None:
    said = {**example(), "SubjectRefPro": None, "SubjectOrganizationID": "C9"}
    [found] = psc.professionals(said, sandbox=False)
    assert (found.profession, found.structure, found.family) == ("", "C9", "VERNET")
