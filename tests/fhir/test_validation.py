"""What may be stored: sound resources pass, and each fault is told once, at its element."""

import copy
import os
from decimal import Decimal
from pathlib import Path

import pytest

from fhir import wire
from fhir.validation import MOST_ISSUES, validate
from phr.core.errors import Issue
from tests.fhir.sound import (
    AUDIT_EVENT,
    BUNDLE,
    COMPOSITION,
    CONDITION,
    ENCOUNTER,
    IMMUNIZATION,
    LOINC,
    OBSERVATION,
    PATIENT,
    QUESTIONNAIRE,
    SOUND,
    TASK,
    Json,
    coded,
)


def judged(resource: Json) -> tuple[Issue, ...]:
    before = copy.deepcopy(resource)
    issues = validate(resource["resourceType"], resource)
    assert resource == before
    return issues


def told(resource: Json) -> list[tuple[str, str | None]]:
    return [(each.code, each.expression) for each in judged(resource)]


@pytest.mark.parametrize("resource", SOUND, ids=lambda each: each["resourceType"])
def test_sound_resources_pass(resource: Json) -> None:
    assert judged(resource) == ()
    assert judged(wire.decode(wire.encode(resource), 50)) == ()


WITH = [
    # What the R4B models let through.
    (OBSERVATION, {"status": "zzz"}, "code-invalid", "Observation.status"),
    (OBSERVATION, {"subject": {"reference": "Practitioner/1"}}, "value", "Observation.subject.reference"),
    (OBSERVATION, {"code": {}}, "value", "Observation.code"),
    (OBSERVATION, {"code": {"id": "x"}}, "value", "Observation.code"),
    (OBSERVATION, {"code": '{"text":"x"}'}, "structure", "Observation.code"),
    (OBSERVATION, {"code": [LOINC]}, "structure", "Observation.code"),
    (
        OBSERVATION,
        {"code": {"resourceType": "CodeableConcept", "text": "x"}},
        "structure",
        "Observation.code.resourceType",
    ),
    (OBSERVATION, {"category": []}, "value", "Observation.category"),
    (OBSERVATION, {"category": [None]}, "structure", "Observation.category[0]"),
    (OBSERVATION, {"category": LOINC}, "structure", "Observation.category"),
    (OBSERVATION, {"note": [{"text": " \n\t"}]}, "value", "Observation.note[0].text"),
    (OBSERVATION, {"note": [{"text": ""}]}, "value", "Observation.note[0].text"),
    (OBSERVATION, {"note": [{"text": "a\x00b"}]}, "value", "Observation.note[0].text"),
    (OBSERVATION, {"note": [{"text": "a\x1bb"}]}, "value", "Observation.note[0].text"),
    (OBSERVATION, {"note": [{"text": "a\ud800"}]}, "value", "Observation.note[0].text"),
    (OBSERVATION, {"issued": None}, "structure", "Observation.issued"),
    (OBSERVATION, {"language": " fr"}, "value", "Observation.language"),
    (OBSERVATION, {"language": "f  r"}, "value", "Observation.language"),
    (OBSERVATION, {"implicitRules": "http://a b"}, "value", "Observation.implicitRules"),
    (OBSERVATION, {"status__ext": {"id": "x"}}, "structure", "Observation"),
    (OBSERVATION, {"fhir_comments": "x"}, "structure", "Observation"),
    (OBSERVATION, {"id": "a" * 65}, "value", "Observation.id"),
    (OBSERVATION, {"id": "a_b"}, "value", "Observation.id"),
    (OBSERVATION, {"id": "a\n"}, "value", "Observation.id"),
    (OBSERVATION, {"valueQuantity": {"value": "72"}}, "structure", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": True}}, "structure", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": Decimal("NaN")}}, "value", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": Decimal("1e999")}}, "value", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": 10**300}}, "value", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": float("nan")}}, "value", "Observation.value.value"),
    (OBSERVATION, {"valueQuantity": {"value": 1, "comparator": "~"}}, "code-invalid", "Observation.value.comparator"),
    (PATIENT, {"active": "true"}, "structure", "Patient.active"),
    (PATIENT, {"active": 1}, "structure", "Patient.active"),
    (PATIENT, {"multipleBirthInteger": "2"}, "structure", "Patient.multipleBirth"),
    (PATIENT, {"multipleBirthInteger": Decimal("2.0")}, "structure", "Patient.multipleBirth"),
    (PATIENT, {"birthDate": 19580713}, "structure", "Patient.birthDate"),
    (PATIENT, {"birthDate": "1849-12-31"}, "value", "Patient.birthDate"),
    (PATIENT, {"birthDate": "2201"}, "value", "Patient.birthDate"),
    (PATIENT, {"birthDate": "１９５８"}, "value", "Patient.birthDate"),
    (PATIENT, {"deceasedDateTime": "9999-01-01"}, "value", "Patient.deceased"),
    (PATIENT, {"gender": "x"}, "code-invalid", "Patient.gender"),
    (PATIENT, {"photo": [{"data": "not base64"}]}, "value", "Patient.photo[0].data"),
    (PATIENT, {"photo": [{"data": "é" * 4}]}, "value", "Patient.photo[0].data"),
    (PATIENT, {"photo": [{"data": "YQ"}]}, "value", "Patient.photo[0].data"),
    (PATIENT, {"photo": [{"contentType": "pdf"}]}, "code-invalid", "Patient.photo[0].contentType"),
    (PATIENT, {"_gender": {}}, "value", "Patient.gender"),
    (PATIENT, {"name": [{"given": ["a", None]}]}, "structure", "Patient.name[0].given[1]"),
    (PATIENT, {"name": [{"given": ["a", None], "_given": [{"id": "x"}]}]}, "structure", "Patient.name[0].given[1]"),
    (PATIENT, {"name": [{"_given": [None]}]}, "value", "Patient.name[0].given"),
    (PATIENT, {"name": [{"given": "a"}]}, "structure", "Patient.name[0].given"),
    (PATIENT, {"name": [{"period": {"start": "2002", "end": "2001-12"}}]}, "invariant", "Patient.name[0].period"),
    (PATIENT, {"extension": [{"url": "http://a"}]}, "invariant", "Patient.extension[0]"),
    (
        PATIENT,
        {"extension": [{"url": "http://a", "valueCodeableReference": {"concept": LOINC}}]},
        "structure",
        "Patient.extension[0].valueCodeableReference",
    ),
    (PATIENT, {"meta": {"project": "x"}}, "structure", "Patient.meta.project"),
    (
        PATIENT,
        {
            "meta": {
                "tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}]
            }
        },
        "invariant",
        "Patient.meta.tag",
    ),
    (
        PATIENT,
        {"generalPractitioner": [{"reference": "Patient/1"}]},
        "value",
        "Patient.generalPractitioner[0].reference",
    ),
    (
        PATIENT,
        {"generalPractitioner": [{"reference": "Patient?x=1"}]},
        "value",
        "Patient.generalPractitioner[0].reference",
    ),
    (PATIENT, {"generalPractitioner": [{"reference": "#o2"}]}, "not-found", "Patient.generalPractitioner[0].reference"),
    (PATIENT, {"generalPractitioner": [{"reference": "#"}]}, "not-found", "Patient.generalPractitioner[0].reference"),
    (PATIENT, {"generalPractitioner": [{"reference": "doctor"}]}, "value", "Patient.generalPractitioner[0].reference"),
    (
        PATIENT,
        {"generalPractitioner": [{"reference": "../Practitioner/1"}]},
        "value",
        "Patient.generalPractitioner[0].reference",
    ),
    (
        PATIENT,
        {"generalPractitioner": [{"reference": "https://a.org/Patient/1"}]},
        "value",
        "Patient.generalPractitioner[0].reference",
    ),
    (
        PATIENT,
        {"generalPractitioner": [{"reference": "Practitioner/1", "type": "Organization"}]},
        "value",
        "Patient.generalPractitioner[0].type",
    ),
    (
        PATIENT,
        {"generalPractitioner": [{"type": "Patient", "display": "x"}]},
        "value",
        "Patient.generalPractitioner[0].type",
    ),
    (PATIENT, {"generalPractitioner": [{}]}, "value", "Patient.generalPractitioner[0]"),
    (PATIENT, {"link": [{"other": {"reference": "Patient/1"}, "type": "zzz"}]}, "code-invalid", "Patient.link[0].type"),
    (OBSERVATION, {"focus": [{"reference": "Nothing/1"}]}, "value", "Observation.focus[0].reference"),
    (
        OBSERVATION,
        {"derivedFrom": [{"reference": "#x"}], "contained": [{"resourceType": "Patient", "id": "x"}]},
        "value",
        "Observation.derivedFrom[0].reference",
    ),
    (TASK, {"status": "doing"}, "code-invalid", "Task.status"),
    (
        ENCOUNTER,
        {"statusHistory": [{"status": "zzz", "period": {"start": "2024"}}]},
        "code-invalid",
        "Encounter.statusHistory[0].status",
    ),
    (AUDIT_EVENT, {"outcome": "1"}, "code-invalid", "AuditEvent.outcome"),
    (COMPOSITION, {"confidentiality": "secret"}, "code-invalid", "Composition.confidentiality"),
    (QUESTIONNAIRE, {"subjectType": ["Person", "Dog"]}, "code-invalid", "Questionnaire.subjectType[1]"),
    (CONDITION, {"clinicalStatus": coded("condition-clinical", "zzz")}, "code-invalid", "Condition.clinicalStatus"),
    (CONDITION, {"clinicalStatus": {"text": "active"}}, "code-invalid", "Condition.clinicalStatus"),
    # What the models do find, told in our words.
    (OBSERVATION, {"component": [{"code": LOINC}, {"valueString": "x"}]}, "required", "Observation.component[1].code"),
    (OBSERVATION, {"valueString": "x"}, "structure", "Observation.value"),
    (OBSERVATION, {"effectivePeriod": {"start": "2024-02-30"}}, "value", "Observation.effective.start"),
    (OBSERVATION, {"issued": "2024-01-01"}, "value", "Observation.issued"),
    (OBSERVATION, {"issued": "2024-01-01T10:00:00"}, "value", "Observation.issued"),
    (OBSERVATION, {"effectivePeriod": {"start": "2024-1-1"}}, "value", "Observation.effective.start"),
    (
        OBSERVATION,
        {"valueQuantity": {"value": 1, "extension": [{"url": "http://a", "valueTime": "25:00:00"}]}},
        "value",
        "Observation.value.extension[0].value",
    ),
    (PATIENT, {"multipleBirthInteger": 2**70}, "value", "Patient.multipleBirth"),
    (PATIENT, {"multipleBirthBoolean": True}, "structure", "Patient.multipleBirth"),
    (PATIENT, {"photo": [{"size": -1}]}, "value", "Patient.photo[0].size"),
    (PATIENT, {"nickname": "x"}, "structure", "Patient.nickname"),
    (
        PATIENT,
        {
            "contained": [{"resourceType": "Observation", "id": "o", "status": "final"}],
            "managingOrganization": {"display": "x"},
        },
        "required",
        "Patient.contained[0].code",
    ),
    (IMMUNIZATION, {"protocolApplied": [{"series": "x"}]}, "required", "Immunization.protocolApplied[0].doseNumber"),
    (PATIENT, {"extension": [{"url": "http://a", "valueOid": "urn:oid:9.1"}]}, "value", "Patient.extension[0].value"),
    (PATIENT, {"extension": [{"url": "http://a", "valueUuid": "12"}]}, "value", "Patient.extension[0].value"),
    (PATIENT, {"photo": [{"data": ""}]}, "value", "Patient.photo[0].data"),
    (PATIENT, {"photo": [{"data": " "}]}, "value", "Patient.photo[0].data"),
    # What is contained.
    (TASK, {"contained": [{"resourceType": "Patient"}]}, "required", "Task.contained[0].id"),
    (TASK, {"contained": [{"resourceType": "Nope", "id": "a"}]}, "not-supported", "Task.contained[0].resourceType"),
    (TASK, {"contained": [{"resourceType": "Resource", "id": "a"}]}, "not-supported", "Task.contained[0].resourceType"),
    (
        TASK,
        {"contained": [{"resourceType": ["Patient"], "id": "a"}]},
        "not-supported",
        "Task.contained[0].resourceType",
    ),
    (
        TASK,
        {"contained": [{"resourceType": "HumanName", "id": "a"}]},
        "not-supported",
        "Task.contained[0].resourceType",
    ),
    (
        TASK,
        {"contained": [{"resourceType": "Citation", "id": "a", "status": "draft"}]},
        "not-supported",
        "Task.contained[0].resourceType",
    ),
    (TASK, {"contained": [{"id": "a"}]}, "not-supported", "Task.contained[0].resourceType"),
    (TASK, {"contained": [5]}, "structure", "Task.contained[0]"),
    (
        TASK,
        {"contained": [{"resourceType": "Patient", "id": "a", "contained": [{"resourceType": "Patient", "id": "b"}]}]},
        "invariant",
        "Task.contained[0].contained",
    ),
    (
        TASK,
        {"contained": [{"resourceType": "Patient", "id": "a", "meta": {"security": [{"code": "x"}]}}]},
        "invariant",
        "Task.contained[0].meta.security",
    ),
    (
        TASK,
        {
            "contained": [
                {"resourceType": "Patient", "id": "a"},
                {"resourceType": "Group", "id": "a", "type": "person", "actual": True},
            ]
        },
        "invariant",
        "Task.contained",
    ),
    (
        TASK,
        {"contained": [{"resourceType": "Patient", "id": "a", "gender": "x"}]},
        "code-invalid",
        "Task.contained[0].gender",
    ),
    # Documents.
    (BUNDLE, {"entry": [{"resource": PATIENT}]}, "invariant", "Bundle.entry"),
    (BUNDLE, {"identifier": {"value": "x"}}, "invariant", "Bundle.identifier"),
    (
        BUNDLE,
        {"entry": [{"resource": COMPOSITION}, {"resource": {**PATIENT, "gender": "x"}}]},
        "code-invalid",
        "Bundle.entry[1].resource.gender",
    ),
    (
        BUNDLE,
        {"entry": [{"resource": COMPOSITION}, {"resource": {**PATIENT, "birthDate": "1999-13"}}]},
        "value",
        "Bundle.entry[1].resource.birthDate",
    ),
    (
        BUNDLE,
        {"entry": [{"resource": COMPOSITION}, {"resource": {"resourceType": "Observation", "status": "final"}}]},
        "required",
        "Bundle.entry[1].resource.code",
    ),
]


@pytest.mark.parametrize(("sound", "change", "code", "expression"), WITH)
def test_a_fault_is_told_once_where_it_is(sound: Json, change: Json, code: str, expression: str) -> None:
    assert told({**sound, **change}) == [(code, expression)]


@pytest.mark.parametrize(
    ("sound", "missing", "expression"),
    [
        (OBSERVATION, "status", "Observation.status"),
        (OBSERVATION, "code", "Observation.code"),
        (IMMUNIZATION, "occurrenceDateTime", "Immunization.occurrence"),
        (BUNDLE, "type", "Bundle.type"),
    ],
)
def test_a_missing_element_is_named(sound: Json, missing: str, expression: str) -> None:
    assert told({name: value for name, value in sound.items() if name != missing}) == [("required", expression)]


@pytest.mark.parametrize(
    ("start", "end", "sound"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z", True),
        ("2016-12-31T23:59:60Z", "2016-12-30T00:00:00Z", False),
        ("2024-01-01T00:30:00+02:00", "2023-12-31T23:00:00Z", True),
        ("2024-01-01T00:30:00Z", "2024-01-01T01:00:00+02:00", False),
        ("2024-05", "2024", True),
        ("2024-05-01", "2024-04", False),
        ("2024-05-01T10:00:00Z", "2024-05-01", True),
    ],
)
def test_a_period_starts_before_it_ends_as_far_as_known(start: str, end: str, sound: bool) -> None:
    changed = {**OBSERVATION, "effectivePeriod": {"start": start, "end": end}}
    assert told(changed) == ([] if sound else [("invariant", "Observation.effective")])


def test_a_required_code_may_be_absent_for_a_stated_reason() -> None:
    reason = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    unstated = {name: value for name, value in OBSERVATION.items() if name != "status"}
    assert told({**unstated, "_status": {"extension": [reason]}}) == []


@pytest.mark.parametrize(
    "reference",
    [
        "urn:oid:1.2.3",
        "https://a.org/x",
        "https://a.org/Patient/1",
        "Patient/1",
        "Group?identifier=a|b",
        "Patient/a.b-C",
    ],
)
def test_references_that_are_resolved_elsewhere(reference: str) -> None:
    assert told({**OBSERVATION, "subject": {"reference": reference}}) == []


def test_what_is_contained_refers_to_its_siblings_and_container() -> None:
    within = [
        {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#p"}},
        {"resourceType": "Practitioner", "id": "p"},
        {"resourceType": "Provenance", "id": "v", "target": [{"reference": "#"}], "recorded": "2024-01-01T00:00:00Z",
         "agent": [{"who": {"reference": "#p"}}]},
    ]  # fmt: skip
    assert told({**OBSERVATION, "performer": [{"reference": "#r"}], "contained": within}) == []


def test_an_entry_does_not_see_what_another_contains() -> None:
    stray = {**OBSERVATION, "performer": [{"reference": "#o"}]}
    changed = {**BUNDLE, "entry": [*BUNDLE["entry"], {"resource": stray}]}
    assert told(changed) == [("not-found", "Bundle.entry[2].resource.performer[0].reference")]


def test_another_type_than_the_address_says_is_refused() -> None:
    assert [each.code for each in validate("Patient", OBSERVATION)] == ["invalid"]
    assert [each.code for each in validate("Patient", {})] == ["invalid"]
    assert [each.code for each in validate("Patient", ["Patient"])] == ["invalid"]  # type: ignore[arg-type]
    for unknown in ("Nope", "Resource", "HumanName", "Citation", "A b", ""):
        assert [each.code for each in validate(unknown, {"resourceType": unknown})] == ["not-supported"]


def test_several_faults_are_told_together_and_their_number_is_bounded() -> None:
    both = {**OBSERVATION, "status": "zzz", "effectivePeriod": {"start": "2024-02-30"}}
    assert set(told(both)) == {("code-invalid", "Observation.status"), ("value", "Observation.effective.start")}
    many = {**OBSERVATION, "note": [{"text": ""}] * 50_000, "component": [{"valueString": "x"}] * 5_000}
    assert len(judged(many)) == MOST_ISSUES


def test_depth_never_escapes() -> None:
    extension: Json = {"url": "http://a", "valueString": "x"}
    for _ in range(3000):
        extension = {"url": "http://a", "extension": [extension]}
    issues = validate("Task", {**TASK, "extension": [extension]})
    assert [each.code for each in issues] == ["too-costly"]


def test_synthea_resources_pass() -> None:
    """3,849 resources generated by others, when SYNTHEA_R4 names their folder."""
    folder = os.environ.get("SYNTHEA_R4")
    if folder is None:
        pytest.skip("SYNTHEA_R4 names no folder of R4 bundles")
    for path in Path(folder).glob("*.json"):
        for entry in wire.decode(path.read_bytes(), 50)["entry"]:
            assert validate(entry["resource"]["resourceType"], entry["resource"]) == ()
