"""Batches and transactions over HTTP: all or nothing, or each on its own; links between entries; what is answered."""

import base64
import json
from typing import Any

import pytest

from fhir.validation import validate
from tests.house import Caller, House, observation
from tests.phr.api.asking import NEVER, created, identified, refused

Json = dict[str, Any]
URN = "urn:uuid:5b0f1d5e-0d6c-4b39-a3b1-00000000000{}"


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


@pytest.fixture
def app(house: House, record: str) -> Caller:
    return house.citizen(record)


def entry(method: str, url: str, resource: Json | None = None, full_url: str | None = None, **request: Any) -> Json:
    found: Json = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        found["resource"] = resource
    if full_url is not None:
        found["fullUrl"] = full_url
    return found


def bundle(*entries: Json, kind: str = "transaction") -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def patching(*operations: Json) -> Json:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


async def count(app: Caller, kind: str = "Observation") -> int:
    return int((await app.get(f"{kind}?_summary=count")).json()["total"])


async def test_a_transaction_does_everything_in_order_and_answers_in_the_order_asked(app: Caller, record: str) -> None:
    old, gone = await created(app, observation(record)), await created(app, observation(record))
    status = {"op": "replace", "path": "/status", "value": "amended"}
    sent = bundle(
        entry("PATCH", f"Observation/{old['id']}", patching(status), ifMatch='W/"1"'),
        entry("POST", "Observation", observation(record), URN.format(1)),
        entry("DELETE", f"Observation/{gone['id']}"),
        entry("PUT", "Observation?identifier=urn:example:scale|w-9", identified(record, "w-9")),
    )
    answer = await app.post("", sent)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["type"] == "transaction-response"
    assert validate("Bundle", body) == ()
    patched, posted, deleted, put = (one["response"] for one in body["entry"])
    assert [one["status"] for one in (patched, posted, deleted, put)] == ["200", "201", "204", "201"]
    assert (patched["etag"], posted["etag"], deleted["etag"]) == ('W/"2"', 'W/"1"', 'W/"2"')
    assert posted["location"] == body["entry"][1]["fullUrl"] + "/_history/1"
    assert posted["lastModified"].endswith("+00:00")
    assert "resource" not in body["entry"][1]
    assert await count(app) == 3
    assert (await app.post("", bundle())).json() == {"resourceType": "Bundle", "type": "transaction-response"}
    again = await app.ask("POST", "/", {"Content-Type": "application/fhir+json"}, json=bundle())
    assert again.status_code in (200, 307)


async def test_prefer_says_what_a_transaction_answers(app: Caller, record: str) -> None:
    sent = bundle(entry("POST", "Observation", observation(record)))
    whole = (await app.post("", sent, Prefer="return=representation")).json()["entry"][0]
    assert whole["resource"]["id"] == whole["fullUrl"].rpartition("/")[2]
    told = (await app.post("", sent, Prefer="return=OperationOutcome")).json()["entry"][0]
    assert told["response"]["outcome"]["resourceType"] == "OperationOutcome"


async def test_links_between_entries_are_rewritten_wherever_they_stand(app: Caller, record: str) -> None:
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB", "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode"},
        "subject": {"reference": f"Patient/{record}"},
    }
    urn = URN.format(1)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{urn}">visite</a></div>'
    pointing = observation(
        record,
        encounter={"reference": urn},
        identifier=[{"system": "urn:ietf:rfc:3986", "value": urn}],
        extension=[
            {"url": "http://example.org/r", "valueReference": {"reference": urn}},
            {"url": "http://example.org/u", "valueUri": urn},
        ],
        contained=[{"resourceType": "Condition", "id": "c", "subject": {"reference": f"Patient/{record}"},
                    "encounter": {"reference": urn}, "code": {"text": "toux"}}],
        focus=[{"reference": "#c"}],
        text={"status": "generated", "div": div},
        derivedFrom=[{"reference": "Observation/other"}],
    )  # fmt: skip
    other = "https://old.example/fhir/Observation/other"
    sent = bundle(
        entry("POST", "Observation", pointing, "https://old.example/fhir/Observation/one"),
        entry("POST", "Encounter", encounter, urn),
        entry("POST", "Observation", observation(record), other),
    )
    answer = await app.post("", sent, Prefer="return=representation")
    assert answer.status_code == 200, answer.text
    one, visit, third = (each["resource"] for each in answer.json()["entry"])
    there = f"Encounter/{visit['id']}"
    assert one["encounter"] == {"reference": there}
    assert one["extension"][0]["valueReference"] == {"reference": there}
    assert one["extension"][1]["valueUri"] == there
    assert one["contained"][0]["encounter"] == {"reference": there}
    assert f'href="{there}"' in one["text"]["div"]
    assert one["derivedFrom"] == [{"reference": f"Observation/{third['id']}"}]
    assert one["identifier"][0]["value"] == urn
    assert (await app.get(f"Observation?encounter={there}")).json()["entry"][0]["resource"]["id"] == one["id"]


async def test_a_document_keeps_its_binary(house: House, record: str) -> None:
    """The url of an attachment is a link too: what PDSm says of documents is tested elsewhere."""
    sent = bundle(
        entry("POST", "Communication", {
            "resourceType": "Communication", "status": "completed", "subject": {"reference": f"Patient/{record}"},
            "payload": [{"contentAttachment": {"url": URN.format(7), "contentType": "text/plain"}}],
        }),
        entry("POST", "Binary", {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVsbG8="},
              URN.format(7)),
    )  # fmt: skip
    answer = await house.citizen(record).post("", sent, Prefer="return=representation")
    assert answer.status_code == 200, answer.text
    message, binary = (each["resource"] for each in answer.json()["entry"])
    assert message["payload"][0]["contentAttachment"]["url"] == f"Binary/{binary['id']}"


async def test_references_by_condition_and_if_none_exist(house: House, app: Caller, record: str) -> None:
    doctor = {
        "resourceType": "Practitioner",
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "801234567890"}],
        "name": [{"family": "Curie"}],
    }
    made = (await house.operator().post("Practitioner", doctor)).json()
    by_condition = "Practitioner?identifier=urn:oid:1.2.250.1.71.4.2.1|801234567890"
    one = entry(
        "POST",
        "Observation",
        identified(record, performer=[{"reference": by_condition}]),
        ifNoneExist="identifier=urn:example:scale|w-1",
    )
    first = (await app.post("", bundle(one), Prefer="return=representation")).json()["entry"][0]
    assert first["resource"]["performer"] == [{"reference": f"Practitioner/{made['id']}"}]
    again = (await app.post("", bundle(one))).json()["entry"][0]
    assert (again["response"]["status"], again["fullUrl"]) == ("200", first["fullUrl"])
    lost = identified(record, performer=[{"reference": "Practitioner?identifier=nobody"}])
    issue = refused(await app.post("", bundle(entry("POST", "Observation", lost))), 422)
    assert issue["expression"][0].startswith("Bundle.entry[0]")
    assert "nobody" not in str(issue)


@pytest.mark.parametrize(
    ("method", "url", "more", "status"),
    [
        ("POST", "Observation", {"resource": {"resourceType": "Observation"}}, 422),
        ("POST", "Observation", {"resource": {"resourceType": "Goal"}}, 400),
        ("POST", "Observation", {}, 400),
        ("POST", "Observation/1", {"resource": {"resourceType": "Observation"}}, 400),
        ("POST", "Nonsense", {"resource": {"resourceType": "Nonsense"}}, 422),
        ("PUT", f"Observation/{NEVER}", {"resource": {"resourceType": "Observation", "status": "final"}}, 422),
        ("PUT", f"Observation/{NEVER}", {"resource": {"resourceType": "Observation", "id": "other"}}, 400),
        ("PUT", "Observation", {"resource": {"resourceType": "Observation"}}, 400),
        ("DELETE", f"Observation/{NEVER}", {}, 422),
        ("DELETE", "Observation", {}, 400),
        ("DELETE", "Observation/a\x00b", {}, 422),
        ("DELETE", "Observation?identifier=x&colour=y", {}, 400),
        ("PATCH", f"Observation/{NEVER}", {"resource": {"resourceType": "Binary", "data": "W10="}}, 422),
        ("PATCH", "Observation/1", {}, 400),
        ("GET", "Observation", {}, 400),
        ("HEAD", "Observation", {}, 400),
        ("POST", "AuditEvent", {"resource": {"resourceType": "AuditEvent"}}, 422),
        (5, "Observation", {}, 400),
        ("POST", None, {}, 400),
        ("POST", "Observation", {"fullUrl": [5], "resource": {"resourceType": "Observation"}}, 400),
    ],
)
async def test_one_entry_that_fails_undoes_all_and_is_named(
    app: Caller, record: str, method: Any, url: Any, more: Json, status: int
) -> None:
    failing = {"request": {"method": method, "url": url}, **more}
    sent = bundle(entry("POST", "Observation", observation(record)), failing)
    issue = refused(await app.post("", sent), status)
    assert issue["expression"][0].startswith("Bundle.entry[1]")
    assert await count(app) == 0


async def test_nothing_is_stored_when_the_last_of_many_fails(app: Caller, record: str) -> None:
    good = [entry("POST", "Observation", observation(record)) for _ in range(50)]
    bad = entry("POST", "Observation", observation(record, encounter={"reference": f"Encounter/{NEVER}"}))
    issue = refused(await app.post("", bundle(*good, bad)), 422)
    assert issue["expression"][0].startswith("Bundle.entry[50]")
    assert await count(app) == 0


async def test_one_resource_stands_once_in_a_transaction(app: Caller, record: str) -> None:
    old = await created(app, identified(record))
    where = f"Observation/{old['id']}"
    put, by_condition = entry("PUT", where, old), entry("PUT", "Observation?identifier=w-1", identified(record))
    delete = entry("DELETE", where)
    for pair in ((put, put), (put, delete), (delete, by_condition), (put, entry("PATCH", where, patching()))):
        issue = refused(await app.post("", bundle(*pair)), 400)
        assert issue["expression"] == ["Bundle.entry[1].request.url"]
    one = entry("POST", "Observation", observation(record), URN.format(1))
    refused(await app.post("", bundle(one, one)), 422)
    assert (await app.get(where)).headers["etag"] == 'W/"1"'


async def test_if_match_in_an_entry(app: Caller, record: str) -> None:
    old = await created(app, observation(record))
    for method, resource in (("PUT", old), ("DELETE", None), ("PATCH", patching())):
        stale = entry(method, f"Observation/{old['id']}", resource, ifMatch='W/"7"')
        issue = refused(await app.post("", bundle(stale)), 412)
        assert issue["expression"][0].startswith("Bundle.entry[0]")
        lines = (await app.post("", bundle(stale, kind="batch"))).json()["entry"]
        assert lines[0]["response"]["status"] == "412"


async def test_a_transaction_is_about_one_person(house: House, record: str) -> None:
    other = await house.open_record()
    sent = bundle(entry("POST", "Observation", observation(record)), entry("POST", "Observation", observation(other)))
    refused(await house.depositor().post("", sent), 422)
    refused(await house.citizen(record).post("", sent), 422)


async def test_a_batch_answers_each_entry_for_itself(house: House, app: Caller, record: str) -> None:
    old = await created(app, observation(record))
    where = f"Observation/{old['id']}"
    sent = bundle(
        entry("POST", "Observation", observation(record)),
        entry("POST", "Observation", observation(record, status="zzz")),
        entry("GET", where),
        entry("GET", "Observation?_summary=count"),
        entry("GET", f"{where}/_history/1"),
        entry("GET", f"{where}/_history?_count=1"),
        entry("GET", f"Patient/{record}/$everything?_type=Patient"),
        entry("GET", where, ifNoneMatch='W/"1"'),
        entry("GET", f"Observation/{NEVER}"),
        entry("GET", "Nonsense/1"),
        entry("GET", "Observation?date=yesterday"),
        entry("PUT", where, {**old, "status": "amended"}),
        entry("PATCH", where, patching({"op": "replace", "path": "/status", "value": "final"})),
        entry("PUT", f"Observation/{NEVER}", {**old, "id": NEVER}),
        entry("DELETE", "Observation?identifier=none"),
        entry("DELETE", where),
        entry("GET", where),
        entry("GET", "AuditEvent?_count=1"),
        {"request": 5},
        {},
        kind="batch",
    )
    answer = await app.post("", sent)
    assert answer.status_code == 200
    body = answer.json()
    assert body["type"] == "batch-response"
    assert validate("Bundle", body) == ()
    assert [one["response"]["status"] for one in body["entry"]] == [
        "201", "422", "200", "200", "200", "200", "200", "304", "404", "404", "400", "200", "200", "405", "204", "204",
        "410", "200", "400", "400",
    ]  # fmt: skip
    assert body["entry"][1]["response"]["outcome"]["issue"][0]["expression"] == ["Observation.status"]
    read = body["entry"][2]
    assert read["resource"] == old
    assert read["fullUrl"] == f"http://carnet.test/fhir/{where}"
    assert read["response"]["lastModified"] == old["meta"]["lastUpdated"]
    assert body["entry"][3]["resource"]["total"] == 2
    assert body["entry"][6]["resource"]["entry"][0]["resource"]["id"] == record
    assert "resource" not in body["entry"][0]
    whole = await app.post("", bundle(sent["entry"][0], kind="batch"), Prefer="return=representation")
    assert whole.json()["entry"][0]["resource"]["resourceType"] == "Observation"


async def test_only_batches_and_transactions_are_carried_out(app: Caller) -> None:
    for body in (
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle"},
        {"resourceType": "Observation"},
        {"resourceType": "Bundle", "type": "transaction", "entry": 5},
        {"resourceType": "Bundle", "type": "batch", "entry": {}},
        {"resourceType": "Bundle", "type": ["batch"]},
    ):
        refused(await app.post("", body), 400)


async def test_everything_pages_from_the_patient_on(house: House, app: Caller, record: str) -> None:
    for _ in range(5):
        await created(app, observation(record))
    seen: list[str] = []
    url = f"Patient/{record}/$everything?_count=2"
    while url:
        page = (await app.get(url)).json()
        seen += [one["resource"]["id"] for one in page["entry"] if one["search"]["mode"] == "match"]
        if len(seen) == 2:
            await created(app, observation(record))
        url = next((one["url"].partition("/fhir/")[2] for one in page["link"] if one["relation"] == "next"), "")
    assert seen[0] == record
    assert len(seen) == len(set(seen)) == 7
    only = (await app.get(f"Patient/{record}/$everything?_type=Observation,Nonsense")).json()
    assert {one["resource"]["resourceType"] for one in only["entry"]} == {"Observation"}
    assert "entry" not in (await app.get(f"Patient/{record}/$everything?_since=2100-01-01")).json()
    assert only["link"][0]["url"].endswith("_type=Observation%2CNonsense")
    told = (await app.get(f"Patient/{record}/$everything?start=2020")).json()["entry"][-1]
    assert told["search"]["mode"] == "outcome"
    refused(await app.get(f"Patient/{record}/$everything?start=2020", Prefer="handling=strict"), 400)
    refused(await app.get(f"Patient/{record}/$everything?_type=Nonsense"), 400)
    other = await house.open_record()
    for caller in (app, house.depositor()):
        for form in ("", "?_type=Patient", "?_since=2020"):
            theirs = refused(await caller.get(f"Patient/{other}/$everything{form}"), 404)
            assert theirs == refused(await caller.get(f"Patient/{NEVER}/$everything{form}"), 404)
