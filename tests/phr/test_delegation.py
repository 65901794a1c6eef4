"""Caregivers, over HTTP: invited without a word on who is known here, accepted, narrowed, ended, journaled."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import accounts, grants
from fhir.tables import record
from phr import delegation_invitations, representation
from phr.access.consent import Actor, Terms
from phr.access.journal import journal
from phr.access.provision import Right
from phr.representation import delegation_invitation
from tests.access.city import professional
from tests.house import House, observation
from tests.kin import Person, answer, care, granted, invite, mails, parameters, person, represent
from tests.phr.care import notes

Json = dict[str, Any]


async def ask(who: Person, operation: str, record: str | None = None, **values: Any) -> httpx.Response:
    """An operation, in their own record or in another's."""
    caller = who.caller() if record is None else who.acting(record)
    return await caller.post(f"Patient/{record or who.record}/${operation}", parameters(**values))


async def consent(who: Person, id: str) -> Json:
    found = await who.caller().get(f"Consent/{id}")
    assert found.status_code == 200, found.text
    return dict(found.json())


def reason(body: Json) -> str | None:
    coded = [one["valueCoding"]["code"] for one in body["extension"] if one["url"].endswith("/status-reason")]
    return coded[0] if coded else None


async def pending(who: Person) -> list[Json]:
    found = await who.caller().get(f"{who.patient}/$invitations")
    assert found.status_code == 200, found.text
    return [
        {part["name"]: next(value for name, value in part.items() if name != "name") for part in one["part"]}
        for one in found.json().get("parameter", ())
    ]


@pytest.fixture
async def jeanne(house: House) -> Person:
    return await person(house, "Jeanne", "Lefèvre", "1948-11-02")


@pytest.fixture
async def claire(house: House) -> Person:
    return await person(house, "Claire", "D'Orléans", "1985-05-17")


async def test_a_caregiver_is_invited_accepts_and_acts(house: House, jeanne: Person, claire: Person) -> None:
    await house.depositor().post("Observation", observation(jeanne.record))
    made = await invite(jeanne.caller(), jeanne.patient, claire, ("consult", "documents"))
    assert (await consent(jeanne, made))["status"] == "proposed"
    assert (await claire.acting(jeanne.record).get("Observation")).json().get("entry") is None
    [waiting] = await pending(claire)
    assert waiting["consent"] == made
    assert waiting["from"] == "Jeanne"
    assert waiting["right"] == "caregiver"
    assert len(await run_in_threadpool(mails, house, claire.email)) == 1
    found = await answer(claire, made)
    assert found.json()["parameter"][1] == {"name": "status", "valueString": "active"}
    body = await consent(jeanne, made)
    assert body["status"] == "active"
    [actor] = body["provision"]["actor"]
    assert actor["reference"]["identifier"]["value"] == f"urn:uuid:{claire.account}"
    assert len((await claire.acting(jeanne.record).get("Observation")).json()["entry"]) == 1
    assert (await claire.acting(jeanne.record).post("Observation", observation(jeanne.record))).status_code == 201
    assert await pending(claire) == []


async def test_the_chooser_offers_who_is_cared_for_and_nobody_else(jeanne: Person, claire: Person) -> None:
    await care(jeanne, claire)
    server = claire.house.parts.server

    def offered() -> list[tuple[str, str]]:
        with Session(server.engine) as session:
            account = accounts.find(session, server.keys, claire.account)
            assert account is not None
            found = representation.choices(session, server.keys, account, datetime.now(UTC))
            return [(one.record, one.label) for one in found]

    choices = await run_in_threadpool(offered)
    assert choices == [(claire.record, "Claire D'Orléans"), (jeanne.record, "Jeanne")]
    await ask(jeanne, "end-delegation", consent=(await care_id(jeanne)))
    assert await run_in_threadpool(offered) == choices[:1]


async def care_id(who: Person) -> str:
    found = await who.caller().get("Consent?status=active&category=caregiver")
    return str(found.json()["entry"][0]["resource"]["id"])


TYPED: dict[str, Json] = {
    "as they are": {},
    "without accents": {"family": "D ORLEANS", "given": "claire"},
    "another family name": {"family": "Moreau"},
    "another first name": {"given": "Clara"},
    "another birth date": {"birthDate": "1985-05-18"},
}


@pytest.mark.parametrize(("typed", "known"), [(name, n < 2) for n, name in enumerate(TYPED)])
async def test_only_who_is_named_exactly_is_reached(jeanne: Person, claire: Person, typed: str, known: bool) -> None:
    values = claire.invited(power="consult", **TYPED[typed])
    found = await jeanne.caller().post(f"{jeanne.patient}/$invite-caregiver", parameters(**values))
    assert found.status_code == 201, found.text
    assert len(await pending(claire)) == known
    assert len(await run_in_threadpool(mails, claire.house, claire.email)) == known


async def test_the_answer_does_not_tell_who_is_known_here(house: House, jeanne: Person, claire: Person) -> None:
    nobody = replace(claire, ins=house.new_ins())
    without = await person(house, "Claire", "D'Orléans", account=False)
    namesake = await person(house, "Claire", "D'Orléans", "1990-01-01")
    closed = await person(house, "Claire", "D'Orléans")
    with Session(house.parts.server.engine) as session, session.begin():
        session.execute(update(record).where(record.c.id == closed.record).values(closed=datetime.now(UTC)))
    answers = []
    for n, who in enumerate((claire, nobody, without, namesake, closed)):
        inviter = await person(house, f"Jeanne{'x' * n}", "Lefèvre", "1948-11-02")
        sent = parameters(**{**who.invited(power="consult"), "birthDate": claire.born})
        answers.append(await inviter.caller().post(f"{inviter.patient}/$invite-caregiver", sent))
        body = await consent(inviter, answers[-1].json()["id"])
        assert body["status"] == "proposed"
        assert str(who.account) not in answers[-1].text
        assert who.ins not in answers[-1].text
    shapes = {(one.status_code, tuple(one.headers), _shape(one.json())) for one in answers}
    assert len(shapes) == 1
    with Session(house.parts.server.engine) as session:
        rows = session.execute(select(delegation_invitation)).all()
    assert len(rows) == len(answers), "the same is written when it is nobody"
    assert sum(row.account == claire.account for row in rows) == 1
    assert len({row.account for row in rows}) == len(rows)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((name, _shape(one)) for name, one in value.items())
    if isinstance(value, list):
        return tuple(map(_shape, value))
    return len(str(value))


async def test_whoever_is_looked_for_reads_it_in_their_journal(jeanne: Person, claire: Person) -> None:
    await invite(jeanne.caller(), jeanne.patient, replace(claire, given="Clara"))
    found = await claire.caller().get("AuditEvent")
    tags = [one["resource"]["subtype"][0]["code"] for one in found.json()["entry"] if "subtype" in one["resource"]]
    assert "lookup" in tags
    assert jeanne.record not in found.text
    assert "Jeanne" not in found.text


async def test_what_cannot_be_asked(house: House, jeanne: Person, claire: Person) -> None:
    at = jeanne.caller()
    wrong = [
        claire.invited(),
        claire.invited(power="everything"),
        claire.invited(power="consult", until="2020-01-01T00:00:00Z"),
        claire.invited(power="consult", birthDate="1985"),
        claire.invited(power="consult", family="42"),
        {**claire.invited(power="consult"), "identifier": {"system": "urn:oid:1.2.3", "value": claire.ins}},
        {**claire.invited(power="consult"), "identifier": {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "1"}},
        jeanne.invited(power="consult"),
    ]
    for values in wrong:
        found = await at.post(f"{jeanne.patient}/$invite-caregiver", parameters(**values))
        assert found.status_code == 422, values
        assert claire.ins not in found.text
    sent = parameters(**claire.invited(power="consult"))
    assert (await at.post(f"{claire.patient}/$invite-caregiver", sent)).status_code == 404
    assert (
        await professional(house, jeanne.record).post(f"{jeanne.patient}/$invite-caregiver", sent)
    ).status_code == 403
    few = jeanne.caller(("patient/Observation.cruds",))
    assert (await few.post(f"{jeanne.patient}/$invite-caregiver", sent)).status_code == 403
    assert await pending(claire) == []


async def test_nobody_is_invited_twice(jeanne: Person, claire: Person) -> None:
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    again = claire.invited(power="agenda", given="Clara")
    assert (await ask(jeanne, "invite-caregiver", **again)).status_code == 409
    assert (await answer(claire, made)).status_code == 200
    assert (await ask(jeanne, "invite-caregiver", **again)).status_code == 409
    assert (await ask(jeanne, "end-delegation", consent=made)).status_code == 200
    assert (await ask(jeanne, "invite-caregiver", **again)).status_code == 201


async def test_a_person_has_so_many_caregivers(house: House, jeanne: Person) -> None:
    most = house.settings.most_caregivers
    whom = [await person(house, f"Claire{'abcdef'[n]}") for n in range(most + 1)]
    made = [await invite(jeanne.caller(), jeanne.patient, one) for one in whom[:most]]
    await answer(whom[0], made[0])
    refused = await ask(jeanne, "invite-caregiver", **whom[-1].invited(power="consult"))
    assert refused.status_code == 422
    assert "at most 3 caregivers" in refused.text
    assert (await ask(jeanne, "end-delegation", consent=made[1])).status_code == 200
    assert (await consent(jeanne, made[1]))["status"] == "rejected"
    assert reason(await consent(jeanne, made[1])) == "withdrawn"
    assert await pending(whom[1]) == []
    assert (await answer(whom[1], made[1])).status_code == 422
    await invite(jeanne.caller(), jeanne.patient, whom[-1])


async def test_two_invitations_at_once_never_make_one_too_many(house: House, jeanne: Person) -> None:
    most = house.settings.most_caregivers
    whom = [await person(house, f"Claire{'abcdef'[n]}") for n in range(most + 2)]
    asked = (ask(jeanne, "invite-caregiver", **one.invited(power="consult")) for one in whom)
    statuses = sorted([one.status_code for one in await asyncio.gather(*asked)])
    assert statuses == [201] * most + [422] * 2


async def test_a_caregiver_cares_for_so_many(house: House, claire: Person) -> None:
    most = house.settings.most_cared_for
    people = [await person(house, f"Jeanne{'abcdefg'[n]}") for n in range(most + 1)]
    made = [await invite(one.caller(), one.patient, claire) for one in people]
    for one in made[: most - 1]:
        assert (await answer(claire, one)).status_code == 200
    # Another acceptance under way, in another record: this one waits for it, and counts it.
    installation = house.parts.installation
    async with installation.database.transaction() as session:
        await session.fetch(delegation_invitations._ACCOUNT, {"account": claire.account})
        keys, other = installation.system_keys, f"00a-{'1' * 32}"
        now = datetime.now(UTC)
        row = representation.Representation(claire.account, other, "Lou", representation.CAREGIVER, now, None)
        await representation.add(session, keys, row)
        waiting = asyncio.create_task(answer(claire, made[most - 1]))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
    assert (await waiting).status_code == 422
    async with installation.database.transaction() as session:
        await representation.end(session, keys, claire.account, other, now)
    assert (await answer(claire, made[most - 1])).status_code == 200
    assert (await answer(claire, made[most])).status_code == 422
    assert len(await pending(claire)) == 1, "what was not done can still be answered"


async def test_an_invitation_is_answered_once_by_whom_it_is_for(house: House, jeanne: Person, claire: Person) -> None:
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    other = await person(house, "Karim", "Benali")
    assert (await answer(other, made)).status_code == 404
    assert (await answer(jeanne, made)).status_code == 404
    assert (await ask(other, "answer-invitation", claire.record, consent=made, accept=True)).status_code in (403, 404)
    both = await asyncio.gather(answer(claire, made), answer(claire, made, accept=False))
    assert sorted(one.status_code for one in both) == [200, 422]
    assert (await answer(claire, made)).status_code == 422


async def test_who_refuses_sees_nothing_and_it_is_over(jeanne: Person, claire: Person) -> None:
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    assert (await answer(claire, made, accept=False)).status_code == 200
    body = await consent(jeanne, made)
    assert (body["status"], reason(body)) == ("rejected", "refused")
    assert (await claire.acting(jeanne.record).get(jeanne.patient)).status_code == 404
    assert (await answer(claire, made)).status_code == 422
    assert (await ask(jeanne, "end-delegation", consent=made)).status_code == 422
    assert (await ask(jeanne, "change-delegation", consent=made, power="consult")).status_code == 422


async def test_a_proposed_consent_opens_by_no_other_door(jeanne: Person, claire: Person) -> None:
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    body = await consent(jeanne, made)
    actor = Actor.account(claire.account)
    body["provision"]["actor"][0]["reference"]["identifier"]["value"] = actor.value
    refused = await jeanne.caller().put(f"Consent/{made}", {**body, "status": "active"})
    assert refused.status_code == 403
    assert (await claire.acting(jeanne.record).get(jeanne.patient)).status_code == 404


async def test_an_invitation_expires(house: House, jeanne: Person, claire: Person) -> None:
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    installation, now = house.parts.installation, datetime.now(UTC)
    assert await delegation_invitations.expire(installation, now) == 0
    past = now + delegation_invitations.LIFETIME
    assert await delegation_invitations.expire(installation, past) == 1
    assert await delegation_invitations.expire(installation, past) == 0
    body = await consent(jeanne, made)
    assert (body["status"], reason(body)) == ("rejected", "expired")
    assert (await answer(claire, made)).status_code == 422
    assert await pending(claire) == []


async def test_an_answer_that_comes_too_late_says_so_in_the_record(
    house: House, jeanne: Person, claire: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegation_invitations, "LIFETIME", timedelta(seconds=0))
    made = await invite(jeanne.caller(), jeanne.patient, claire)
    assert await pending(claire) == []
    assert (await answer(claire, made)).status_code == 422
    body = await consent(jeanne, made)
    assert (body["status"], reason(body)) == ("rejected", "expired")


async def test_it_narrows_at_will_and_never_widens(jeanne: Person, claire: Person) -> None:
    far = datetime.now(UTC) + timedelta(days=30)
    made = await care(jeanne, claire, "consult", "documents", until=far.isoformat())
    for wider in (
        {"power": ("consult", "agenda")},
        {"until": (far + timedelta(seconds=1)).isoformat()},
        {"until": "2020-01-01T00:00:00Z"},
        {},
    ):
        assert (await ask(jeanne, "change-delegation", consent=made, **wider)).status_code == 422, wider
    assert (await claire.acting(jeanne.record).post("Observation", observation(jeanne.record))).status_code == 201
    near = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    changed = await ask(jeanne, "change-delegation", consent=made, power="consult", until=near)
    assert changed.status_code == 200, changed.text
    assert (await claire.acting(jeanne.record).post("Observation", observation(jeanne.record))).status_code == 403
    assert (await claire.acting(jeanne.record).get("Observation")).status_code == 200
    with Session(jeanne.house.parts.server.engine) as session:
        [row] = session.execute(select(representation.representation)).all()
    assert row.ended == datetime.fromisoformat(near)


async def test_ending_it_is_felt_at_the_next_request(jeanne: Person, claire: Person) -> None:
    made = await care(jeanne, claire)
    house = jeanne.house
    given = await run_in_threadpool(granted, house, claire, jeanne.record)
    own = await run_in_threadpool(granted, house, claire, claire.record)
    through = claire.acting(jeanne.record, grant=str(given))
    assert (await through.get(jeanne.patient)).status_code == 200
    ended = await ask(jeanne, "end-delegation", consent=made)
    assert (ended.json()["status"], reason(ended.json())) == ("inactive", "revoked")
    assert (await through.get(jeanne.patient)).status_code == 401
    assert (await claire.acting(jeanne.record).get(jeanne.patient)).status_code == 404
    with Session(house.parts.server.engine) as session:
        assert not representation.holds(session, claire.account, jeanne.record, datetime.now(UTC))
        left = grants.of_account(session, house.parts.server.keys, claire.account, datetime.now(UTC))
    assert [one.id for one in left] == [own]
    for operation, more in (("end-delegation", {}), ("change-delegation", {"power": "consult"})):
        assert (await ask(jeanne, operation, consent=made, **more)).status_code == 422


async def test_a_caregiver_leaves(jeanne: Person, claire: Person) -> None:
    made = await care(jeanne, claire)
    ended = await ask(claire, "end-delegation", jeanne.record, consent=made)
    assert (ended.status_code, reason(ended.json())) == (200, "left")
    assert (await claire.acting(jeanne.record).get(jeanne.patient)).status_code == 404


async def test_a_caregiver_decides_for_nobody_else(house: House, jeanne: Person, claire: Person) -> None:
    karim = await person(house, "Karim", "Benali")
    powers = ("consult", "documents", "message", "prescriptions", "agenda")
    mine, other = await care(jeanne, claire, *powers), await care(jeanne, karim)
    third = await person(house, "Nicolas", "Petit")
    refused = {
        "invite-caregiver": third.invited(power="consult"),
        "invite-parent": third.invited(),
        "change-delegation": {"consent": mine, "power": "consult"},
    }
    for operation, values in refused.items():
        assert (await ask(claire, operation, jeanne.record, **values)).status_code == 403, operation
    # Another caregiver's Consent is not there for a caregiver: ending it answers as what never was.
    never = other[:4] + "0" * 32
    answers = [await ask(claire, "end-delegation", jeanne.record, consent=one) for one in (other, never)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert (await claire.acting(jeanne.record).get(f"{jeanne.patient}/$invitations")).status_code == 403
    assert await pending(third) == []
    assert (await consent(jeanne, other))["status"] == "active"


async def test_an_operation_by_who_has_no_mandate_is_absent(jeanne: Person, claire: Person) -> None:
    made = await care(jeanne, claire)
    stranger = await person(jeanne.house, "Karim", "Benali")
    for operation, values in (
        ("invite-caregiver", claire.invited(power="consult")),
        ("end-delegation", {"consent": made}),
        ("change-delegation", {"consent": made, "power": "consult"}),
    ):
        assert (await ask(stranger, operation, jeanne.record, **values)).status_code == 404


async def test_two_mandates_for_one_account_give_nothing(house: House, jeanne: Person, claire: Person) -> None:
    await house.depositor().post("Observation", observation(jeanne.record))
    await care(jeanne, claire)
    through = claire.acting(jeanne.record)
    assert (await through.get(jeanne.patient)).status_code == 200
    await house.lend(jeanne.record, Terms(Right.CAREGIVER, Actor.account(claire.account), powers=("documents",)))
    assert (await through.get(jeanne.patient)).status_code == 404
    assert "entry" not in (await through.get("Observation")).json()
    assert (await ask(claire, "invite-caregiver", jeanne.record, **jeanne.invited(power="consult"))).status_code == 404


async def test_who_acts_already_is_not_given_a_second_mandate(house: House, claire: Person) -> None:
    child = await person(house, "Lina", "Moreau", "2018-03-22")
    await represent(child, claire)
    at = claire.acting(child.record)
    made = await invite(at, child.patient, claire)
    assert (await answer(claire, made)).status_code == 409
    assert (await at.get(child.patient)).status_code == 200


async def test_every_act_is_in_the_journal_under_both_names(jeanne: Person, claire: Person) -> None:
    made = await care(jeanne, claire, "consult", "documents")
    await claire.acting(jeanne.record).post("Observation", observation(jeanne.record))
    await ask(claire, "end-delegation", jeanne.record, consent=made)
    entries = [e["resource"] for e in (await jeanne.caller().get("AuditEvent?_count=50")).json()["entry"]]
    acted = [one for one in entries if one["resourceType"] == "AuditEvent" and str(claire.account) in str(one["agent"])]
    tags = {one["subtype"][0]["code"] for one in acted}
    assert {"delegate", "create"} <= tags
    assert all(f"Patient/{jeanne.record}" in str(one["entity"]) for one in acted)
    own = (await claire.caller().get("AuditEvent?_count=50")).json()["entry"]
    assert "delegate" in {e["resource"]["subtype"][0]["code"] for e in own if "subtype" in e["resource"]}


async def test_a_refused_attempt_is_in_the_journal(house: House, jeanne: Person, claire: Person) -> None:
    await care(jeanne, claire)
    with Session(house.parts.server.engine) as session:
        before = len(session.execute(select(journal.c.id).where(journal.c.chain == jeanne.record)).all())
    refused = await ask(claire, "invite-caregiver", jeanne.record, **jeanne.invited(power="consult"))
    assert refused.status_code == 403
    with Session(house.parts.server.engine) as session:
        rows = session.execute(select(journal).where(journal.c.chain == jeanne.record).order_by(journal.c.seq)).all()
    assert len(rows) == before + 1
    assert (rows[-1].tag, rows[-1].resources) == ("delegate", [])
    _, note = notes(house, jeanne.record)[-1]
    assert (note.refused, note.because, note.reader) == ("caregiver", "cares-for", "Delegate")


async def test_the_contact_comes_and_goes_with_it(jeanne: Person, claire: Person) -> None:
    made = await care(jeanne, claire)
    found = await jeanne.caller().get(f"RelatedPerson?identifier=urn:ietf:rfc:3986|urn:uuid:{claire.account}")
    [contact] = [one["resource"] for one in found.json()["entry"]]
    assert contact["active"] is True
    assert contact["relationship"][0]["coding"][0]["code"] == "CAREGIVER"
    assert (await consent(jeanne, made))["performer"] == [{"reference": f"RelatedPerson/{contact['id']}"}]
    await ask(jeanne, "end-delegation", consent=made)
    assert (await jeanne.caller().get(f"RelatedPerson/{contact['id']}")).json()["active"] is False


async def test_invitations_are_counted_by_the_day(jeanne: Person, claire: Person) -> None:
    for _ in range(delegation_invitations.MOST_A_DAY // 2):
        made = await invite(jeanne.caller(), jeanne.patient, claire)
        await ask(jeanne, "end-delegation", consent=made)
    statuses = []
    for _ in range(delegation_invitations.MOST_A_DAY):
        found = await ask(jeanne, "invite-caregiver", **claire.invited(power="consult"))
        statuses.append(found.status_code)
        if found.status_code != 201:
            break
        await ask(jeanne, "end-delegation", consent=found.json()["id"])
    assert statuses[-1] == 429
