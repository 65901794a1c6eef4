"""What is spoken and what is not: forms, media types, sizes, addresses, tokens, scopes."""

from typing import Any

import pytest

from fhir import wire
from fhir.validation import validate
from tests.house import FHIR_JSON, Caller, House, observation
from tests.phr.api.asking import NEVER, created, refused


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json;q=0.5, text/html", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("*/*", 200),
        ("application/fhir+xml", 406),
        ("text/xml", 406),
    ],
)
async def test_json_only(app: Caller, record: str, accept: str, status: int) -> None:
    body = await created(app, observation(record))
    for path in (f"Observation/{body['id']}", "Observation", f"Observation/{body['id']}/_history", "metadata"):
        answer = await app.ask("GET", path, {"Accept": accept})
        assert answer.status_code == status, path
        if status == 406:
            refused(answer, 406)


@pytest.mark.parametrize(
    ("format_", "status"),
    [("json", 200), ("application/fhir+json", 200), ("application%2Ffhir%2Bjson", 200), ("xml", 406), ("ttl", 406)],
)
async def test_format_wins_over_accept(app: Caller, record: str, format_: str, status: int) -> None:
    accept = "application/fhir+xml" if status == 200 else FHIR_JSON
    assert (await app.get(f"Observation?_format={format_}", Accept=accept)).status_code == status


async def test_pretty_is_for_people(app: Caller, record: str) -> None:
    body = await created(app, observation(record))
    for path in (f"Observation/{body['id']}", "Observation", "metadata", f"Observation/{body['id']}/_history"):
        assert b'\n  "' in (await app.get(f"{path}?_pretty=true")).content
        assert b'\n  "' not in (await app.get(path)).content


async def test_less_of_a_resource(app: Caller, record: str) -> None:
    body = await created(app, observation(record, note=[{"text": "après le repas"}]))
    where = f"Observation/{body['id']}"
    summary = (await app.get(f"{where}?_summary=true")).json()
    assert "note" not in summary
    assert "SUBSETTED" in {tag["code"] for tag in summary["meta"]["tag"]}
    assert set((await app.get(f"{where}?_elements=issued,note")).json()) == {
        "resourceType", "id", "meta", "status", "code", "note",
    }  # fmt: skip
    assert (await app.get(f"{where}?_summary=false")).json() == body
    assert "note" in (await app.get(f"{where}?_summary=data")).json()
    assert "note" not in (await app.get(f"{where}?_summary=text")).json()
    refused(await app.get(f"{where}?_summary=count"), 400)
    refused(await app.get(f"{where}?_summary=most"), 400)
    refused(await app.put(where, summary), 422)


@pytest.mark.parametrize("media", ["application/fhir+xml", "text/plain", "", "multipart/form-data; boundary=x"])
async def test_a_body_of_another_kind_is_not_read(app: Caller, media: str) -> None:
    for method, path in (("POST", "Observation"), ("PUT", f"Observation/{NEVER}"), ("POST", ""), ("PATCH", "Goal/1")):
        refused(await app.ask(method, path, {"Content-Type": media}, content=b"<Observation/>"), 415)
    refused(await app.ask("POST", "Observation/$validate", {"Content-Type": media}, content=b"{}"), 415)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"resourceType":"Observation","resourceType":"Observation"}', b"{} {}"],
)
async def test_bytes_that_are_no_resource_are_bad_syntax(app: Caller, raw: bytes) -> None:
    for path in ("Observation", "", "Observation/$validate"):
        refused(await app.ask("POST", path, {"Content-Type": FHIR_JSON}, content=raw), 400)


async def test_content_that_is_wrong_names_the_element(app: Caller, record: str) -> None:
    for change, expression in (
        ({"status": "zzz"}, "Observation.status"),
        ({"valueQuantity": {"value": "71"}}, "Observation.value.value"),
        ({"colour": "blue"}, "Observation.colour"),
        ({"component": [{"valueString": "x"}]}, "Observation.component[0].code"),
    ):
        issue = refused(await app.post("Observation", observation(record, **change)), 422)
        assert issue["expression"] == [expression]
        assert "zzz" not in str(issue)
    refused(await app.post("Condition", observation(record)), 400)
    refused(await app.put(f"Observation/{NEVER}", observation(record)), 400)


async def test_what_is_too_large_or_too_deep(house: House, record: str) -> None:
    app, limit = house.citizen(record), house.settings.resource_bytes
    raw = wire.encode(observation(record, note=[{"text": "x" * (limit - 2000)}]))
    assert (await app.ask("POST", "Observation", {"Content-Type": FHIR_JSON}, content=raw)).status_code == 201
    big = observation(record, note=[{"text": "x" * limit}])
    refused(await app.post("Observation", big), 413)
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": big, "request": {"method": "POST", "url": "Observation"}}],
    }
    assert refused(await app.post("", bundle), 413)["expression"] == ["Bundle.entry[0].resource"]
    many = {"resourceType": "Bundle", "type": "batch", "entry": [{}] * (house.settings.transaction_entries + 1)}
    refused(await app.post("", many), 413)
    deep: Any = {"url": "urn:x", "valueString": "x"}
    for _ in range(60):
        deep = {"url": "urn:x", "extension": [deep]}
    refused(await app.post("Observation", observation(record, extension=[deep])), 400)
    small = await created(app, observation(record, note=[{"text": "x" * (limit // 2)}]))
    grown = [{"op": "copy", "from": "/note/0", "path": "/note/-"}, {"op": "copy", "from": "/note/0", "path": "/note/-"}]
    assert (await app.patch(f"Observation/{small['id']}", grown)).status_code in (413, 422)


async def test_a_type_that_is_not_served_is_said_not_to_be(app: Caller) -> None:
    for method, path in (
        ("GET", "MolecularSequence"), ("GET", "MolecularSequence/1"), ("GET", "Nonsense/1/_history"),
        ("DELETE", "observation/1"), ("GET", "MolecularSequence/_history"), ("GET", "Nonsense/1/2/3/4"),
    ):  # fmt: skip
        issue = refused(await app.ask(method, path), 404)
        assert issue["diagnostics"] == "This resource type is not served here."
    refused(await app.post("MolecularSequence", {"resourceType": "MolecularSequence"}), 404)


async def test_an_unknown_address_answers_in_fhir(app: Caller) -> None:
    for path in ("Observation/1/2/3/4/5", "Patient/1/name", "_search", "$export", "Observation/a_b", "Observation/%00"):
        refused(await app.get(path), 404)
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "Observation/1"), ("PUT", "Observation/1/_history/1"),
        ("POST", "Observation/_history"), ("OPTIONS", "Observation"), ("POST", "Patient/1/$everything"),
    ):  # fmt: skip
        answer = await app.ask(method, path)
        refused(answer, 405)
        assert answer.headers["allow"]


async def test_without_a_token_nothing_answers(house: House, record: str) -> None:
    expired = house.caller(house.claims("citizen-app", "app", ("patient/*.cruds",), record))
    good, _, signature = expired.token.rpartition(".")
    bad = [None, "Bearer", "Bearer nonsense", f"Bearer {good}.{signature[::-1]}", "Basic YTpi", "Bearer é"]
    for method, path in (
        ("GET", "Patient"), ("GET", "Nonsense"), ("GET", f"Patient/{record}"), ("POST", ""), ("GET", ""),
        ("GET", "a/b/c/d/e/f"), ("POST", "Patient/_search"), ("DELETE", "Goal/x_y"), ("GET", "Goal/1/_history/1"),
        ("PUT", "metadata"), ("OPTIONS", "Patient"), ("POST", "Patient/$validate"), ("GET", "Binary/1"),
    ):  # fmt: skip
        for header in bad:
            headers = [] if header is None else [(b"authorization", header.encode())]
            answer = await house.http.request(method, f"/fhir/{path}".rstrip("/"), headers=headers)
            refused(answer, 401)
            assert answer.headers["www-authenticate"].startswith('Bearer realm="carnet"')
            presented = header is not None and header.startswith("Bearer ")
            assert ("invalid_token" in answer.headers["www-authenticate"]) is presented
    for path in ("metadata", ".well-known/smart-configuration"):
        assert (await house.http.get(f"/fhir/{path}")).status_code == 200


async def test_validate_judges_and_stores_nothing(app: Caller, record: str) -> None:
    good, bad = observation(record), observation(record, status="zzz")
    for path in ("Observation/$validate", f"Observation/{NEVER}/$validate"):
        for body, severity in ((good, "information"), (bad, "error"), ({**good, "resourceType": "Goal"}, "error")):
            for sent in (body, {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": body}]}):
                answer = await app.post(path, sent)
                assert answer.status_code == 200
                assert validate("OperationOutcome", answer.json()) == ()
                assert answer.json()["issue"][0]["severity"] == severity
    for odd in ({"resourceType": "Parameters"}, {"resourceType": "Parameters", "parameter": 5}):
        assert (await app.post("Observation/$validate", odd)).json()["issue"][0]["severity"] == "error"
    document = {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": {"title": "x"}}]}
    told = (await app.post("DocumentReference/$validate", document)).json()["issue"]
    assert "DocumentReference.type" in {issue["expression"][0] for issue in told}
    refused(await app.post("AuditEvent/$validate", {"resourceType": "AuditEvent"}), 405)
    assert (await app.get("Observation?_summary=count")).json()["total"] == 0


async def test_scopes_are_refused_before_anything_is_read(house: House, record: str) -> None:
    reading = house.citizen(record, ("patient/Observation.r",))
    refused(await reading.get("Observation"), 403)
    refused(await reading.get("Condition/1"), 403)
    refused(await reading.post("Observation", observation(record)), 403)
    refused(await reading.get(f"Observation/{NEVER}"), 404)


async def test_own_absolute_references_are_this_server(app: Caller, record: str) -> None:
    body = observation(record, subject={"reference": f"http://carnet.test/fhir/Patient/{record}"})
    assert (await created(app, body))["subject"] == {"reference": f"Patient/{record}"}
    body = observation(record, performer=[{"reference": "https://elsewhere.example/fhir/Practitioner/1"}])
    refused(await app.post("Observation", body), 422)
    refused(await app.post("Observation", observation(NEVER)), 422)
