"""The ways a request can fail, as values. One table (`phr.api.faults`) turns a Reason into an HTTP status."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a request fails. The closed list: a new way to fail is added here and in the HTTP table."""

    SYNTAX = "syntax"
    CONTENT = "content"
    TOO_LARGE = "too-large"
    MEDIA_TYPE = "media-type"
    NOT_ACCEPTABLE = "not-acceptable"
    METHOD = "method"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    GONE = "gone"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    RANGE = "range"
    TOO_MANY = "too-many"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Issue:
    """One OperationOutcome.issue. `code` is a FHIR IssueType; `expression` a FHIRPath to the element.

    `diagnostics` never repeats a value of the resource: an outcome may be logged by the caller's proxies.
    """

    code: str
    diagnostics: str
    expression: str | None = None
    severity: str = "error"


class DomainError(Exception):
    """A request that cannot be served, with its reason and the issues to tell."""

    def __init__(self, reason: Reason, *issues: Issue) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.issues = issues


def invalid(diagnostics: str, expression: str | None = None, code: str = "invalid") -> DomainError:
    """Well-formed but unacceptable content (422)."""
    return DomainError(Reason.CONTENT, Issue(code, diagnostics, expression))


def malformed(diagnostics: str, expression: str | None = None) -> DomainError:
    """Bytes, parameters or syntax that cannot be read (400)."""
    return DomainError(Reason.SYNTAX, Issue("structure", diagnostics, expression))


def absent() -> DomainError:
    """The one 404: masked, blocked and never existed answer alike."""
    return DomainError(Reason.ABSENT, Issue("not-found", "No such resource."))


def forbidden(diagnostics: str) -> DomainError:
    """The reader is known, and may not do this (403)."""
    return DomainError(Reason.FORBIDDEN, Issue("forbidden", diagnostics))
