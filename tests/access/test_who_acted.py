"""The journal keeps who acted, under both names when two act as one, and shows them to the person."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fhir.validation import validate
from phr.access.audit import Act, audit_event
from phr.access.journal import Actor, Entry, Note, Tag, chain_of_client, note_of, read_note
from phr.access.reader import Citizen, Delegate, Depositor, Professional, Reader
from tests.access.city import delegate, professional
from tests.access.test_chain import entries, findings, keys_of
from tests.access.worlds import BUCKET, DOCTOR, KEYS, MINE, SECRETARY, TRAINEE, UNNAMED
from tests.house import House, account_of, observation

NATIONAL = "urn:oid:1.2.250.1.71.4.2.1"
_NOS = "https://mos.esante.gouv.fr/NOS"
LOU = Actor("810001", "Lou PETIT", "TRE_G15", "10", "1690000001", "Cabinet")


ACTED: tuple[tuple[Reader, tuple[Actor, ...]], ...] = (
    (Citizen("app", "ada", MINE), ()),
    (Depositor("hospital"), ()),
    (Delegate("app", "mum", MINE), (Actor("mum", behalf=MINE),)),
    (Professional("software", DOCTOR, None, None), (LOU,)),
    (
        Professional("software", DOCTOR, MINE, SECRETARY),
        (LOU, Actor("810002", "Lou PETIT", "", "", "1690000001", "Cabinet")),
    ),
)


@pytest.mark.parametrize(("reader", "actors"), ACTED)
def test_an_entry_names_who_acted(reader: Reader, actors: tuple[Actor, ...]) -> None:
    note = note_of(reader, "because", "asked")
    assert note == Note(type(reader).__name__, reader.client, "because", "asked", actors)
    entry = Entry(BUCKET, MINE, UUID(int=1), datetime(2026, 3, 1, tzinfo=UTC), Tag.READ, note)
    sealed = entry.values(KEYS)["j_sealed"]
    assert isinstance(sealed, bytes)
    assert not any(said in sealed for said in (b"because", b"PETIT", reader.client.encode()))
    assert read_note(KEYS, MINE, entry.id, sealed) == note


def test_an_entry_older_than_names_opens_still() -> None:
    older = {"reader": "Citizen", "client": "app", "because": "own-record", "asked": "x"}
    sealed = KEYS.seal(msgspec.json.encode(older), f"journal/{MINE}/{UUID(int=1)}")
    assert read_note(KEYS, MINE, UUID(int=1), sealed) == Note("Citizen", "app", "own-record", "x", ())


def event(reader: Reader) -> dict[str, Any]:
    act = Act(1, UUID(int=1), datetime(2026, 3, 1, tzinfo=UTC), Tag.READ, (), note_of(reader, "because", "x"))
    shown = audit_event(act, MINE)
    assert validate("AuditEvent", shown) == ()
    agents: list[dict[str, Any]] = shown["agent"]
    assert sum(agent["requestor"] for agent in agents) == 1
    assert {agent["type"]["coding"][0]["code"] for agent in agents} <= {"110153", "110150"}
    return shown


def agents(reader: Reader) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event(reader)["agent"]
    return [{name: value for name, value in agent.items() if name != "type"} for agent in found]


def role(table: str, code: str) -> list[dict[str, Any]]:
    return [{"coding": [{"system": f"{_NOS}/{table}/FHIR/{table.replace('_', '-')}", "code": code}]}]


def test_the_person_and_software_alone_are_told_as_before() -> None:
    application = {"who": {"display": "app"}, "requestor": False}
    own = {"who": {"reference": f"Patient/{MINE}"}, "requestor": True}
    assert agents(Citizen("app", "ada", MINE)) == [own, application]
    assert agents(Depositor("hospital")) == [{"who": {"display": "hospital"}, "requestor": True}]


def test_a_professional_is_told_by_name_profession_and_structure() -> None:
    who = {"identifier": {"system": NATIONAL, "value": "810001"}, "display": "Lou PETIT, Cabinet"}
    software = {"who": {"display": "software"}, "requestor": False}
    lou = {"role": role("TRE_G15-ProfessionSante", "10"), "who": who}
    assert agents(Professional("software", DOCTOR, None, None)) == [{**lou, "requestor": True}, software]
    helped = agents(Professional("software", DOCTOR, None, SECRETARY))
    # The assistant asked; the professional answers for it.
    secretary = {"who": {"identifier": {"system": NATIONAL, "value": "810002"}, "display": "Lou PETIT, Cabinet"}}
    assert helped == [{**lou, "requestor": False}, {**secretary, "requestor": True}, software]


def test_a_trainee_is_no_doctor_in_the_journal_either() -> None:
    (trainee, _) = agents(Professional("software", TRAINEE, None, None))
    assert trainee["role"] == role("TRE_G16-ProfessionFormation", "10")
    (unnamed, _) = agents(Professional("software", UNNAMED, None, None))
    assert unnamed["who"] == {"identifier": {"system": NATIONAL, "value": "810004"}, "display": "810004"}


def test_who_represents_the_person_is_told_as_such() -> None:
    mum, application = agents(Delegate("app", "mum", MINE))
    assert mum == {"role": [{"text": "Représentant légal"}], "altId": "mum", "requestor": True}
    assert application["who"] == {"display": "app"}


def check_who() -> None:
    """Both names, in the entry and in what is shown of it."""
    for reader, actors in ACTED:
        test_an_entry_names_who_acted(reader, actors)
    test_an_entry_older_than_names_opens_still()
    test_the_person_and_software_alone_are_told_as_before()
    test_a_professional_is_told_by_name_profession_and_structure()
    test_a_trainee_is_no_doctor_in_the_journal_either()
    test_who_represents_the_person_is_told_as_such()


async def test_both_names_are_kept_over_http(house: House) -> None:
    record = await house.open_record()
    await house.represent(record, account_of("mum"))
    made = (await professional(house, helped=True).post("Observation", observation(record))).json()["id"]
    assert (await delegate(house, record).get(f"Observation/{made}")).status_code == 200
    created, looked = entries(house, record)[-2:]
    notes = [read_note(keys_of(house, record), record, row.id, row.sealed) for row in (created, looked)]
    assert [(note.reader, note.because) for note in notes] == [
        ("Professional", "own-deposits"),
        ("Delegate", "represents"),
    ]
    assert [actor.id for actor in notes[0].actors] == [DOCTOR.id, SECRETARY.id]
    assert notes[1].actors == (Actor(account_of("mum"), behalf=record),)
    shown = (await house.citizen(record).get(f"AuditEvent?patient={record}")).json()["entry"]
    who = [agent.get("who", {}).get("display") for entry in shown for agent in entry["resource"]["agent"]]
    assert who.count("Lou PETIT, Cabinet") == 2
    assert await findings(house) == []


async def test_what_a_professional_does_outside_of_any_record_is_kept_under_their_name(house: House) -> None:
    assert (await professional(house).get("Practitioner?_count=1")).status_code == 200
    name = chain_of_client("software")[1]
    row = entries(house, name)[-1]
    note = read_note(house.parts.installation.commons, name, row.id, row.sealed)
    assert (note.because, [actor.id for actor in note.actors]) == ("commons", [DOCTOR.id])
