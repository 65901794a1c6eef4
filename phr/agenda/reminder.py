"""A reminder as FHIR: a Task of the person's, and what we read of it.

The rule: the Task says all of a reminder; what is stored beside it says only when to look at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fhir import tokens
from fhir.parameters import KINDS
from phr import operated
from phr.agenda import wall
from phr.agenda.recurrence import Recurrence, parse
from phr.agenda.schedule import Times
from phr.agenda.wall import Before, before

Json = dict[str, Any]

TASK, APPOINTMENT = KINDS["Task"], KINDS["Appointment"]
ABOUT = frozenset({"Appointment", "DocumentReference"})
SYSTEM, REMINDER = "https://carnet.example/CodeSystem/task", "reminder"
RULE = "https://carnet.example/StructureDefinition/recurrence"
BEFORE = "https://carnet.example/StructureDefinition/before"
RUNS, ENDED, DONE = "in-progress", "cancelled", "completed"
OVER = frozenset({"cancelled", "noshow", "entered-in-error"})
"""Of an appointment that will not be."""


def at(name: str) -> str:
    """Where a parameter is, for who reads what is wrong with it."""
    return f"Parameters.parameter.where(name = '{name}')"


@dataclass(frozen=True, slots=True)
class Reminder:
    """What is to be told, and when: at times on the clock, or `before` the appointment it is `about` (`Type/id`)."""

    title: str = field(repr=False)
    text: str = field(default="", repr=False)
    times: Times | None = None
    about: str = ""
    before: Before | None = None

    def times_with(self, appointment: Mapping[str, Any] | None) -> Times | None:
        """When it is told; None: never, for what it is about is not to be."""
        if appointment is not None and appointment.get("status") in OVER:
            return None
        if self.before is None:
            return self.times
        start = None if appointment is None else appointment.get("start")
        if start is None:
            return None
        return Times(wall.wall_of(self.before.of(datetime.fromisoformat(start))))


def task_of(one: Reminder, record: str, now: datetime, was: Mapping[str, Any] | None = None) -> Json:
    """The Task of a reminder that runs; `was`: the one it replaces, of which its first day and its labels stay."""
    extensions = [(RULE, one.times.rule if one.times else None), (BEFORE, one.before)]
    extension = [{"url": url, "valueString": str(value)} for url, value in extensions if value is not None]
    period = {} if one.times is None else {"executionPeriod": {"start": wall.written(one.times.start)}}
    kept = {name: was[name] for name in ("id", "meta", "authoredOn") if name in was} if was else {}
    tagged = {"meta": {"tag": [{"system": operated.REMINDER, "code": REMINDER}]}}
    return {
        "resourceType": "Task",
        **tagged,
        "authoredOn": now.isoformat(timespec="milliseconds"),
        **kept,
        **({"extension": extension} if extension else {}),
        "status": RUNS,
        "intent": "plan",
        "code": {"coding": [{"system": SYSTEM, "code": REMINDER}]},
        "description": one.title,
        **({"focus": {"reference": one.about}} if one.about else {}),
        "for": {"reference": f"Patient/{record}"},
        **period,
        **({"note": [{"text": one.text}]} if one.text else {}),
    }


def read(task: Mapping[str, Any]) -> Reminder | None:
    """What a Task says; None when it is no reminder, or none of ours."""
    codes = task.get("code", {}).get("coding", ())
    if not any((one.get("system"), one.get("code")) == (SYSTEM, REMINDER) for one in codes):
        return None
    said = {one.get("url"): one.get("valueString", "") for one in task.get("extension", ())}
    start = task.get("executionPeriod", {}).get("start")
    try:
        rule: Recurrence | None = parse(said[RULE]) if RULE in said else None
        times = None if start is None else Times(wall.read(start), rule)
        early = before(said[BEFORE]) if BEFORE in said else None
    except ValueError:
        return None
    about = tokens.local(str(task.get("focus", {}).get("reference", "")))
    title, text = str(task.get("description", "")), "\n".join(one["text"] for one in task.get("note", ()))
    return Reminder(title, text, times, "/".join(about) if about else "", early)
