"""Issues become an OperationOutcome that the models accept."""

from fhir import models
from fhir.outcome import ALL_OK, outcome
from phr.core.errors import Issue


def test_an_outcome_tells_where() -> None:
    told = outcome([Issue("required", "A required element is missing.", "Observation.code"), Issue("not-found", "")])
    assert told == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "required",
                "diagnostics": "A required element is missing.",
                "expression": ["Observation.code"],
            },
            {"severity": "error", "code": "not-found"},
        ],
    }
    models.model("OperationOutcome").model_validate(told)


def test_no_issue_is_told_as_all_ok() -> None:
    assert outcome([]) == outcome(iter([ALL_OK]))
    assert outcome([])["issue"][0]["severity"] == "information"
    models.model("OperationOutcome").model_validate(outcome([]))
