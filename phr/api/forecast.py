"""`$immds-forecast` (HL7 Immunization Decision Support): of resources that are sent, or of a record."""

from datetime import date
from typing import Any, cast

from fastapi.responses import Response

from fhir.validation import validate
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, given
from phr.core.errors import DomainError, Issue, Reason, invalid, malformed
from phr.journal_words import preferred
from phr.prevention import forecast
from phr.prevention.dates import day
from phr.prevention.elements import LIVED, another, full
from phr.prevention.person import Person
from phr.prevention.reading import read
from phr.prevention.record import person_of
from phr.prevention.rulebook import RULES
from phr.prevention.words import Language

Json = dict[str, Any]
SENT = ("assessmentDate", "patient", "immunization")
_TOLD = described.taking(
    [
        {
            "in": "query",
            "name": "assessmentDate",
            "description": "A day; today in Paris.",
            "schema": {"type": "string"},
        },
        {"in": "query", "name": "lang", "description": "Before Accept-Language.", "schema": {"enum": ["fr", "en"]}},
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("POST", "/$immds-forecast", described.taking([], described.RESOURCE))
    async def of_what_is_sent(asked: Asked) -> Response:
        """Vaccines due to the patient that is sent, with the immunizations that are sent. Nothing is kept."""
        said = await given(asked, SENT)
        on, patient = _assessed(said), said.required("patient", dict)
        person = _person(patient, said.every("immunization", dict))
        await forecast.note(asked.visit)
        named = {"reference": f"Patient/{patient['id']}"} if "id" in patient else {"type": "Patient"}
        return _answer(asked, person, named, on)

    @doors.opens("GET", "/Patient/{id:id}/$immds-forecast", _TOLD)
    async def of_a_record(asked: Asked, id: str) -> Response:
        """The same of a record, as far as the reader sees it."""
        on = _day(asked.first("assessmentDate")) or day(asked.visit.now)
        person = await read(asked.visit, id, "$immds-forecast")
        return _answer(asked, person, {"reference": f"Patient/{id}"}, on)


def _answer(asked: Asked, person: Person | None, patient: Json, on: date) -> Response:
    language = cast(Language, preferred(asked.first("lang"), asked.header("accept-language")))
    found = forecast.forecast(RULES, person, patient, on, language)
    return answers.json_answer(asked, found, headers={"Content-Language": language})


def _day(text: str | None) -> date | None:
    """Raises SYNTAX."""
    found = None if text is None else full(text)
    if text is not None and found is None:
        raise malformed(f"assessmentDate is a day: YYYY-MM-DD, {LIVED}.")
    return found


def _assessed(said: Given) -> date:
    """Raises CONTENT."""
    found = full(said.required("assessmentDate", str))
    if found is None:
        raise invalid(f"A day is expected: YYYY-MM-DD, {LIVED}.", _at("assessmentDate"))
    return found


def _person(patient: Json, immunizations: tuple[Json, ...]) -> Person | None:
    """Who the resources are about; None when they are dead. Raises CONTENT, naming the resource and the element."""
    listed = [("patient", "Patient", patient), *(("immunization", "Immunization", one) for one in immunizations)]
    issues = [
        Issue(issue.code, issue.diagnostics, f"{_at(name)}[{max(n - 1, 0)}].resource{_inside(issue)}")
        for n, (name, kind, resource) in enumerate(listed)
        for issue in validate(kind, resource)
    ]
    if issues:
        raise DomainError(Reason.CONTENT, *issues)
    for n, one in enumerate(immunizations):
        if "id" in patient and another(one, patient["id"]):
            raise invalid("This is about another patient.", f"{_at('immunization')}[{n}].resource.patient")
    if full(patient.get("birthDate")) is None:
        raise invalid("The whole birth date is required.", f"{_at('patient')}[0].resource.birthDate", "required")
    dead = patient.get("deceasedBoolean") or "deceasedDateTime" in patient
    return None if dead else person_of([patient, *immunizations])


def _inside(issue: Issue) -> str:
    """The path of an element, its resource's type left out."""
    return "".join((issue.expression or "").partition(".")[1:])


def _at(name: str) -> str:
    return f"Parameters.parameter.where(name = '{name}')"
