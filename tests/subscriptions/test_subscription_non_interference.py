"""Two worlds that differ in what a subscriber does not see tell them the same: notifications, heartbeats, `$status`,
`$events`, the Subscription itself, byte for byte but for ids and hours.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.deposit import Clinic, clinic
from tests.house import Caller, House
from tests.phr.care import DOCTOR, software
from tests.subscriptions.hooks import Hook, deliver, later, listening, subscribe
from tests.subscriptions.test_subscriptions import app, deposit

Json = dict[str, Any]
_ID = re.compile(r"[0-9a-f]{3}-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PORT = re.compile(r"127\.0\.0\.1:\d+")


def plain(text: str) -> str:
    """But for ids, which are renamed in the order they come."""
    names: dict[str, str] = {}
    return _ID.sub(lambda found: names.setdefault(found[0], f"#{len(names)}"), _PORT.sub("host", text))


async def lived(house: House, by: Clinic, caller_of: Callable[[str], Caller], unseen: tuple[str, ...]) -> list[str]:
    """What a subscriber learns while documents are deposited, some of which (`unseen` labels) they do not see."""
    record = await house.open_record()
    await house.relate(record, DOCTOR.id)
    caller = caller_of(record)
    with listening() as hook:
        mine = await subscribe(caller, hook, filtered=f"Patient?_id={record}", heartbeat=60)
        seen = [await _after(house, hook, caller, mine)]
        for n in range(3):
            await deposit(house, record, by)
            for label in unseen:
                await deposit(house, record, by, label)
            if n == 1:
                hook.answers = [500]
            await deliver(house)
            seen.append(await _after(house, hook, caller, mine))
            await later(house, seconds=45)
            seen.append(await _after(house, hook, caller, mine))
        for label in unseen:
            await deposit(house, record, by, label)
        await later(house, seconds=45)
        seen.append(await _after(house, hook, caller, mine))
        assert (await caller.delete(f"Subscription/{mine}")).status_code == 204
    return seen


async def _after(house: House, hook: Hook, caller: Caller, mine: str) -> str:
    asked = (f"Subscription/{mine}", f"Subscription/{mine}/$status", f"Subscription/{mine}/$events", "Subscription")
    answers = [await caller.get(path) for path in asked]
    headers = [sorted((k, v) for k, v in one.headers.items() if k in ("etag", "last-modified")) for one in answers]
    told = [{k: v for k, v in one.items() if k != "id"} for one in hook.told]
    return plain(f"{told}\n{headers}\n" + "\n".join(one.text for one in answers))


@pytest.mark.parametrize("who", ["person", "doctor"])
async def test_what_is_out_of_sight_changes_nothing(house: House, who: str) -> None:
    by, start = await clinic(house), house.now()

    def caller_of(record: str) -> Caller:
        return app(house, record) if who == "person" else software(house, DOCTOR)

    worlds = []
    for unseen in ((), ("INVISIBLE_PATIENT",) if who == "person" else ("MASQUE_PS", "MASQUE_PS")):
        house.parts.server.clock = lambda: start
        worlds.append(await lived(house, by, caller_of, unseen))
    assert worlds[0] == worlds[1]
    assert worlds[0][-1].count("event-notification") == 4
    assert worlds[0][-1].count("heartbeat'") >= 1
