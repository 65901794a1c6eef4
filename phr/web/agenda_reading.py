"""What the page of an agenda reads of the API: appointments, reminders, documents, ready to be shown.

The rule: what is read is what the API answers to who is signed in; an address of ours names each by its mark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from fhir.wire import decode
from phr.agenda.place import others
from phr.agenda.reminder import OVER, Reminder, read
from phr.agenda.wall import wall_of
from phr.web.api import Api
from phr.web.held import Unread, searched
from phr.web.mine import mark
from phr.web.redeem import Document, document

Json = dict[str, Any]
_DOCUMENTS = 60
_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment. `start`, `end`: on the clock in Paris; `who`, `place`: in words; `documents`: their ids."""

    id: str
    json: Json
    title: str
    start: datetime
    end: datetime | None
    who: str
    place: str
    cancelled: bool

    @property
    def mark(self) -> str:
        """How an address names it."""
        return mark(self.id)

    @property
    def preparation(self) -> str:
        """What to do or bring."""
        return str(self.json.get("patientInstruction", ""))

    @property
    def documents(self) -> list[str]:
        """The documents it is about."""
        named = [str(one.get("reference", "")) for one in self.json.get("supportingInformation", ())]
        return [one.removeprefix("DocumentReference/") for one in named if one.startswith("DocumentReference/")]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A reminder, when it is due next, and what it is about if that is seen."""

    id: str
    said: Reminder
    due: datetime | None
    about: Json | None

    @property
    def mark(self) -> str:
        """How an address names it."""
        return mark(self.id)


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to come and past."""

    visits: Sequence[Visit]
    alarms: Sequence[Alarm]
    documents: Sequence[Document]

    def visit(self, name: str) -> Visit | None:
        """An appointment by its mark."""
        return next((one for one in self.visits if one.mark == name), None)

    def alarm(self, name: str) -> Alarm | None:
        """A reminder by its mark."""
        return next((one for one in self.alarms if one.mark == name), None)

    def coming(self, now: datetime) -> list[Visit]:
        """Appointments not over yet, the first on top."""
        return [one for one in self.visits if (one.end or one.start) >= wall_of(now)]

    def past(self, now: datetime) -> list[Visit]:
        """Those that are over, the last on top."""
        return [one for one in reversed(self.visits) if (one.end or one.start) < wall_of(now)]


async def agenda_of(api: Api, record: str, since: date, language: str) -> Agenda:
    """The agenda from some day on. Raises Unread."""
    first = (since - timedelta(days=1)).isoformat()
    found = await searched(api, f"Appointment?patient={record}&date=ge{first}&_sort=date&_count=200")
    visits = [one for one in map(_visit, found) if one is not None]
    answer = await api.get(f"Patient/{record}/$reminders")
    if answer.status_code != 200:
        raise Unread(answer.status_code)
    alarms = [_alarm(one["part"]) for one in decode(answer.content, _DEPTH).get("parameter", ())]
    latest = await api.get(f"DocumentReference?patient={record}&_sort=-date&_count={_DOCUMENTS}")
    bundle = latest.json() if latest.status_code == 200 else {}
    listed = [document(one["resource"], language) for one in bundle.get("entry", ()) if _matches(one)]
    return Agenda(visits, [one for one in alarms if one is not None], listed)


def _matches(entry: Mapping[str, Any]) -> bool:
    return entry["search"]["mode"] == "match"  # type: ignore[no-any-return]


def _visit(body: Json) -> Visit | None:
    if "start" not in body or body.get("status") == "entered-in-error":
        return None
    end = wall_of(datetime.fromisoformat(body["end"])) if "end" in body else None
    actors = [one for one in others(body) if one.get("display")]
    where = ", ".join(one["display"] for one in actors if _kind(one) == "Location")
    whom = ", ".join(one["display"] for one in actors if _kind(one) != "Location")
    title = str(body.get("description") or body.get("appointmentType", {}).get("text", ""))
    start = wall_of(datetime.fromisoformat(body["start"]))
    return Visit(body["id"], body, title, start, end, whom, where, body.get("status") in OVER)


def _kind(actor: Mapping[str, Any]) -> str:
    return str(actor.get("type") or str(actor.get("reference", "")).partition("/")[0])


def _alarm(parts: Sequence[Json]) -> Alarm | None:
    by_name: dict[str, Any] = {one["name"]: one.get("resource", one.get("valueInstant")) for one in parts}
    said = read(by_name["task"])
    due = by_name.get("due")
    when = None if due is None else datetime.fromisoformat(due)
    return None if said is None else Alarm(by_name["task"]["id"], said, when, by_name.get("about"))
