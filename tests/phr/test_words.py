"""Scopes told to a person: each in plain words, whatever it is of, and nothing of it left out."""

from urllib.parse import quote

import pytest

from auth import scopes
from fhir.parameters import KINDS
from phr.access.scope import expressible
from phr.web.words import LANGUAGES, TEXTS, scope_words

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.mark.parametrize(
    ("scope", "french", "english"),
    [
        (
            f"patient/Observation.rs?category={CATEGORY}|vital-signs",
            "Consulter vos résultats et mesures : signes vitaux seulement",
            "View your results and measurements: vital signs only",
        ),
        (
            f"patient/Observation.crs?category={CATEGORY}|vital-signs,{CATEGORY}|laboratory,survey",
            "Consulter et ajouter vos résultats et mesures : signes vitaux, analyses de laboratoire ou questionnaires "
            "seulement",
            "View and add your results and measurements: vital signs, laboratory results or questionnaires only",
        ),
        (
            "patient/DocumentReference.rs?type=http://loinc.org|11502-2",
            "Consulter vos documents de santé : « CR d'examens biologiques » seulement",
            "View your health documents: “CR d'examens biologiques” only",
        ),
        (
            "patient/DocumentReference.rs?type=11502-2&status=current",
            "Consulter vos documents de santé : « CR d'examens biologiques » et status « current » seulement",
            "View your health documents: “CR d'examens biologiques” and status “current” only",
        ),
        (
            "patient/Observation.r?code=http://loinc.org|29463-7",
            "Consulter vos résultats et mesures : code « 29463-7 » (loinc.org) seulement",
            "View your results and measurements: code “29463-7” (loinc.org) only",
        ),
        (
            "patient/Observation.r?code=urn:oid:1.2.3|,|x",
            "Consulter vos résultats et mesures : code de urn:oid:1.2.3 ou code « x » seulement",
            "View your results and measurements: code of urn:oid:1.2.3 or code “x” only",
        ),
        ("patient/Observation.read", "Consulter vos résultats et mesures", "View your results and measurements"),
        (
            "patient/Condition.write",
            "Ajouter, modifier et supprimer vos maladies et antécédents",
            "Add, change and delete your conditions and history",
        ),
        (
            "user/AllergyIntolerance.rs",
            "Au nom du professionnel : consulter les allergies",
            "On the professional’s behalf: view patients’ allergies",
        ),
        (
            "system/DocumentReference.c",
            "Le logiciel seul, sans personne devant lui : ajouter les documents de santé",
            "The software alone, with nobody at the screen: add patients’ health documents",
        ),
        (
            "user/*.*",
            "Au nom du professionnel : consulter, ajouter, modifier et supprimer tout ce qui est ouvert au "
            "professionnel dans les carnets",
            "On the professional’s behalf: view, add, change and delete everything in the records that is open to the "
            "professional",
        ),
    ],
)
def test_a_scope_in_words(scope: str, french: str, english: str) -> None:
    parsed = scopes.parse(scope)
    assert parsed is not None
    assert expressible(parsed)
    assert scope_words(scope, "fr") == french
    assert scope_words(scope, "en") == english


def test_a_code_is_known_by_its_system_too() -> None:
    """Another system's `vital-signs` is not told as ours."""
    told = scope_words("patient/Observation.rs?category=https://evil.example/x|vital-signs", "fr")
    assert told == "Consulter vos résultats et mesures : category « vital-signs » (evil.example) seulement"
    told = scope_words("patient/DocumentReference.rs?category=vital-signs", "fr")
    assert told == "Consulter vos documents de santé : category « vital-signs » seulement"


def test_what_an_app_writes_is_quoted_and_cut() -> None:
    told = scope_words(f"patient/Observation.rs?code={'x' * 200}", "fr")
    assert told == f"Consulter vos résultats et mesures : code « {'x' * 60}… » seulement"
    for system, shown in (("http://[", "http://["), ("urn:x", "urn:x"), ("https://a.example:8/b", "a.example")):
        assert f"({shown})" in scope_words(f"patient/Observation.rs?code={quote(system)}|x", "fr")
    assert "{own}" in scope_words("patient/Observation.rs?code=%7Bown%7D", "fr")


def test_staying_connected_has_an_end() -> None:
    assert scope_words("offline_access", "fr").startswith("Rester connectée sans vous redemander, jusqu’à ")
    assert scope_words("offline_access", "fr", "22 décembre 2027").endswith("jusqu’au 22 décembre 2027")
    assert scope_words("offline_access", "en", "22 December 2027").endswith("until 22 December 2027")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_scope_has_words(language: str) -> None:
    asked = [*scopes.PLAIN, *(f"{c}/{k}.cruds" for c in ("patient", "user", "system") for k in ("*", *KINDS))]
    told = [scope_words(scope, language) for scope in asked]
    assert not [one for one in told if "{" in one or "scope_" in one]
    assert set(told).isdisjoint(asked)
    assert len(set(told)) == len(told)
    assert scope_words("nonsense", language) == "nonsense"


def test_both_languages_know_the_same() -> None:
    assert {name for name in TEXTS["fr"] if name.startswith("scope_")} == {
        name for name in TEXTS["en"] if name.startswith("scope_")
    }
