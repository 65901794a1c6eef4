"""Findings as FHIR DetectedIssues: not stored, in French with the English beside it (the translation extension)."""

from collections.abc import Iterator
from typing import Any

from phr.medicines import words
from phr.medicines.checker import Finding, Kind, Subject

Json = dict[str, Any]
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
FINDING = "https://carnet.example/CodeSystem/medicine-finding"
LEVEL, LINE = (f"https://carnet.example/StructureDefinition/{name}" for name in ("interaction-level", "line"))
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_CODES = {
    Kind.DUPLICATE: ("DUPTHPY", "Duplicate Therapy Alert"),
    Kind.ALLERGY: ("ALGY", "Allergy Alert"),
    Kind.INTERACTION: ("DRG", "Drug Interaction Alert"),
}
"""R4 detectedissue-category, which is only preferred: our own code is beside it."""


def detected(one: Finding, record: str | None) -> Json:
    """The DetectedIssue of a finding about the person of a record. Its `implicated` say their line, if they are one."""
    code, display = _CODES[one.kind]
    codings = [{"system": ACT_CODE, "code": code, "display": display}, {"system": FINDING, "code": one.kind.value}]
    english = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": words.found(one, "en")}]
    return {
        "resourceType": "DetectedIssue",
        "language": "fr",
        **({"extension": [{"url": LEVEL, "valueCode": one.level.value}]} if one.level is not None else {}),
        "status": "final",
        "code": {"coding": codings},
        "severity": one.severity,
        **({"patient": {"reference": f"Patient/{record}"}} if record is not None else {}),
        "implicated": list(_implicated(one)),
        "detail": words.found(one, "fr"),
        "_detail": {"extension": [{"url": _TRANSLATION, "extension": english}]},
    }


def _implicated(one: Finding) -> Iterator[Json]:
    yield from map(_reference, one.subjects)
    if one.allergy is not None:
        yield {"reference": one.allergy.reference, "type": "AllergyIntolerance", "display": one.allergy.label}


def _reference(subject: Subject) -> Json:
    kind, stored, _ = subject.reference.partition("/")
    return {
        **({"extension": [{"url": LINE, "valuePositiveInt": subject.line}]} if subject.line else {}),
        **({"reference": subject.reference} if stored else {}),
        "type": kind,
        "display": subject.label,
    }
