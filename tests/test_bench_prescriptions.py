"""What the benchmark of pharmacies is measured on is as prescribing and sending leave it: listed, and dispensed."""

from typing import Any

from bench import pharmacies
from bench.pharmacies import Pharmacy
from tests.house import Caller, House
from tests.prescription.rx import handed, parameters, said, state


async def test_a_crowd_waits_at_its_pharmacy(house: House) -> None:
    parts = house.parts
    here, elsewhere = [await pharmacies.pharmacy(parts.installation, parts.server, n) for n in range(2)]
    await pharmacies.crowd(parts.installation, here, 0, 5)
    found = await _waiting(house, here)
    assert [state(task) for task in found] == ["ready"] * 5
    assert len({task["for"]["reference"] for task in found}) == 5
    assert await _waiting(house, elsewhere) == []
    line = found[0]["input"][0]["valueReference"]["reference"]
    assert state(await _dispensed(Caller(house, here.token), found[0]["id"], line)) == "completed"
    assert len(await _waiting(house, here)) == 4


async def test_what_is_shown_there_is_dispensed_whole(house: House) -> None:
    parts = house.parts
    pharmacies.register(parts.server)
    here = await pharmacies.pharmacy(parts.installation, parts.server, 0)
    [_, one] = await pharmacies.deposited(parts.installation, 0, 2)
    done = await _dispensed(Caller(house, here.token), one.task, one.line, code=one.code)
    assert state(done) == "completed"
    assert await _waiting(house, here) == []


async def _waiting(house: House, at: Pharmacy) -> list[dict[str, Any]]:
    answer = await Caller(house, at.token).get(f"Task?owner=Organization/{at.id}&status=ready,accepted")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


async def _dispensed(caller: Caller, task: str, line: str, **code: str) -> dict[str, Any]:
    accepted = await caller.post(f"Task/{task}/$accept", parameters(**code))
    assert accepted.status_code == 200, accepted.text
    body = parameters(secret=said(accepted, "secret"), dispense=handed(line.partition("/")[2], 30))
    answer = await caller.post(f"Task/{task}/$dispense", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = said(answer, "task")
    return found
