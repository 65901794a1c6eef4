"""Issues as the OperationOutcome a client reads (FHIR R4 OperationOutcome)."""

from collections.abc import Iterable
from typing import Any

from phr.core.errors import Issue

ALL_OK = Issue("informational", "All OK.", severity="information")


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome of these issues; of none, `ALL_OK` (an outcome has at least one issue)."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(each) for each in tuple(issues) or (ALL_OK,)],
    }


def _issue(issue: Issue) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    if issue.diagnostics:
        told["diagnostics"] = issue.diagnostics
    if issue.expression:
        told["expression"] = [issue.expression]
    return told
