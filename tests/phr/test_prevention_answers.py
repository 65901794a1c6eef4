"""Answering a recommendation over HTTP: who may say what, what it changes, and how it is taken back."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fhir.validation import validate
from phr import codes
from phr.access.consent import PROFESSIONALS
from phr.prevention.canonical import ANSWER, FACT, LOINC, plan_of
from phr.prevention.rulebook import RULES
from tests.access.city import as_professional, delegate
from tests.access.test_chain import entries
from tests.access.worlds import professional
from tests.agenda.diary import remind
from tests.house import Caller, House, account_of
from tests.phr.test_prevention import BREAST, details, no_risk, parts, plan, post

Json = dict[str, Any]
DOCTOR, PHARMACIST = professional("810601"), professional("810602", "21")
NURSE, PHYSIO = professional("810603", "60"), professional("810604", "70")
RISK, PREGNANCY = "breast-high-risk", "pregnancy-start"
KINDS = {"on": "Date", "until": "Date", "rule": "Code", "said": "Code", "fact": "Code", "reason": "String"}


@pytest.fixture(autouse=True)
def clock(house: House) -> None:
    """A day on which what is expected is known."""
    house.parts.server.clock = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
async def record(house: House) -> str:
    """A woman of 52 for whom a mammography is overdue."""
    made = await house.open_record(birthDate="1974-05-17")
    await post(house.depositor(), no_risk(made, "2026-01-01"))
    return made


async def say(caller: Caller, record: str, **said: Any) -> httpx.Response:
    listed = [
        {"name": name, f"value{'Boolean' if isinstance(value, bool) else KINDS[name]}": value}
        for name, value in said.items()
    ]
    body = {"resourceType": "Parameters", "parameter": listed}
    return await caller.post(f"Patient/{record}/$answer-prevention", body)


async def told(caller: Caller, record: str, **said: Any) -> Json:
    answer = await say(caller, record, **said)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    assert answer.headers["location"].endswith(f"{made['resourceType']}/{made['id']}/_history/1")
    return made


async def stand(caller: Caller, record: str, rule: str = BREAST) -> tuple[str, str]:
    """The status of a rule and the clause that decides."""
    found = parts(details(await plan(caller, record))[rule])
    return found["status"][0], found["clause"][0]


async def spoken(caller: Caller, record: str, query: str = "") -> list[Json]:
    """What the plan tells was said of a rule, oldest first."""
    found = parts(details(await plan(caller, record, query))[BREAST]).get("said", ())
    return [
        {part["url"]: value for part in one for name, value in part.items() if name.startswith("value")}
        for one in found
    ]


async def treating(house: House, record: str) -> Caller:
    await house.relate(record, DOCTOR.id)
    return as_professional(house, DOCTOR)


async def test_a_person_declines_and_takes_it_back(house: House, record: str) -> None:
    app = house.citizen(record)
    assert await stand(app, record) == ("overdue", "overdue")
    made = await told(app, record, rule=BREAST, said="declined", reason="Pas maintenant")
    assert validate("Task", made) == ()
    assert made["instantiatesCanonical"] == plan_of(BREAST)
    assert made["businessStatus"] == {"coding": [{"system": ANSWER, "code": "declined"}]}
    assert (made["status"], made["intent"]) == ("rejected", "proposal")
    assert made["for"] == made["requester"] == {"reference": f"Patient/{record}"}
    assert made["executionPeriod"] == {"start": "2026-11-22"}
    assert made["statusReason"] == {"text": "Pas maintenant"}
    assert made["authoredOn"].startswith("2026-11-22T09:00")
    assert await stand(app, record) == ("not-concerned", "declined")
    assert (await app.delete(f"Task/{made['id']}")).status_code == 204
    assert await stand(app, record) == ("overdue", "overdue")


async def test_the_newest_answer_stands(house: House, record: str) -> None:
    app = house.citizen(record)
    await told(app, record, rule=BREAST, said="declined")
    await told(app, record, rule=BREAST, said="not-concerned")
    assert await stand(app, record) == ("not-concerned", "said-not-concerned")
    later = await told(app, record, rule=BREAST, said="later", until="2027-02-01")
    assert later["executionPeriod"] == {"start": "2026-11-22", "end": "2027-01-31"}
    assert await stand(app, record) == ("soon", "later")
    assert details(await plan(app, record))[BREAST]["status"] == "on-hold"
    assert parts(details(await plan(app, record))[BREAST])["until"] == ["2027-02-01"]
    assert (await plan(app, record, "?on=2027-02-01"))["created"] == "2027-02-01"
    ended = parts(details(await plan(app, record, "?on=2027-02-01"))[BREAST])
    assert ended["status"] == ["overdue"]
    done = await told(app, record, rule=BREAST, said="done", on="2026-06-01")
    assert done["status"] == "completed"
    assert await stand(app, record) == ("done", "declared")
    event = parts(details(await plan(app, record))[BREAST])["event"]
    assert event == [[{"url": "on", "valueDate": "2026-06-01"}, {"url": "declared", "valueBoolean": True}]]


async def test_a_professional_says_why(house: House, record: str) -> None:
    doctor = await treating(house, record)
    refused = await say(doctor, record, rule=BREAST, said="contraindicated")
    assert refused.status_code == 422
    made = await told(doctor, record, rule=BREAST, said="contraindicated", reason="Surveillance spécialisée")
    assert made["requester"]["identifier"] == {"system": PROFESSIONALS, "value": DOCTOR.id}
    assert made["statusReason"]["text"] == "Surveillance spécialisée"
    for caller in (doctor, house.citizen(record)):
        assert await stand(caller, record) == ("not-concerned", "contraindicated")
    assert (await doctor.delete(f"Task/{made['id']}")).status_code == 204
    young = await house.open_record(birthDate="1990-01-01")
    await told(await treating(house, young), young, rule=BREAST, said="indicated", reason="Antécédents")
    assert await stand(house.citizen(young), young) == ("due", "indicated")


async def test_who_treats_sees_what_was_said_before_them(house: House, record: str) -> None:
    """A pharmacist who did not know what the physician contraindicated would vaccinate."""
    doctor, app = await treating(house, record), house.citizen(record)
    await told(doctor, record, rule=BREAST, said="contraindicated", reason="Surveillance spécialisée")
    kept = await remind(app, record, at="2026-12-01T09:00:00+01:00")
    seen: dict[str, tuple[str, str]] = {}
    for other in (PHARMACIST, NURSE, PHYSIO):
        await house.relate(record, other.id)
        caller = as_professional(house, other)
        listed = (await caller.get(f"Task?patient={record}&_total=accurate")).json()
        assert listed["total"] == (0 if other is PHYSIO else 1)
        assert (await caller.get(f"Task/{kept['id']}")).status_code == 404
        seen[other.profession] = await stand(caller, record)
    assert seen["21"] == seen["60"] == ("not-concerned", "contraindicated")
    assert seen["70"][1] != "contraindicated"
    await told(app, record, rule=BREAST, said="declined")
    assert (await stand(as_professional(house, PHARMACIST), record))[1] == "declined"
    mask = {"resourceType": "Parameters", "parameter": [{"name": "section", "valueString": "prevention"}]}
    assert (await app.post(f"Patient/{record}/$mask", mask)).status_code == 200
    assert await stand(as_professional(house, PHARMACIST), record) == seen["70"]
    assert (await stand(app, record))[1] == "declined"


async def test_each_says_what_is_theirs_to_say(house: House, record: str) -> None:
    doctor, app = await treating(house, record), house.citizen(record)
    for word in ("done", "not-concerned", "declined"):
        assert (await say(doctor, record, rule=BREAST, said=word)).status_code == 403
    assert (await say(doctor, record, rule=BREAST, said="later", until="2027-02-01")).status_code == 403
    for word in ("contraindicated", "indicated"):
        assert (await say(app, record, rule=BREAST, said=word, reason="x")).status_code == 403
        assert (await say(house.depositor(), record, rule=BREAST, said=word, reason="x")).status_code == 403
    assert (await say(house.depositor(), record, fact=RISK, value=True)).status_code == 403
    assert await stand(app, record) == ("overdue", "overdue")


async def test_words_are_not_forged_by_plain_writes(house: House, record: str) -> None:
    """A Task the person writes under a professional's word is not believed; nor a professional's under the person's."""
    doctor, app = await treating(house, record), house.citizen(record)
    warned = await told(doctor, record, rule=BREAST, said="contraindicated", reason="x")
    forged = {name: value for name, value in warned.items() if name not in ("id", "meta")}
    assert (await doctor.delete(f"Task/{warned['id']}")).status_code == 204
    await post(app, forged)
    assert await stand(app, record) == ("overdue", "overdue")
    refused = {**forged, "businessStatus": {"coding": [{"system": ANSWER, "code": "declined"}]}}
    tag = (await told(app, record, rule=BREAST, said="later", until="2026-11-23"))["meta"]["tag"]
    await post(doctor, {**refused, "meta": {"tag": tag}})
    assert (await stand(app, record))[1] == "later"


async def test_who_acts_for_the_person_speaks_for_them(house: House, record: str) -> None:
    await house.represent(record, account_of("mum"))
    await house.represent(record, account_of("dad"), "consult", "prescriptions", "documents")
    await house.represent(record, account_of("aunt"), "consult", "message")
    for name in ("mum", "dad"):
        caller = delegate(house, record, name=name)
        made = await told(caller, record, rule=BREAST, said="declined")
        assert made["requester"]["type"] == "RelatedPerson"
        assert "reference" not in made["requester"]
        assert "identifier" not in made["requester"]
        assert (await spoken(house.citizen(record), record))[-1]["by"] == "delegate"
        assert await stand(house.citizen(record), record) == ("not-concerned", "declined")
        assert (await caller.delete(f"Task/{made['id']}")).status_code == 204
    aunt = delegate(house, record, name="aunt")
    assert (await say(aunt, record, rule=BREAST, said="declined")).status_code == 403
    assert (await say(aunt, record, fact=RISK, value=True)).status_code == 403


async def test_the_plan_tells_what_was_said_and_by_whom(house: House, record: str) -> None:
    doctor, app = await treating(house, record), house.citizen(record)
    assert await spoken(app, record) == []
    await told(doctor, record, rule=BREAST, said="contraindicated", reason="Surveillance spécialisée")
    theirs = {
        "word": "contraindicated",
        "on": "2026-11-22",
        "by": "professional",
        "name": f"{DOCTOR.given} {DOCTOR.family}",
        "reason": "Surveillance spécialisée",
    }
    assert await spoken(app, record) == await spoken(doctor, record) == [theirs]
    await told(app, record, rule=BREAST, said="done", on="2026-06-01")
    await told(app, record, rule=BREAST, said="declined")
    await told(app, record, rule=BREAST, said="later", until="2027-02-01", reason="Pas maintenant")
    did, later = {"word": "done", "on": "2026-06-01", "by": "person"}, {"word": "later", "on": "2026-11-22"}
    later |= {"until": "2027-02-01", "by": "person", "reason": "Pas maintenant"}
    assert await spoken(app, record) == [did, theirs, later]
    assert await spoken(app, record, "?on=2027-02-01") == [did, theirs]
    assert await spoken(app, record, "?on=2026-06-01") == [did]
    assert validate("CarePlan", await plan(app, record)) == ()
    colleague = professional("810602")
    await house.relate(record, colleague.id)
    for caller in (doctor, as_professional(house, colleague)):
        assert await spoken(caller, record) == [did, theirs, later]


@pytest.mark.parametrize("said", [{"rule": BREAST, "said": "done"}, {"fact": RISK, "value": True}])
async def test_nothing_was_before_the_birth(house: House, record: str, said: Json) -> None:
    app = house.citizen(record)
    refused = await say(app, record, **said, on="1974-05-16")
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (422, "invalid")
    assert "'on'" in refused.json()["issue"][0]["expression"][0]
    await told(app, record, **said, on="1974-05-17")


async def test_who_sees_nothing_says_nothing(house: House, record: str) -> None:
    other = await house.open_record()
    stranger = as_professional(house, DOCTOR)
    absent = None
    for caller in (house.citizen(other), stranger):
        said = {"said": "declined"} if caller is not stranger else {"said": "contraindicated", "reason": "x"}
        answer = await say(caller, record, rule=BREAST, **said)
        absent = absent or answer.json()
        assert (answer.status_code, answer.json()) == (404, absent)
    nowhere = await say(house.citizen(record, client="app"), "0" * 3 + record[3:], rule=BREAST, said="declined")
    assert (nowhere.status_code, nowhere.json()) == (404, absent)


async def test_a_confidential_visit_stays_so(house: House, record: str) -> None:
    """What a professional says in a connexion secrète is kept from who represents the person."""
    await house.represent(record, account_of("mum"))
    doctor = await treating(house, record)
    headers = {"Content-Type": "application/fhir+json", "Carnet-Confidentiality": "INVISIBLE_REPRESENTANTS_LEGAUX"}
    listed = [("rule", "Code", BREAST), ("said", "Code", "contraindicated"), ("reason", "String", "x")]
    body = {"resourceType": "Parameters", "parameter": [{"name": n, f"value{k}": v} for n, k, v in listed]}
    answer = await doctor.ask("POST", f"Patient/{record}/$answer-prevention", headers, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["meta"]["security"][0]["code"] == "INVISIBLE_REPRESENTANTS_LEGAUX"
    assert answer.json()["meta"]["security"][0]["system"] == codes.VISIBILITY
    assert await stand(house.citizen(record), record) == ("not-concerned", "contraindicated")
    assert await stand(delegate(house, record), record) == ("overdue", "overdue")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"rule": "nothing", "said": "declined"},
        {"rule": BREAST},
        {"rule": BREAST, "said": "nothing"},
        {"rule": BREAST, "said": "later"},
        {"rule": BREAST, "said": "later", "until": "2026-11-22"},
        {"rule": BREAST, "said": "declined", "until": "2026-11-01"},
        {"rule": BREAST, "said": "declined", "on": "2026-11-23"},
        {"rule": BREAST, "said": "done", "on": "2026-11-23"},
        {"rule": BREAST, "said": "done", "until": "2027-01-01"},
        {"rule": BREAST, "said": "done", "on": "yesterday"},
        {"rule": BREAST, "said": "declined", "reason": "x" * 1001},
        {"rule": BREAST, "said": "declined", "fact": RISK},
        {"rule": BREAST, "said": "declined", "value": True},
        {"fact": "nothing", "value": True},
        {"fact": RISK},
        {"fact": RISK, "value": True, "on": "2026-11-23"},
        {"fact": RISK, "value": True, "until": "2026-11-22"},
        {"fact": "born", "on": "1974-05-17"},
        {"fact": "sex", "value": True},
        {"fact": PREGNANCY},
        {"fact": PREGNANCY, "on": "2026-03-01", "value": True},
        {"fact": PREGNANCY, "on": "2025-11-22"},
        {"fact": PREGNANCY, "on": "2026-11-23"},
    ],
)
async def test_what_cannot_be_said_is_refused(house: House, record: str, said: Json) -> None:
    answer = await say(house.citizen(record), record, **said)
    assert answer.status_code == 422, answer.text
    assert (await house.citizen(record).get("Task")).json().get("entry") is None


async def test_a_fact_answered_is_asked_no_more(house: House) -> None:
    record = await house.open_record(birthDate="1974-05-17")
    app = house.citizen(record)
    assert await stand(app, record) == ("ask", "ask")
    made = await told(app, record, fact=RISK, value=False, on="2026-11-01")
    assert validate("Observation", made) == ()
    assert made["code"]["coding"] == [{"system": FACT, "code": RISK}]
    assert (made["status"], made["valueBoolean"], made["effectiveDateTime"]) == ("final", False, "2026-11-01")
    assert await stand(app, record) == ("overdue", "overdue")
    until = await told(app, record, fact=RISK, value=True, until="2027-01-01")
    assert until["effectivePeriod"] == {"start": "2026-11-22", "end": "2026-12-31"}
    assert await stand(app, record) == ("not-concerned", "excluded")
    assert parts(details(await plan(app, record, "?on=2027-01-01"))[BREAST])["status"] == ["ask"]


async def test_a_pregnancy_is_told_by_its_first_day(house: House) -> None:
    record = await house.open_record(birthDate="1995-05-17")
    app = house.citizen(record)
    rules = [rule.id for rule in RULES.all if rule.versions[0].who.pregnancy is not None]
    assert rules
    asked = {rule: parts(details(await plan(app, record))[rule]) for rule in rules}
    assert any(one.get("missing") for one in asked.values())
    await told(app, record, fact="pregnant", value=True)
    asked = {rule: parts(details(await plan(app, record))[rule]) for rule in rules}
    assert {"fact": "pregnancy-start"} in [
        {part["url"]: part.get("valueCode") for part in missing if part["url"] == "fact"}
        for one in asked.values()
        for missing in one.get("missing", ())
    ]
    made = await told(app, record, fact=PREGNANCY, on="2026-06-01")
    assert validate("Observation", made) == ()
    assert {"system": LOINC, "code": "8665-2"} in made["code"]["coding"]
    assert made["valueDateTime"] == "2026-06-01"
    asked = {rule: parts(details(await plan(app, record))[rule]) for rule in rules}
    assert all("pregnancy-start" not in str(one.get("missing")) for one in asked.values())


async def test_it_is_written_in_the_journal(house: House, record: str) -> None:
    before = len(entries(house, record))
    made = await told(house.citizen(record), record, rule=BREAST, said="declined")
    [entry] = entries(house, record)[before:]
    assert (entry.tag, list(entry.resources)) == ("create", [f"Task/{made['id']}"])


async def test_scopes_are_needed(house: House, record: str) -> None:
    few = house.citizen(record, ("patient/*.rs", "patient/Observation.c"))
    assert (await say(few, record, rule=BREAST, said="declined")).status_code == 403
    assert (await say(few, record, fact=RISK, value=True)).status_code == 201
