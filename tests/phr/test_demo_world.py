"""The demo world is sound, the same each time, and loads into the real application."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from pypdf import PdfReader
from sqlalchemy.orm import Session

from auth import accounts, clients
from fhir.validation import validate
from phr import representation, sandbox
from phr.content import Judge
from phr.core.identifiers import INS, INS_NIR_TEST, RPPS
from phr.demo.clients import demo_clients, demo_key_thumbprints, thumbprint
from phr.demo.clinic import PROFESSIONALS
from phr.demo.world import Person, world
from phr.documents import check_content, check_reference, labels
from phr.submission import check_submission, is_pdsm
from tests.house import House

TODAY = date(2026, 4, 2)
DAYS = (TODAY, date(2024, 2, 29), date(2025, 1, 1), date(2027, 12, 31))
ROOT = Path(__file__).parents[2]
PEOPLE = {person.login: person for person in world(TODAY).people}
Json = dict[str, Any]


def _resources(person: Person, kind: str = "") -> list[Json]:
    found = [entry["resource"] for entry in person.transaction["entry"]]
    return [resource for resource in found if kind in ("", resource["resourceType"])]


def _papers(person: Person) -> Iterator[tuple[Json, bytes]]:
    bodies = {e["fullUrl"]: e["resource"] for e in person.transaction["entry"]}
    for document in _resources(person, "DocumentReference"):
        yield document, base64.b64decode(bodies[document["content"][0]["attachment"]["url"]]["data"])


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_resource_is_valid(day: date) -> None:
    made = world(day)
    everything = [entry["resource"] for entry in made.commons]
    for person in made.people:
        everything += _resources(person)
    assert 250 <= len(everything) <= 450
    for resource in everything:
        assert validate(resource["resourceType"], resource) == (), resource


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_document_is_what_its_metadata_says(day: date) -> None:
    types = set()
    for person in world(day).people:
        for document, data in _papers(person):
            by_citizen = document["author"] == [document["subject"]]
            assert check_reference(document, by_citizen=by_citizen, new=True) == ()
            digest = base64.b64encode(hashlib.sha1(data).digest()).decode()
            assert check_content(document, len(data), digest) == ()
            judge = Judge(document["content"][0]["attachment"]["contentType"], "contentType")
            judge.feed(data)
            judge.close()
            types.add(document["type"]["coding"][0]["code"])
    assert types >= {"11502-2", "11490-0", "57833-6", "18748-4", "87273-9", "60591-5", "11488-4", "EXPPAT_2"}


def test_the_submissions_are_pdsm_submissions() -> None:
    submitted = [person for person in PEOPLE.values() if is_pdsm(dict(person.transaction))]
    assert {person.login for person in submitted} == {"lina.moreau", "ines.benali"}
    for person in submitted:
        assert check_submission(person.transaction) == ()


def test_identities_have_test_numbers_with_the_right_keys() -> None:
    assert len(PEOPLE) == 6
    for person in PEOPLE.values():
        patient = _resources(person, "Patient")[0]
        assert patient == person.transaction["entry"][0]["resource"]
        assert patient["identifier"][0]["system"] == f"urn:oid:{INS_NIR_TEST}"
        assert patient["identifier"][0]["value"] == INS.parse(person.ins, INS_NIR_TEST).value
    assert len({person.ins for person in PEOPLE.values()}) == 6
    assert len({RPPS(who.rpps).value for who in PROFESSIONALS}) == len(PROFESSIONALS)


def test_each_label_is_on_one_document() -> None:
    found = {
        label: login
        for login, person in PEOPLE.items()
        for document in _resources(person, "DocumentReference")
        for label in labels(document)
    }
    assert found == {
        "MASQUE_PS": "nicolas.moreau",
        "INVISIBLE_PATIENT": "jeanne.lefevre",
        "INVISIBLE_REPRESENTANTS_LEGAUX": "ines.benali",
    }


def test_nothing_happens_tomorrow_and_nobody_ages() -> None:
    for day in DAYS:
        for person in world(day).people:
            for resource in _resources(person):
                for name in ("effectiveDateTime", "occurrenceDateTime", "authoredOn", "date", "onsetDateTime"):
                    assert str(resource.get(name, ""))[:10] <= day.isoformat(), (person.login, resource)
    births = {day.year - int(_resources(world(day).people[5], "Patient")[0]["birthDate"][:4]) for day in DAYS}
    assert births <= {16, 17}


def test_the_same_day_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import dataclasses, datetime, hashlib, json; from phr.demo.world import world; "
        f"made = dataclasses.asdict(world(datetime.date.fromisoformat('{TODAY}'))); "
        "print(hashlib.sha256(json.dumps(made).encode()).hexdigest())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": zone},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert len(printed[0].strip()) == 64
    assert printed[0] == printed[1]


def test_the_whole_is_small() -> None:
    assert sum(len(json.dumps(dict(person.transaction))) for person in PEOPLE.values()) < 3_000_000


@pytest.mark.parametrize(
    ("login", "kind", "words"),
    [
        ("claire.moreau", "11502-2", ("Laboratoire Saône Biologie", "Ferritine", "Nom de naissance : LEFEVRE")),
        ("claire.moreau", "18748-4", ("échographie du deuxième trimestre", "Biométrie", "Dr Paul VIDALIN")),
        ("jeanne.lefevre", "11490-0", ("Lettre de liaison à la sortie", "FINESS", "prothèse totale de hanche")),
        ("jeanne.lefevre", "57833-6", ("Ordonnance de sortie", "Apixaban 5 mg", "RPPS")),
        ("lina.moreau", "87273-9", ("Note de vaccination", "Vaccin hexavalent", "dose 3")),
        ("karim.benali", "57833-6", ("Metformine 1000 mg", "INS-NIR de test")),
    ],
)
def test_the_letters_can_be_read(login: str, kind: str, words: tuple[str, ...]) -> None:
    person = PEOPLE[login]
    data = next(d for document, d in _papers(person) if document["type"]["coding"][0]["code"] == kind)
    pages = PdfReader(BytesIO(data)).pages
    assert len(pages) == 1
    text = " ".join(pages[0].extract_text().split())
    assert person.ins in text.replace(" ", "")
    for word in words:
        assert word.lower() in text.lower()


def test_the_medical_summary_names_its_patient() -> None:
    person = PEOPLE["jeanne.lefevre"]
    data = next(
        d for document, d in _papers(person) if document["content"][0]["attachment"]["contentType"] == "text/xml"
    )
    root = fromstring(data)
    number = root.find("{*}recordTarget/{*}patientRole/{*}id")
    assert number is not None
    assert (number.get("root"), number.get("extension")) == (INS_NIR_TEST, person.ins)
    titles = [title.text for title in root.iterfind("{*}component/{*}structuredBody/{*}component/{*}section/{*}title")]
    assert titles[0] == "Pathologies en cours"
    assert len(titles) == 5


def test_the_clients_have_keys_of_their_own() -> None:
    made = demo_clients()
    assert len({one.client_id for one in made}) == len(made) == 7
    assert len(demo_key_thumbprints()) == 5
    for one in made:
        public = one.public_jwk
        assert public is None or ("d" not in public and thumbprint(public) in demo_key_thumbprints())


async def test_the_world_loads_into_the_application(house: House) -> None:
    now = datetime.now(UTC)
    made = world(now.date())
    assert await sandbox.load(house.parts.installation, house.parts.server, now) == 6
    with Session(house.parts.server.engine) as session:
        for one in demo_clients():
            assert clients.find(session, one.client_id) is not None
        enrolled = {p.login: accounts.lookup(session, house.parts.server.keys, p.login)[0] for p in made.people}
        parents = {
            login: [choice.label for choice in representation.choices(session, house.parts.server.keys, found, now)]
            for login, found in enrolled.items()
            if found is not None
        }
    assert {login: labels[1:] for login, labels in parents.items() if len(labels) > 1} == {
        "claire.moreau": ["Lina"],
        "nicolas.moreau": ["Lina"],
        "karim.benali": ["Inès"],
    }
    for person in made.people:
        account = enrolled[person.login]
        assert account is not None
        assert account.record is not None
        answer = await house.citizen(account.record).get("DocumentReference?_count=50")
        assert answer.status_code == 200, answer.text
        listed = [e["resource"] for e in answer.json()["entry"] if e["search"]["mode"] == "match"]
        prescribed = {"Ordonnance"} if person is made.people[0] else set()
        titles = {one["description"] for one in listed}
        documents = _resources(person, "DocumentReference")
        hidden = [document for document in documents if "INVISIBLE_PATIENT" in labels(document)]
        assert titles == {document["description"] for document in documents if document not in hidden} | prescribed
        assert len(hidden) == (person.login == "jeanne.lefevre")
        letter = next(one for one in listed if one["description"] not in prescribed)
        await _reads_a_letter(house, account.record, letter)
    assert await sandbox.load(house.parts.installation, house.parts.server, now) == 6, "loading again adds nothing"
    karim = enrolled["karim.benali"]
    assert karim is not None
    assert karim.record is not None
    found = await house.citizen(karim.record).get("Observation?code=4548-4&_summary=count")
    assert found.json()["total"] == 16


async def _reads_a_letter(house: House, record: str, document: Json) -> None:
    attachment = document["content"][0]["attachment"]
    answer = await house.citizen(record).get(attachment["url"], Accept=attachment["contentType"])
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == attachment["size"]
    role = document["author"][0]["reference"]
    assert role.startswith(("PractitionerRole/", "Patient/"))
    assert (await house.citizen(record).get(role)).status_code == 200
