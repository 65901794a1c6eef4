"""Care relations: who opens one, on what basis, what is kept, who ends it, and what a professional's inbox shows."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from auth.professionals import Professional as Identity
from fhir.parameters import KINDS
from phr import codes, reading, relations
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.journal import Tag
from phr.access.matrix import Line, Matrix
from phr.access.provision import Right
from phr.core.errors import DomainError
from tests.access.city import delegate
from tests.house import INS_SYSTEM, House, account_of, observation
from tests.phr import care
from tests.phr.care import DOCTOR, PS, SECRET, STRANGER, TREATING, body, consents, notes, reason, software, who


async def an_observation(house: House, record: str) -> str:
    return str((await house.citizen(record).post("Observation", observation(record))).json()["id"])


@pytest.mark.parametrize(
    ("asked", "informed"),
    [("treating", {}), ("care-team", {"informed": True}), ("explicit-consent", {"informed": True})],
)
async def test_a_relation_opens_the_record(house: House, asked: str, informed: dict[str, bool]) -> None:
    record = await house.open_record()
    seen = await an_observation(house, record)
    doctor = software(house)
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    answer = await doctor.post(f"Patient/{record}/$open-access", body(basis=asked, **informed))
    assert answer.status_code == 201, answer.text
    consent = answer.json()
    assert answer.headers["Location"].endswith(f"/fhir/Consent/{consent['id']}/_history/1")
    provision = consent["provision"]
    assert provision["purpose"][0]["code"] == asked
    assert provision["actor"][0]["reference"]["identifier"] == {"system": PS, "value": DOCTOR.id}
    assert consent["organization"][0]["identifier"]["value"] == DOCTOR.structure
    assert (await doctor.get(f"Observation/{seen}")).status_code == 200
    assert (await software(house, STRANGER).get(f"Observation/{seen}")).status_code == 404
    [note] = [note for tag, note in notes(house, record) if tag is Tag.ACCESS]
    assert (note.asked, note.refused) == ("Patient/$open-access", "")
    assert [one["id"] for one in await consents(house.citizen(record), record)] == [consent["id"]]


async def test_an_assistant_opens_it_for_the_professional(house: House) -> None:
    record = await house.open_record()
    secretary = software(house, assistant=who(9, ""))
    consent = (await secretary.post(f"Patient/{record}/$open-access", body(**TREATING))).json()
    assert consent["provision"]["actor"][0]["reference"]["identifier"]["value"] == DOCTOR.id
    assert [actor.id for actor in notes(house, record)[-1][1].actors] == [DOCTOR.id, who(9).id]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"basis": "curious"},
        {"basis": "care-team"},
        {"basis": "explicit-consent", "informed": False},
        {"basis": "treating", "until": "2030-01-01"},
    ],
)
async def test_what_is_not_said_well_opens_nothing(house: House, said: dict[str, object]) -> None:
    record = await house.open_record()
    assert (await software(house).post(f"Patient/{record}/$open-access", body(**said))).status_code == 422
    assert await consents(house.citizen(record), record) == []


@pytest.mark.parametrize("identity", [who(1, ""), who(1, category="E"), who(1, "00")])
async def test_who_the_matrix_does_not_know_opens_nothing(house: House, identity: Identity) -> None:
    record = await house.open_record()
    caller = software(house, identity)
    known = await caller.post(f"Patient/{record}/$open-access", body(**TREATING))
    never = await caller.post(f"Patient/{record[:3]}-{'0' * 32}/$open-access", body(**TREATING))
    assert known.status_code == 403
    assert (never.status_code, never.text) == (403, known.text)


async def test_who_learns_opens_nothing_whatever_the_matrix_says(house: House) -> None:
    line = Line(True, frozenset(), frozenset({"Patient"}))
    house.parts.installation.matrix = Matrix({("TRE_G16", "10", ""): line})
    record = await house.open_record()
    learner = software(house, who(1, category="E"))
    assert (await learner.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 403


async def test_only_professionals_open(house: House) -> None:
    record = await house.open_record()
    for caller in (house.citizen(record), house.depositor(), house.operator()):
        assert (await caller.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 403
    few = software(house, scopes=("user/*.rs",))
    assert (await few.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 403


async def test_the_scopes_of_a_launch_stay_in_its_record(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    launched = software(house, record=other, scopes=("patient/*.cruds",))
    assert (await launched.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 403
    assert await consents(house.citizen(record), record) == []
    assert (await launched.post(f"Patient/{other}/$open-access", body(**TREATING))).status_code == 201


async def test_by_ins(house: House) -> None:
    number = house.new_ins()
    record = await house.open_record(number)
    doctor = software(house)
    answer = await doctor.post("Patient/$open-access", body(identifier=(INS_SYSTEM, number), **TREATING))
    assert answer.status_code == 201, answer.text
    assert answer.json()["patient"]["reference"] == f"Patient/{record}"


async def test_unknown_and_refused_answer_alike(house: House) -> None:
    number = house.new_ins()
    record = await house.open_record(number)
    block = body(professional=(PS, DOCTOR.id))
    assert (await house.citizen(record).post(f"Patient/{record}/$block", block)).status_code == 201
    doctor, nobody = software(house), house.new_ins()
    asked = [body(identifier=(INS_SYSTEM, one), **TREATING) for one in (number, nobody, "x")]
    answers = [await doctor.post("Patient/$open-access", one) for one in asked]
    answers += [
        await doctor.post(f"Patient/{one}/$open-access", body(**TREATING))
        for one in (record, f"{record[:3]}-{'0' * 32}", "x")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    refused = [note.refused for tag, note in notes(house, record) if tag is Tag.ACCESS]
    assert refused == ["blocked", "blocked"]


async def test_asked_twice_is_opened_once(house: House) -> None:
    record = await house.open_record()
    doctor = software(house)
    first = await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))
    again = await doctor.post(f"Patient/{record}/$open-access", body(basis="care-team", informed=True))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


async def test_twenty_at_once_open_one(house: House) -> None:
    record = await house.open_record()
    doctor = software(house)
    ask = [doctor.post(f"Patient/{record}/$open-access", body(**TREATING)) for _ in range(20)]
    answers = await asyncio.gather(*ask)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await consents(house.citizen(record), record)) == 1


async def test_one_that_waited_for_another_finds_it(house: House) -> None:
    """A request that waited for the lock is dated before the lease it waited for."""
    record = await house.open_record()
    now = datetime.now(UTC)
    first = await relations.open_access(care.visit(house, DOCTOR, now), record, "treating", informed=False)
    earlier = care.visit(house, DOCTOR, now - timedelta(seconds=5))
    again = await relations.open_access(earlier, record, "treating", informed=False)
    assert (again.created, again.id) == (False, first.id)


async def test_one_to_come_is_not_taken_for_one_in_force(house: House) -> None:
    record = await house.open_record()
    await house.relate(record, DOCTOR.id, since=datetime.now(UTC) + timedelta(days=1))
    assert (await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201


async def test_a_later_one_replaces_a_shorter_one(house: House) -> None:
    record = await house.open_record()
    care.account(house, record, "ada@poste.test")
    now = datetime.now(UTC)
    first = await relations.open_access(care.visit(house, DOCTOR, now), record, "treating", informed=False)
    later = care.visit(house, DOCTOR, now + timedelta(days=30))
    second = await relations.open_access(later, record, "treating", informed=False)
    assert (first.created, second.created) == (True, True)
    [active] = await consents(house.citizen(record), record)
    assert active["id"] == second.id
    [ended] = await consents(house.citizen(record), record, "inactive")
    assert (ended["id"], reason(ended)) == (first.id, "replaced")
    assert len(care.mails(house)) == 1, "it goes on: nobody new"


async def test_what_the_person_narrowed_is_not_taken_for_the_whole(house: House) -> None:
    record = await house.open_record()
    narrow = Terms(Right.CARE_RELATION, Actor(PROFESSIONALS, DOCTOR.id), purpose="treating", kinds=("Condition",))
    given = await house.lend(record, narrow)
    answer = await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))
    assert answer.status_code == 201
    assert {one["id"] for one in await consents(house.citizen(record), record)} == {given, answer.json()["id"]}


async def test_a_confidential_visit_is_kept_from_representatives(house: House) -> None:
    record = await house.open_record()
    await house.represent(record, account_of("mum"))
    doctor, mum, child = software(house), delegate(house, record), house.citizen(record)
    answer = await doctor.post(f"Patient/{record}/$open-access", body(**TREATING), **SECRET)
    assert answer.status_code == 201
    id = answer.json()["id"]  # noqa: A001
    assert answer.json()["meta"]["security"][0]["code"] == "INVISIBLE_REPRESENTANTS_LEGAUX"
    assert (await child.get(f"Consent/{id}")).status_code == 200
    assert (await mum.get(f"Consent/{id}")).status_code == 404
    hers = await mum.post(f"Patient/{record}/$end-access", body(consent=id))
    none = await mum.post(f"Patient/{record}/$end-access", body(consent=f"{record[:3]}-{'0' * 32}"))
    assert (hers.status_code, hers.text) == (404, none.text)
    # Under that relation alone the visit stays confidential, whatever the software says next.
    again = await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))
    assert (again.status_code, again.json()["id"]) == (200, id)
    assert all(note.confidential for tag, note in notes(house, record) if note.reader == "Professional")


async def test_an_open_relation_is_not_made_secret_nor_a_secret_one_shown(house: House) -> None:
    record = await house.open_record()
    now = datetime.now(UTC)
    doctor = software(house)
    plain = (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"]
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING), **SECRET)).json()["id"] == plain
    label = (codes.VISIBILITY, "INVISIBLE_REPRESENTANTS_LEGAUX")
    secret = await house.relate(record, DOCTOR.id, until=now + timedelta(days=300), label=label)
    # The secret one is longer, but an ordinary visit does not live on it, nor ends it.
    ordinary = care.visit(house, DOCTOR, now + timedelta(days=1))
    shown = await relations.open_access(ordinary, record, "treating", informed=False)
    assert shown.created
    assert {one["id"] for one in await consents(house.citizen(record), record)} == {shown.id, secret}
    # A secret visit that outlasts the ordinary relation leaves it as it is.
    later = care.visit(house, DOCTOR, now + timedelta(days=250), confidential=True)
    longest = await relations.open_access(later, record, "treating", informed=False)
    assert longest.created
    assert {one["id"] for one in await consents(house.citizen(record), record)} == {shown.id, longest.id}


# Ending.


async def test_the_person_ends_it(house: House) -> None:
    record = await house.open_record()
    seen = await an_observation(house, record)
    doctor, person = software(house), house.citizen(record)
    consent = (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"]
    for _ in range(2):
        answer = await person.post(f"Patient/{record}/$end-access", body(consent=consent))
        assert (answer.status_code, answer.json()["status"]) == (200, "inactive")
        assert reason(answer.json()) == "ended-by-person"
    assert answer.json()["meta"]["versionId"] == "2"
    assert (await doctor.get(f"Observation/{seen}")).status_code == 404
    # Nothing ended comes back; the professional may ask again, for nobody blocked them.
    assert (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"] != consent


async def test_its_holder_ends_it_and_no_other_professional(house: House) -> None:
    record = await house.open_record()
    doctor, other = software(house), software(house, STRANGER)
    consent = (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"]
    assert (await other.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert (await other.post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 404
    answer = await doctor.post(f"Patient/{record}/$end-access", body(consent=consent))
    assert (answer.status_code, reason(answer.json())) == (200, "ended-by-holder")
    assert (await doctor.post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 404


async def test_seeing_another_s_right_is_not_holding_it(house: House) -> None:
    """Even under a matrix that shows Consents to a profession."""
    line = Line(True, frozenset(), frozenset({"Patient", "Consent"}))
    house.parts.installation.matrix = Matrix({("TRE_G15", "10", ""): line})
    record = await house.open_record()
    doctor, other = software(house), software(house, STRANGER)
    consent = (await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"]
    assert (await other.post(f"Patient/{record}/$open-access", body(**TREATING))).status_code == 201
    assert (await other.get(f"Consent/{consent}")).status_code == 200
    assert (await other.post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 404


async def test_who_cannot_end_it(house: House) -> None:
    record, other = await house.open_record(), await house.open_record()
    await house.represent(record, account_of("carer"), "consult")
    consent = (await software(house).post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"]
    carer = delegate(house, record, name="carer")
    assert (await carer.post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 403
    assert notes(house, record)[-1][1].refused == "caregiver"
    for caller in (house.citizen(other), delegate(house, record, name="nobody")):
        assert (await caller.post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 404
    assert (await house.depositor().post(f"Patient/{record}/$end-access", body(consent=consent))).status_code == 403
    person = house.citizen(record)
    mask = await house.lend(record, Terms(Right.MASK, permits=False))
    for id in (mask, "x", f"{record[:3]}-{'0' * 32}"):  # noqa: A001
        assert (await person.post(f"Patient/{record}/$end-access", body(consent=id))).status_code == 404
    assert (await person.post(f"Patient/{record}/$end-access", body())).status_code == 422
    assert len(await consents(person, record)) == 3


# The inbox.


async def test_a_professional_lists_their_open_relations(house: House) -> None:
    doctor, records = software(house), [await house.open_record() for _ in range(4)]
    made = [(await doctor.post(f"Patient/{one}/$open-access", body(**TREATING))).json()["id"] for one in records]
    await software(house, STRANGER).post(f"Patient/{records[0]}/$open-access", body(**TREATING))
    bundle = (await doctor.get("Patient/$relations")).json()
    assert (bundle["type"], [entry["resource"]["id"] for entry in bundle["entry"]]) == ("collection", made[::-1])
    tag, note = notes(house, records[0])[-1]
    assert (tag, note.asked) == (Tag.LOOKUP, "Patient/$relations")
    # What was ended, or blocked, is not there any more; neither is what lies in a record they cannot open.
    await house.citizen(records[0]).post(f"Patient/{records[0]}/$end-access", body(consent=made[0]))
    await house.citizen(records[1]).post(f"Patient/{records[1]}/$block", body(professional=(PS, DOCTOR.id)))
    bundle = (await doctor.get("Patient/$relations")).json()
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == [made[3], made[2]]


async def test_the_list_comes_by_pages(house: House) -> None:
    doctor = software(house)
    made = []
    for _ in range(5):
        record = await house.open_record()
        made.append((await doctor.post(f"Patient/{record}/$open-access", body(**TREATING))).json()["id"])
    found, path = [], "Patient/$relations?_count=2"
    for expected in (2, 2, 1):
        bundle = (await doctor.get(path)).json()
        assert len(bundle["entry"]) == expected
        found += [entry["resource"]["id"] for entry in bundle["entry"]]
        path = bundle["link"][0]["url"].partition("/fhir/")[2] if "link" in bundle else ""
    assert (found, path) == (made[::-1], "")
    assert (await doctor.get("Patient/$relations?_count=x")).status_code == 400
    other = software(house, STRANGER)
    bundle = (await doctor.get("Patient/$relations?_count=2")).json()
    assert (await other.get(bundle["link"][0]["url"].partition("/fhir/")[2])).status_code == 400
    assert "entry" not in (await other.get("Patient/$relations")).json()


async def test_only_a_professional_has_an_inbox(house: House) -> None:
    record = await house.open_record()
    for path in ("Patient/$relations", "Patient/$told"):
        assert (await house.citizen(record).get(path)).status_code == 403
        assert (await house.depositor().get(path)).status_code == 403
        assert (await software(house, scopes=("user/Observation.rs",)).get(path)).status_code == 403


async def test_over_is_over(house: House) -> None:
    """At the instant a lease ends nothing is seen, and no entry of the inbox is read."""
    record = await house.open_record()
    seen, now = await an_observation(house, record), datetime.now(UTC)
    made = await relations.open_access(care.visit(house, DOCTOR, now), record, "treating", informed=False)
    until = datetime.fromisoformat(made.json()["provision"]["period"]["end"])
    before, after = (care.visit(house, DOCTOR, until + timedelta(microseconds=n)) for n in (-1, 0))
    assert (await reading.read(before, KINDS["Observation"], seen))[0].id == seen
    with pytest.raises(DomainError):
        await reading.read(after, KINDS["Observation"], seen)
