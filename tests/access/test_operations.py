"""Each of Carnet's own operations, asked as its user would: it answers, and leaves its entry in the journal."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.access.city import as_professional, delegate
from tests.access.doors import DOORS, is_ours
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.house import ALL, INS_SYSTEM, Caller, House, account_of, observation

Json = dict[str, Any]
DOCTOR = professional("899700000005", sector="SA07")
NAMED = {"name": "professional", "valueIdentifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700000013"}}
ORDER = ("$close", "$reopen", "$erase")
"""Last: nothing is asked of a record after these."""


def fresh(house: House, record: str) -> Caller:
    """The person's application, who proved themself by two factors just now."""
    claims = house.claims("citizen-app", "app", ALL, record)
    return house.caller(replace(claims, acr="mfa", auth_time=int(datetime.now(UTC).timestamp())))


def _text(name: str, value: str) -> Json:
    return {"name": name, "valueString": value}


async def _body(house: House, record: str, path: str) -> tuple[Caller, Sequence[Json]]:
    """Who asks this operation, and with which parameters."""
    person, doctor, name = fresh(house, record), as_professional(house, DOCTOR), path.partition("$")[2]
    relation = [{"name": "basis", "valueCode": "treating"}]
    match name:
        case "open-access":
            ins = {"name": "identifier", "valueIdentifier": {"system": INS_SYSTEM, "value": INS}}
            return doctor, relation if "{id}" in path else [*relation, ins]
        case "end-access":
            return person, [_text("consent", await house.relate(record, "899700000013"))]
        case "mask" | "unmask":
            return person, [{"name": "section", "valueCode": "allergies"}]
        case "block" | "allow":
            return person, [NAMED]
        case "designate":
            return person, [NAMED, {"name": "role", "valueCode": "administrator"}]
        case "share":
            return person, [{"name": "all", "valueBoolean": True}]
        case "redeem":
            return doctor, [_text("code", await _code(house, record))]
        case "revoke-code":
            shared = await _shared(house, record)
            return person, [_text("consent", next(one["resource"]["id"] for one in shared if one["name"] == "consent"))]
        case "preferences":
            return person, [{"name": "MASKED", "valueBoolean": True}]
        case "answer-prevention":
            said = {"name": "said", "valueCode": "declined"}
            return person, [{"name": "rule", "valueCode": "breast-cancer-screening"}, said]
        case "check-medicines":
            line = {
                "resourceType": "MedicationRequest",
                "status": "active",
                "intent": "order",
                "subject": {"reference": f"Patient/{record}"},
                "medicationCodeableConcept": {"text": "Paracétamol"},
            }
            return person, [{"name": "line", "resource": line}]
        case "withdraw-application":
            return person, [_text("client", "another-app")]
    return person, []


async def _shared(house: House, record: str) -> list[Json]:
    body = {"resourceType": "Parameters", "parameter": [{"name": "all", "valueBoolean": True}]}
    answer = await fresh(house, record).post(f"Patient/{record}/$share", body)
    assert answer.status_code == 201, answer.text
    found: list[Json] = answer.json()["parameter"]
    return found


async def _code(house: House, record: str) -> str:
    return str(next(one["valueString"] for one in await _shared(house, record) if one["name"] == "code"))


INS = "285010100001"
ALLOWED = (
    *("$end-delegation", "$prevention", "$answer-prevention", "$immds-forecast", "$contents"),
    *("$populate-check-up", "$complete-check-up", "$calendar-address", "$end-calendar-address"),
    *("$check-medicines", "$usual-pharmacy", "$notifications", "$devices", "$reminders"),
    *("$threads", "$draft-message", "$recipients", "$remind", "$register-device", "$remove-device"),
    *(f"$notification-{name}" for name in ("read", "unread", "read-all", "delete")),
)
"""What a caregiver may do by their powers: leave; look at what is recommended, answer it, have its dates."""
_LONGER = (
    *("delegat", "caregiver", "parent", "invitation", "check-up", "/fhir/$", "/Task/", "$prescribe", "usual-pharmacy"),
    *("/Medication/", "/Subscription", "message", "thread", "recipients", "notification-", "device", "remind"),
    "cancel-appointment",
)
"""Conversations: `test_delegation.py`, `test_checkups.py` and others have them; and what is about no record."""


async def test_each_operation_leaves_its_entry(house: House) -> None:
    global INS
    INS = house.new_ins()
    record = await house.open_record(INS)
    made = (await house.citizen(record).post("Observation", observation(record))).json()["id"]
    doors = [(method, path, door) for (method, path), door in DOORS.items() if is_ours(path)]
    doors.sort(key=lambda one: ORDER.index(one[1][one[1].index("$") :]) if one[1].endswith(ORDER) else -1)
    tried = 0
    for method, path, door in doors:
        if any(word in path for word in _LONGER) or path.endswith("$told"):
            continue
        caller, parameters = await _body(house, record, path)
        if path.endswith(("$relations", "$due")):
            caller = as_professional(house, DOCTOR)
        target = made if "{kind}" in path else record
        address = path.removeprefix("/fhir/").replace("{kind}", "Observation").replace("{id}", target)
        before = len(entries(house, record))
        answer = await _ask(caller, method, address, parameters)
        assert answer.status_code < 300, (path, answer.text)
        tags = {row.tag for row in entries(house, record)[before:]}
        assert tags == {tag.value for tag in door.tags}, path
        tried += 1
    assert tried > 15


async def _ask(caller: Caller, method: str, address: str, parameters: Sequence[Json]) -> httpx.Response:
    if method == "GET":
        return await caller.get(address, Accept="*/*")
    return await caller.post(address, {"resourceType": "Parameters", "parameter": list(parameters)})


async def test_a_caregiver_decides_nothing(house: House) -> None:
    """Neither sharing, nor masks, nor delegations, nor closing, nor exports: whatever their powers."""
    record = await house.open_record()
    powers = ("consult", "documents", "message", "prescriptions", "agenda")
    await house.represent(record, account_of("dad"), *powers)
    caregiver = delegate(house, record, name="dad")
    assert (await caregiver.get(f"Patient/{record}")).status_code == 200
    for (method, path), _ in DOORS.items():
        if not is_ours(path) or "{id}" not in path or "{kind}" in path or path.endswith(ALLOWED):
            continue
        if path.startswith("/fhir/Subscription"):
            continue  # `tests/subscriptions` has them
        _, parameters = await _body(house, record, path)
        address = path.removeprefix("/fhir/").replace("{id}", record)
        answer = await _ask(caregiver, method, address, parameters)
        assert answer.status_code in (401, 403, 404, 422), (path, answer.status_code, answer.text)
        assert answer.status_code != 422 or any(word in path for word in _LONGER), path
