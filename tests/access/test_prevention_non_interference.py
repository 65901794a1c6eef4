"""`$prevention` in two twin records, with and without what the reader may not see: status, body and headers alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.provision import Right
from phr.prevention.canonical import ANSWER, FACT, LOINC, SNOMED, plan_of
from phr.prevention.codes import VALUE_SETS
from tests.access.city import FROM_PROXIES, HIDDEN, MASKED, as_professional, coded, delegate, document, labelled
from tests.access.worlds import professional
from tests.house import Caller, House, account_of

Json = dict[str, Any]
DOCTOR = professional("810701")
BREAST = "breast-cancer-screening"
QUERIES = ("", "?on=2027-11-22&lang=en", "?status=done,ask")


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    """The two records are asked about at the same instant."""
    house.parts.server.clock = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)


def of_set(name: str) -> Json:
    code = VALUE_SETS[name].codes[0]
    return coded(code.system, code.code)


def secrets(record: str, commons: tuple[str, str]) -> list[Json]:
    """One of each type that is read; each alone changes what is advised to who sees it (a test below)."""
    subject, patient = {"subject": {"reference": f"Patient/{record}"}}, {"patient": {"reference": f"Patient/{record}"}}
    observed = {"resourceType": "Observation", "status": "final", **subject, "effectiveDateTime": "2026-10-01"}
    answered = {"linkId": "fact:frail-contact", "answer": [{"valueBoolean": True}]}
    return [
        {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": of_set("influenza"),
            "occurrenceDateTime": "2026-11-01",
            **patient,
        },
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": of_set("mammography"),
            "performedDateTime": "2026-10-01",
            **subject,
        },
        {**observed, "code": coded(LOINC, "82810-3"), "valueCodeableConcept": coded(SNOMED, "77386006")},
        {**observed, "code": of_set("fit")},
        {**observed, "code": coded(FACT, "breast-high-risk"), "valueBoolean": False},
        {
            "resourceType": "Condition",
            "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
            "code": of_set("diabetes"),
            **subject,
        },
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "authored": "2026-10-01T10:00:00Z",
            "item": [answered],
            **subject,
        },
        document(record, *commons, "a scan", {"context": {**CONTEXT, "event": [of_set("bone-density")]}}),
        {
            "resourceType": "Task",
            "status": "cancelled",
            "intent": "proposal",
            "instantiatesCanonical": plan_of("dental-examination"),
            "businessStatus": coded(ANSWER, "contraindicated"),
            "for": {"reference": f"Patient/{record}"},
            "executionPeriod": {"start": "2026-10-01"},
        },
    ]


CONTEXT = {
    "period": {"start": "2026-10-01"},
    **{name: value for name, value in document("", "", "", "", {})["context"].items() if name != "period"},
}
SECRETS = range(len(secrets("", ("", ""))))
UNSEEN = {6}
"""QuestionnaireResponse: no profession is shown it by the matrix (phr/access/matrix.toml)."""


@dataclass(frozen=True, slots=True)
class Twins:
    """The record with the secrets, and the one without."""

    house: House
    known: str
    blank: str

    async def asked(self, record: str, caller: Caller) -> list[tuple[int, str, dict[str, str]]]:
        """Every answer about one of them, its id named."""
        found = []
        for query in QUERIES:
            answer = await caller.get(f"Patient/{record}/$prevention{query}")
            found.append((answer.status_code, answer.text.replace(record, "<record>"), dict(answer.headers)))
        return found


async def twins(house: House, labels: Sequence[str], which: Sequence[int], born: str = "1970-05-17") -> Twins:
    operator, hospital = house.operator(), house.depositor()
    commons = []
    for body in ({"resourceType": "Organization", "name": "CHU"}, {"resourceType": "PractitionerRole"}):
        commons.append((await operator.post(body["resourceType"], body)).json()["id"])
    made = [await house.open_record(birthDate=born) for _ in range(2)]
    for record in made:
        await house.represent(record, account_of("mum"))
        await house.represent(record, account_of("dad"), "consult")
    for n, body in enumerate(secrets(made[0], (commons[0], commons[1]))):
        if n in which:
            answer = await hospital.post(body["resourceType"], labelled(body, labels))
            assert answer.status_code == 201, answer.text
    return Twins(house, *made)


async def alike(twins: Twins, with_: Caller, without: Caller) -> bool:
    return await twins.asked(twins.known, with_) == await twins.asked(twins.blank, without)


@pytest.mark.parametrize("secret", SECRETS)
async def test_each_secret_changes_what_is_advised_to_who_sees_it(house: House, secret: int) -> None:
    """What the tests below hide would show."""
    found = await twins(house, (), [secret])
    assert not await alike(found, house.citizen(found.known), house.citizen(found.blank))
    for record in (found.known, found.blank):
        await house.relate(record, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    assert await alike(found, doctor, doctor) is (secret in UNSEEN)
    assert not await alike(found, delegate(house, found.known), delegate(house, found.blank))


async def test_what_is_masked_changes_nothing_for_a_professional(house: House) -> None:
    found = await twins(house, [MASKED], SECRETS)
    for record in (found.known, found.blank):
        await house.relate(record, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    assert await alike(found, doctor, doctor)
    assert not await alike(found, house.citizen(found.known), house.citizen(found.blank))


async def test_a_mask_of_types_changes_as_much(house: House) -> None:
    found = await twins(house, (), [0, 1])
    for record in (found.known, found.blank):
        await house.lend(record, Terms(Right.MASK, permits=False, kinds=("Immunization", "Procedure")))
        await house.relate(record, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    assert await alike(found, doctor, doctor)
    assert not await alike(found, house.citizen(found.known), house.citizen(found.blank))


async def test_what_is_kept_from_representatives_changes_nothing_for_them(house: House) -> None:
    """A minor's confidential care."""
    found = await twins(house, [FROM_PROXIES], SECRETS, born="2011-05-17")
    for name in ("mum", "dad"):
        with_, without = (delegate(house, record, name=name) for record in (found.known, found.blank))
        assert (await with_.get(f"Patient/{found.known}/$prevention")).status_code == 200
        assert await alike(found, with_, without)
    assert not await alike(found, house.citizen(found.known), house.citizen(found.blank))


async def test_what_is_to_be_announced_changes_nothing_for_the_person(house: House) -> None:
    found = await twins(house, [HIDDEN], SECRETS)
    assert await alike(found, house.citizen(found.known), house.citizen(found.blank))
    assert await alike(found, delegate(house, found.known), delegate(house, found.blank))
    for record in (found.known, found.blank):
        await house.relate(record, DOCTOR.id)
    doctor = as_professional(house, DOCTOR)
    assert not await alike(found, doctor, doctor)


async def test_a_narrowed_lease_shows_no_more(house: House) -> None:
    found = await twins(house, (), SECRETS)
    for record in (found.known, found.blank):
        await house.lend(record, Terms(Right.CODE_LEASE, Actor(PROFESSIONALS, DOCTOR.id), kinds=("Encounter",)))
    doctor = as_professional(house, DOCTOR)
    assert (await doctor.get(f"Patient/{found.known}/$prevention")).status_code == 200
    assert await alike(found, doctor, doctor)


async def test_a_blocked_professional_is_told_what_a_stranger_is(house: House) -> None:
    found = await twins(house, (), SECRETS)
    for record in (found.known, found.blank):
        await house.relate(record, DOCTOR.id)
        await house.lend(record, Terms(Right.BLOCK, Actor(PROFESSIONALS, DOCTOR.id), permits=False))
    doctor, stranger = as_professional(house, DOCTOR), as_professional(house, professional("810702"))
    assert await alike(found, doctor, doctor)
    assert await found.asked(found.known, doctor) == await found.asked(found.known, stranger)
    nowhere = f"{found.known[:4]}{'0' * (len(found.known) - 4)}"
    assert await found.asked(nowhere, stranger) == await found.asked(found.known, doctor)


async def test_what_the_scopes_leave_out_changes_nothing(house: House) -> None:
    found = await twins(house, (), SECRETS)
    few = ("patient/Patient.rs", "patient/Encounter.rs")
    assert await alike(found, house.citizen(found.known, few), house.citizen(found.blank, few))


async def test_what_was_deleted_or_is_anothers_changes_nothing(house: House) -> None:
    found = await twins(house, (), [])
    app = house.citizen(found.known)
    body = {"name": "rule", "valueCode": BREAST}, {"name": "said", "valueCode": "declined"}
    said = {"resourceType": "Parameters", "parameter": list(body)}
    made = (await app.post(f"Patient/{found.known}/$answer-prevention", said)).json()
    assert not await alike(found, app, house.citizen(found.blank))
    await app.delete(f"Task/{made['id']}")
    assert await alike(found, app, house.citizen(found.blank))
