"""A prescription as its pages say it: who prescribed, its state, its lines, what was dispensed of each, what is left.

The rule: a page says what `$prescription` answers to who reads it, and computes nothing of its own.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from phr.access.consent import Actor
from phr.prescription import task as tasks
from phr.prescription.life import HELD, OVER, State
from phr.prevention import dates
from phr.web.held import shown
from phr.web.prescribed_lines import Line, day_of, line_of, reason_of, values_of
from phr.web.prevention_plan import named_day

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prescription:
    """One prescription. `owner`: the pharmacy it was sent to, or that took it."""

    id: str
    number: str
    state: State
    reason: str
    by: str
    day: str
    until: str
    person: str
    owner: Actor | None
    lines: tuple[Line, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    unchecked: tuple[str, ...] = ()
    signed: bool | None = None
    document: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more is dispensed of it."""
        return self.state in OVER

    @property
    def pharmacy(self) -> str:
        """What the pharmacy that has it is called."""
        return shown(self.owner)

    @property
    def held(self) -> bool:
        """Whether a pharmacy has taken it."""
        return self.state in HELD

    @property
    def dispensed(self) -> bool:
        """Whether something was dispensed of it."""
        return any(not one.declined for line in self.lines for one in line.supplies)

    @property
    def sent(self) -> bool:
        """Whether a pharmacy has it and did not take it yet."""
        return self.state is State.READY and self.owner is not None


def prescription_of(task: Json, language: str, answer: Json | None = None) -> Prescription:
    """Of its Task alone, or with what `$prescription` answers."""
    listed = () if answer is None else answer["parameter"]
    owner, requester = tasks.pharmacy(task), task.get("requester", {})
    return Prescription(
        id=task["id"],
        number=tasks.number(task) or "",
        state=tasks.state(task),
        reason=reason_of(task.get("statusReason", {}), language),
        by=requester.get("display") or requester.get("identifier", {}).get("value", ""),
        day=day_of(task.get("authoredOn", ""), language),
        until=named_day(dates.day(tasks.until(task) - timedelta(minutes=1)), language),
        person=task.get("for", {}).get("display", ""),
        owner=owner,
        lines=tuple(line_of(one["part"], language) for one in listed if one["name"] == "line"),
        findings=tuple(_finding(one["resource"], language) for one in listed if one["name"] == "finding"),
        unchecked=tuple(_in(one["valueString"], language) for one in listed if one["name"] == "unchecked"),
        signed=next((one["valueBoolean"] for one in listed if one["name"] == "signed"), None),
        document=next((one["valueReference"]["reference"] for one in listed if one["name"] == "document"), ""),
    )


def answered(answer: httpx.Response, language: str) -> Prescription | None:
    """What `$prescription` answered; None when it was refused."""
    if answer.status_code != 200:
        return None
    body = answer.json()
    return prescription_of(values_of(body["parameter"])["task"], language, body)


def _finding(issue: Json, language: str) -> tuple[str, str]:
    """How grave, and what: of a DetectedIssue, in French with its translation."""
    translated = issue.get("_detail", {}).get("extension", ()) if language != "fr" else ()
    other = (part for one in translated for part in one["extension"] if part["url"] == "content")
    return issue.get("severity", ""), next((one["valueString"] for one in other), issue["detail"])


def _in(text: str, language: str) -> str:
    """Of a text of two lines, French and English, the one to show."""
    french, _, english = text.partition("\n")
    return french if language == "fr" or not english else english
