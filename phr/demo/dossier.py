"""One person's record in the making: each act adds a resource to their transaction and gives a reference to it.

References name the person and their resources by `urn:uuid:`, professionals and structures by their national number.
"""

from datetime import date, timedelta
from typing import Any

from phr.demo.clinic import Professional, urn
from phr.demo.moments import instant
from phr.demo.people import Identity, patient
from phr.demo.vocabulary import (
    CIM10,
    DIASTOLIC,
    LOINC,
    SYSTOLIC,
    TERMINOLOGY,
    UCUM,
    Measure,
    Product,
    coding,
    concept,
)

Json = dict[str, Any]


class Dossier:
    """What is written about one person, in order, the Patient first."""

    def __init__(self, who: Identity, today: date, treating: Professional, contacts: tuple[Json, ...] = ()) -> None:
        self.who = who
        self.today = today
        self.entries: list[Json] = []
        self.subject = self.add(patient(who, treating.query, contacts))

    def ago(self, days: int) -> date:
        """The day `days` before today."""
        return self.today - timedelta(days=days)

    @property
    def transaction(self) -> Json:
        """The FHIR transaction."""
        return {"resourceType": "Bundle", "type": "transaction", "entry": list(self.entries)}

    def name(self, kind: str, slug: str) -> str:
        """The `urn:uuid:` of this person's resource of that type and slug."""
        return urn(self.who.login, kind, slug)

    def add(self, resource: Json, name: str | None = None) -> Json:
        """Add a resource; a reference to it. Its name is given, or comes from its rank."""
        kind = resource["resourceType"]
        found = name or self.name(kind, str(len(self.entries)))
        self.entries.append({"fullUrl": found, "resource": resource, "request": {"method": "POST", "url": kind}})
        return {"reference": found}

    def problem(self, code: str, label: str, onset: date, by: Professional, ended: date | None = None) -> Json:
        """A Condition, by CIM-10 code; resolved when it has ended."""
        state, display = ("resolved", "Resolved") if ended else ("active", "Active")
        made: Json = {
            "resourceType": "Condition",
            "clinicalStatus": concept(f"{TERMINOLOGY}/condition-clinical", state, display),
            "verificationStatus": concept(f"{TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed"),
            "category": [concept(f"{TERMINOLOGY}/condition-category", "problem-list-item", "Problem List Item")],
            "code": concept(CIM10, code, label),
            "subject": self.subject,
            "onsetDateTime": onset.isoformat(),
            "recordedDate": onset.isoformat(),
            "asserter": by.reference,
        }
        return self.add(made | ({"abatementDateTime": ended.isoformat()} if ended else {}))

    def encounter(self, day: date, by: Professional, why: str, *, days: int = 0, label: Json | None = None) -> Json:
        """A visit of half an hour, or a stay of some days. `label`: a visibility coding for `meta.security`."""
        kind, display = ("IMP", "inpatient encounter") if days else ("AMB", "ambulatory")
        end = instant(day + timedelta(days=days), 14) if days else instant(day, 10, 30)
        made: Json = {
            "resourceType": "Encounter",
            "status": "finished",
            "class": coding(f"{TERMINOLOGY}/v3-ActCode", kind, display),
            "subject": self.subject,
            "participant": [{"individual": by.reference}],
            "period": {"start": instant(day, 10), "end": end},
            "reasonCode": [{"text": why}],
            "serviceProvider": by.structure.reference,
        }
        return self.add(made | ({"meta": {"security": [label]}} if label else {}))

    def vital(self, what: Measure, value: float, day: date, by: Professional | None = None) -> Json:
        """A vital sign, taken by a professional or by the person."""
        made = self._observation("vital-signs", _code(what), day, by, 10 if by else 7)
        return self.add(made | {"valueQuantity": _quantity(what, value)})

    def pressure(self, systolic: int, diastolic: int, day: date, by: Professional | None = None) -> Json:
        """A blood pressure, in mmHg (LOINC 85354-9 and its two components)."""
        panel = concept(LOINC, "85354-9", "Blood pressure panel with all children optional", "Pression artérielle")
        parts = [
            {"code": _code(what), "valueQuantity": _quantity(what, value)}
            for what, value in ((SYSTOLIC, systolic), (DIASTOLIC, diastolic))
        ]
        return self.add(self._observation("vital-signs", panel, day, by, 10 if by else 7) | {"component": parts})

    def result(self, what: Measure, value: float, day: date, by: Professional) -> Json:
        """A laboratory result, with its usual range and whether it is in it."""
        made = self._observation("laboratory", _code(what), day, by, 8)
        made["valueQuantity"] = _quantity(what, value)
        code, display = out_of_range(what, value) or ("N", "Normal")
        made["interpretation"] = [concept(f"{TERMINOLOGY}/v3-ObservationInterpretation", code, display)]
        ends = {"low": what.low, "high": what.high}
        found = {name: _quantity(what, end) for name, end in ends.items() if end is not None}
        return self.add(made | ({"referenceRange": [found]} if found else {}))

    def finding(self, category: str, code: Json, value: Json, day: date, by: Professional) -> Json:
        """Any other observation; `value` is its `value[x]` member, `category` a code of observation-category."""
        return self.add(self._observation(category, code, day, by, 10) | value)

    def _observation(self, category: str, code: Json, day: date, by: Professional | None, hour: int) -> Json:
        return {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"system": f"{TERMINOLOGY}/observation-category", "code": category}]}],
            "code": code,
            "subject": self.subject,
            "effectiveDateTime": instant(day, hour),
            "performer": [by.reference if by else self.subject],
        }

    def vaccine(self, what: Product, day: date, by: Professional, dose: int, lot: str) -> Json:
        """An Immunization; `dose` is its number in the series, from 1."""
        return self.add(
            {
                "resourceType": "Immunization",
                "status": "completed",
                "vaccineCode": what.concept(),
                "patient": self.subject,
                "occurrenceDateTime": day.isoformat(),
                "primarySource": True,
                "lotNumber": lot,
                "performer": [{"actor": by.reference}],
                "protocolApplied": [{"doseNumberPositiveInt": dose}],
            }
        )

    def allergy(self, code: Json, reaction: str, severity: str, since: date, by: Professional, category: str) -> Json:
        """An AllergyIntolerance; severity is mild, moderate or severe, category food, medication or environment."""
        verification = f"{TERMINOLOGY}/allergyintolerance-verification"
        return self.add(
            {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": concept(f"{TERMINOLOGY}/allergyintolerance-clinical", "active", "Active"),
                "verificationStatus": concept(verification, "confirmed", "Confirmed"),
                "type": "allergy",
                "category": [category],
                "criticality": "high" if severity == "severe" else "low",
                "code": code,
                "patient": self.subject,
                "onsetDateTime": since.isoformat(),
                "recordedDate": since.isoformat(),
                "recorder": by.reference,
                "reaction": [{"manifestation": [{"text": reaction}], "severity": severity}],
            }
        )

    def prescribe(self, what: Product, dosage: str, day: date, by: Professional, *, active: bool = True) -> Json:
        """A MedicationRequest, with its dosage in words."""
        return self.add(
            {
                "resourceType": "MedicationRequest",
                "status": "active" if active else "completed",
                "intent": "order",
                "medicationCodeableConcept": what.concept(),
                "subject": self.subject,
                "authoredOn": instant(day, 10, 20),
                "requester": by.reference,
                "dosageInstruction": [{"text": dosage}],
            }
        )

    def takes(self, what: Product, dosage: str, since: date) -> Json:
        """A MedicationStatement: what the person says they take."""
        return self.add(
            {
                "resourceType": "MedicationStatement",
                "status": "active",
                "medicationCodeableConcept": what.concept(),
                "subject": self.subject,
                "effectivePeriod": {"start": since.isoformat()},
                "informationSource": self.subject,
                "dosage": [{"text": dosage}],
            }
        )

    def procedure(self, code: Json, day: date, by: Professional) -> Json:
        """An act that was carried out."""
        return self.add(
            {
                "resourceType": "Procedure",
                "status": "completed",
                "code": code,
                "subject": self.subject,
                "performedDateTime": day.isoformat(),
                "performer": [{"actor": by.reference}],
            }
        )

    def report(self, code: Json, section: Json, day: date, by: Professional, results: list[Json], told: str) -> Json:
        """A DiagnosticReport over results already written; `section` is its category (v2-0074)."""
        made: Json = {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "category": [section],
            "code": code,
            "subject": self.subject,
            "effectiveDateTime": instant(day, 8),
            "issued": instant(day, 17),
            "performer": [by.structure.reference],
            "resultsInterpreter": [by.reference],
            "conclusion": told,
        }
        return self.add(made | ({"result": results} if results else {}))

    def relative(self, code: str, display: str, kin: str, illness: Json, day: date) -> Json:
        """A FamilyMemberHistory; `code` is a v3-RoleCode (FTH, MTH, …), `kin` the French word."""
        return self.add(
            {
                "resourceType": "FamilyMemberHistory",
                "status": "completed",
                "patient": self.subject,
                "date": day.isoformat(),
                "relationship": concept(f"{TERMINOLOGY}/v3-RoleCode", code, display, kin),
                "condition": [{"code": illness}],
            }
        )


def out_of_range(what: Measure, value: float) -> tuple[str, str] | None:
    """The v3-ObservationInterpretation code and display of a result outside its range, None inside."""
    if what.low is not None and value < what.low:
        return "L", "Low"
    if what.high is not None and value > what.high:
        return "H", "High"
    return None


def _code(what: Measure) -> Json:
    return concept(LOINC, what.loinc, what.display, what.label)


def _quantity(what: Measure, value: float) -> Json:
    return {"value": value, "unit": what.unit, "system": UCUM, "code": what.ucum}
