"""Medicines looked up, and prescriptions checked against what the reader sees, over HTTP."""

from typing import Any

from fastapi.responses import Response

from fhir.validation import validate
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.core.errors import DomainError, Reason
from phr.medicines import asking
from phr.plan import located

Json = dict[str, Any]
_ASKED = described.taking(
    [
        {"in": "query", "name": "code", "description": "A CIS or a CIP13.", "schema": {"type": "string"}},
        {"in": "query", "name": "name", "description": "Beginnings of words.", "schema": {"type": "string"}},
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("GET", "/Medication/$lookup", _ASKED)
    async def lookup(asked: Asked) -> Response:
        """Medicines of the public database: by CIS or CIP13 (`code`), or by words of the name (`name`); at most 50."""
        found = await asking.lookup(asked.visit, asked.first("code"), asked.first("name"))
        entry = [{"resource": one} for one in found]
        bundle = {"resourceType": "Bundle", "type": "collection", **({"entry": entry} if entry else {})}
        return answers.json_answer(asked, bundle)

    @doors.opens("POST", "/Patient/{id:id}/$check-medicines", described.taking([], described.RESOURCE))
    async def check(asked: Asked, id: str) -> Response:
        """Duplicates, allergies and interactions of lines of prescription, as far as the reader sees the record."""
        lines = (await given(asked, ("line",))).every("line", dict)
        _judge(lines)
        found, unchecked = await asking.checked(asked.visit, id, lines)
        told: list[Json] = [{"name": "finding", "resource": one} for one in found]
        told += [{"name": "unchecked", "valueString": text} for text in unchecked]
        return answers.json_answer(asked, {"resourceType": "Parameters", **({"parameter": told} if told else {})})


def _judge(lines: tuple[Json, ...]) -> None:
    """Each line is a MedicationRequest. Raises CONTENT, naming the line and the element."""
    issues = [
        issue
        for n, line in enumerate(lines)
        for issue in located(
            validate("MedicationRequest", line), "MedicationRequest", f"Parameters.parameter[{n}].resource"
        )
    ]
    if issues:
        raise DomainError(Reason.CONTENT, *issues)
