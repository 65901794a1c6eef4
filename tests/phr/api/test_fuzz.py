"""Two thousand broken payloads over HTTP: each is taken or refused, none fails the server, which goes on answering."""

import json
import random
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest

from fhir import wire
from tests.fhir.sound import DIV, LOINC, coded
from tests.fhir.test_mutations import mutated
from tests.house import FHIR_JSON, Caller, House, observation
from tests.phr.api.test_bundles import URN, bundle, entry, patching

Json = dict[str, Any]
EACH = 500
PARAMETERS = ("code", "date", "subject", "_id", "_has:Observation:subject:code", "_sort", "_include", "_lastUpdated",
              "identifier:of-type", "encounter.class", "_count", "_cursor", "_elements", "patient.identifier", "_total",
              "code:missing", "_summary", "_since", "_type", "_revinclude", "performer:identifier")  # fmt: skip
TEXTS = ("a|b|c", "|", ",", "\\", "2024-02-30", "ge", "*", "Observation:*", "\x00", "\ud800", "é" * 300, "9" * 5000, "",
         "Patient/1", "http://[", "-", "%", "true", "Observation:subject:Patient", "a" * 3000, "0001", "9999-12-31",
         "9999-12-31T23:59:59-14:00", "ap0001-01-01", "1e999", "$", "\u202e")  # fmt: skip


def rich(record: str) -> list[Json]:
    """Resources with much to break."""
    me = {"reference": f"Patient/{record}"}
    return [
        observation(
            record,
            text={"status": "generated", "div": DIV.format("<p>x</p>")},
            meta={"tag": [{"system": "urn:t", "code": "x"}], "profile": ["http://example.org/p|1"]},
            contained=[{"resourceType": "Condition", "id": "c", "subject": me, "code": LOINC}],
            focus=[{"reference": "#c"}],
            identifier=[
                {"system": "urn:s", "value": "v", "type": {"coding": [{"code": "x"}]}, "period": {"end": "2024"}}
            ],
            component=[{"code": LOINC, "valuePeriod": {"start": "2024"}}],
            extension=[{"url": "urn:e", "valueReference": me}],
        ),
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": me,
            "type": LOINC,
            "category": [LOINC],
            "securityLabel": [{"coding": [{"code": "N"}]}],
            "author": [me],
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2"},
            "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}],
            "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8=", "size": 5, "title": "x"}}],
            "context": {"period": {"start": "2024"}, "facilityType": LOINC, "practiceSetting": LOINC},
        },
        {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVsbG8=", "securityContext": me},
        {
            "resourceType": "Goal",
            "lifecycleStatus": "active",
            "description": {"text": "x"},
            "subject": me,
            "category": [coded("goal-category", "dietary")],
            "startDate": "2024-01",
        },
        {
            "resourceType": "Bundle",
            "type": "document",
            "timestamp": "2024-01-01T00:00:00Z",
            "identifier": {"system": "urn:s", "value": "1"},
            "entry": [{"fullUrl": URN.format(1), "resource": {"resourceType": "Patient", "active": True}}],
        },
        {"resourceType": "List", "status": "current", "mode": "working", "subject": me, "entry": [{"item": me}]},
    ]


def broken(sound: Json, chance: random.Random) -> Json:
    """A mutation of it; itself, where it is too deep already to be copied, or has nothing left to break."""
    for _ in range(5):
        with suppress(RecursionError, KeyError):
            return mutated(sound, chance)
    return sound


def raw(value: Any, chance: random.Random) -> bytes:
    """Its bytes; now and then broken themselves, now and then not even JSON of ours."""
    try:
        found = wire.encode(value)
    except RecursionError:
        found = b'{"resourceType":"Observation","extension":[' * 3000
    except (UnicodeEncodeError, ValueError):
        found = json.dumps(value, default=str).encode(errors="surrogatepass")
    if chance.random() < 0.05:
        cut = chance.randrange(len(found) + 1)
        found = found[:cut] + chance.choice([b"", b"\xff", b"\x00", b"}", b"1e9999", b'"\\ud800"']) + found[cut:]
    return found


class Post:
    """Sends what is broken, and counts what is answered."""

    def __init__(self, caller: Caller, seed: str) -> None:
        self.caller = caller
        self.chance = random.Random(seed)
        self.statuses: Counter[int] = Counter()

    async def send(self, method: str, path: str, body: Any, media: str = FHIR_JSON) -> None:
        content = raw(body, self.chance)
        headers = {
            "Content-Type": media,
            "Prefer": self.chance.choice(["", "return=representation", "handling=strict"]),
        }
        answer = await self.caller.ask(method, path, headers, content=content)
        assert answer.status_code < 500, (method, path, content[:3000], answer.text)
        if answer.status_code >= 400:
            assert answer.json()["resourceType"] == "OperationOutcome"
        self.statuses[answer.status_code] += 1


async def one(caller: Caller, record: str) -> Json:
    answer = await caller.post("Observation", rich(record)[0])
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


@pytest.fixture(params=["citizen", "depositor"])
async def post(house: House, request: pytest.FixtureRequest) -> tuple[Post, str]:
    record = await house.open_record()
    caller = house.citizen(record) if request.param == "citizen" else house.depositor()
    return Post(caller, request.param), record


async def goes_on(post: Post, record: str, *expected: int) -> None:
    """The server answers as before, and more than one thing happened."""
    kept = await one(post.caller, record)
    assert (await post.caller.get(f"Observation/{kept['id']}")).json() == kept
    for status in expected:
        assert post.statuses[status], post.statuses


async def test_creates(post: tuple[Post, str]) -> None:
    sender, record = post
    for _ in range(EACH // 2):
        sound = sender.chance.choice(rich(record))
        await sender.send("POST", sound["resourceType"], broken(sound, sender.chance))
    await goes_on(*post, 201, 400, 422)


async def test_updates_and_patches(post: tuple[Post, str]) -> None:
    sender, record = post
    kept = await one(sender.caller, record)
    where = f"Observation/{kept['id']}"
    operations: list[Json] = [{"op": "replace", "path": "/status", "value": "amended"},
                  {"op": "add", "path": "/note", "value": [{"text": "x"}]},
                  {"op": "copy", "from": "/component/0", "path": "/component/-"},
                  {"op": "test", "path": "/status", "value": "final"},
                  {"op": "move", "from": "/component/0", "path": "/component/0"},
                  {"op": "remove", "path": "/focus"}]  # fmt: skip
    for _ in range(EACH // 4):
        await sender.send("PUT", where, broken(kept, sender.chance))
        patch = [broken(each, sender.chance) if sender.chance.random() < 0.5 else each
                 for each in sender.chance.sample(operations, 2)]  # fmt: skip
        if sender.chance.random() < 0.3:
            patch[0]["path"] = sender.chance.choice(["", "/", "/-", "/component/99", "/~", "/id", "/meta", "x", "/0/0"])
        await sender.send("PATCH", where, patch, "application/json-patch+json")
    await goes_on(*post, 200, 400, 422)


async def test_bundles(post: tuple[Post, str]) -> None:
    sender, record = post
    kept = await one(sender.caller, record)
    where = f"Observation/{kept['id']}"
    for n in range(EACH // 2):
        sound = bundle(
            entry("POST", "Goal", rich(record)[3] | {"addresses": [{"reference": URN.format(1)}]}, ifNoneExist="_id=x"),
            entry("POST", "Condition", {"resourceType": "Condition", "subject": {"reference": f"Patient/{record}"},
                                        "code": LOINC}, URN.format(1)),
            entry("PATCH", where, patching({"op": "test", "path": "/status", "value": "final"}), ifMatch='W/"1"'),
            entry("PUT", "Observation?identifier=urn:s|w", observation(record)),
            entry("DELETE", "Goal?_id=none"),
            *([entry("GET", f"{where}/_history?_count=2")] if n % 2 else []),
            kind="batch" if n % 2 else "transaction",
        )  # fmt: skip
        await sender.send("POST", "", broken(sound, sender.chance))
    await goes_on(*post, 200, 400, 422)


async def test_questions(post: tuple[Post, str]) -> None:
    sender, record = post
    chance, person = sender.chance, {"patient": record}
    await one(sender.caller, record)
    for _ in range(EACH // 4):
        asked: dict[str, str] = {chance.choice(PARAMETERS): chance.choice(TEXTS) for _ in range(chance.randint(1, 3))}
        encoded = {
            k.encode(errors="surrogatepass"): v.encode(errors="surrogatepass") for k, v in (person | asked).items()
        }
        path = chance.choice(["Observation", "Patient", "AuditEvent", "Practitioner", "Observation/_history",
                              f"Patient/{record}/$everything"])  # fmt: skip
        answer = await sender.caller.ask("GET", path, params=urlencode(encoded))
        assert answer.status_code < 500, (path, asked, answer.text)
        sender.statuses[answer.status_code] += 1
    for _ in range(EACH // 4):
        sound = chance.choice(rich(record))
        body = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": broken(sound, chance)}]}
        await sender.send("POST", f"{sound['resourceType']}/$validate", chance.choice([body, broken(body, chance)]))
    await goes_on(*post, 200, 400)
