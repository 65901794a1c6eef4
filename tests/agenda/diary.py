"""An agenda in tests: appointments, reminders, what was told and when it is due; moving the clock of a house."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phr.agenda.due import reminder
from phr.agenda.telling import tell_due
from phr.representation import PARIS
from tests.house import Caller, House
from tests.kin import Person

Json = dict[str, Any]


def ahead(house: House, days: int, hour: int = 8) -> datetime:
    """So many days from now, at that hour in Paris."""
    there = house.now().astimezone(PARIS) + timedelta(days=days)
    return there.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)


def wish(**values: Any) -> Json:
    """The Parameters of a reminder."""
    kinds = {"at": "valueDateTime", "about": "valueReference", "until": "valueInstant", "titles": "valueBoolean"}
    listed = [{"name": name, kinds.get(name, "valueString"): value} for name, value in values.items()]
    return {"resourceType": "Parameters", **({"parameter": listed} if listed else {})}


async def remind(caller: Caller, record: str, **values: Any) -> Json:
    """A new reminder: its Task."""
    answer = await caller.post(f"Patient/{record}/$remind", wish(**{"title": "Prendre la tension", **values}))
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def appointment(record: str, start: datetime, **more: Any) -> Json:
    """An appointment of half an hour with somebody in words."""
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "description": "Cardiologue",
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=30)).isoformat(),
        "patientInstruction": "Apporter l’ordonnance et le dernier électrocardiogramme.",
        "participant": [
            {"actor": {"reference": f"Patient/{record}"}, "status": "accepted"},
            {"actor": {"display": "Dr Anne Leroy, 3 rue des Lilas"}, "status": "accepted"},
        ],
        **more,
    }


async def booked(caller: Caller, record: str, start: datetime, **more: Any) -> Json:
    """An appointment, written as any software would."""
    answer = await caller.post("Appointment", appointment(record, start, **more))
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def listed(caller: Caller, record: str) -> list[tuple[str, str | None]]:
    """The titles of the reminders and when each is due, as `$reminders` answers."""
    found = []
    for one in await parts(caller, record):
        found.append((one["task"]["description"], one.get("due")))
    return found


async def parts(caller: Caller, record: str) -> list[Json]:
    """What `$reminders` answers, by part."""
    answer = await caller.get(f"Patient/{record}/$reminders")
    assert answer.status_code == 200, answer.text
    return [
        {part["name"]: part.get("resource", part.get("valueInstant")) for part in one["part"]}
        for one in answer.json().get("parameter", ())
    ]


def rows(house: House) -> dict[str, tuple[datetime, datetime | None]]:
    """When each reminder that runs is due, and until when it was put off."""
    with Session(house.parts.engine) as session:
        return {row.id: (row.due, row.snoozed) for row in session.execute(select(reminder)).all()}


async def tell(house: House, now: datetime) -> int:
    """Tell what is due, as the chore does at that instant."""
    return await tell_due(house.parts.installation, now)


async def told(who: Person) -> list[str]:
    """What the centre of a person says was told of their own agenda, newest first."""
    return await told_of(who.caller(), who.record)


async def told_of(caller: Caller, record: str) -> list[str]:
    """The same, as anybody reads it: what each entry is about."""
    answer = await caller.get(f"Patient/{record}/$notifications?_count=50")
    assert answer.status_code == 200, answer.text
    return [line for line in _texts(answer.json()) if line.startswith("Task/")]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
