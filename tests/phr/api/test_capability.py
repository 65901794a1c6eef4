"""The CapabilityStatement against the server, both ways: what is declared is done, and what is not is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from fhir import query
from fhir.capability import VIRTUAL
from fhir.models import model
from fhir.parameters import COMMON, KINDS, Kind
from tests.house import FHIR_JSON, Caller, House
from tests.phr.api.asking import NEVER

Json = dict[str, Any]
VALUES = {"token": "x", "date": "2024", "reference": NEVER, "string": "x", "uri": "urn:x"}
RESULTS = ("_sort=_id", "_count=1", "_total=none", "_summary=false", "_elements=id", "_format=json", "_pretty=false")


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def keyed(text: str) -> UUID:
    """Any hash will do here."""
    return uuid5(UUID(int=1), text)


@pytest.fixture
async def statement(house: House) -> Json:
    found: Json = (await house.http.get("/fhir/metadata")).json()
    return found


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


@pytest.fixture
def app(house: House, record: str) -> Caller:
    return house.citizen(record)


def resources(statement: Json) -> Iterator[Json]:
    yield from statement["rest"][0]["resource"]


async def understood(app: Caller, path: str) -> bool:
    answer = await app.get(path, Prefer="handling=strict")
    assert answer.status_code in (200, 400), (path, answer.text)
    return answer.status_code == 200


def taken(kind: Kind, name: str, value: str) -> bool:
    """Whether the search itself understands a parameter. The journal's own is asked over HTTP."""
    return not query.parse(kind, [(name, value)], keyed, NOW).ignored


async def test_the_statement_is_sound_and_its_types_are_those_served(statement: Json) -> None:
    model("CapabilityStatement").model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == "http://carnet.test/fhir"
    assert [one["type"] for one in resources(statement)] == list(KINDS)


async def test_each_parameter_declared_is_understood(app: Caller, statement: Json) -> None:
    for one in resources(statement):
        for parameter in one["searchParam"]:
            path = f"{one['type']}?{parameter['name']}={VALUES[parameter['type']]}"
            assert await understood(app, path), path


async def test_each_parameter_understood_is_declared(app: Caller, statement: Json) -> None:
    """Every name of the registry is tried on every type: what is understood is exactly what is declared."""
    names = {name: p.type for kind in KINDS.values() for name, p in {**COMMON, **kind.parameters}.items()}
    names |= dict.fromkeys(("_text", "_content", "_list", "_query", "_type", "_filter", "_source"), "token")
    for one in resources(statement):
        declared = {parameter["name"] for parameter in one["searchParam"]}
        kind = KINDS[one["type"]]
        for name, type_ in names.items():
            known = COMMON.get(name) or kind.parameters.get(name)
            value = VALUES[known.type if known else type_]
            if kind.name in VIRTUAL:
                understands = await understood(app, f"{kind.name}?{name}={value}")
            else:
                understands = taken(kind, name, value)
            assert understands is (name in declared), (one["type"], name)


async def test_types_of_parameters_are_those_of_the_registry(statement: Json) -> None:
    for one in resources(statement):
        kind = KINDS[one["type"]]
        for parameter in one["searchParam"]:
            assert parameter["type"] == (COMMON.get(parameter["name"]) or kind.parameters[parameter["name"]]).type


async def test_what_is_brought_along_is_what_is_declared(app: Caller, statement: Json) -> None:
    pointing = [(other, name) for other in KINDS.values() for name in other.parameters]
    for one in resources(statement):
        kind, included, reverse = KINDS[one["type"]], one.get("searchInclude", []), one.get("searchRevInclude", [])
        if kind.name in VIRTUAL:
            assert included == reverse == []
            assert not await understood(app, f"{kind.name}?_include=*")
            continue
        for name in kind.parameters:
            value = f"{kind.name}:{name}"
            assert taken(kind, "_include", value) is (value in included), value
        for other, name in pointing:
            value = f"{other.name}:{name}"
            assert taken(kind, "_revinclude", value) is (value in reverse), (kind.name, value)
        assert {value for value in included if not taken(kind, "_include", value)} == set()
        for name, value in (("_include", included[-1:]), ("_revinclude", reverse[-1:])):
            assert await understood(app, f"{kind.name}?{name}={value[0]}") if value else True


async def test_results_are_shaped_everywhere(app: Caller, statement: Json) -> None:
    for one in resources(statement):
        if one["type"] not in VIRTUAL:
            for name in RESULTS:
                assert await understood(app, f"{one['type']}?{name}"), name


async def _interaction(app: Caller, kind: str, code: str) -> httpx.Response:
    body, where = {"resourceType": kind, "id": NEVER}, f"{kind}/{NEVER}"
    match code:
        case "read":
            return await app.get(where)
        case "vread":
            return await app.get(f"{where}/_history/1")
        case "search-type":
            return await app.get(kind)
        case "history-instance":
            return await app.get(f"{where}/_history")
        case "history-type":
            return await app.get(f"{kind}/_history")
        case "create":
            return await app.post(kind, body)
        case "delete":
            return await app.delete(where)
        case "patch":
            return await app.patch(where, [])
        case _:
            return await app.put(f"{kind}?_id=x", body)


CODES = ("read", "vread", "search-type", "history-instance", "history-type", "create", "update", "delete", "patch")


async def test_each_interaction_is_done_if_and_only_if_declared(app: Caller, statement: Json) -> None:
    for one in resources(statement):
        declared = {interaction["code"] for interaction in one["interaction"]}
        assert declared <= set(CODES)
        for code in CODES:
            answer = await _interaction(app, one["type"], code)
            if code == "update" and code in declared:  # by condition, with an id of the client's: refused
                assert one["updateCreate"] is False
                answer = await app.ask("PUT", f"{one['type']}/{NEVER}", {"Content-Type": FHIR_JSON}, content=b"{}")
            refused = answer.status_code == 405
            assert refused is (code not in declared), (one["type"], code, answer.text)
            assert answer.status_code < 500


async def test_conditional_interactions_and_operations_are_declared(app: Caller, statement: Json) -> None:
    for one in resources(statement):
        kind = one["type"]
        stored = kind not in VIRTUAL
        assert one["conditionalCreate"] is one["conditionalUpdate"] is stored
        assert one["conditionalDelete"] == ("single" if stored else "not-supported")
        deleted = await app.delete(f"{kind}?_id=x")
        assert (deleted.status_code == 405) is not stored, deleted.text
        operations = {operation["name"] for operation in one.get("operation", ())}
        validated = await app.post(f"{kind}/$validate", {"resourceType": kind})
        assert (validated.status_code == 200) is ("validate" in operations), kind
        everything = await app.get(f"{kind}/{NEVER}/$everything")
        assert (everything.status_code == 405) is ("everything" not in operations), kind
    assert {one["code"] for one in statement["rest"][0]["interaction"]} == {"transaction", "batch"}
    for kind in ("transaction", "batch"):
        assert (await app.post("", {"resourceType": "Bundle", "type": kind})).status_code == 200


async def test_metadata_is_open_and_json(house: House) -> None:
    answer = await house.http.get("/fhir/metadata")
    assert answer.headers["content-type"].startswith(FHIR_JSON)
    assert (await house.http.get("/fhir/metadata?_format=xml")).status_code == 406
    security = answer.json()["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert security["cors"] is True
    smart = (await house.http.get("/fhir/.well-known/smart-configuration")).json()
    urls = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    assert urls["authorize"] == smart["authorization_endpoint"]
    assert urls["token"] == smart["token_endpoint"]
    assert urls["revoke"] == smart["revocation_endpoint"]
    assert urls["introspect"] == smart["introspection_endpoint"]
