"""A confidential session through all that a record does: a parent reads the same after it as before, by every door."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from phr.agenda.telling import tell_due
from phr.prescription.expiring import expire
from tests.agenda.diary import ahead, appointment, remind
from tests.deposit import clinic, document, inline
from tests.house import House, observation
from tests.kin import Person, mails, person, represent
from tests.messages.post import file, letter, reference, reply, send
from tests.phr.care import DOCTOR, PS, SECRET, TREATING, body, software
from tests.prescription.rx import PARK, Counter, parameters, said
from tests.prescription.test_handing import organization

Json = dict[str, Any]
FROM_PARENTS = SECRET["carnet_confidentiality"]
KINDS = (
    *("Appointment", "CareTeam", "Communication", "Consent", "DocumentReference", "MedicationDispense"),
    *("MedicationRequest", "Observation", "Provenance", "RelatedPerson", "Task"),
)
WAYS = (
    "$everything?_count=200",
    "$notifications",
    "$threads",
    "$reminders",
    "$contents",
    "$usual-pharmacy",
    "_history",
)


@dataclass(frozen=True, slots=True)
class Family:
    """A minor, and a parent who acts for them."""

    house: House
    ines: Person
    karim: Person

    async def read(self) -> Json:
        """All that the parent is answered, and the mails they were sent; of the journal, what they did not do."""
        record, later = self.ines.record, self.house.now() + timedelta(hours=1)
        parent = self.karim.acting(record, expires=later)
        of = f"patient={record}"
        paths = [f"{kind}{how}{of}" for kind in KINDS for how in ("?_total=accurate&", "/_history?")]
        paths += [f"Patient/{record}", *(f"Patient/{record}/{way}" for way in WAYS)]
        found: Json = {}
        for path in paths:
            answer = await parent.get(path)
            told = answer.json()
            found[path] = (
                answer.status_code,
                told.get("total"),
                told.get("entry", told.get("parameter")),
                told.get("name"),
            )
        answer = await parent.get(f"AuditEvent?{of}&_count=200")
        events = [one["resource"] for one in answer.json()["entry"]]
        found["journal"] = [one["id"] for one in events if str(self.karim.account) not in str(one["agent"])]
        lines = (await parent.get(f"Patient/{record}/$journal", Accept="text/csv")).text.splitlines()
        found["export"] = [line for line in lines if '"Représentant légal"' not in line]
        return found | {"mails": mails(self.house, self.karim.email)}


@pytest.fixture
async def family(house: House) -> Family:
    ines = await person(house, "Inès", "Benali", "2010-07-30")
    karim = await person(house, "Karim", "Benali", "1968-09-12")
    await represent(ines, karim)
    opened = await software(house).post(f"{ines.patient}/$open-access", body(**TREATING, informed=True), **SECRET)
    assert opened.status_code == 201, opened.text
    return Family(house, ines, karim)


async def test_a_secret_prescription_goes_through_pharmacies(house: House, family: Family) -> None:
    """The pharmacy's software knows of no secret session: it scans a code, or receives what was sent."""
    counter = await Counter.open(house)
    counter.record = family.ines.record
    mine, park = family.ines.caller(), await organization(house, PARK)
    # The pharmacist holds another right, for an hour, that is no secret.
    await house.relate(counter.record, PARK.id, until=house.now() + timedelta(hours=1))
    before = await family.read()
    made = [await counter.deposit(carnet_confidentiality=FROM_PARENTS) for _ in range(2)]
    (shown, code), (sent, _) = [(said(one, "task")["id"], said(one, "code")) for one in made]
    opened = await counter.park.post("Task/$open-prescription", parameters(code=code))
    assert opened.status_code == 200, opened.text
    secret = await counter.accepted(counter.park, shown, code)
    assert (await counter.dispensed(counter.park, shown, secret, 30)).status_code == 200
    assert (await counter.move(counter.park, shown, "release", secret=secret)).status_code == 200
    # Sent with the record lent, accepted, dispensed of until the pharmacy says that it is complete.
    assert (await counter.move(mine, sent, "send", pharmacy=park, share=True)).status_code == 200
    accepted = await counter.move(counter.park, sent, "accept")
    secret = said(accepted, "secret")
    assert (await counter.dispensed(counter.park, sent, secret, 30)).status_code == 200
    assert (await counter.park.get(f"Task?owner={park['reference']}&status=in-progress")).json()["entry"]
    assert (await counter.move(counter.park, sent, "complete", secret=secret)).status_code == 200
    assert (await mine.get(f"Task/{sent}/$prescription")).status_code == 200
    assert (await counter.move(counter.doctor, shown, "cancel", reason="treatment-stopped")).status_code == 200
    assert await family.read() == before
    relations = await mine.get("Consent?category=care-relation&_summary=count")
    assert relations.json()["total"] == 3, "the doctor's, the pharmacist's, and what was lent with the prescription"


async def test_a_secret_prescription_expires(house: House, family: Family) -> None:
    counter = await Counter.open(house)
    counter.record = family.ines.record
    before = await family.read()
    assert (await counter.deposit(carnet_confidentiality=FROM_PARENTS)).status_code == 201
    counter.wait(days=400)
    assert await expire(house.parts.installation, counter.now) == 1
    found, changing = await family.read(), f"Patient/{counter.record}/$contents"
    assert {**found, changing: before[changing]} == before


async def test_a_secret_thread(house: House, family: Family) -> None:
    doctor, mine, record = software(house), family.ines.caller(), family.ines.record
    before = await family.read()
    wish = letter("Bonjour.", subject="Une question", attachment=(file(),))
    thread = reference(await send(doctor, record, wish, **SECRET), "thread")
    await reply(mine, record, thread, attachment=(file(),))
    await reply(doctor, record, thread)  # their software says it once: the thread is secret for good
    for path in ("Communication/$threads", f"Communication/{thread}/$thread"):
        assert (await doctor.get(path)).status_code == 200
    for operation in ("$read-thread", "$archive-thread", "$close-thread"):
        assert (await mine.post(f"Communication/{thread}/{operation}", body())).status_code == 200
    assert await family.read() == before


async def test_a_secret_appointment_its_reminder_and_what_is_deposited(house: House, family: Family) -> None:
    doctor, mine, record = software(house), family.ines.caller(), family.ines.record
    by = await clinic(house)
    before = await family.read()
    booked = await doctor.post("Appointment", appointment(record, ahead(house, 3)), **SECRET)
    await remind(mine, record, about=f"Appointment/{booked.json()['id']}", before="P1D")
    for one in (observation(record), inline(document(record, by))):
        made = await doctor.post(one["resourceType"], one, **SECRET)
        assert made.status_code == 201, made.text
        for reader in (mine, doctor):
            assert (await reader.get(f"{one['resourceType']}/{made.json()['id']}")).status_code == 200
    assert (await doctor.get(f"Observation?patient={record}&code=x")).status_code == 200
    due = ahead(house, 2, 12)
    house.parts.server.clock = lambda: due
    assert await tell_due(house.parts.installation, due) == 1
    assert await family.read() == before


async def test_once_it_is_over_the_professional_s_relations_say_nothing_of_it(house: House, family: Family) -> None:
    """What their software asks again by itself, every day, without a word of the record."""
    doctor, mine, ines = software(house), family.ines.caller(), family.ines
    [relation] = (await doctor.get("Patient/$relations")).json()["entry"]
    before = await family.read()
    ended = await mine.post(f"{ines.patient}/$end-access", body(consent=relation["resource"]["id"]))
    assert ended.status_code == 200, ended.text
    assert "entry" not in (await doctor.get("Patient/$relations")).json()
    assert await family.read() == before


async def test_once_they_are_blocked_their_threads_say_nothing_of_it(house: House, family: Family) -> None:
    doctor, mine, ines = software(house), family.ines.caller(), family.ines
    thread = reference(await send(doctor, ines.record, letter("Bonjour.", subject="Q"), **SECRET), "thread")
    assert (await mine.post(f"{ines.patient}/$block", body(professional=(PS, DOCTOR.id)))).status_code == 201
    before = await family.read()
    assert thread not in (await doctor.get("Communication/$threads")).text
    assert await family.read() == before


async def test_an_open_conversation_does_not_tell_of_a_secret_relation(house: House, family: Family) -> None:
    """Their software does not say at each reading that it is a secret: the right that it rests on does."""
    doctor, mine, ines = software(house), family.ines.caller(), family.ines
    [secret] = (await doctor.get("Patient/$relations")).json()["entry"]
    assert (await mine.post(f"{ines.patient}/$end-access", body(consent=secret["resource"]["id"]))).status_code == 200
    opened = await doctor.post(f"{ines.patient}/$open-access", body(**TREATING, informed=True))
    assert (await send(doctor, ines.record, letter("Bonjour.", subject="Le vaccin"))).status_code == 201
    assert (await mine.post(f"{ines.patient}/$end-access", body(consent=opened.json()["id"]))).status_code == 200
    again = await doctor.post(f"{ines.patient}/$open-access", body(**TREATING, informed=True), **SECRET)
    assert again.status_code == 201, again.text
    before = await family.read()
    assert "Le vaccin" in str(before)
    for path in (f"Observation?patient={ines.record}", ines.patient, f"{ines.patient}/$everything"):
        assert (await doctor.get(path)).status_code == 200
    assert await family.read() == before
