"""Opposition, closing, reopening, a demand of destruction, death: what each stops, ends, keeps and gives back."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from auth import grants
from fhir.tables import record
from phr import closing, destruction, imports, lifecycle, records, rights
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.journal import Tag, read_note
from phr.access.provision import Right
from phr.access.reader import Citizen
from phr.access.scope import SEARCH, UPDATE
from phr.access.visit import Visit
from phr.core import outbox
from phr.core.errors import DomainError, Reason
from phr.core.identifiers import INS, INS_NIR_TEST
from phr.core.settings import Settings
from phr.lifecycle import Closing
from phr.representation import representation
from phr.sharing import access_code
from tests.access.city import delegate, professional
from tests.access.doors import DOORS
from tests.access.test_chain import entries, findings, keys_of
from tests.access.worlds import DOCTOR
from tests.agenda.diary import booked, remind, wish
from tests.house import INS_SYSTEM, House, account_of, observation
from tests.messages.post import PHARMACY, letter, pharmacy, start
from tests.phr.care import PS, body, software
from tests.phr.living_and_dying import Person, ask, granted_by, operator, proven, row_of, told

Json = dict[str, Any]


@pytest.fixture
async def houses(house: House, settings: Settings, database_url: str) -> AsyncIterator[tuple[House, House]]:
    """Two processes over one database."""
    async with House.build(settings, database_url) as other:
        yield house, other


def patient(ins: str) -> Json:
    return {"resourceType": "Patient", "identifier": [{"system": INS_SYSTEM, "value": ins}]}


def mark_of(house: House, ins: str) -> Any:
    return records.mark(house.parts.installation.system_keys, INS(ins, INS_NIR_TEST))


async def oppose(house: House, ins: str) -> bool:
    async with house.parts.installation.database.transaction() as session:
        return await lifecycle.oppose(session, mark_of(house, ins), datetime.now(UTC))


async def unoppose(house: House, ins: str) -> bool:
    async with house.parts.installation.database.transaction() as session:
        return await lifecycle.unoppose(session, mark_of(house, ins))


# Opposition.


async def test_no_door_opens_the_record_of_who_opposed(house: House) -> None:
    ins = house.new_ins()
    assert await oppose(house, ins)
    assert await oppose(house, ins), "said twice, it stands once"
    entry = {"request": {"method": "POST", "url": "Patient"}, "resource": patient(ins)}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    for answer in (
        await house.operator().post("Patient", patient(ins)),
        await house.operator().post("", bundle),
        await house.operator().post("Patient", patient(ins), If_None_Exist=f"identifier={INS_SYSTEM}|{ins}"),
    ):
        assert answer.status_code == 409, answer.text
        assert answer.json()["issue"][0]["code"] == "business-rule"
        assert ins not in answer.text
    visit = imports.visit_of(house.parts.installation, "x", datetime.now(UTC))
    collection = {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:uuid:p", **entry}]}
    with pytest.raises(DomainError) as refused:
        await imports.load(visit, "x", collection, "http://carnet.test/fhir")
    assert refused.value.reason is Reason.CONFLICT
    with house.parts.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(record)).scalar_one() == 0

    stranger = house.new_ins()
    for number in (ins, stranger):
        found = await house.depositor().ask("GET", "Patient", params={"identifier": f"{INS_SYSTEM}|{number}"})
        assert "entry" not in found.json(), "looking up tells nobody who opposed"

    assert await unoppose(house, ins)
    assert not await unoppose(house, ins)
    assert (await house.operator().post("Patient", patient(ins))).status_code == 201
    assert not await oppose(house, ins), "an open record is closed, not opposed"


async def test_an_opposition_and_an_opening_at_the_same_time_never_both_win(houses: tuple[House, House]) -> None:
    here, there = houses
    for n in range(12):
        ins = here.new_ins()
        first, second = (oppose(here, ins), there.operator().post("Patient", patient(ins)))
        pair = (first, second) if n % 2 else (second, first)
        results = await asyncio.gather(*pair)
        opposed, answer = results if n % 2 else reversed(results)
        assert isinstance(answer, httpx.Response)
        assert (opposed, answer.status_code) in ((True, 409), (False, 201))


# Closing.


async def test_a_closed_record_is_read_by_nobody_on_any_worker(houses: tuple[House, House]) -> None:
    here, _ = houses
    person = await Person.of(here)
    name = person.record
    await here.relate(name, DOCTOR.id)
    await here.represent(name, account_of("mum"))
    made = (await person.app.post("Observation", observation(name))).json()["id"]
    callers = [
        caller
        for house in houses
        for caller in (house.citizen(name), proven(house, name), professional(house), delegate(house, name))
    ]
    paths = (f"Observation/{made}", f"Patient/{name}", f"Observation?patient={name}", f"Patient/{name}/$everything")
    for caller in callers:
        assert (await caller.get(paths[0])).status_code == 200
    life = told(await ask(person.app, name, "close", reason="Je ne m’en sers pas."))
    assert life["state"] == "closed"
    for caller in callers:
        for path in paths:
            answer = await caller.get(path)
            assert answer.status_code == 404 or "entry" not in answer.json(), path
            assert made not in answer.text.replace(path, "")
        assert (await caller.get(f"AuditEvent?patient={name}")).status_code in (403, 404)
        written = await caller.post("Observation", observation(name))
        assert written.status_code >= 400, written.text
    assert row_of(here, name).closing == "citizen"
    assert await findings(here) == []


async def test_a_deposit_in_a_closed_record_is_answered_as_in_one_that_never_was(house: House) -> None:
    name = await house.open_record()
    unknown = f"{name[:3]}-{uuid4().hex[:12]}7{uuid4().hex[13:]}"
    hospital = house.depositor()
    told(await ask(proven(house, name), name, "close"))

    async def deposit(to: str) -> tuple[int, str]:
        answer = await hospital.post("Observation", observation(to))
        return answer.status_code, answer.text.replace(to, "…")

    assert await deposit(name) == await deposit(unknown)
    for path in ("Patient/{}", "Patient/{}/$everything", "Observation?patient={}", "Patient/{}/_history"):
        one, other = [await hospital.get(path.format(to)) for to in (name, unknown)]
        assert (one.status_code, one.text.replace(name, "…")) == (other.status_code, other.text.replace(unknown, "…"))


SAID: dict[str, Json] = {
    "$send-message": letter("Bonjour.", PHARMACY, subject="Une question"),
    "$open-access": body(basis="BTG", motive="Inconsciente, seule, sans papiers."),
    "$preferences": body(BTG=False),
    "$block": body(professional=(PS, DOCTOR.id)),
    "$mask": body(all=True),
    "$remind": wish(title="Prendre la tension", at="2030-01-01T08:00:00+01:00"),
    "$withdraw-application": body(client="app"),
    "$calendar-address": body(titles=True),
    "$answer-prevention": body(rule="breast-cancer-screening", said="later"),
    "$notification-read": body(notification=str(uuid4())),
}
"""Some operations, asked well: the others are refused before any record is looked at, or take nothing."""
NOT_ITS_OWN = ("$close", "$reopen", "$erase")
ASKED = sorted(
    (method, path.removeprefix("/fhir/"))
    for method, path in DOORS
    if re.fullmatch(r"/fhir/(Patient|Task|Communication|Appointment)/{id}/\$[a-z-]+", path)
    and not path.endswith(NOT_ITS_OWN)
)


@pytest.mark.parametrize("destroyed", [False, True], ids=["closed", "destroyed"])
async def test_no_operation_tells_a_closed_record_from_one_that_never_was(house: House, destroyed: bool) -> None:
    """Whatever is asked, whoever asks, an emergency too: the same words, and nothing is written or told."""
    name = await house.open_record()
    unknown = f"{name[:3]}-{uuid4().hex[:12]}7{uuid4().hex[13:]}"
    await house.relate(name, DOCTOR.id)
    await pharmacy(house)
    person = house.citizen(name)
    inside = {"Patient": name, "Task": (await remind(person, name, at="2030-01-01T08:00:00+01:00"))["id"]}
    inside["Communication"] = await start(person, name, PHARMACY)
    inside["Appointment"] = (await booked(person, name, house.now() + timedelta(days=9)))["id"]
    await closing.shut(operator(house), name, Closing.ERASURE, "close")
    if destroyed:
        later = datetime.now(UTC) + timedelta(days=40)
        assert [one async for one in destruction.destroy_due(house.parts.installation, later)] == [name]
    before = len(entries(house, name)), len(waiting(house))
    readers = (house.citizen, lambda it: delegate(house, it), lambda _: software(house), lambda _: house.depositor())
    absent = 0
    for method, path in ASKED:
        kind, _, operation = path.partition("/{id}/")
        for reader in readers:
            told_of = []
            for of, one in ((name, inside[kind]), (unknown, unknown)):
                caller, address = reader(of), f"{kind}/{one}/{operation}"
                said = SAID.get(operation, body())
                answer = await (caller.get(address) if method == "GET" else caller.post(address, said))
                told_of.append((answer.status_code, answer.text.replace(one, "…").replace(of, "…")))
            assert told_of[0] == told_of[1], (method, path)
            assert told_of[0][0] >= 400, (method, path)
            absent += told_of[0][0] == 404
    assert absent > len(ASKED)
    assert (len(entries(house, name)), len(waiting(house))) == before
    assert await findings(house) == []


def waiting(house: House) -> list[Any]:
    with Session(house.parts.engine) as session:
        return list(session.execute(select(outbox.outbox.c.id)).scalars())


async def test_reads_beside_a_closing_stop_with_its_answer(houses: tuple[House, House]) -> None:
    """What is asked once the closing was answered never succeeds, on either worker; writes never land after it."""
    here, there = houses
    name = await here.open_record()
    made = (await here.citizen(name).post("Observation", observation(name))).json()["id"]
    callers = [house.citizen(name) for house in houses for _ in range(3)]
    seen: list[tuple[float, int]] = []
    stop = asyncio.Event()

    async def read(n: int) -> None:
        while not stop.is_set():
            asked = time.monotonic()
            if n % 3:
                answer = await callers[n].get(f"Observation/{made}")
            else:
                answer = await callers[n].post("Observation", observation(name))
            seen.append((asked, answer.status_code))

    reading = [asyncio.create_task(read(n)) for n in range(len(callers))]
    await asyncio.sleep(0.3)
    told(await ask(proven(there, name), name, "close"))
    closed = time.monotonic()
    before = len(entries(here, name))
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*reading)
    assert {status for asked, status in seen if asked >= closed} <= {404, 422}
    assert sum(asked >= closed for asked, _ in seen) > 10
    assert sum(status in (200, 201) for _, status in seen) > 10
    written = [row for row in entries(here, name) if row.tag == "create"]
    last = next(row.seq for row in entries(here, name) if row.tag == "close")
    assert all(row.seq < last for row in written), "a write waits for the closing, or the closing for it"
    assert len(entries(here, name)) - before <= len(callers), "nothing but what was already being answered"


async def test_two_closings_at_once_are_one(houses: tuple[House, House]) -> None:
    person = await Person.of(houses[0])
    apps = [proven(house, person.record, person.account) for house in houses] * 3
    answers = await asyncio.gather(*[ask(app, person.record, "close") for app in apps])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert person.mails() == ["Votre carnet est fermé"]


async def test_closing_wants_its_person_just_proven(house: House) -> None:
    person, other = await Person.of(house), await Person.of(house)
    name = person.record
    await house.represent(name, account_of("mum"))
    await house.represent(name, account_of("son"), "consult", "documents")
    await house.relate(name, DOCTOR.id)
    fresh = int(datetime.now(UTC).timestamp())

    def fresh_delegate(who: str) -> Any:
        claims = house.claims("citizen-app", "app", ("patient/*.cruds",), name, subject=account_of(who))
        return house.caller(replace(claims, actor=account_of(who), acr="mfa", auth_time=fresh))

    doctor = house.claims("professional", "software", ("user/*.cruds",), None, subject=DOCTOR.id)
    surgeon = house.caller(replace(doctor, professional=DOCTOR, acr="eidas2", auth_time=fresh))
    few = house.claims("citizen-app", "app", ("patient/*.rs",), name)
    reading_only = house.caller(replace(few, acr="mfa", auth_time=fresh))
    for operation in ("close", "erase", "reopen"):
        assert (await ask(house.citizen(name), name, operation)).status_code == 401
        assert (await ask(proven(house, name, acr="pwd"), name, operation)).status_code == 401
        assert (await ask(house.operator(), name, operation)).status_code == 401
        before = len(entries(house, name))
        for who in ("mum", "son"):
            assert (await ask(fresh_delegate(who), name, operation)).status_code == 403
        assert (await ask(surgeon, name, operation)).status_code == 403
        assert (await ask(reading_only, name, operation)).status_code == 403
        assert (await ask(other.app, name, operation)).status_code == 404
        tried = entries(house, name)[before:]
        notes = [read_note(keys_of(house, name), name, row.id, row.sealed) for row in tried]
        assert [(row.tag, note.refused) for row, note in zip(tried, notes, strict=True)] == [
            ("close", "not-the-person")
        ] * 2
    unknown = await person.app.post(f"Patient/{name}/$close", {"resourceType": "Parameters", "parameter": [{}]})
    assert unknown.status_code == 400
    assert row_of(house, name).closed is None


async def test_a_closing_is_in_the_journal_and_in_the_mail(house: House) -> None:
    person = await Person.of(house)
    name = person.record
    before = len(entries(house, name))
    told(await ask(person.app, name, "close", reason="Mes raisons"))
    again = await ask(person.app, name, "close")
    assert again.status_code == 409
    keys = keys_of(house, name)
    closed, refused = entries(house, name)[before:]
    notes = [read_note(keys, name, row.id, row.sealed) for row in (closed, refused)]
    assert [note.refused for note in notes] == ["", "closed-already"]
    assert (notes[0].reader, notes[0].because, notes[0].asked) == ("Citizen", "own-record", "Patient/$close")
    assert notes[0].motive == "Mes raisons"
    assert (closed.tag, closed.resources) == ("close", [f"Patient/{name}"])
    assert person.mails() == ["Votre carnet est fermé"]


async def test_a_record_is_archived_for_calendar_years(house: House) -> None:
    leap = datetime(2028, 2, 29, 11, 30, tzinfo=UTC)
    for now, until in (
        (leap, datetime(2038, 3, 1, 11, 30, tzinfo=UTC)),
        (datetime(2026, 7, 14, 22, 30, tzinfo=UTC), datetime(2036, 7, 14, 22, 30, tzinfo=UTC)),
    ):
        name = await house.open_record()
        life = await closing.shut(operator(house, now), name, Closing.REQUEST, "close")
        assert (life.closed, life.until) == (now, until)


# What ends, what stays.


async def test_reopening_gives_back_what_was_there_and_resurrects_nobody(house: House) -> None:
    person = await Person.of(house)
    name, now = person.record, datetime.now(UTC)
    made = (await person.app.post("Observation", observation(name))).json()["id"]
    doctor, mum, son = Actor(PROFESSIONALS, DOCTOR.id), Actor.account(account_of("mum")), Actor.account(uuid4())
    lent = {
        right: await house.lend(name, terms)
        for right, terms in {
            Right.CARE_RELATION: Terms(Right.CARE_RELATION, doctor, purpose="treating"),
            Right.CODE_LEASE: Terms(Right.CODE_LEASE, doctor, until=now + timedelta(days=1)),
            Right.EMERGENCY: Terms(Right.EMERGENCY, doctor, purpose="BTG"),
            Right.ACCESS_CODE: Terms(Right.ACCESS_CODE, until=now + timedelta(days=1)),
            Right.TREATING_PHYSICIAN: Terms(Right.TREATING_PHYSICIAN, doctor),
            Right.ADMINISTRATOR: Terms(Right.ADMINISTRATOR, doctor),
            Right.CAREGIVER: Terms(Right.CAREGIVER, son, powers=("consult",), status="proposed"),
            Right.LEGAL_REPRESENTATIVE: Terms(Right.LEGAL_REPRESENTATIVE, mum),
            Right.BLOCK: Terms(Right.BLOCK, Actor(PROFESSIONALS, "899999"), permits=False),
            Right.MASK: Terms(Right.MASK, permits=False, kinds=("Condition",)),
            Right.PREFERENCE: Terms(Right.PREFERENCE, permits=False, purpose="ETREAT"),
        }.items()
    }
    son_account = uuid4()
    ids = {"bucket": int(name[:3], 16), "record": name, "consent": lent[Right.ACCESS_CODE]}
    times = {"since": now, "until": now + timedelta(days=1), "wrong": 0, "uses": 0}
    with house.parts.engine.begin() as connection:
        connection.execute(insert(access_code).values(handle=uuid4(), hash=uuid4(), **ids, **times))
        for account, basis in ((son_account, "caregiver"), (uuid4(), "parent")):
            row = {"account": account, "record": name, "basis": basis, "sealed": b"", "created": now}
            connection.execute(insert(representation).values(row))
    rights_before = row_of(house, name).rights
    assert (await professional(house).get(f"Observation/{made}")).status_code == 200
    told(await ask(person.app, name, "close"))
    assert told(await ask(person.app, name, "reopen")) == {"state": "open"}
    found = row_of(house, name)
    assert (found.closed, found.closing, found.erase_after, found.erased) == (None, None, None, None)
    assert found.rights > rights_before

    assert (await person.app.get(f"Observation/{made}")).status_code == 200
    assert (await delegate(house, name).get(f"Observation/{made}")).status_code == 200, "parents stay parents"
    assert (await professional(house).get(f"Observation/{made}")).status_code == 404, "nothing is resurrected"
    async with operator(house).act(name, SEARCH, Tag.SHARE, "") as deed:
        status = {one.stored.id: one for one in await rights.find(deed, lent.values())}
    kept = {Right.LEGAL_REPRESENTATIVE, Right.BLOCK, Right.MASK, Right.PREFERENCE}
    assert {right for right, one in lent.items() if status[one].status == "active"} == kept
    assert all("closed" in str(status[one].json["extension"]) for right, one in lent.items() if right not in kept)
    with house.parts.engine.connect() as connection:
        assert connection.execute(select(access_code.c.revoked)).scalar_one() is not None
        rows = connection.execute(select(representation.c.basis, representation.c.ended)).all()
    assert {row.basis: row.ended is not None for row in rows} == {"caregiver": True, "parent": False}
    assert person.mails() == ["Votre carnet est fermé", "Votre carnet est rouvert"]
    assert [row.tag for row in entries(house, name)].count("close") == 2
    assert await findings(house) == []


async def test_reopening_is_for_a_closed_record_of_ones_own(house: House) -> None:
    person, other = await Person.of(house), await Person.of(house)
    assert (await ask(person.app, person.record, "reopen")).status_code == 409
    told(await ask(person.app, person.record, "close"))
    assert (await ask(other.app, person.record, "reopen")).status_code == 404
    assert (await ask(person.app, "nonsense", "reopen")).status_code == 404
    visit = Visit(house.parts.installation, Citizen("app", "x", person.record), (), (), datetime.now(UTC))
    with pytest.raises(DomainError):
        await closing.reopen(visit, person.record)
    assert row_of(house, person.record).closed is not None


async def test_a_revoked_token_reopens_nothing(house: House) -> None:
    person = await Person.of(house)
    claims = house.claims("citizen-app", "app", ("patient/*.cruds",), person.record, subject=str(person.account))
    fresh = house.caller(replace(claims, acr="mfa", auth_time=int(datetime.now(UTC).timestamp())))
    told(await ask(fresh, person.record, "close"))
    with Session(house.parts.engine) as session, session.begin():
        grants.revoke_token(session, claims.revocable[0], datetime.now(UTC) + timedelta(hours=1))
    assert (await ask(fresh, person.record, "reopen")).status_code == 401
    assert row_of(house, person.record).closed is not None


# Destruction asked for.


async def test_a_demand_of_destruction_leaves_a_month_to_think(house: House) -> None:
    person = await Person.of(house)
    name, now = person.record, datetime.now(UTC)
    made = (await person.app.post("Observation", observation(name))).json()["id"]
    life = told(await ask(person.app, name, "erase"))
    until = datetime.fromisoformat(life["until"])
    assert timedelta(days=27) < until - now < timedelta(days=32)
    assert (await person.app.get(f"Observation/{made}")).status_code == 404
    assert told(await ask(person.app, name, "erase")) == life, "asked twice, the first date stands"
    told(await ask(person.app, name, "reopen"))
    assert (await person.app.get(f"Observation/{made}")).status_code == 200
    assert row_of(house, name).erase_after is None

    told(await ask(person.app, name, "close"))
    assert row_of(house, name).erase_after > now + timedelta(days=3000)
    told(await ask(person.app, name, "erase"))
    found = row_of(house, name)
    assert found.closing == "erasure"
    assert found.erase_after < now + timedelta(days=32), "an archived record too"


# Death.


async def test_death_ends_everything_and_the_account_cannot_undo_it(house: House) -> None:
    person = await Person.of(house)
    name = person.record
    await house.represent(name, account_of("mum"))
    told(await ask(person.app, name, "close"))
    life = await closing.shut(operator(house), name, Closing.DEATH, "records close")
    assert life.closing is Closing.DEATH
    assert person.account_now().disabled
    assert person.mails() == ["Votre carnet est fermé"], "the dead are not written to"
    for operation in ("reopen", "close", "erase"):
        answer = await ask(person.app, name, operation)
        assert answer.status_code == 409
        assert "death" in answer.text
    with pytest.raises(DomainError):
        await closing.shut(operator(house), name, Closing.ERASURE, "records close")

    restored = await closing.restore(operator(house), name, "records reopen", "It was a mistake")
    assert restored.closed is None
    assert not person.account_now().disabled
    assert (await person.app.get(f"Patient/{name}")).status_code == 200
    assert (await delegate(house, name).get(f"Patient/{name}")).status_code == 404
    last = [row for row in entries(house, name) if row.tag == "close"][-1]
    note = read_note(keys_of(house, name), name, last.id, last.sealed)
    assert (note.reader, note.motive) == ("Operator", "It was a mistake")


async def test_death_takes_back_all_that_the_account_granted_and_a_mistake_gives_none_of_it_back(house: House) -> None:
    """Also what it granted in another's record, such as a child's: a telephone may be in anybody's hands."""
    person, child, other = await Person.of(house), await house.open_record(), await Person.of(house)
    granted = [granted_by(house, person.account, name) for name in (person.record, child)]
    theirs = granted_by(house, other.account, child)
    await closing.shut(operator(house), person.record, Closing.DEATH, "records close")
    for _ in range(2):
        with Session(house.parts.engine) as session:
            assert all(grants.is_revoked(session, [one]) for one in granted)
            assert not grants.is_revoked(session, [theirs])
        if row_of(house, person.record).closed is not None:
            await closing.restore(operator(house), person.record, "records reopen")


async def test_a_visit_still_refuses_what_closing_alone_may_enter(house: House) -> None:
    name = await house.open_record()
    await closing.shut(operator(house), name, Closing.REQUEST, "close")
    with pytest.raises(DomainError) as refused:
        async with operator(house).act(name, UPDATE, Tag.CLOSE, "x"):
            pass
    assert refused.value.reason is Reason.ABSENT
