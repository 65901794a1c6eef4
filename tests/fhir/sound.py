"""Sound resources of many types, written by hand to use the rarer parts of FHIR."""

from decimal import Decimal
from typing import Any

Json = dict[str, Any]

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
LOINC = {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"}]}


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


PATIENT: Json = {
    "resourceType": "Patient",
    "id": "0a1-5f",
    "meta": {
        "versionId": "1",
        "lastUpdated": "2024-01-01T10:00:00.123+01:00",
        "profile": ["http://example.org/StructureDefinition/p"],
        "security": [{"system": "http://example.org/s", "code": "N"}],
    },
    "text": {"status": "generated", "div": DIV.format("<p class='a'>Jeanne <b>Doux</b><br/></p>")},
    "extension": [{"url": "http://example.org/e", "extension": [{"url": "place", "valueCode": "75056"}]}],
    "identifier": [{"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "123"}],
    "active": True,
    "name": [
        {
            "family": "Doux",
            "given": ["Jeanne", None, "Élise"],
            "_given": [None, {"extension": [{"url": "http://example.org/e", "valueBoolean": True}]}],
            "period": {"start": "2001", "end": "2024-02-29"},
        }
    ],
    "gender": "female",
    "birthDate": "1958-07",
    "_birthDate": {"id": "b"},
    "multipleBirthInteger": 2,
    "photo": [{"contentType": "image/png; charset=binary", "data": "iVBORw0KGgo=", "size": 8}],
    "contact": [{"name": {"text": "Paul\tDoux\r\n"}, "gender": "male"}],
    "generalPractitioner": [{"reference": "Practitioner/1", "type": "Practitioner", "display": "Dr"}],
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Clinic"}],
    "managingOrganization": {"reference": "#o"},
}
OBSERVATION: Json = {
    "resourceType": "Observation",
    "status": "final",
    "category": [coded("observation-category", "vital-signs")],
    "code": LOINC,
    "subject": {"reference": "urn:uuid:5b0f1d5e-0d6c-4b39-a3b1-111111111111"},
    "effectivePeriod": {"start": "2024-01-01T10:00:00+02:00", "end": "2024-01-01T09:00:00Z"},
    "performer": [{"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "1"}}],
    "valueQuantity": {"value": Decimal("72.50"), "unit": "kg", "comparator": "<=", "code": "kg"},
    "component": [
        {"code": LOINC, "valueSampledData": {"origin": {"value": 0}, "period": 2, "dimensions": 1, "data": "1 2 E"}},
        {"code": LOINC, "dataAbsentReason": coded("data-absent-reason", "unknown")},
    ],
}
CONDITION: Json = {
    "resourceType": "Condition",
    "clinicalStatus": coded("condition-clinical", "active"),
    "verificationStatus": {"text": "ok", **coded("condition-ver-status", "confirmed")},
    "code": {"text": "Asthme"},
    "subject": {"reference": "Patient/1/_history/2"},
    "onsetAge": {"value": 12, "system": "http://unitsofmeasure.org", "code": "a"},
    "abatementString": "été",
}
DOCUMENT: Json = {
    "resourceType": "DocumentReference",
    "status": "current",
    "docStatus": "final",
    "type": LOINC,
    "subject": {"reference": "Patient?identifier=urn:oid:1.2|3"},
    "date": "2024-03-31T12:00:00Z",
    "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/9"}}],
    "content": [
        {"attachment": {"contentType": "application/pdf", "url": "Binary/1", "hash": "3q2+7w==", "title": "CR"}}
    ],
    "context": {"period": {"start": "2024-03-31"}},
}
MEDICATION_REQUEST: Json = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": {"text": "Paracétamol 1 g"},
    "subject": {"reference": "https://example.org/fhir/Patient/1"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d", "when": ["MORN", "ACD"]}},
            "doseAndRate": [{"doseQuantity": {"value": Decimal("1.0"), "unit": "g"}}],
        }
    ],
}
ENCOUNTER: Json = {
    "resourceType": "Encounter",
    "status": "entered-in-error",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "statusHistory": [{"status": "onleave", "period": {"start": "2024"}}],
}
BINARY: Json = {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVs\nbG8="}
QUESTIONNAIRE: Json = {
    "resourceType": "Questionnaire",
    "status": "active",
    "subjectType": ["Patient"],
    "item": [
        {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "open-choice", "text": "Fumez-vous ?"}]}
    ],
}
TASK: Json = {
    "resourceType": "Task",
    "status": "on-hold",
    "intent": "order",
    "focus": {"reference": "MedicationRequest/5"},
    "input": [{"type": {"text": "x"}, "valueUrl": "https://example.org/a"}],
}
AUDIT_EVENT: Json = {
    "resourceType": "AuditEvent",
    "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
    "action": "R",
    "recorded": "2024-01-01T00:00:00Z",
    "outcome": "0",
    "agent": [{"requestor": True, "network": {"address": "192.0.2.1", "type": "2"}}],
    "source": {"observer": {"display": "Carnet"}},
}
IMMUNIZATION: Json = {
    "resourceType": "Immunization",
    "status": "completed",
    "vaccineCode": {"text": "ROR"},
    "patient": {"reference": "Patient/1"},
    "occurrenceDateTime": "1999",
    "protocolApplied": [{"doseNumberPositiveInt": 1}],
}
COMPOSITION: Json = {
    "resourceType": "Composition",
    "status": "final",
    "type": LOINC,
    "date": "2024-01-01",
    "author": [{"display": "Dr"}],
    "title": "Volet",
    "confidentiality": "N",
}
BUNDLE: Json = {
    "resourceType": "Bundle",
    "type": "document",
    "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:5b0f1d5e-0d6c-4b39-a3b1-111111111111"},
    "timestamp": "2024-01-01T00:00:00Z",
    "entry": [
        {"fullUrl": "urn:uuid:5b0f1d5e-0d6c-4b39-a3b1-111111111112", "resource": COMPOSITION},
        {"resource": PATIENT},
    ],
}
SOUND = [
    PATIENT,
    OBSERVATION,
    CONDITION,
    DOCUMENT,
    MEDICATION_REQUEST,
    ENCOUNTER,
    BINARY,
    QUESTIONNAIRE,
    TASK,
    AUDIT_EVENT,
    IMMUNIZATION,
    COMPOSITION,
    BUNDLE,
]
