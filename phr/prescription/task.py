"""The Task that follows a prescription: which state it is in, which pharmacy has it, its lines and what was dispensed.

The rule: written by the operations alone, author of it nobody; every change of state is a version of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from phr.access.consent import Actor
from phr.operated import PRESCRIPTION
from phr.prescription.life import STATUS, State

Json = dict[str, Any]
CODE = "https://carnet.example/CodeSystem/task"
FOLLOWS = "prescription"
STATE = "https://carnet.example/CodeSystem/prescription-state"
REASON = "https://carnet.example/CodeSystem/prescription-reason"
SHARES = "https://carnet.example/StructureDefinition/share-record"
"""Whether the pharmacy the person chose is also let see their record, for as long as the law of its leases says."""


def new(
    person: Mapping[str, Any],
    number: str,
    requester: Mapping[str, Any],
    lines: Sequence[str],
    document: str,
    now: datetime,
    until: datetime,
) -> Json:
    """The Task of a prescription just deposited. `until`: when it expires.

    `person`: a reference, with what they are called; `lines`: `MedicationRequest/id`.
    """
    at = _stamp(now)
    body: Json = {
        "resourceType": "Task",
        "groupIdentifier": {"system": PRESCRIPTION, "value": number},
        "intent": "order",
        "code": {"coding": [{"system": CODE, "code": FOLLOWS}]},
        "focus": {"reference": document},
        "for": dict(person),
        "authoredOn": at,
        "requester": dict(requester),
        "restriction": {"period": {"start": at, "end": _stamp(until)}},
        "input": [{"type": {"text": "line"}, "valueReference": {"reference": one}} for one in lines],
    }
    return moved(body, State.READY, now)


def moved(task: Json, state: State, now: datetime, reason: str = "") -> Json:
    """The same Task in another state, with the coded reason of the move if it has one."""
    rest = {name: value for name, value in task.items() if name != "statusReason"}
    why = {"statusReason": {"coding": [{"system": REASON, "code": reason}]}} if reason else {}
    return {
        **rest,
        **why,
        "status": STATUS[state],
        "businessStatus": {"coding": [{"system": STATE, "code": state.value}]},
        "lastModified": _stamp(now),
    }


def held_by(task: Json, pharmacy: Actor | None, reference: str = "", *, shares: bool = False) -> Json:
    """The same Task, with this pharmacy as its owner; None: nobody's. `reference`: its Organization, if it is known."""
    rest = {name: value for name, value in task.items() if name not in ("owner", "extension")}
    if pharmacy is None:
        return rest
    owner: Json = {"type": "Organization", "identifier": {"system": pharmacy.system, "value": pharmacy.value}}
    owner |= {"reference": reference} if reference else {}
    owner |= {"display": pharmacy.display} if pharmacy.display else {}
    shared = {"extension": [{"url": SHARES, "valueBoolean": True}]} if shares else {}
    return {**rest, **shared, "owner": owner}


def dispensed(task: Json, made: Sequence[tuple[str, str]]) -> Json:
    """The same Task with these dispenses among its outputs: (reference, status) of each MedicationDispense."""
    new = [{"type": {"text": status}, "valueReference": {"reference": one}} for one, status in made]
    return {**task, "output": [*task.get("output", ()), *new]}


def begun(task: Mapping[str, Any]) -> bool:
    """Whether anything was handed over: a line that was declined is none."""
    return any(one["type"].get("text") == "completed" for one in task.get("output", ()))


def lasting(task: Json, until: datetime) -> Json:
    """The same Task, expiring then."""
    period = {**task["restriction"]["period"], "end": _stamp(until)}
    return {**task, "restriction": {"period": period}}


def state(task: Mapping[str, Any]) -> State:
    """Where it is."""
    return State(task["businessStatus"]["coding"][0]["code"])


def number(task: Mapping[str, Any]) -> str | None:
    """The prescription's number; None: this Task follows no prescription."""
    group = task.get("groupIdentifier", {})
    return str(group.get("value")) if group.get("system") == PRESCRIPTION else None


def pharmacy(task: Mapping[str, Any]) -> Actor | None:
    """The pharmacy that has it, or that it was sent to."""
    owner = task.get("owner")
    if not owner:
        return None
    return Actor(owner["identifier"]["system"], owner["identifier"]["value"], owner.get("display", ""))


def shares(task: Mapping[str, Any]) -> bool:
    """Whether the person also lets the pharmacy see their record."""
    return any(one.get("url") == SHARES and one.get("valueBoolean") is True for one in task.get("extension", ()))


def named(task: Mapping[str, Any], what: str) -> list[str]:
    """The references of its `input` or its `output`."""
    return [str(one["valueReference"]["reference"]) for one in task.get(what, ())]


def until(task: Mapping[str, Any]) -> datetime:
    """When it expires by itself."""
    return datetime.fromisoformat(str(task["restriction"]["period"]["end"]))


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
