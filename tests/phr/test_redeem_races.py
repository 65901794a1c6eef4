"""Fifty at once, and two processes at once: the limits of access codes hold whoever comes first."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.tables import attempt
from phr.access import chain
from phr.sharing import access_code
from tests.access.worlds import professional as someone
from tests.house import Caller, House
from tests.phr.test_sharing import body, redeemed, software, told

MANY = 50
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


async def shared(house: House, record: str, **wish: Any) -> str:
    answer = await house.citizen(record).post(f"Patient/{record}/$share", body(all=True, **wish))
    return str(told(answer.json())["code"])


def crowd(house: House, many: int = MANY) -> list[Caller]:
    return [software(house, someone(f"81{n:010d}")) for n in range(many)]


async def statuses(*calls: Any) -> Counter[int]:
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


def wrong_rests(code: str, many: int = MANY) -> list[str]:
    left, right = code.split("-")
    return [f"{left}-{rest}" for n in range(many + 1) if (rest := f"{n:04d}") != right][:many]


def row(house: House) -> Any:
    with Session(house.parts.engine) as session:
        return session.execute(select(access_code)).one()


async def test_fifty_redeem_a_code_for_one(house: House, record: str) -> None:
    code = await shared(house, record)
    assert await statuses(*(redeemed(one, code) for one in crowd(house))) == {201: 1, 404: MANY - 1}
    assert row(house).uses == 1


async def test_one_redeems_a_code_many_times_at_once(house: House, record: str) -> None:
    code = await shared(house, record)
    (doctor,) = crowd(house, 1)
    found = await statuses(*(redeemed(doctor, code) for _ in range(MANY)))
    # As many as may be tried at once are; what they counted is given back.
    assert found[201] == 1
    assert found[200] >= 19
    assert set(found) <= {200, 201, 429}
    assert row(house).uses == 1
    with Session(house.parts.engine) as session:
        assert session.execute(select(attempt.c.tries)).scalar_one() == 0
    assert (await redeemed(doctor, code)).status_code == 200


async def test_fifty_guess_the_rest_of_a_code(house: House, record: str) -> None:
    """However many at once, the fifth wrong rest is the last that counts: the code is dead after it."""
    code = await shared(house, record, once=False)
    callers = crowd(house)
    guesses = zip(callers, wrong_rests(code), strict=True)
    assert await statuses(*(redeemed(one, guess) for one, guess in guesses)) == {404: MANY}
    assert row(house).wrong == 5
    assert (await redeemed(callers[0], code)).status_code == 404


async def test_the_right_code_among_fifty_guesses(house: House, record: str) -> None:
    """It opens only if fewer than five wrong ones were counted before it."""
    code = await shared(house, record, once=False)
    callers = crowd(house)
    tried = [*wrong_rests(code, MANY - 1), code]
    found = await statuses(*(redeemed(one, guess) for one, guess in zip(callers, tried, strict=True)))
    after = row(house)
    assert after.wrong == 5
    assert found[201] == after.uses <= 1
    assert found[404] == MANY - after.uses


async def test_two_codes_under_one_handle(house: House, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong rest counts against each code that begins alike; a right one against none."""
    drawn = iter("AAAA2222" + "AAAA3333" + "AAAA3333" + "BBBB3333")
    monkeypatch.setattr("phr.sharing.secrets.choice", lambda _: next(drawn))
    first, second = await shared(house, record, once=False), await shared(house, record, once=False)
    third = await shared(house, record, once=False)  # drawn alike once, so drawn again
    assert (first, second, third) == ("AAAA-2222", "AAAA-3333", "BBBB-3333")
    callers = crowd(house, 30)
    right = zip(callers[:10], [first, second] * 5, strict=True)
    wrong = zip(callers[10:], wrong_rests(first, 20), strict=True)
    assert (await statuses(*(redeemed(one, code) for one, code in right)))[201] == 10
    assert await statuses(*(redeemed(one, code) for one, code in wrong)) == {404: 20}
    with Session(house.parts.engine) as session:
        assert sorted(session.execute(select(access_code.c.wrong)).scalars()) == [0, 5, 5]
    # Both are dead, but for who holds a lease already; the third begins otherwise.
    assert [(await redeemed(callers[0], code)).status_code for code in (first, second, third)] == [200, 404, 201]


async def test_one_professional_has_twenty_wrong_tries(house: House, record: str) -> None:
    await shared(house, record)
    (doctor,) = crowd(house, 1)
    tried = [f"{n:04d}-0000" for n in range(MANY)]
    assert await statuses(*(redeemed(doctor, code) for code in tried)) == {404: 20, 429: MANY - 20}


async def test_revoking_while_fifty_redeem(house: House, record: str) -> None:
    """Whoever came before the end lost the lease with it, whoever comes after gets none."""
    me = house.citizen(record)
    made = told((await me.post(f"Patient/{record}/$share", body(all=True, once=False))).json())
    callers = crowd(house, 20)
    ending = me.post(f"Patient/{record}/$revoke-code", body(consent=made["consent"]["id"]))
    found = await statuses(
        *(redeemed(one, made["code"]) for one in callers[:10]),
        ending,
        *(redeemed(one, made["code"]) for one in callers[10:]),
    )
    assert found[200] == 1
    assert found[201] == row(house).uses
    active = (await me.get(f"Consent?patient={record}&status=active")).json()
    assert "entry" not in active


CHILD = """
import asyncio, json, sys
from dataclasses import replace
from phr.core.settings import from_environment
from tests.access.worlds import professional
from tests.house import House
from tests.phr.test_sharing import redeemed, software

async def main(folder, url, issuer, tries):
    settings = replace(from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": folder}), issuer=issuer)
    async with House.build(settings, url) as house:
        calls = [redeemed(software(house, professional(who)), code) for who, code in tries]
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps([one.status_code for one in await asyncio.gather(*calls)]), flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
"""

Tries = list[tuple[str, str]]


async def by_two_processes(house: House, url: str, tries: Tries) -> Counter[int]:
    """Who tries which code, each other one in a process of its own, all let go at once."""
    pipe, place = asyncio.subprocess.PIPE, [str(house.settings.data_dir), url, house.settings.issuer]
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, json.dumps([*place, half]), cwd=ROOT, stdin=pipe, stdout=pipe
        )
        for half in (tries[::2], tries[1::2])
    ]
    for child in running:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(child.communicate(b"go\n") for child in running))
    return Counter(status for out, _ in said for status in json.loads(out))


async def test_two_processes(house: House, database_url: str, record: str) -> None:
    people = [f"82{n:010d}" for n in range(MANY)]
    code = await shared(house, record)
    found = await by_two_processes(house, database_url, [(one, code) for one in people])
    assert found == {201: 1, 404: MANY - 1}
    other = await shared(house, record, once=False)
    guesses = wrong_rests(other)
    assert await by_two_processes(house, database_url, list(zip(people, guesses, strict=True))) == {404: MANY}
    with Session(house.parts.engine) as session:
        assert sorted(session.execute(select(access_code.c.wrong)).scalars()) == [0, 5]
    found = await by_two_processes(house, database_url, [("899999999999", guess) for guess in guesses])
    assert found == {404: 20, 429: MANY - 20}
    findings = [one.finding async for one in chain.verify(house.parts.installation)]
    assert set(findings) == {None}
