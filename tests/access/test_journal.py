"""Nothing is read without a trace, and a trace that was touched shows."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from sqlalchemy import update

from auth.tables import client
from phr import journal_reading
from phr.access.audit import Act, facets, shown
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, Actor, Terms
from phr.access.journal import Note, Tag, chain_of_client, journal, read_note
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import _TRAIL, Visit, asked_of
from tests.access.city import FROM_PROXIES, HIDDEN, delegate, labelled, professional
from tests.access.doors import DOORS, is_ours
from tests.access.test_chain import _entry, entries, findings, keys_of, lived_in
from tests.access.worlds import DOCTOR, SECRETARY
from tests.house import Caller, House, account_of, observation

Json = dict[str, Any]

# Before the answer, or no answer.


def _refuse_journal(house: House) -> None:
    with house.parts.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_ BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse()"
        )


async def test_what_cannot_be_journaled_is_not_answered(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    _refuse_journal(house)
    paths = (
        f"Observation/{made}",
        f"Observation?patient={name}",
        f"Observation/{made}/_history",
        f"Patient/{name}/$everything",
    )
    for path in (*paths, f"Observation?patient={name}&_total=accurate", f"AuditEvent?patient={name}"):
        answer = await citizen.get(path)
        assert made not in answer.text.replace(path, "")
        assert "Poids" not in answer.text
        assert answer.status_code == 503, path
    answer = await citizen.post("Observation", observation(name))
    assert answer.status_code == 503
    assert "Poids" not in answer.text


async def test_a_write_that_cannot_be_journaled_is_not_kept(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    _refuse_journal(house)
    await citizen.post("Observation", observation(name))
    with house.parts.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full_ ON journal")
    answer = await citizen.get(f"Observation?patient={name}&_total=accurate")
    assert answer.json()["total"] == 0


async def test_readers_at_the_same_time_stand_in_a_row(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    before = len(entries(house, name))
    answers = await asyncio.gather(*[citizen.get(f"Observation/{made}") for _ in range(16)])
    assert {answer.status_code for answer in answers} == {200}
    rows = entries(house, name)
    assert [row.seq for row in rows] == list(range(1, before + 17))
    assert all(row.resources == [f"Observation/{made}"] for row in rows[before:])
    assert await findings(house) == []


# One entry an action.


async def test_each_route_leaves_its_entries_and_no_other(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    patch = [{"op": "replace", "path": "/status", "value": "amended"}]
    patched = {"Content-Type": "application/json-patch+json"}
    fhir = {"Content-Type": "application/fhir+json"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    entry = {"request": {"method": "POST", "url": "Observation"}, "resource": observation(name)}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    for (method, path), door in DOORS.items():
        if door.reader != "bearer" or is_ours(path):
            continue
        body = observation(name, identifier=[{"system": "urn:oid:1.2.3", "value": "same"}])
        made = (await citizen.post("Observation", body)).json()["id"]
        condition = "?identifier=urn:oid:1.2.3|same" if path == "/fhir/{kind}" and method != "POST" else ""
        target = name if "Patient" in path else made
        address = path.removeprefix("/fhir").lstrip("/").replace("{rest}", "a/b/c/d")
        address = address.replace("{kind}", "Observation").replace("{id}", target).replace("{version}", "1") + condition
        more: dict[str, Any] = {"headers": fhir}
        if method == "PATCH":
            more = {"headers": patched, "json": patch}
        elif path == "/fhir/{kind}/_search":
            more = {"headers": form, "content": f"_id={made}"}
        elif method in ("PUT", "POST"):
            sent = bundle if path.rstrip("/") == "/fhir" else {**body, "id": made} if "{id}" in path else body
            more = {"headers": fhir, "json": sent}
        before = len(entries(house, name))
        answer = await citizen.ask(method, address, **more)
        assert (answer.status_code < 300) is bool(door.tags) or "$validate" in path, (method, path, answer.text)
        rows = entries(house, name)[before:]
        assert [row.tag for row in rows] == [tag.value for tag in door.tags], (method, path)
        for row in rows:
            assert row.resources, (method, path)
            touched = {resource.partition("/")[2] for resource in row.resources}
            assert made in touched or "Location" in answer.headers or '"201"' in answer.text or name in touched
        assert len(rows) < 2 or len({row.id for row in rows}) == len(rows)
        await citizen.delete(f"Observation/{made}")
        if "Location" in answer.headers:
            await citizen.delete(f"Observation/{answer.headers['Location'].split('/')[-3]}")


async def test_a_search_leaves_one_entry_with_all_it_returned(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = [(await citizen.post("Observation", observation(name))).json()["id"] for _ in range(5)]
    before = len(entries(house, name))
    await citizen.get(f"Observation?patient={name}&_count=3")
    (row,) = entries(house, name)[before:]
    assert set(row.resources) == {f"Observation/{one}" for one in made[-3:]}
    note = read_note(keys_of(house, name), name, row.id, row.sealed)
    assert (note.reader, note.client, note.because) == ("Citizen", "app", "own-record")


async def test_what_is_not_found_is_journaled_too(house: House) -> None:
    name = await house.open_record()
    citizen, stranger = house.citizen(name), house.depositor("stranger")
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    before = len(entries(house, name))
    assert (await stranger.get(f"Observation/{made}")).status_code == 404
    (row,) = entries(house, name)[before:]
    assert (row.tag, row.resources) == ("read", [])
    assert (await stranger.get(f"Observation/{made[:3]}-{'0' * 32}")).status_code == 404
    assert entries(house, chain_of_client("stranger")[1])[-1].tag == "read"


# Who reads it.


async def test_reading_the_journal_is_journaled(house: House) -> None:
    name = await lived_in(house)
    citizen = house.citizen(name)
    before = len(entries(house, name))
    events = (await citizen.get(f"AuditEvent?patient={name}")).json()["entry"]
    assert len(events) == before
    one = events[-1]["resource"]
    assert (await citizen.get(f"AuditEvent/{one['id']}")).json() == one
    assert [row.tag for row in entries(house, name)[before:]] == ["journal", "journal"]
    assert events[0]["resource"]["action"] == "R"
    assert one["action"] == "C"


async def test_the_journal_names_nothing_its_reader_may_not_see(house: House) -> None:
    name = await house.open_record()
    citizen, hospital = house.citizen(name), house.depositor()
    hidden = (await hospital.post("Observation", labelled(observation(name), [HIDDEN]))).json()["id"]
    later = (await hospital.post("Observation", observation(name))).json()["id"]
    await hospital.get(f"Observation?patient={name}")
    assert later in (await citizen.get(f"AuditEvent?patient={name}")).text
    await hospital.put(f"Observation/{later}", labelled({**observation(name), "id": later}, [HIDDEN]))
    await hospital.get(f"Observation/{hidden}")
    await hospital.delete(f"Observation/{hidden}")
    found = await citizen.get(f"AuditEvent?patient={name}&_count=200")
    assert hidden not in found.text
    assert later not in found.text
    for row in entries(house, name):
        if f"Observation/{hidden}" in row.resources and f"Observation/{later}" not in row.resources:
            assert (await citizen.get(f"AuditEvent/{row.id.hex}")).status_code == 404


async def test_the_journal_is_its_persons_alone(house: House) -> None:
    name, bob = await lived_in(house), await house.open_record()
    for caller, status in ((house.operator(), 403), (house.depositor(), 403)):
        assert (await caller.get(f"AuditEvent?patient={name}")).status_code == status
        assert (await caller.get(f"AuditEvent/{entries(house, name)[0].id.hex}")).status_code == status
    assert "entry" not in (await house.citizen(bob).get(f"AuditEvent?patient={name}")).json()
    assert (await house.citizen(bob).get(f"AuditEvent/{entries(house, name)[0].id.hex}")).status_code == 404


async def test_a_damaged_entry_is_no_answer(house: House) -> None:
    name = await lived_in(house)
    with house.parts.engine.begin() as connection:
        connection.execute(update(journal).where(_entry(name, 2)).values(sealed=b"x" * 60))
    answer = await house.citizen(name).get(f"AuditEvent?patient={name}")
    assert answer.status_code >= 500


# For people: a parent, a young person, a caregiver.


def events(answer: Any) -> list[Json]:
    """The AuditEvents of a page."""
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ()) if entry["search"]["mode"] == "match"]


def sentences(answer: Any) -> list[str]:
    """What the entries say, without their moments."""
    divs = [event["text"]["div"] for event in events(answer)]
    return [re.sub(r"<p><span.*?</span>,? ?|<[^>]*>", "", div) for div in divs]


async def whole(caller: Caller, path: str) -> list[Any]:
    """Every page from this one on."""
    answers = [await caller.get(path)]
    while more := [link["url"] for link in answers[-1].json()["link"] if link["relation"] == "next"]:
        answers.append(await caller.get(more[0].partition("/fhir/")[2]))
    return answers


async def refused(house: House, record: str, reason: str, motive: str = "") -> None:
    """An attempt that was refused, as an operation leaves it."""
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(record, CREATE, Tag.ACCESS, f"Patient/{record}/$open-access") as deed:
        deed.refused, deed.motive = reason, motive


SECRETLY = {"carnet-confidentiality": FROM_PROXIES}


async def test_a_parent_reads_the_journal_but_what_is_kept_from_them(house: House) -> None:
    name = await house.open_record()
    await house.represent(name, account_of("mum"))
    await house.relate(name, DOCTOR.id)
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    doctor, mum = professional(house), delegate(house, name)
    assert (await doctor.get(f"Observation/{made}")).status_code == 200
    secret = await doctor.get(f"Observation/{made}", **SECRETLY)
    assert secret.status_code == 200
    own = (await house.citizen(name).post("Observation", labelled(observation(name), [FROM_PROXIES]))).json()["id"]
    before = len(entries(house, name))
    theirs, hers = await house.citizen(name).get("AuditEvent?_count=200"), await mum.get("AuditEvent?_count=200")
    assert [row.tag for row in entries(house, name)[before:]] == ["journal", "journal"]
    hidden = {event["id"] for event in events(theirs)} - {event["id"] for event in events(hers)}
    assert len(hidden) == 2
    assert own in theirs.text
    assert own not in hers.text
    for one in hidden:
        assert (await mum.get(f"AuditEvent/{one}")).status_code == 404
        assert (await house.citizen(name).get(f"AuditEvent/{one}")).status_code == 200
    assert len([one for one in sentences(hers) if one.startswith("le Dr Lou PETIT")]) == 1
    assert any(one.startswith("la personne a ajouté 1 résultat ou mesure") for one in sentences(hers))
    assert any(one.startswith("vous avez ajouté 1 résultat ou mesure") for one in sentences(theirs))


async def test_a_caregiver_does_not_read_it_and_the_attempt_is_kept(house: House) -> None:
    name = await house.open_record()
    await house.represent(name, account_of("mum"), "consult")
    mum, stranger = delegate(house, name), delegate(house, name, name="stranger")
    first = entries(house, name)[0].id.hex
    for caller, why in ((mum, "caregiver"), (stranger, "no-mandate")):
        for path in ("AuditEvent", f"AuditEvent/{first}", f"Patient/{name}/$journal"):
            assert (await caller.get(path, Accept="*/*")).status_code == 403, path
            row = entries(house, name)[-1]
            assert (row.tag, row.resources) == ("journal", [])
            assert read_note(keys_of(house, name), name, row.id, row.sealed).refused == why
    told = await house.citizen(name).get("AuditEvent?outcome=4&group=representatives")
    assert (
        sentences(told)[-1]
        == "votre aidant a tenté de consulter le journal, avec app : refusé, un aidant ne peut pas le faire."
    )
    assert (await professional(house).get(f"Patient/{name}/$journal", Accept="text/csv")).status_code == 403
    assert (
        await house.citizen(await house.open_record()).get(f"Patient/{name}/$journal", Accept="*/*")
    ).status_code == 404


def plain(answer: Any, record: str) -> str:
    """A page but for what differs each time: ids, instants, links, all replaced by something as long."""
    text = answer.text.replace(record, "R" * 36)
    text = re.sub(r"_cursor=([\w-]+)", lambda found: "_cursor=" + "C" * len(found[1]), text)
    text = re.sub(r"([0-9a-f]{3}-)?[0-9a-f]{32}", "I", text)
    return re.sub(r"le \d+(er)? \w+ \d{4} à \d+ h \d\d|\d{4}-\d\d-\d\dT[\d:.+]+", "T", text, flags=re.IGNORECASE)


async def test_what_is_kept_from_a_parent_changes_no_byte_of_what_they_read(house: House) -> None:
    pages = []
    for secretly in (True, False):
        name = await house.open_record()
        await house.represent(name, account_of("mum"))
        await house.relate(name, DOCTOR.id)
        made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
        doctor, hospital = professional(house), house.depositor()
        for n in range(6):
            assert (await doctor.get(f"Observation/{made}")).status_code == 200
            for _ in range(n if secretly else 0):
                await doctor.get(f"Observation/{made}", **SECRETLY)
                await doctor.get(f"Observation?patient={name}", **SECRETLY)
                await hospital.post("Observation", observation(name), **SECRETLY)
                await house.citizen(name).post("Observation", labelled(observation(name), [FROM_PROXIES]))
        mum = delegate(house, name)
        read = [
            *await whole(mum, f"AuditEvent?patient={name}&_count=2"),
            *await whole(mum, f"AuditEvent?patient={name}&_count=2&group=professionals"),
            *await whole(mum, f"AuditEvent?patient={name}&outcome=4"),
        ]
        pages.append([plain(answer, name) for answer in read])
    assert pages[0] == pages[1]
    assert len(pages[0]) > 6


def test_the_consent_an_entry_rests_on_is_named_to_who_sees_it_alone() -> None:
    note = Note("Professional", "a", "care-relation", "x", under="c")
    act = Act(1, UUID(int=1), datetime.now(UTC), Tag.READ, ("Observation/o", "Observation/p"), note)
    seen = shown(act, {"Observation/o", "Consent/c"})
    assert seen is not None
    assert (seen.resources, seen.note.under) == (("Observation/o",), "c")
    less = shown(act, {"Observation/o"})
    assert less is not None
    assert (less.note.under, "Consent/c" in facets(less, "r")["entity"]) == ("", False)
    assert shown(act, {"Consent/c"}) is None


# What an entry says.


async def test_an_entry_says_why_on_what_it_rests_and_with_which_software(house: House) -> None:
    name = await house.open_record()
    consent = await house.relate(name, DOCTOR.id)
    made = [(await house.citizen(name).post("Observation", observation(name))).json()["id"] for _ in range(2)]
    assert (await professional(house).get(f"Observation?patient={name}")).status_code == 200
    (event,) = events(await house.citizen(name).get("AuditEvent?group=professionals"))
    (asker,) = [agent for agent in event["agent"] if agent["requestor"]]
    assert asker["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert asker["purposeOfUse"][0]["text"] == "Relation de soins"
    rests = [one["what"]["reference"] for one in event["entity"] if one.get("role", {}).get("code") == "13"]
    assert rests == [f"Consent/{consent}"]
    assert {one["what"]["reference"] for one in event["entity"]} >= {f"Observation/{one}" for one in made}
    assert event["text"]["status"] == "generated"
    assert event["text"]["div"].endswith(
        ", le Dr Lou PETIT (médecin, Cabinet) a consulté 2 résultats ou mesures, "
        "au titre d’une relation de soins, avec software.</p></div>"
    )
    english = (await house.citizen(name).get("AuditEvent?group=professionals&lang=en")).json()
    assert (
        "Dr Lou PETIT (physician, Cabinet) viewed 2 results or measurements"
        in english["entry"][0]["resource"]["text"]["div"]
    )
    assert (await house.citizen(name).get(f"AuditEvent/{event['id']}")).json() == event


async def test_the_software_is_told_by_its_registered_name(house: House) -> None:
    name = await house.open_record()
    with house.parts.engine.begin() as connection:
        values = {"id": "app", "name": "Mon <Suivi> & moi", "kind": "citizen-app", "disabled": False}
        listed: dict[str, Any] = {"redirect_uris": [], "scopes": [], "created": datetime.now(UTC)}
        connection.execute(client.insert().values(values | listed))
    citizen = house.citizen(name)
    await citizen.get(f"Patient/{name}")
    event = events(await citizen.get("AuditEvent?group=mine"))[0]
    assert event["agent"][-1]["who"]["display"] == "Mon <Suivi> & moi"
    assert "avec Mon &lt;Suivi&gt; &amp; moi." in event["text"]["div"]


@pytest.mark.parametrize(("purpose", "told"), [("BTG", "(« bris de glace »)"), ("ETREAT", "appel d’urgence")])
async def test_an_emergency_says_which(house: House, purpose: str, told: str) -> None:
    name = await house.open_record()
    await house.lend(name, Terms(Right.EMERGENCY, Actor(PROFESSIONALS, DOCTOR.id), purpose=purpose))
    assert (await professional(house).get(f"Patient/{name}")).status_code == 200
    (event,) = events(await house.citizen(name).get("AuditEvent?group=professionals"))
    assert event["agent"][0]["purposeOfUse"][0]["coding"][0]["code"] == purpose
    assert told in event["text"]["div"]


async def test_a_refused_attempt_says_why_and_with_which_motive(house: House) -> None:
    name = await house.open_record()
    await refused(house, name, "blocked", "Urgence <vitale>")
    (event,) = events(await house.citizen(name).get("AuditEvent?outcome=4"))
    assert (event["outcome"], event["outcomeDesc"], event["action"]) == ("4", "blocked", "E")
    assert event["purposeOfEvent"][0]["text"] == "Urgence <vitale>"
    assert sentences(await house.citizen(name).get("AuditEvent?outcome=4")) == [
        "le service lui-même (tests) a tenté d’ouvrir votre carnet : refusé, vous l’avez bloqué."
    ]


async def test_a_professional_to_whom_nothing_was_shown(house: House) -> None:
    name = await house.open_record()
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    assert (await professional(house).get(f"Observation/{made}")).status_code == 404
    (told,) = sentences(await house.citizen(name).get("AuditEvent?group=professionals"))
    assert told.endswith(" : aucun document n’a été montré.")


# Searching it.


async def test_it_is_searched_by_group_agent_action_outcome_and_what_it_names(house: House) -> None:
    name = await house.open_record()
    await house.represent(name, account_of("mum"))
    await house.relate(name, DOCTOR.id)
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    own = (await house.depositor().post("Observation", observation(name))).json()["id"]
    await professional(house, helped=True).get(f"Observation/{made}")
    await delegate(house, name).get(f"Observation/{own}")
    await refused(house, name, "blocked")

    async def found(**asked: str) -> list[str]:
        answer = await citizen.get(f"AuditEvent?{urlencode({'_count': '200', **asked})}", Prefer="handling=strict")
        names = [event["agent"][-1]["who"]["display"] for event in events(answer)]
        return [f"{event['subtype'][0]['code']} {who}" for event, who in zip(events(answer), names, strict=True)]

    assert await found(group="professionals") == ["read software"]
    assert await found(group="representatives") == ["read app"]
    assert await found(group="representatives,professionals") == ["read app", "read software"]
    assert {"create hospital", "create app"} <= set(await found(group="services"))
    assert {"create hospital"}.isdisjoint(await found(group="mine"))
    for agent in (
        f"{PROFESSIONALS}|{DOCTOR.id}",
        DOCTOR.id,
        f"{RPPS}|{DOCTOR.id[1:]}",
        f"{PROFESSIONALS}|{SECRETARY.id}",
    ):
        assert await found(agent=agent) == ["read software"], agent
        assert await found(**{"agent:identifier": agent}) == ["read software"], agent
    for agent in (f"{PROFESSIONALS}|810009", f"{FINESS}|{DOCTOR.id}"):
        assert await found(agent=agent) == []
    assert await found(action="C", group="services") == ["create hospital", "create app", "open operator"]
    assert await found(outcome="4") == ["access tests"]
    assert await found(outcome="8") == []
    assert await found(entity=f"Observation/{own}") == ["read app", "create hospital"]
    assert await found(entity=f"http://carnet.test/fhir/Observation/{own}", action="C") == ["create hospital"]
    assert await found(group="nobody") == []


async def test_a_page_is_as_long_whatever_is_filtered_between(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await house.open_record()
    citizen, hospital = house.citizen(name), house.depositor()
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    for n in range(12):
        await (citizen if n % 3 else hospital).get(f"Observation/{made}")
    path = f"AuditEvent?patient={name}&_count=3&agent=Patient/{name}&action=R&date=lt{_soon()}"
    pages = [[event["id"] for event in events(answer)] for answer in await whole(citizen, path)]
    ids = [one for page in pages for one in page]
    assert len(set(ids)) == len(ids)
    assert {len(page) for page in pages[:-1]} == {3}
    monkeypatch.setattr(journal_reading, "MOST_SCANNED", 2)
    shorter = [[event["id"] for event in events(answer)] for answer in await whole(citizen, path)]
    assert len(shorter) > len(pages)
    assert [one for page in shorter for one in page if one in ids] == ids


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_ten_thousand_entries_page_in_bounded_time(house: House) -> None:
    name = await house.open_record()
    citizen = house.citizen(name)
    made = (await citizen.post("Observation", observation(name))).json()["id"]
    await many(house, name, made, 10_000)
    started = time.perf_counter()
    assert len(events(await citizen.get("AuditEvent?_count=50"))) == 50
    assert time.perf_counter() - started < 2
    started = time.perf_counter()
    answers = await whole(citizen, "AuditEvent?outcome=4&_count=50")
    assert [len(events(answer)) for answer in answers] == [0, 0, 0]
    assert time.perf_counter() - started < 15
    assert await findings(house) == []


async def many(house: House, name: str, made: str, n: int) -> None:
    """Entries by the thousand, each chained to the one before."""
    visit = Visit(house.parts.installation, System("tests"), (), (), datetime.now(UTC))
    async with visit.act(name, CREATE, Tag.READ, f"Observation/{made}") as deed:
        deed.touched.append(f"Observation/{made}")
        for _ in range(n - 1):
            await deed.leave_trail(Tag.READ, f"Observation/{made}")


def test_what_was_asked_is_an_address() -> None:
    assert asked_of(("Observation", "x", "_history")) == "Observation/x/_history"


def test_entries_are_only_added() -> None:
    """No statement of the application updates or deletes an entry."""
    sql = _TRAIL.sql
    assert "INSERT INTO journal " in sql
    assert "DELETE" not in sql
    assert "UPDATE journal " not in sql


# Refused attempts.


async def test_what_is_refused_inside_leaves_its_entry_and_nothing_else(house: House) -> None:
    """Whatever is tried on what is not in sight, the person reads that it was, by whom, and that it was refused."""
    name = await house.open_record()
    await house.represent(name, account_of("mum"), "agenda")
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    doctor, mum, changed = professional(house), delegate(house, name), {**observation(name), "id": made}
    fhir = {"Content-Type": "application/fhir+json"}
    patched = {"Content-Type": "application/json-patch+json"}
    patch = [{"op": "replace", "path": "/status", "value": "amended"}]
    attempts: tuple[tuple[Caller, str, str, dict[str, Any], int, str, str], ...] = (
        (doctor, "PUT", f"Observation/{made}", {"headers": fhir, "json": changed}, 405, "update", "absent"),
        (doctor, "PATCH", f"Observation/{made}", {"headers": patched, "json": patch}, 404, "update", "absent"),
        (doctor, "DELETE", f"Observation/{made}", {}, 404, "delete", "absent"),
        (doctor, "GET", f"Communication/{made}/$thread", {}, 404, "message", "absent"),
        (doctor, "GET", f"Task/{made}/$prescription", {}, 404, "prescription", "absent"),
        (mum, "POST", "Observation", {"headers": fhir, "json": observation(name)}, 403, "create", "not-entitled"),
        (mum, "GET", f"Patient/{name}/$prevention", {}, 404, "prevention", "absent"),
        (mum, "DELETE", f"Observation/{made}", {}, 404, "delete", "absent"),
    )
    for caller, method, path, more, status, tag, why in attempts:
        before = len(entries(house, name))
        assert (await caller.ask(method, path, **more)).status_code == status, (method, path)
        (row,) = entries(house, name)[before:]
        assert (row.tag, row.resources) == (tag, []), (method, path)
        assert read_note(keys_of(house, name), name, row.id, row.sealed).refused == why, (method, path)
    told = sentences(await house.citizen(name).get("AuditEvent?outcome=4&group=professionals"))
    assert told[-1] == (
        "le Dr Lou PETIT (médecin, Cabinet) a tenté de modifier un élément, avec software : refusé, rien ne correspond."
    )
    assert (await house.citizen(name).get(f"Observation/{made}")).json()["meta"]["versionId"] == "1"
    assert await findings(house) == []


async def test_an_operation_is_searched_as_one(house: House) -> None:
    """R4 audit-event-action: what is executed is not a read, whatever the operation."""
    name = await house.open_record()
    citizen = house.citizen(name)
    for path in (f"Patient/{name}/$notifications", f"Patient/{name}/$threads", f"Patient/{name}/$reminders"):
        assert (await citizen.get(path)).status_code == 200
    found = events(await citizen.get("AuditEvent?action=E"))
    tags = {one["subtype"][0]["code"] for one in found}
    assert tags == {"notification", "message", "agenda"}
    assert {one["action"] for one in found} == {"E"}


async def test_what_is_malformed_is_no_attempt(house: House) -> None:
    name = await house.open_record()
    before = len(entries(house, name))
    answer = await house.citizen(name).post("Observation", {"resourceType": "Observation"})
    assert answer.status_code == 422
    assert len(entries(house, name)) == before


async def test_an_attempt_that_cannot_be_journaled_is_not_answered(house: House) -> None:
    name = await house.open_record()
    made = (await house.citizen(name).post("Observation", observation(name))).json()["id"]
    doctor = professional(house)
    assert (await doctor.delete(f"Observation/{made}")).status_code == 404
    _refuse_journal(house)
    assert (await doctor.delete(f"Observation/{made}")).status_code == 503
