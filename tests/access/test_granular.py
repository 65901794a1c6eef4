"""SMART granular scopes over HTTP: what is of another category is not there, and nothing is written out of reach."""

from typing import Any

import pytest

from phr import codes
from tests.access.city import LOINC, delegate, document, professional, results
from tests.access.worlds import HL7
from tests.house import INS_SYSTEM, Caller, House, account_of, observation

Json = dict[str, Any]
VITAL = f"category={HL7}|vital-signs"
LABORATORY = f"category={HL7}|laboratory"


async def made(caller: Caller, body: Json) -> str:
    answer = await caller.post(body["resourceType"], body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_another_category_is_as_absent(house: House) -> None:
    """SMART App Launch 2.2 §3.0.2: a scope gives what its search parameters match. The 404 is the same to the byte."""
    record = await house.open_record()
    app = house.citizen(record, (f"patient/Observation.rs?{VITAL}",))
    shown, hidden = [await made(house.depositor(), one(record)) for one in (observation, results)]
    assert (await app.get(f"Observation/{shown}")).status_code == 200
    assert (await app.get(f"Observation/{shown}/_history/1")).status_code == 200
    never = f"{record[:3]}-{'0' * 32}"
    for path in ("Observation/{}", "Observation/{}/_history", "Observation/{}/_history/1"):
        one, other = await app.get(path.format(hidden)), await app.get(path.format(never))
        assert (one.status_code, one.content, one.headers) == (404, other.content, other.headers)
    for asked in ("_total=accurate", "_summary=count", "_total=accurate&_count=0"):
        assert (await app.get(f"Observation?{asked}")).json()["total"] == 1
        assert (await app.get(f"Observation?{LABORATORY}&{asked}")).json()["total"] == 0
    for path in ("Observation", "Observation/_history", "Observation?_include=*", f"Observation?_id={hidden},{shown}"):
        text = (await app.get(path)).text
        assert [f"/fhir/Observation/{one}" in text for one in (shown, hidden)] == [True, False], path


async def test_what_a_scope_leaves_out_joins_nothing(house: House) -> None:
    record = await house.open_record()
    hospital = house.depositor()
    vital, laboratory = [await made(hospital, one(record)) for one in (observation, results)]
    member = observation(record, hasMember=[{"reference": f"Observation/{laboratory}"}])
    pointing = await made(hospital, member)
    app = house.citizen(record, (f"patient/Observation.rs?{VITAL}",))
    brought = (await app.get(f"Observation?_id={pointing}&_include=Observation:has-member")).text
    assert (pointing in brought, f"fhir/Observation/{laboratory}" in brought) == (True, False)
    for path in (
        "Observation?has-member:Observation.status=final&_total=accurate",
        f"Observation?_has:Observation:has-member:status=final&_id={laboratory}&_total=accurate",
        f"Observation?_id={laboratory}&_revinclude=Observation:has-member&_total=accurate",
    ):
        assert (await app.get(path)).json()["total"] == 0, path
    app = house.citizen(record, (f"patient/Observation.r?{VITAL}", "patient/Patient.r"))
    text = (await app.get(f"Patient/{record}/$everything")).text
    assert vital in text
    assert f"fhir/Observation/{laboratory}" not in text


@pytest.mark.parametrize("through", ["POST", "PUT", "PATCH", "transaction", "conditional"])
async def test_nothing_is_written_out_of_its_reach(house: House, through: str) -> None:
    """What stands after the write is of the scope too, whichever way it is written."""
    record = await house.open_record()
    app = house.citizen(record, (f"patient/Observation.cruds?{VITAL}",))
    own = await made(app, observation(record))
    entry = {"request": {"method": "POST", "url": "Observation"}, "resource": results(record)}
    answer = await {
        "POST": lambda: app.post("Observation", results(record)),
        "PUT": lambda: app.put(f"Observation/{own}", {**results(record), "id": own}),
        "PATCH": lambda: app.patch(
            f"Observation/{own}", [{"op": "replace", "path": "/category/0/coding/0/code", "value": "laboratory"}]
        ),
        "transaction": lambda: app.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}),
        "conditional": lambda: app.put("Observation?identifier=urn:x|1", results(record)),
    }[through]()
    assert answer.status_code == 403, answer.text
    assert "sight" in answer.json()["issue"][0]["diagnostics"]
    whole = house.citizen(record)
    assert (await whole.get(f"Observation?{LABORATORY}&_total=accurate")).json()["total"] == 0
    assert (await whole.get(f"Observation/{own}")).json()["meta"]["versionId"] == "1"
    assert (await app.put(f"Observation/{own}", {**observation(record, status="amended"), "id": own})).is_success
    assert (await app.delete(f"Observation/{own}")).status_code == 204


async def test_what_is_out_of_reach_is_neither_changed_nor_deleted(house: House) -> None:
    record = await house.open_record()
    out = await made(house.citizen(record), results(record))
    app = house.citizen(record, (f"patient/Observation.cruds?{VITAL}",))
    never = f"{record[:3]}-{'0' * 32}"
    patch = [{"op": "replace", "path": "/category/0/coding/0/code", "value": "vital-signs"}]
    for one, status in ((out, (405, 404, 404)), (never, (405, 404, 404))):
        body = {**observation(record), "id": one}
        answers = [await app.put(f"Observation/{one}", body), await app.patch(f"Observation/{one}", patch)]
        answers.append(await app.delete(f"Observation/{one}"))
        assert tuple(answer.status_code for answer in answers) == status
    reading = house.citizen(record, ("patient/Observation.rs", f"patient/Observation.u?{VITAL}"))
    assert (await reading.get(f"Observation/{out}")).status_code == 200
    assert (await reading.patch(f"Observation/{out}", patch)).status_code == 404


async def test_a_verb_alone_is_given_by_its_own_scope(house: House) -> None:
    record = await house.open_record()
    app = house.citizen(record, (f"patient/Observation.c?{VITAL}", f"patient/Observation.r?{LABORATORY}"))
    own = await made(app, observation(record))
    other = await made(house.depositor(), results(record))
    assert (await app.get(f"Observation/{own}")).status_code == 404
    assert (await app.get(f"Observation/{other}")).status_code == 200
    assert (await app.get("Observation")).status_code == 403


async def test_a_document_of_a_type_says_nothing_of_its_content(house: House) -> None:
    record = await house.open_record()
    operator = house.operator()
    org = await made(operator, {"resourceType": "Organization", "name": "CHU"})
    role = await made(operator, {"resourceType": "PractitionerRole"})
    answer = await house.depositor().post("DocumentReference", document(record, org, role, "content", {}))
    assert answer.status_code == 201, answer.text
    url = answer.json()["content"][0]["attachment"]["url"]
    typed = f"patient/DocumentReference.rs?type={LOINC}|11502-2"
    app = house.citizen(record, (typed,))
    assert (await app.get(f"DocumentReference/{answer.json()['id']}")).status_code == 200
    assert (await app.get(url)).status_code == 403
    assert (await house.citizen(record, (typed, "patient/Binary.r")).get(url)).status_code == 200
    other = house.citizen(record, (f"patient/DocumentReference.rs?type={LOINC}|34112-3",))
    assert (await other.get(f"DocumentReference/{answer.json()['id']}")).status_code == 404


async def test_the_first_versions_spelling_opens_the_same(house: House) -> None:
    record = await house.open_record()
    one = await made(house.depositor(), observation(record))
    reading, writing = (house.citizen(record, (f"patient/Observation.{verb}",)) for verb in ("read", "write"))
    assert (await reading.get(f"Observation/{one}")).status_code == 200
    assert (await reading.get("Observation")).status_code == 200
    assert (await reading.post("Observation", observation(record))).status_code == 403
    assert (await writing.post("Observation", observation(record))).status_code == 201
    assert (await writing.get(f"Observation/{one}")).status_code == 403
    assert (await house.citizen(record, ("patient/*.*",)).get(f"Observation/{one}")).status_code == 200


async def test_the_commons_are_narrowed_by_their_own_values(house: House) -> None:
    operator = house.operator()
    lou, max_ = [
        await made(operator, {"resourceType": "Practitioner", "identifier": [{"system": "urn:x", "value": value}]})
        for value in "12"
    ]
    caller = house.depositor("hospital", ("system/Practitioner.rs?identifier=urn:x|1",))
    assert (await caller.get(f"Practitioner/{lou}")).status_code == 200
    assert (await caller.get(f"Practitioner/{max_}")).status_code == 404
    assert (await caller.get("Practitioner?_total=accurate")).json()["total"] == 1


async def test_looking_people_up_needs_a_whole_scope(house: House) -> None:
    """It answers from no row, so a query would be ignored; a professional looks a person up as software does."""
    ins = house.new_ins()
    record = await house.open_record(ins)
    asked = f"Patient?identifier={INS_SYSTEM}|{ins}"
    for scope, status in (("system/Patient.s?active=true", 403), ("system/Patient.rs", 200)):
        assert (await house.depositor("hospital", (scope,)).get(asked)).status_code == status
    answer = await professional(house).get(asked)
    assert (answer.status_code, answer.json()["entry"][0]["resource"]["id"]) == (200, record)


async def test_a_launch_context_is_one_record(house: House) -> None:
    ada, bob = await house.open_record(), await house.open_record()
    doctor = professional(house)
    own = {name: await made(doctor, observation(name)) for name in (ada, bob)}
    launched = professional(house, ada, ("patient/*.cruds",))
    assert (await launched.get(f"Observation/{own[ada]}")).status_code == 200
    assert (await launched.get(f"Observation/{own[bob]}")).status_code == 404
    assert (await launched.get(f"Observation?patient={bob}&_total=accurate")).json()["total"] == 0
    assert (await launched.post("Observation", observation(bob))).status_code == 403
    assert (await launched.post("Observation", observation(ada))).status_code == 201
    assert (await professional(house, None, ("patient/*.cruds",)).get(f"Observation/{own[ada]}")).status_code == 403
    assert (await professional(house, None, ("system/*.cruds",)).get(f"Observation/{own[ada]}")).status_code == 403


async def test_a_parent_acts_in_the_childs_record(house: House) -> None:
    """A legal representative writes, masks and unmasks for the child, and never sees what is kept from them."""
    record, bob = await house.open_record(), await house.open_record()
    await house.represent(record, account_of("mum"))
    mum, hospital = delegate(house, record), house.depositor()
    own = await made(mum, observation(record))
    assert (await mum.put(f"Observation/{own}", {**observation(record, status="amended"), "id": own})).is_success
    theirs, others = await made(hospital, observation(record)), await made(hospital, observation(bob))
    label = {"system": codes.VISIBILITY}
    for code, status in (("MASQUE_PS", 200), ("INVISIBLE_REPRESENTANTS_LEGAUX", 403)):
        body = {**observation(record), "id": theirs, "meta": {"security": [{**label, "code": code}]}}
        assert (await mum.put(f"Observation/{theirs}", body)).status_code == status, code
    assert (await mum.put(f"Observation/{theirs}", {**observation(record), "id": theirs})).status_code == 200
    changed = {**observation(record, status="amended"), "id": theirs}
    assert (await mum.put(f"Observation/{theirs}", changed)).status_code == 403
    assert (await mum.get(f"Observation/{others}")).status_code == 404
    kept = {**observation(record), "meta": {"security": [{**label, "code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}
    secret = await made(hospital, kept)
    assert (await house.citizen(record).get(f"Observation/{secret}")).status_code == 200
    assert (await mum.get(f"Observation/{secret}")).status_code == 404
    assert (await mum.get("Observation?_total=accurate")).json()["total"] == 2


async def test_what_an_assistant_deposits_is_the_professionals(house: House) -> None:
    record = await house.open_record()
    made_by_assistant = await made(professional(house, helped=True), observation(record))
    body = {**observation(record, status="amended"), "id": made_by_assistant}
    assert (await professional(house).put(f"Observation/{made_by_assistant}", body)).status_code == 200
    assert (await house.depositor("software").get(f"Observation/{made_by_assistant}")).status_code == 404
