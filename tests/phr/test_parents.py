"""Legal representatives: the second parent, two at most, and what a minor keeps from both."""

import asyncio
from typing import Any

import httpx
import pytest

from phr import codes
from phr.core.errors import DomainError
from tests.deposit import bytes_of, clinic, deposited, document, inline
from tests.house import Caller, House, observation
from tests.kin import Person, answer, care, invite, parameters, person, represent
from tests.phr.care import DOCTOR, SECRET, TREATING, body, software

Json = dict[str, Any]
HIDDEN = "INVISIBLE_REPRESENTANTS_LEGAUX"


async def invite_parent(parent: Person, child: Person, other: Person) -> httpx.Response:
    sent = parameters(**other.invited())
    return await parent.acting(child.record).post(f"{child.patient}/$invite-parent", sent)


async def standing(child: Person) -> list[Json]:
    found = await child.caller().get("Consent?category=legal-representative&status=active")
    return [one["resource"] for one in found.json().get("entry", ()) if one["search"]["mode"] == "match"]


def whose(consent: Json) -> str:
    return str(consent["provision"]["actor"][0]["reference"]["identifier"]["value"])


@pytest.fixture
async def ines(house: House) -> Person:
    return await person(house, "Inès", "Benali", "2010-07-30")


@pytest.fixture
async def karim(house: House, ines: Person) -> Person:
    """Her father, who acts for her."""
    made = await person(house, "Karim", "Benali", "1968-09-12")
    await represent(ines, made)
    return made


@pytest.fixture
async def nadia(house: House, ines: Person, karim: Person) -> Person:
    """Her mother, invited by her father."""
    made = await person(house, "Nadia", "Benali", "1972-01-03")
    invited = await invite_parent(karim, ines, made)
    assert invited.status_code == 201, invited.text
    assert (await answer(made, invited.json()["id"])).status_code == 200
    return made


async def test_the_second_parent_sees_what_the_first_does(
    house: House, ines: Person, karim: Person, nadia: Person
) -> None:
    await house.depositor().post("Observation", observation(ines.record))
    for parent in (karim, nadia):
        seen = await parent.acting(ines.record).get("Observation")
        assert len(seen.json()["entry"]) == 1
    both = await standing(ines)
    assert {whose(one) for one in both} == {f"urn:uuid:{parent.account}" for parent in (karim, nadia)}
    assert {one["provision"]["period"]["end"] for one in both} == {"2028-07-29T22:00:00.000+00:00"}


async def test_only_a_parent_invites_the_other(house: House, ines: Person, karim: Person) -> None:
    other = await person(house, "Nadia", "Benali")
    refused = await ines.caller().post(f"{ines.patient}/$invite-parent", parameters(**other.invited()))
    assert refused.status_code == 403
    caregiver = await person(house, "Claire", "Moreau")
    made = await invite(karim.acting(ines.record), ines.patient, caregiver)
    assert (await answer(caregiver, made)).status_code == 200
    assert (await invite_parent(caregiver, ines, other)).status_code == 403
    assert (await invite_parent(karim, ines, ines)).status_code == 422
    adult = await person(house, "Jeanne", "Lefèvre", "1948-11-02")
    await care(adult, karim)
    assert (await invite_parent(karim, adult, other)).status_code == 403


async def test_two_at_most(house: House, ines: Person, karim: Person, nadia: Person) -> None:
    third = await person(house, "Léo", "Petit")
    for parent in (karim, nadia):
        assert (await invite_parent(parent, ines, third)).status_code == 422
    with pytest.raises(DomainError):
        await represent(ines, third)
    assert len(await standing(ines)) == 2


async def test_room_is_counted_again_when_it_is_accepted(house: House, ines: Person, karim: Person) -> None:
    other = await person(house, "Nadia", "Benali")
    consent = (await invite_parent(karim, ines, other)).json()["id"]
    await house.represent(ines.record, str((await person(house, "Léo", "Petit")).account))
    assert (await answer(other, consent)).status_code == 422
    assert len(await standing(ines)) == 2


async def test_in_parallel_they_are_never_three(house: House, ines: Person, karim: Person) -> None:
    """Real connections: two invitations, then an acceptance against the operator's own word."""
    others = [await person(house, f"Nadia{'abc'[n]}", "Benali") for n in range(3)]
    invited = await asyncio.gather(*(invite_parent(karim, ines, one) for one in others))
    assert sorted(one.status_code for one in invited) == [201, 422, 422]
    [n] = [n for n, one in enumerate(invited) if one.status_code == 201]
    consent = invited[n].json()["id"]
    words = (represent(ines, one) for one in others if one is not others[n])
    await asyncio.gather(answer(others[n], consent), answer(others[n], consent), *words, return_exceptions=True)
    assert len(await standing(ines)) == 2


async def test_a_parent_does_not_remove_the_other_and_can_leave(ines: Person, karim: Person, nadia: Person) -> None:
    async def ended(who: Caller, consent: str) -> int:
        return (await who.post(f"{ines.patient}/$end-delegation", parameters(consent=consent))).status_code

    mandates = {
        one["provision"]["actor"][0]["reference"]["identifier"]["value"]: one["id"] for one in await standing(ines)
    }
    hers, his = (mandates[f"urn:uuid:{parent.account}"] for parent in (nadia, karim))
    assert await ended(karim.acting(ines.record), hers) == 403
    assert await ended(ines.caller(), hers) == 403
    assert await ended(nadia.acting(ines.record), hers) == 200
    assert (await nadia.acting(ines.record).get(ines.patient)).status_code == 404
    assert [one["id"] for one in await standing(ines)] == [his]
    widened = parameters(consent=his, power="consult")
    assert (await karim.acting(ines.record).post(f"{ines.patient}/$change-delegation", widened)).status_code == 422


async def test_an_invitation_not_answered_is_withdrawn_by_a_parent(house: House, ines: Person, karim: Person) -> None:
    other = await person(house, "Nadia", "Benali")
    consent = (await invite_parent(karim, ines, other)).json()["id"]
    sent = parameters(consent=consent)
    assert (await ines.caller().post(f"{ines.patient}/$end-delegation", sent)).status_code == 403
    assert (await karim.acting(ines.record).post(f"{ines.patient}/$end-delegation", sent)).status_code == 200
    assert (await answer(other, consent)).status_code == 422


async def test_a_parent_ends_a_caregiver(house: House, ines: Person, karim: Person) -> None:
    caregiver = await person(house, "Claire", "Moreau")
    made = await invite(karim.acting(ines.record), ines.patient, caregiver)
    assert (await answer(caregiver, made)).status_code == 200
    assert (await caregiver.acting(ines.record).get(ines.patient)).status_code == 200
    ended = await karim.acting(ines.record).post(f"{ines.patient}/$end-delegation", parameters(consent=made))
    assert ended.status_code == 200
    assert (await caregiver.acting(ines.record).get(ines.patient)).status_code == 404


# What a minor keeps from their parents (R1111-50, R1111-33).


async def doors(reader: Caller, record: str, address: str) -> dict[str, bool]:
    """Whether one resource shows, by each way out."""
    kind, _, identifier = address.partition("/")
    asked = {
        "read": address,
        "history": f"{address}/_history",
        "version": f"{address}/_history/1",
        "types": f"{kind}/_history",
        "search": f"{kind}?patient={record}&_count=50",
        "by id": f"{kind}?_id={identifier}",
        "everything": f"Patient/{record}/$everything?_count=200",
        "journal": "AuditEvent?_count=200",
        "reverse": f"Patient?_id={record}&_revinclude={kind}:patient",
    }
    found = {}
    for name, path in asked.items():
        answered = await reader.get(path)
        # A searchset repeats what was asked in its links.
        found[name] = answered.status_code == 200 and identifier in answered.text.replace(f"_id={identifier}", "")
    counted = await reader.get(f"{kind}?patient={record}&_id={identifier}&_summary=count")
    found["count"] = counted.json().get("total") == 1
    return found


async def secret(house: House, child: Person) -> dict[str, str]:
    """What a professional opens and writes in a session kept from representatives."""
    doctor = software(house, DOCTOR, child.record, ("user/*.cruds", "patient/*.cruds"))
    opened = await doctor.post(f"{child.patient}/$open-access", body(**TREATING, informed=True), **SECRET)
    assert opened.status_code == 201, opened.text
    made = {"Consent": f"Consent/{opened.json()['id']}"}
    seen = await doctor.post("Observation", observation(child.record), **SECRET)
    assert seen.status_code == 201, seen.text
    by = await clinic(house)
    for name, more in (
        ("DocumentReference", {}),
        ("reimbursement", {"type": _coded(codes.TYPE, "REMB"), "category": [_coded(codes.CLASS, "60")]}),
    ):
        sent = inline({**document(child.record, by), **more})
        answered = await doctor.post("DocumentReference", sent, **SECRET)
        assert answered.status_code == 201, answered.text
        made[name] = f"DocumentReference/{answered.json()['id']}"
        made[f"{name} content"] = bytes_of(answered.json())
    return made | {"Observation": f"Observation/{seen.json()['id']}"}


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


async def test_what_is_done_in_a_secret_session_is_the_minor_s_alone(
    house: House, ines: Person, karim: Person, nadia: Person
) -> None:
    for name, address in (await secret(house, ines)).items():
        mine = await doors(ines.caller(), ines.record, address)
        missing = {way for way, shown in mine.items() if not shown}
        # A Binary is never searched by its person, and its bytes have no bundle of their own.
        assert missing <= ({"search", "by id", "count", "reverse", "types"} if "content" in name else {"reverse"}), (
            name,
            missing,
        )
        for parent in (karim, nadia):
            theirs = await doors(parent.acting(ines.record), ines.record, address)
            assert not any(theirs.values()), (name, theirs)


async def test_a_parent_is_told_nothing_of_it_by_the_way_it_is_refused(
    house: House, ines: Person, karim: Person
) -> None:
    made = await secret(house, ines)
    for address in made.values():
        kind, _, identifier = address.partition("/")
        never = f"{kind}/{identifier[:4]}{'0' * 32}"
        answers = []
        for one in (address, never):
            parent = karim.acting(ines.record)
            found = [await parent.get(one), await parent.delete(one), await parent.get(f"{one}/_history")]
            answers.append([(one.status_code, one.text) for one in found])
        assert answers[0] == answers[1]


async def test_what_is_done_openly_is_seen_by_both(house: House, ines: Person, karim: Person, nadia: Person) -> None:
    """So that the tests above mean something."""
    doctor = software(house, DOCTOR)
    opened = await doctor.post(f"{ines.patient}/$open-access", body(**TREATING, informed=True))
    address = f"Consent/{opened.json()['id']}"
    for parent in (karim, nadia):
        shown = await doors(parent.acting(ines.record), ines.record, address)
        assert all(shown[way] for way in ("read", "search", "everything", "journal", "count"))


async def test_a_minor_hides_a_document_and_a_parent_does_not_lift_it(
    house: House, ines: Person, karim: Person
) -> None:
    made = await deposited(house.depositor(), document(ines.record, await clinic(house)))
    address, parent = f"DocumentReference/{made['id']}", karim.acting(ines.record)
    assert (await parent.get(address)).status_code == 200
    add = [{"op": "add", "path": "/securityLabel/-", "value": _coded(codes.VISIBILITY, HIDDEN)}]
    assert (await parent.patch(address, add)).status_code == 403, "nor does a parent set it"
    assert (await ines.caller().patch(address, add)).status_code == 200
    for one in (address, bytes_of(made)):
        assert (await parent.get(one)).status_code == 404
    lift = [{"op": "remove", "path": "/securityLabel/1"}]
    assert (await parent.patch(address, lift)).status_code == 404
    assert (await ines.caller().get(bytes_of(made))).status_code == 200
    assert (await ines.caller().patch(address, lift)).status_code == 200
    assert (await parent.get(address)).status_code == 200
