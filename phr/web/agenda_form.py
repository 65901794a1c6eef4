"""The forms of an agenda, read: what they ask of the API, or what is missing.

The rule: hours are those of Paris, as they are typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from phr.agenda import wall
from phr.agenda.place import others
from phr.agenda.recurrence import DAYS, LAST, Recurrence
from phr.agenda.reminder import Reminder
from phr.web.agenda_reading import Visit
from phr.web.pages import Pairs

LENGTHS = (15, 30, 45, 60, 90, 120, 240)
"""Minutes."""
EARLY = ("PT1H", "PT3H", "P1D", "P2D", "P7D")
REPEATS = ("once", "daily", "weekly", "monthly", "last-day", "same-weekday", "yearly")
STEPS = (1, 2, 3, 4, 6, 12)
FIELDS = ("title", "day", "hour", "minutes", "who", "place", "preparation", "early", "text", "repeat", "step", "until")

Json = dict[str, Any]


class Wrong(Exception):  # noqa: N818
    """What is missing in a form: the name of a text."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form shows: at first, or again with what was typed. `ticked`: what is chosen among several."""

    given: Mapping[str, str]
    ticked: frozenset[str]


def blank(today: date) -> Filled:
    """A form nobody filled yet."""
    given = {"minutes": "30", "repeat": "once", "step": "1", "day": (today + timedelta(days=1)).isoformat()}
    return Filled({**dict.fromkeys(FIELDS, ""), **given}, frozenset())


def again(form: Pairs, today: date) -> Filled:
    """A form as it was typed."""
    chosen = frozenset(value for name, value in form if name in ("document", "weekday"))
    return Filled({**blank(today).given, **{name: value for name, value in form if name in FIELDS}}, chosen)


def of_visit(one: Visit, today: date) -> Filled:
    """The form that changes an appointment."""
    length = str(int((one.end - one.start).total_seconds()) // 60) if one.end is not None else ""
    when = {"day": f"{one.start:%Y-%m-%d}", "hour": f"{one.start:%H:%M}", "minutes": length}
    said = {"title": one.title, "who": one.who, "place": one.place, "preparation": one.preparation}
    return Filled({**blank(today).given, **when, **said}, frozenset(one.documents))


def of_reminder(said: Reminder, today: date) -> Filled:
    """The form that changes a reminder."""
    given = {**blank(today).given, "title": said.title, "text": said.text}
    if said.times is None:
        return Filled({**given, "early": str(said.before or "")}, frozenset())
    rule, start = said.times.rule, said.times.start
    given |= {"day": f"{start:%Y-%m-%d}", "hour": f"{start:%H:%M}"}
    if rule is None:
        return Filled(given, frozenset())
    repeat = "last-day" if rule.month_day < 0 else "same-weekday" if rule.freq == "MONTHLY" and rule.days else ""
    until = "" if rule.until is None else f"{wall.wall_of(rule.until):%Y-%m-%d}"
    given |= {"repeat": repeat or rule.freq.lower(), "step": str(rule.interval), "until": until}
    return Filled(given, frozenset(DAYS[day] for _, day in rule.days))


def appointment(form: Pairs, record: str, was: Json | None = None) -> Json:
    """The Appointment that is asked; `was`: the one it changes, of which the rest stays. Raises Wrong."""
    given = dict(form)
    start = _when(given)
    minutes = given.get("minutes", "")
    title = given.get("title", "").strip()
    if not title:
        raise Wrong("agenda_title_missing")
    body: Json = {"resourceType": "Appointment", "status": "booked", **(was or {})}
    for name in ("end", "minutesDuration", "patientInstruction", "supportingInformation"):
        body.pop(name, None)
    body |= {"description": title, "start": wall.written(start)}
    if minutes in map(str, LENGTHS) or (minutes.isdecimal() and len(minutes) < 5):
        end = wall.instant_of(start) + timedelta(minutes=int(minutes))
        body["end"] = wall.written(wall.wall_of(end))
    if given.get("preparation", "").strip():
        body["patientInstruction"] = given["preparation"].strip()
    documents = [{"reference": f"DocumentReference/{value}"} for name, value in form if name == "document"]
    kept = [one for one in (was or {}).get("supportingInformation", ()) if not _is_document(one)]
    if kept or documents:
        body["supportingInformation"] = [*kept, *documents]
    body["participant"] = _participants(given, record, was or {})
    return body


def _participants(given: Mapping[str, str], record: str, was: Json) -> list[Json]:
    named = {"Practitioner": given.get("who", "").strip(), "Location": given.get("place", "").strip()}
    patient = {"actor": {"reference": f"Patient/{record}"}, "status": "accepted"}
    linked = [one for one in was.get("participant", ()) if _linked(one)]
    shown = {str(one["actor"].get("display", "")) for one in linked}
    told = {kind: text for kind, text in named.items() if text and text not in shown}
    words: list[Json] = [
        {"actor": {"type": kind, "display": text}, "status": "accepted"} for kind, text in told.items()
    ]
    return [patient, *linked, *words]


def _linked(participant: Json) -> bool:
    """One that names somebody of the directory, which the form does not change."""
    actor = participant.get("actor", {})
    return "reference" in actor and bool(others({"participant": [participant]}))


def _is_document(reference: Json) -> bool:
    return str(reference.get("reference", "")).startswith("DocumentReference/")


def reminder(form: Pairs, about: str = "", was: Recurrence | None = None) -> Json:
    """The Parameters of a reminder; `about`: the appointment it comes before, or what it is about. Raises Wrong.

    `was`: the rule it had, of which what the form does not ask stays.
    """
    given = dict(form)
    listed = [_text("title", given.get("title", "")), _text("text", given.get("text", ""))]
    if not given.get("title", "").strip():
        raise Wrong("agenda_title_missing")
    if about:
        listed.append({"name": "about", "valueReference": {"reference": about}})
    if about and given.get("early"):
        return _body([*listed, _text("before", given["early"])])
    start = _when(given)
    rule = _rule([value for name, value in form if name == "weekday"], given, start, was)
    return _body([*listed, {"name": "at", "valueDateTime": wall.written(start)}, _text("rule", rule)])


def _when(given: Mapping[str, str]) -> datetime:
    try:
        return wall.read(f"{given.get('day', '')}T{given.get('hour', '')}")
    except ValueError:
        raise Wrong("agenda_when_missing") from None


def _rule(weekdays: list[str], given: Mapping[str, str], start: datetime, was: Recurrence | None) -> str:
    repeat = given.get("repeat", "once")
    frequency = {"last-day": "monthly", "same-weekday": "monthly"}.get(repeat, repeat).upper()
    if repeat not in REPEATS or repeat == "once":
        return ""
    parts = [f"FREQ={frequency}", f"INTERVAL={given.get('step') or '1'}"]
    parts += [f"BYDAY={','.join(weekdays)}"] if repeat == "weekly" and weekdays else []
    parts += ["BYMONTHDAY=-1"] if repeat == "last-day" else []
    if repeat == "same-weekday":
        last = (start + timedelta(days=7)).month != start.month
        asked_last = was is not None and was.days[:1] == ((LAST, start.weekday()),)
        nth = LAST if last and (asked_last or start.day > 28) else (start.day + 6) // 7
        parts.append(f"BYDAY={nth}{DAYS[start.weekday()]}")
    if given.get("until"):
        parts.append(f"UNTIL={given['until'].replace('-', '')}")
    elif was is not None and was.count:
        parts.append(f"COUNT={was.count}")
    return ";".join(parts)


def _text(name: str, value: str) -> Json:
    return {"name": name, "valueString": value.strip()}


def _body(listed: list[Json]) -> Json:
    return {"resourceType": "Parameters", "parameter": [one for one in listed if one.get("valueString") != ""]}
