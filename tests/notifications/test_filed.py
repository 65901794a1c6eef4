"""A document filed by somebody else is told, once, to those who see it, and of nothing else is anybody told."""

from datetime import timedelta
from typing import Any

import pytest

from phr import codes, notices
from phr.access.consent import Terms
from phr.access.provision import Right
from phr.access.right import HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES, MASK
from tests.deposit import PDF, Clinic, clinic, coded, document, inline, label, submission
from tests.house import ALL, Caller, House
from tests.kin import Person, care, mails, parameters, person, represent
from tests.notifications.browser import Subscription
from tests.notifications.told import centre, own, waiting
from tests.phr.care import SECRET, TREATING, account, body, software
from tests.prescription.rx import Counter

Json = dict[str, Any]
SUBJECT = "Du nouveau dans votre carnet"


@pytest.fixture
async def ada(house: House) -> Person:
    return await person(house, "Ada")


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


async def file(caller: Caller, record: str, by: Clinic, *labels: str, status: int = 201, **more: Any) -> str:
    """Deposit one document; its reference."""
    said = {**document(record, by), **({"securityLabel": [label("N"), *map(label, labels)]} if labels else {}), **more}
    answer = await caller.post("DocumentReference", inline(said))
    assert answer.status_code == status, answer.text
    return f"DocumentReference/{answer.json().get('id')}"


def wish(who: Person, by: Clinic) -> Json:
    """What a person files themselves."""
    mine = coded(codes.PRODUCER, "EXP_PATIENT")
    said = document(who.record, by, type=coded(codes.TYPE, "EXPPAT_3"), category=[coded(codes.CLASS, "90")])
    del said["custodian"]
    said |= {"author": [{"reference": who.patient}]}
    said["context"] |= {"facilityType": mine, "practiceSetting": mine}
    return inline(said)


def told(house: House, who: Person) -> int:
    """How many mails say that a document is new."""
    return sum(SUBJECT in one for one in mails(house, who.email))


async def test_who_sees_it_is_told_and_not_what_it_is(house: House, ada: Person, by: Clinic) -> None:
    carer, helper = await person(house, "Bob"), await person(house, "Zoé")
    await care(ada, carer, "consult")
    await care(ada, helper, "documents")
    device = parameters(**Subscription("https://push.example/a").given())
    assert (await ada.caller().post(f"{ada.patient}/$register-device", device)).status_code == 201
    await ada.caller().post(f"{ada.patient}/$notification-read-all", parameters())
    made = await file(house.depositor(), ada.record, by)
    newest, *_ = await centre(ada.caller(), ada.record)
    assert (newest["kind"], newest["about"]) == ("document", made)
    assert [one["about"] for one in await centre(carer.acting(ada.record), ada.record)] == [made]
    assert await centre(helper.acting(ada.record), ada.record) == []
    assert [told(house, one) for one in (ada, carer, helper)] == [1, 1, 0]
    [pushed] = waiting(house, "push")
    assert pushed["notification"] == newest["id"]
    for secret in (made, ada.record, "Ada", "Compte rendu", "Clinique"):
        assert all(secret not in str(one) for one in (pushed, *waiting(house, "mail")))


async def test_nobody_is_told_of_what_the_person_files_nor_of_their_own(house: House, ada: Person, by: Clinic) -> None:
    carer = await person(house, "Bob")
    await care(ada, carer, "consult", "documents")
    before = [len(await centre(one, ada.record)) for one in (ada.caller(), carer.acting(ada.record))]
    answer = await ada.caller().post("DocumentReference", wish(ada, by))
    assert answer.status_code == 201, answer.text
    assert [len(await centre(one, ada.record)) for one in (ada.caller(), carer.acting(ada.record))] == before
    answer = await carer.acting(ada.record).post("DocumentReference", wish(ada, by))
    assert answer.status_code == 201, answer.text
    after = [len(await centre(one, ada.record)) for one in (ada.caller(), carer.acting(ada.record))]
    assert after == [before[0] + 1, before[1]]
    assert [told(house, one) for one in (ada, carer)] == [1, 0]


async def test_what_awaits_its_announcement_is_not_told(house: House, ada: Person, by: Clinic) -> None:
    before = (await ada.caller().get(f"{ada.patient}/$notifications")).content
    withheld = await file(house.depositor(), ada.record, by, HIDDEN_FROM_PATIENT)
    assert (await ada.caller().get(f"{ada.patient}/$notifications")).content == before
    assert told(house, ada) == 0
    shown = await file(house.depositor(), ada.record, by)
    assert told(house, ada) == 1, "the one that is hidden silences nothing"
    later = house.now() + timedelta(days=32)
    house.parts.server.clock = lambda: later
    assert [one["about"] for one in await centre(own(ada), ada.record)] == [shown, withheld]


async def test_a_parent_is_not_told_of_what_is_kept_from_them(house: House, by: Clinic) -> None:
    child, mum = await person(house, "Lina", born="2012-01-01"), await person(house, "Mum")
    await represent(child, mum)
    doctor = software(house)
    await doctor.post(f"{child.patient}/$open-access", body(**TREATING))
    before = (await mum.acting(child.record).get(f"{child.patient}/$notifications")).content
    secret = await file(house.depositor(), child.record, by, HIDDEN_FROM_PROXIES)
    answer = await doctor.post("DocumentReference", inline(document(child.record, by)), **SECRET)
    assert answer.status_code == 201, answer.text
    assert (await mum.acting(child.record).get(f"{child.patient}/$notifications")).content == before
    assert [told(house, one) for one in (child, mum)] == [1, 0]
    assert secret in {one["about"] for one in await centre(child.caller(), child.record)}
    masked = await file(house.depositor(), child.record, by, MASK)
    assert (await centre(mum.acting(child.record), child.record))[0]["about"] == masked
    assert told(house, mum) == 1


async def test_several_at_once_are_one_mail_until_it_is_read(house: House, ada: Person, by: Clinic) -> None:
    hospital, now = house.depositor(), house.now()
    described = [document(ada.record, by) for _ in range(3)]
    answer = await hospital.post("", submission(described, [PDF] * 3))
    assert answer.status_code == 200, answer.text
    found = await centre(ada.caller(), ada.record)
    assert (len(found), told(house, ada)) == (3, 1)
    await file(hospital, ada.record, by)
    assert (len(await centre(ada.caller(), ada.record)), told(house, ada)) == (4, 1)
    await ada.caller().post(f"{ada.patient}/$notification-read-all", parameters())
    await file(hospital, ada.record, by)
    assert told(house, ada) == 2
    later = now + notices.TOGETHER + timedelta(seconds=1)
    house.parts.server.clock = lambda: later
    await file(house.depositor(), ada.record, by)
    assert told(house, ada) == 3


async def test_a_preference_and_what_is_not_new(house: House, ada: Person, by: Clinic) -> None:
    hospital = house.depositor()
    await file(hospital, ada.record, by, status=422, type={"text": "?"})
    assert await centre(ada.caller(), ada.record) == []
    made = await file(hospital, ada.record, by)
    stored = (await hospital.get(made)).json()
    assert (await hospital.put(made, {**stored, "description": "Relu"})).status_code == 200
    assert len(await centre(ada.caller(), ada.record)) == 1
    await ada.caller().post(f"{ada.patient}/$notification-read-all", parameters())
    await house.lend(ada.record, Terms(Right.PREFERENCE, permits=False, purpose="notify-document"))
    await file(hospital, ada.record, by, relatesTo=[{"code": "replaces", "target": {"reference": made}}])
    assert (len(await centre(ada.caller(), ada.record)), told(house, ada)) == (2, 1)


async def test_what_belongs_to_a_prescription_is_told_by_its_operations(house: House) -> None:
    counter = await Counter.open(house)
    lea = account(house, counter.record, "lea@poste.test")
    await counter.prescribed()
    mine = house.caller(house.claims("citizen-app", "app", ALL, counter.record, subject=str(lea)))
    assert [one["kind"] for one in await centre(mine, counter.record)] == ["prescription"]
