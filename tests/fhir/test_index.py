"""What is kept of a resource: tokens in every form FHIR distinguishes, dates, words, flags, references."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from fhir import tokens
from fhir.dates import BEGINNING, END, span
from fhir.index import Index, index, normalised, patients_of, referenced, references_of
from fhir.parameters import KINDS


def hashed(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, text)


def indexed(resource: Mapping[str, Any], base: str | None = None) -> Index:
    return index(KINDS[resource["resourceType"]], resource, hashed, base)


def carries(found: Index, parameter: str, *forms: str) -> bool:
    return all(hashed(f"{parameter}\x1f{form}") in found.tokens for form in forms)


def test_a_concept_in_its_forms() -> None:
    found = indexed(
        {
            "resourceType": "Condition",
            "code": {"coding": [{"system": "http://s", "code": "c"}, {"code": "bare"}, "stray"], "text": "words"},
            "clinicalStatus": {"text": "only words"},
        }
    )
    assert carries(found, "code", "http://s|c", "c", "http://s|", "bare", "|bare", "")
    assert not carries(found, "code", "|c")
    assert carries(found, "clinical-status", "")
    assert len(found.tokens) == 7


def test_a_code_that_looks_like_a_pair_does_not_pass_for_one() -> None:
    sly = indexed({"resourceType": "Condition", "code": {"coding": [{"code": "http://s|c"}]}})
    assert not carries(sly, "code", "http://s|c")
    assert hashed(tokens.coded("code", None, "http://s|c")) in sly.tokens
    assert tokens.coded("code", "a|", "b") != tokens.coded("code", "a", "|b")


def test_an_identifier_in_its_forms() -> None:
    type_ = {"coding": [{"system": "http://t", "code": "MR"}, {"code": "X"}, {"system": "nocode"}, 3]}
    found = indexed(
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:1", "value": "9", "type": type_}, {"value": "8"}, {"system": "empty"}],
        }
    )
    assert carries(found, "identifier", "urn:oid:1|9", "9", "urn:oid:1|", "|8", "8", "empty|")
    assert carries(found, "identifier:of-type", "http://t|MR|9", "|X|9")
    assert len([t for t in found.tokens if t == hashed("identifier\x1f")]) == 1


def test_a_contact_point_has_its_use_for_system() -> None:
    telecom = [{"system": "email", "value": "a@b", "use": "home"}, {"system": "phone", "value": "1"}]
    found = indexed({"resourceType": "Patient", "telecom": telecom})
    assert carries(found, "telecom", "home|a@b", "a@b", "home|", "|1", "1")
    assert carries(found, "email", "a@b")
    assert carries(found, "phone", "1")
    assert not carries(found, "phone", "a@b")


def test_codes_booleans_and_truths() -> None:
    found = indexed({"resourceType": "Patient", "gender": "female", "active": True})
    assert carries(found, "gender", "female", "|female", "")
    assert carries(found, "active", "true")
    assert carries(found, "deceased", "false", "")
    assert carries(indexed({"resourceType": "Patient", "deceasedDateTime": "2024"}), "deceased", "true")
    assert carries(indexed({"resourceType": "Patient", "deceasedBoolean": False}), "deceased", "false")


ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"


def test_a_document_without_the_extension_is_not_archived() -> None:
    archived = {"resourceType": "DocumentReference", "extension": [{"url": ARCHIVED, "valueBoolean": True}]}
    assert carries(indexed(archived), "is-archived", "true")
    assert carries(indexed({"resourceType": "DocumentReference"}), "is-archived", "false")


def test_references_in_their_forms() -> None:
    found = indexed(
        {
            "resourceType": "Observation",
            "subject": {"reference": "Patient/1/_history/3"},
            "performer": [
                {"reference": "http://me/fhir/Practitioner/2"},
                {"reference": "http://else/Practitioner/3"},
                {"reference": "#inside"},
                {"identifier": {"system": "s", "value": "v"}},
                {"reference": "urn:uuid:4", "display": "x"},
            ],
        },
        base="http://me/fhir/",
    )
    assert carries(found, "subject", "Patient/1", "1")
    assert carries(found, "patient", "Patient/1", "1")
    assert carries(found, "performer", "Practitioner/2", "2", "http://else/Practitioner/3", "urn:uuid:4", "")
    assert carries(found, "performer:identifier", "s|v", "v", "s|")
    assert not carries(found, "performer", "#inside")
    assert not carries(found, "performer", "3")


def test_a_group_is_no_patient() -> None:
    found = indexed({"resourceType": "Observation", "subject": {"reference": "Group/1"}})
    assert carries(found, "subject", "Group/1")
    assert not carries(found, "patient", "")


def test_canonicals_uris_and_meta() -> None:
    found = indexed(
        {
            "resourceType": "QuestionnaireResponse",
            "questionnaire": "http://q|2",
            "meta": {"profile": ["http://p|1"], "tag": [{"system": "s", "code": "t"}], "security": [{"code": "R"}]},
        }
    )
    assert carries(found, "questionnaire", "http://q|2", "http://q")
    assert carries(found, "_profile", "http://p", "http://p|1")
    assert carries(found, "_tag", "s|t")
    assert carries(found, "_security", "R", "|R")


def test_shapes_that_are_not_fhir_are_passed_over() -> None:
    found = indexed(
        {
            "resourceType": "DocumentReference",
            "meta": "x",
            "type": {"coding": "x"},
            "category": [None, 3, {"coding": [None]}],
            "securityLabel": "x",
            "identifier": [{"type": {"coding": 1}, "value": "v"}],
            "content": [{"attachment": {"url": 4}}],
            "status": "",
            "context": {"encounter": 3},
        }
    )
    assert not found.masked
    assert found.category is None
    assert carries(found, "identifier", "v")


def test_dates_and_the_clinical_period() -> None:
    encounter = {"resourceType": "Encounter", "period": {"start": "2024-02"}}
    found = indexed(encounter)
    assert found.dates == {"date": [(span("2024-02")[0], END)]}
    assert found.happened == (span("2024-02")[0], END)
    document = {
        "resourceType": "DocumentReference",
        "date": "2024-05-01T00:00:00Z",
        "context": {"period": {}},
        "content": [{"attachment": {"creation": "2024"}}, {"attachment": {"creation": "2023"}}],
    }
    found = indexed(document)
    assert found.dates["creation"] == [span("2023"), span("2024")]
    assert "period" not in found.dates
    assert found.happened == (span("2023")[0], span("2024")[1])
    assert indexed({"resourceType": "Patient", "birthDate": "1980"}).happened is None
    assert indexed({"resourceType": "Encounter", "period": {"end": "2024"}}).dates["date"][0][0] == BEGINNING


def test_words_of_the_commons_and_none_of_a_record() -> None:
    practitioner = {
        "resourceType": "Practitioner",
        "name": [{"family": "Lefèvre", "given": ["Anne-Marie", "É"], "prefix": ["Dr"], "text": "Dr Lefèvre"}],
        "address": [{"city": "Saint-Étienne", "line": ["1  rue"], "country": "FR"}, 3],
    }
    found = indexed(practitioner)
    assert found.words["name"] == ["dr lefevre", "lefevre", "anne marie", "e", "dr"]
    assert found.words["family"] == ["lefevre"]
    assert found.words["family:exact"] == ["Lefèvre"]
    assert found.words["address"] == ["1 rue", "saint etienne", "fr"]
    assert found.words["address-city"] == ["saint etienne"]
    assert carries(found, "name", "")
    assert indexed(practitioner | {"resourceType": "Patient"}).words == {}
    assert indexed({"resourceType": "Organization", "name": "!!"}).words == {"name": [], "name:exact": ["!!"]}


def test_normalised() -> None:
    assert normalised("  L'Hôpital\tde ÉVREUX — ß ") == "l hopital de evreux ss"


def coding(code: str, system: str = "whatever") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("masked", "MASQUE_PS"),
        ("hidden_from_patient", "INVISIBLE_PATIENT"),
        ("hidden_from_proxies", "INVISIBLE_REPRESENTANTS_LEGAUX"),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda code: {"meta": {"security": [{"system": "x", "code": "N"}, {"system": "x", "code": code}]}},
        lambda code: {"meta": {"security": [{"code": f" {code.lower()} "}]}},
        lambda code: {"securityLabel": [coding("N"), coding(code)]},
        lambda code: {"securityLabel": [{"text": code}]},
        lambda code: {"securityLabel": [{"coding": [{"code": "N"}], "text": code}]},
    ],
)
def test_a_label_counts_by_its_code_whatever_its_system(flag: str, code: str, place: Any) -> None:
    found = indexed({"resourceType": "DocumentReference", **place(code)})
    flags = {name: getattr(found, name) for name in ("masked", "hidden_from_patient", "hidden_from_proxies")}
    assert flags == {name: name == flag for name in flags}


def test_the_category_is_the_first_coded_type() -> None:
    type_ = {"coding": [{"display": "?"}, {"system": "http://loinc.org", "code": "34133-9"}, {"code": "other"}]}
    found = indexed({"resourceType": "DocumentReference", "type": type_})
    assert found.category == hashed("http://loinc.org|34133-9")
    assert indexed({"resourceType": "Composition", "type": type_}).category is None


def test_references_by_where_they_point() -> None:
    resource = {
        "resourceType": "DocumentReference",
        "subject": {"reference": "Patient/1/_history/2"},
        "author": [{"reference": "#p"}, {"reference": "Patient/1"}, {"reference": "http://x/Practitioner/1"}],
        "contained": [{"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/7"}}],
        "custodian": {"reference": "urn:uuid:1"},
        "content": [{"attachment": {"url": "Binary/5"}}, {"attachment": {"url": "http://x/Binary/6"}}],
        "context": {"related": [{"reference": "Patient?identifier=1"}], "note": ["text", 3]},
    }
    found = references_of(resource)
    assert sorted(found.local) == ["Binary/5", "Patient/1", "Practitioner/7"]
    assert (found.contained, found.absolute, found.urn) == (("#p",), ("http://x/Practitioner/1",), ("urn:uuid:1",))
    assert found.other == ("Patient?identifier=1",)


def test_the_entries_of_a_document_are_left_alone() -> None:
    entry = [{"resource": {"resourceType": "Composition", "subject": {"reference": "Patient/1"}}}]
    signature = {"who": {"reference": "Practitioner/2"}}
    found = references_of({"resourceType": "Bundle", "entry": entry, "signature": signature})
    assert found.local == ("Practitioner/2",)


def test_what_a_parameter_points_at() -> None:
    observation = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/1"},
        "performer": [{"reference": "http://me/Practitioner/2"}, {"reference": "Group/1"}, {"display": "x"}],
    }
    kind = KINDS["Observation"]
    assert referenced(kind.parameters["performer"], observation, "http://me") == ("Practitioner/2",)
    assert patients_of(kind, observation) == ("1",)
    assert patients_of(kind, {"subject": {"reference": "Device/1"}}) == ()
    actors = [{"actor": {"reference": f"Patient/{n}"}} for n in (1, 2, 1)] + [{"actor": {"reference": "Location/1"}}]
    assert patients_of(KINDS["Appointment"], {"participant": actors}) == ("1", "2")
    assert patients_of(KINDS["Binary"], {"resourceType": "Binary"}) == ()


def test_two_keys_two_indexes() -> None:
    resource = {"resourceType": "Observation", "status": "final"}
    other = index(KINDS["Observation"], resource, lambda text: hashed("other" + text))
    assert other.tokens.isdisjoint(indexed(resource).tokens)
