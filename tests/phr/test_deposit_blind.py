"""To deposit is not to read: who deposits sees their own, and learns nothing of a block, at any step.

R1111-47: the person does not oppose what feeds their record; a block is about reading.
"""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms
from phr.access.provision import Right
from tests.access.worlds import professional
from tests.deposit import Clinic, clinic, deposited, document, inline
from tests.house import INS_SYSTEM, Caller, House, observation

Json = dict[str, Any]
DOCTOR = professional("810077", structure="1690000077")
BLOCKS = {
    "professional": Actor(PROFESSIONALS, DOCTOR.id),
    "structure": Actor(STRUCTURES, "1690000077"),
}
_ID = re.compile(r"[0-9a-f]{3}-[0-9a-f]{32}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00")
_RANDOM = re.compile(r"urn:uuid:[0-9a-f-]{36}")
_DATED = ("date", "last-modified")


@dataclass(frozen=True, slots=True)
class Patient:
    """A person, and what others keep in their record: an Observation and a document."""

    ins: str
    record: str
    result: str
    paper: str


async def patient(house: House, by: Clinic) -> Patient:
    """A new person, whose hospital deposited."""
    ins = house.new_ins()
    record = await house.open_record(ins)
    hospital = house.depositor("elsewhere")
    answer = await hospital.post("Observation", observation(record))
    paper = await deposited(hospital, document(record, by))
    return Patient(ins, record, str(answer.json()["id"]), str(paper["id"]))


def software(house: House) -> Caller:
    """The doctor's own software."""
    claims = house.claims("professional", "software", ("user/*.cruds",), subject=DOCTOR.id)
    return house.caller(replace(claims, professional=DOCTOR))


def plain(answer: httpx.Response, who: Patient) -> tuple[Any, ...]:
    """An answer but for its ids and its instants."""

    def without(text: str) -> str:
        text = text.replace(who.record, "RECORD").replace(who.ins, "INS")
        for found, name in ((_ID, "ID"), (_INSTANT, "INSTANT"), (_RANDOM, "URN")):
            text = found.sub(name, text)
        return text

    headers = {name: without(value) for name, value in answer.headers.items() if name not in _DATED}
    return answer.status_code, headers, without(answer.text)


async def steps(caller: Caller, who: Patient, by: Clinic) -> AsyncIterator[tuple[str, httpx.Response]]:
    """All that software which deposits does, and what it might try."""
    yield "look up", await caller.get(f"Patient?identifier={INS_SYSTEM}|{who.ins}")
    made = await caller.post("Observation", observation(who.record))
    yield "deposit", made
    mine = f"Observation/{made.json()['id']}"
    yield (
        "deposit by INS",
        await caller.post(
            "Observation",
            observation(who.record, subject={"identifier": {"system": INS_SYSTEM, "value": who.ins}}),
        ),
    )
    yield "read back", await caller.get(mine)
    yield "replace", await caller.put(mine, {**made.json(), "status": "amended"})
    yield "history", await caller.get(f"{mine}/_history")
    paper = await caller.post("DocumentReference", inline(document(who.record, by)))
    yield "deposit a document", paper
    yield "its content", await caller.get(paper.json()["content"][0]["attachment"]["url"], Accept="*/*")
    over = [{"code": "replaces", "target": {"reference": f"DocumentReference/{paper.json()['id']}"}}]
    yield "replace a document", await caller.post("DocumentReference", inline(document(who.record, by, relatesTo=over)))
    yield "the one replaced", await caller.get(f"DocumentReference/{paper.json()['id']}")
    for kind in ("Observation", "DocumentReference", "Consent", "AuditEvent", "Patient?_id=", "Binary"):
        name, _, more = kind.partition("?")
        asked = f"{name}?patient={who.record}" if not more else f"{name}?{more}{who.record}"
        yield f"search {name}", await caller.get(f"{asked}&_total=accurate")
    yield "everything", await caller.get(f"Patient/{who.record}/$everything")
    yield "the person", await caller.get(f"Patient/{who.record}")
    yield "another's result", await caller.get(f"Observation/{who.result}")
    yield "another's document", await caller.get(f"DocumentReference/{who.paper}")
    yield (
        "change another's",
        await caller.put(f"Observation/{who.result}", {**observation(who.record), "id": who.result}),
    )
    taken = [{"code": "replaces", "target": {"reference": f"DocumentReference/{who.paper}"}}]
    yield "replace another's", await caller.post("DocumentReference", inline(document(who.record, by, relatesTo=taken)))
    pointing = observation(who.record, hasMember=[{"reference": f"Observation/{who.result}"}])
    yield "point to another's", await caller.post("Observation", pointing)
    unless = f"code=29463-7&patient={who.record}&status=final&date=2026-03-01"
    yield "unless there", await caller.post("Observation", observation(who.record), If_None_Exist=unless)
    entry = {"resource": observation(who.record), "request": {"method": "POST", "url": "Observation"}}
    yield "transaction", await caller.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    yield "delete", await caller.delete(mine)
    yield "deleted", await caller.get(mine)


async def walked(caller: Caller, who: Patient, by: Clinic) -> dict[str, tuple[Any, ...]]:
    return {name: plain(answer, who) async for name, answer in steps(caller, who, by)}


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


@pytest.mark.parametrize("about", BLOCKS)
@pytest.mark.parametrize("caller", [software, House.depositor], ids=["a professional", "software alone"])
async def test_a_block_does_not_show_in_any_answer(
    house: House, by: Clinic, about: str, caller: Callable[[House], Caller]
) -> None:
    blocking, plainly = await patient(house, by), await patient(house, by)
    await house.lend(blocking.record, Terms(Right.BLOCK, BLOCKS[about], permits=False))
    blocked, never = await walked(caller(house), blocking, by), await walked(caller(house), plainly, by)
    for name, answer in never.items():
        assert blocked[name] == answer, name
    assert (blocked["deposit"][0], blocked["deposit a document"][0], blocked["transaction"][0]) == (201, 201, 200)
    assert {blocked[name][0] for name in ("another's result", "another's document")} == {404}


async def test_a_block_that_ends_a_relation_leaves_no_trace_either(house: House, by: Clinic) -> None:
    """Once related and then blocked answers as never met."""
    blocking, plainly = await patient(house, by), await patient(house, by)
    await house.relate(blocking.record, DOCTOR.id)
    await house.lend(blocking.record, Terms(Right.BLOCK, BLOCKS["professional"], permits=False))
    blocked, never = await walked(software(house), blocking, by), await walked(software(house), plainly, by)
    found = {name for name in never if blocked[name] != never[name]}
    # What is theirs stays in sight: the relation they held, ended; nothing of the block.
    assert found <= {"search Consent", "everything"}
    assert "block" not in str([blocked[name] for name in found])


@pytest.mark.parametrize("caller", [software, House.depositor], ids=["a professional", "software alone"])
async def test_who_deposits_sees_its_own_alone(house: House, by: Clinic, caller: Callable[[House], Caller]) -> None:
    who = await patient(house, by)
    one = caller(house)
    made = [str((await one.post("Observation", observation(who.record))).json()["id"]) for _ in range(2)]
    found = (await one.get(f"Observation?patient={who.record}&_total=accurate")).json()
    assert found["total"] == 2
    assert {entry["resource"]["id"] for entry in found["entry"]} == set(made)
    assert (await one.get(f"DocumentReference?patient={who.record}&_total=accurate")).json()["total"] == 0
    assert who.result not in (await one.get(f"Patient/{who.record}/$everything")).text


async def test_what_is_masked_since_is_still_its_authors(house: House, by: Clinic) -> None:
    """R1111-49: and neither the mask nor the block stops what corrects it."""
    who, doctor = await patient(house, by), software(house)
    made = (await doctor.post("Observation", observation(who.record))).json()
    await house.lend(who.record, Terms(Right.MASK, permits=False, data=(f"Observation/{made['id']}",)))
    await house.lend(who.record, Terms(Right.BLOCK, BLOCKS["professional"], permits=False))
    assert (await doctor.get(f"Observation/{made['id']}")).status_code == 200
    answer = await doctor.put(f"Observation/{made['id']}", {**made, "status": "amended"})
    assert answer.status_code == 200
