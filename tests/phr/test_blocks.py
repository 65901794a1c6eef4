"""Blocks and designations: what they end and refuse, what they do not, and that no professional learns of them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from phr import relations
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, Actor, Terms
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.core.errors import DomainError, Reason
from tests.access.city import delegate
from tests.house import INS_SYSTEM, Caller, House, account_of, observation
from tests.phr import care
from tests.phr.care import (
    DOCTOR,
    NURSE,
    PS,
    SECRET,
    STRANGER,
    STRUCT,
    TREATING,
    body,
    consents,
    finess,
    notes,
    reason,
    rpps,
    software,
    who,
)

HIM = body(professional=(PS, DOCTOR.id), name="Dr Petit")
THERE = body(structure=(STRUCT, DOCTOR.structure))


async def opened(house: House, record: str, caller: Caller) -> str:
    answer = await caller.post(f"Patient/{record}/$open-access", body(**TREATING))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    "whom",
    [
        {"professional": (PS, DOCTOR.id)},
        {"professional": (RPPS, DOCTOR.id[1:])},
        {"structure": (STRUCT, DOCTOR.structure)},
        {"structure": (FINESS, DOCTOR.structure[1:])},
    ],
)
async def test_a_block_ends_refuses_and_brings_nothing_back(house: House, whom: dict[str, tuple[str, str]]) -> None:
    record = await house.open_record()
    person, doctor, other = house.citizen(record), software(house), software(house, STRANGER)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    lease = await opened(house, record, doctor)
    await opened(house, record, other)
    answer = await person.post(f"Patient/{record}/$block", body(**whom))
    assert answer.status_code == 201, answer.text
    block = answer.json()
    assert block["provision"]["type"] == "deny"
    [ended] = await consents(person, record, "inactive")
    assert (ended["id"], reason(ended)) == (lease, "blocked")
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    assert (await other.get(f"Observation/{seen}")).status_code == 200
    again = await person.post(f"Patient/{record}/$block", body(**whom))
    assert (again.status_code, again.json()) == (200, block)
    for _ in range(2):
        assert (await person.post(f"Patient/{record}/$allow", body(**whom))).status_code == 200
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    ended = (await person.get(f"Consent/{block['id']}")).json()
    assert (ended["status"], reason(ended)) == ("inactive", "allowed")
    assert await opened(house, record, doctor) != lease
    assert (await doctor.get(f"Observation/{seen}")).status_code == 200
    assert [note.asked for tag, note in notes(house, record) if tag is Tag.SHARE] == [
        "Patient/$block",
        "Patient/$block",
        "Patient/$allow",
        "Patient/$allow",
    ]


async def test_a_block_of_a_structure_ends_only_what_was_opened_there(house: House) -> None:
    record = await house.open_record()
    person, here = house.citizen(record), software(house)
    elsewhere = software(house, who(1, structure=finess(77)))
    seen = (await person.post("Observation", observation(record))).json()["id"]
    await opened(house, record, elsewhere)
    await person.post(f"Patient/{record}/$block", THERE)
    assert (await elsewhere.get(f"Observation/{seen}")).status_code == 200
    assert (await here.get(f"Observation/{seen}")).status_code == 404
    assert (await here.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"name": "Dr Petit"},
        {"professional": (PS, DOCTOR.id), "structure": (STRUCT, DOCTOR.structure)},
        {"professional": ("urn:oid:1.2.3", DOCTOR.id)},
        {"professional": (STRUCT, DOCTOR.id)},
        {"professional": (PS, "810000000000")},
        {"professional": (RPPS, DOCTOR.id)},
        {"professional": (PS, "")},
        {"structure": (STRUCT, "1690000000")},
        {"professional": (PS, DOCTOR.id), "name": "x" * 201},
        {"professional": (PS, DOCTOR.id), "until": "2030-01-01"},
    ],
)
async def test_whom_is_said_well_or_nobody_is_blocked(house: House, said: dict[str, object]) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    for name in ("$block", "$allow"):
        assert (await person.post(f"Patient/{record}/{name}", body(**said))).status_code == 422, name
    assert await consents(person, record) == []


async def test_test_identities_are_blocked_like_any_other(house: House) -> None:
    record = await house.open_record()
    him = body(professional=(PS, "ANS20260000000042"))
    assert (await house.citizen(record).post(f"Patient/{record}/$block", him)).status_code == 201


async def test_a_blocked_professional_is_a_stranger(house: House) -> None:
    """Deposits, looking up, their own, and everything else: byte for byte what somebody never blocked is told."""
    number = house.new_ins()
    record = await house.open_record(number)
    person = house.citizen(record)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    doctor, stranger = software(house), software(house, STRANGER)
    hospital, laboratory = house.depositor(), house.depositor("laboratory")
    lease = await opened(house, record, doctor)
    for whom in (HIM, THERE):
        block = (await person.post(f"Patient/{record}/$block", whom)).json()["id"]
        never = f"{record[:3]}-{'0' * 32}"
        paths = (
            f"Patient?identifier={INS_SYSTEM}|{number}",
            f"Patient/{record}",
            f"Observation/{seen}",
            f"Observation?patient={record}",
            f"Consent?patient={record}",
            f"Consent/{block}",
            f"Consent/{lease}",
            f"Consent/{lease}/_history",
            f"Patient/{record}/$everything",
            "Patient/$relations",
            "Patient/$told",
            f"AuditEvent?patient={record}",
        )
        for path in paths:
            his, theirs = await doctor.get(path), await stranger.get(path)
            assert (his.status_code, his.text) == (theirs.status_code, theirs.text), path
        for name, asked in (
            ("$end-access", body(consent=lease)),
            ("$end-access", body(consent=never)),
            ("$block", HIM),
            ("$allow", HIM),
            ("$designate", body(role="administrator", professional=(PS, DOCTOR.id))),
        ):
            his = await doctor.post(f"Patient/{record}/{name}", asked)
            theirs = await stranger.post(f"Patient/{record}/{name}", asked)
            nothing = await stranger.post(f"Patient/{never}/{name}", asked)
            assert (his.status_code, his.text) == (404, theirs.text), name
            assert theirs.text == nothing.text
    for caller in (doctor, stranger, hospital, laboratory):
        answer = await caller.post("Observation", observation(record))
        assert answer.status_code == 201
        assert (await caller.get(f"Observation/{answer.json()['id']}")).status_code == 200
        found = (await caller.get(f"Observation?patient={record}")).json()
        assert [entry["resource"]["id"] for entry in found["entry"]] == [answer.json()["id"]]


async def test_who_blocks(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("carer"), "consult", "documents")
    carer = delegate(house, record, name="carer")
    for name, asked in (("$block", HIM), ("$allow", HIM), ("$designate", body(role="administrator", **_HIM))):
        assert (await carer.post(f"Patient/{record}/{name}", asked)).status_code == 403, name
        assert notes(house, record)[-1][1].refused == "caregiver"
        assert (await house.citizen(other).post(f"Patient/{record}/{name}", asked)).status_code == 404
        assert (await delegate(house, record, name="nobody").post(f"Patient/{record}/{name}", asked)).status_code == 404
        for caller in (house.depositor(), house.operator()):
            assert (await caller.post(f"Patient/{record}/{name}", asked)).status_code == 403
        few = house.citizen(record, scopes=("patient/*.rs",))
        assert (await few.post(f"Patient/{record}/{name}", asked)).status_code == 403
    assert (await delegate(house, record).post(f"Patient/{record}/$block", HIM)).status_code == 201


_HIM = {"professional": (PS, DOCTOR.id)}


async def test_an_administrator_blocks_and_learns_nothing(house: House) -> None:
    record = await house.open_record()
    person, nurse = house.citizen(record), software(house, NURSE)
    answer = await person.post(
        f"Patient/{record}/$designate", body(role="administrator", professional=(PS, NURSE.id), name="Lou Petit")
    )
    assert answer.status_code == 201, answer.text
    first = await nurse.post(f"Patient/{record}/$block", HIM)
    again = await nurse.post(f"Patient/{record}/$block", HIM)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.json()["resourceType"] == "OperationOutcome"
    [block] = [one for one in await consents(person, record) if one["provision"]["type"] == "deny"]
    assert (await nurse.get(f"Consent/{block['id']}")).status_code == 404
    assert (await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    # Lifting, and designating, are the person's alone.
    for name, asked in (("$allow", HIM), ("$designate", body(role="administrator", **_HIM))):
        assert (await nurse.post(f"Patient/{record}/{name}", asked)).status_code == 404
    assert (await person.post(f"Patient/{record}/$allow", HIM)).status_code == 200
    # Blocked in their turn, or designated no more, they block nobody.
    await person.post(f"Patient/{record}/$block", body(structure=(STRUCT, NURSE.structure)))
    assert (await nurse.post(f"Patient/{record}/$block", HIM)).status_code == 404


async def test_a_secret_block_is_kept_from_representatives(house: House) -> None:
    record = await house.open_record()
    await house.represent(record, account_of("mum"))
    await house.lend(record, Terms(Right.ADMINISTRATOR, Actor(PROFESSIONALS, NURSE.id)))
    child, mum, nurse, doctor = house.citizen(record), delegate(house, record), software(house, NURSE), software(house)
    assert (await nurse.post(f"Patient/{record}/$block", HIM, **SECRET)).status_code == 200
    denied = [one for one in await consents(child, record) if one["provision"]["type"] == "deny"]
    assert len(denied) == 1
    assert [one for one in await consents(mum, record) if one["provision"]["type"] == "deny"] == []
    hers = await mum.post(f"Patient/{record}/$block", HIM)
    assert (hers.status_code, hers.json()["id"] != denied[0]["id"]) == (201, True)
    assert (await mum.post(f"Patient/{record}/$allow", HIM)).status_code == 200
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 404
    assert (await child.post(f"Patient/{record}/$allow", HIM)).status_code == 200
    assert await opened(house, record, doctor)


# Designations.


async def test_one_treating_physician(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    asked = body(role="treating-physician", name="Dr Petit", **_HIM)
    first = await person.post(f"Patient/{record}/$designate", asked)
    assert first.status_code == 201, first.text
    assert first.json()["provision"]["actor"][0]["reference"]["display"] == "Dr Petit"
    again = await person.post(f"Patient/{record}/$designate", asked)
    assert (again.status_code, again.json()) == (200, first.json())
    seen = (await person.post("Observation", observation(record))).json()["id"]
    assert (await software(house).get(f"Observation/{seen}")).status_code == 200
    other = body(role="treating-physician", professional=(PS, STRANGER.id))
    second = await person.post(f"Patient/{record}/$designate", other)
    assert second.status_code == 201
    [active] = await consents(person, record)
    [ended] = await consents(person, record, "inactive")
    assert (active["id"], ended["id"], reason(ended)) == (second.json()["id"], first.json()["id"], "replaced")
    assert (await software(house).get(f"Observation/{seen}")).status_code == 404


async def test_a_designated_nurse_is_no_physician(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    await person.post(f"Patient/{record}/$designate", body(role="treating-physician", professional=(PS, NURSE.id)))
    seen = (await person.post("Observation", observation(record))).json()["id"]
    assert (await software(house, NURSE).get(f"Observation/{seen}")).status_code == 404


async def test_several_administrators_and_either_side_ends(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    made = []
    for identity in (DOCTOR, NURSE):
        asked = body(role="administrator", professional=(PS, identity.id))
        made.append((await person.post(f"Patient/{record}/$designate", asked)).json()["id"])
    assert len(await consents(person, record)) == 2
    holder = await software(house).post(f"Patient/{record}/$end-access", body(consent=made[0]))
    assert (holder.status_code, reason(holder.json())) == (200, "ended-by-holder")
    assert (await person.post(f"Patient/{record}/$end-access", body(consent=made[1]))).status_code == 200
    assert await consents(person, record) == []


async def test_what_is_no_designation(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    for asked in (
        body(**_HIM),
        body(role="king", **_HIM),
        body(role="administrator"),
        body(role="administrator", structure=(STRUCT, DOCTOR.structure)),
        body(role="administrator", professional=(PS, "810000000000")),
    ):
        assert (await person.post(f"Patient/{record}/$designate", asked)).status_code == 422
    await person.post(f"Patient/{record}/$block", HIM)
    blocked = await person.post(f"Patient/{record}/$designate", body(role="administrator", **_HIM))
    assert blocked.status_code == 409
    assert notes(house, record)[-1][1].refused == "blocked"


async def test_a_block_ends_designations(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    for role in ("administrator", "treating-physician"):
        await person.post(f"Patient/{record}/$designate", body(role=role, **_HIM))
    await person.post(f"Patient/{record}/$block", HIM)
    assert [reason(one) for one in await consents(person, record, "inactive")] == ["blocked", "blocked"]
    await person.post(f"Patient/{record}/$allow", HIM)
    assert await consents(person, record) == []


# Together.


async def test_nothing_is_read_that_is_asked_after_a_block(house: House) -> None:
    """Reads run all along on connections of their own; none that begins after the block is answered succeeds."""
    record = await house.open_record()
    person, doctor = house.citizen(record), software(house)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    for _ in range(5):
        await opened(house, record, doctor)
        read: list[float] = []
        over = asyncio.Event()

        async def reading(read: list[float] = read, over: asyncio.Event = over) -> None:
            while not over.is_set():
                asked = time.monotonic()
                status = (await doctor.get(f"Observation/{seen}")).status_code
                assert status in (200, 404)
                if status == 200:
                    read.append(asked)

        readers = [asyncio.create_task(reading()) for _ in range(4)]
        await asyncio.sleep(0.05)
        assert (await person.post(f"Patient/{record}/$block", HIM)).status_code == 201
        answered = time.monotonic()
        for _ in range(5):
            assert (await doctor.get(f"Observation/{seen}")).status_code == 404
        over.set()
        await asyncio.gather(*readers)
        assert read
        assert max(read) < answered
        await person.post(f"Patient/{record}/$allow", HIM)


async def test_what_was_asked_before_a_block_and_comes_after_is_refused(house: House) -> None:
    """A request that waited for the lock is dated before the block it waited for."""
    record = await house.open_record()
    before = datetime.now(UTC) - timedelta(seconds=5)
    await house.citizen(record).post(f"Patient/{record}/$block", HIM)
    with pytest.raises(DomainError) as refused:
        await relations.open_access(care.visit(house, DOCTOR, before), record, "treating", informed=False)
    assert refused.value.reason is Reason.ABSENT


async def test_two_physicians_designated_at_once_are_one(house: House) -> None:
    record = await house.open_record()
    person = house.citizen(record)
    asked = [
        person.post(f"Patient/{record}/$designate", body(role="treating-physician", professional=(PS, rpps(n))))
        for n in range(20, 30)
    ]
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {201}
    assert len(await consents(person, record)) == 1


async def test_opening_and_blocking_at_once_leave_nothing_open(house: House) -> None:
    record = await house.open_record()
    person, doctor = house.citizen(record), software(house)
    seen = (await person.post("Observation", observation(record))).json()["id"]
    for _ in range(5):
        asked = [doctor.post(f"Patient/{record}/$open-access", body(**TREATING)) for _ in range(4)]
        asked.insert(2, person.post(f"Patient/{record}/$block", HIM))
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} <= {200, 201, 404}
        assert (await doctor.get(f"Observation/{seen}")).status_code == 404
        active = await consents(person, record)
        assert [one["provision"]["type"] for one in active] == ["deny"]
        await person.post(f"Patient/{record}/$allow", HIM)
