"""JSON Patch: what it changes, what it may not, and patches made to hurt."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir.patch import MOST_OPERATIONS, apply
from phr.core.errors import DomainError, Reason

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "abc",
    "status": "final",
    "code": {"text": "Weight", "coding": [{"code": "1"}, {"code": "2"}]},
    "valueQuantity": {"value": Decimal("1.10"), "unit": "kg"},
    "note": [{"text": "a"}],
}


def patched(*operations: Any) -> dict[str, Any]:
    return apply(OBSERVATION, json.dumps(operations).encode())


def refused(reason: Reason, raw: bytes) -> DomainError:
    before = copy.deepcopy(OBSERVATION)
    with pytest.raises(DomainError) as caught:
        apply(OBSERVATION, raw)
    assert before == OBSERVATION
    assert caught.value.reason is reason
    assert "Weight" not in str([each.diagnostics for each in caught.value.issues])
    return caught.value


def test_the_six_operations() -> None:
    before = copy.deepcopy(OBSERVATION)
    after = patched(
        {"op": "test", "path": "/status", "value": "final"},
        {"op": "replace", "path": "/status", "value": "amended"},
        {"op": "add", "path": "/note/-", "value": {"text": "b"}},
        {"op": "remove", "path": "/code/coding/0"},
        {"op": "copy", "from": "/code/text", "path": "/note/0/authorString"},
        {"op": "move", "from": "/valueQuantity/unit", "path": "/valueQuantity/code"},
    )
    assert after["status"] == "amended"
    assert after["note"] == [{"text": "a", "authorString": "Weight"}, {"text": "b"}]
    assert after["code"]["coding"] == [{"code": "2"}]
    assert after["valueQuantity"]["code"] == "kg"
    assert str(after["valueQuantity"]["value"]) == "1.10"
    assert before == OBSERVATION


def test_decimals_of_the_patch_keep_their_digits() -> None:
    after = apply(OBSERVATION, b'[{"op":"add","path":"/valueQuantity/value","value":2.50}]')
    assert str(after["valueQuantity"]["value"]) == "2.50"


def test_no_operation_changes_nothing_and_shares_nothing() -> None:
    after = patched()
    assert after == OBSERVATION
    after["note"][0]["text"] = "changed"
    assert OBSERVATION["note"][0]["text"] == "a"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b'["remove"]',
        b"[{}]",
        b'[{"op":"add"}]',
        b'[{"op":"add","path":"/a"}]',
        b'[{"op":"append","path":"/status","value":"x"}]',
        b'[{"op":["add"],"path":"/a","value":1}]',
        b'[{"op":"add","path":"status","value":1}]',
        b'[{"op":"add","path":"/a~2","value":1}]',
        b'[{"op":"add","path":5,"value":1}]',
        b'[{"op":"add","path":null,"value":1}]',
        b'[{"op":"copy","path":"/a"}]',
        b'[{"op":"move","from":7,"path":"/a"}]',
        b'[{"op":"remove","path":"/status"}',
        b'[{"op":"add","op":"remove","path":"/status"}]',
        b'[{"op":"add","path":"/a","value":' + b"[" * 100 + b"]" * 100 + b"}]",
    ],
)
def test_what_is_not_a_patch(raw: bytes) -> None:
    refused(Reason.SYNTAX, raw)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/status", "value": "draft"},
        {"op": "test", "path": "/nothing", "value": 1},
        {"op": "test", "path": "/code/coding/9", "value": 1},
        {"op": "remove", "path": "/nothing"},
        {"op": "remove", "path": "/note/4"},
        {"op": "remove", "path": "/note/-"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/nothing/here", "value": 1},
        {"op": "add", "path": "/note/7", "value": 1},
        {"op": "add", "path": "/note/x", "value": 1},
        {"op": "add", "path": "/note/-1", "value": 1},
        {"op": "add", "path": "/note/01", "value": 1},
        {"op": "add", "path": "/status/0", "value": 1},
        {"op": "add", "path": "/valueQuantity/value/0", "value": 1},
        {"op": "copy", "from": "/nothing", "path": "/note"},
        {"op": "move", "from": "/code", "path": "/code/text"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": []},
        {"op": "replace", "path": "", "value": {}},
        {"op": "replace", "path": "/id", "value": "other"},
        {"op": "remove", "path": "/id"},
        {"op": "replace", "path": "/resourceType", "value": "Patient"},
        {"op": "move", "from": "/resourceType", "path": "/status"},
    ],
)
def test_what_cannot_be_applied(operation: dict[str, Any]) -> None:
    refused(Reason.CONTENT, json.dumps([operation]).encode())


def test_true_is_not_one() -> None:
    given_true = json.dumps([{"op": "test", "path": "/a", "value": 1}]).encode()
    with pytest.raises(DomainError):
        apply({**OBSERVATION, "a": True}, given_true)


def test_an_id_cannot_be_given() -> None:
    with pytest.raises(DomainError):
        apply({"resourceType": "Patient"}, b'[{"op":"add","path":"/id","value":"x"}]')


def test_the_number_of_operations_is_bounded() -> None:
    one = {"op": "test", "path": "/status", "value": "final"}
    assert patched(*[one] * MOST_OPERATIONS) == OBSERVATION
    refused(Reason.SYNTAX, json.dumps([one] * (MOST_OPERATIONS + 1)).encode())


def test_copies_cannot_explode() -> None:
    doubling = [{"op": "copy", "from": "/note", "path": "/note/-"}] * 1000
    assert refused(Reason.CONTENT, json.dumps(doubling).encode()).issues[0].code == "too-costly"
    wide = [{"op": "copy", "from": "", "path": f"/k{index}"} for index in range(1000)]
    assert refused(Reason.CONTENT, json.dumps(wide).encode()).issues[0].code == "too-costly"


def test_depth_cannot_be_grown_in_steps() -> None:
    nested = "".join("/a" for _ in range(40))
    value: Any = {}
    for _ in range(40):
        value = {"a": value}
    steps = [{"op": "add", "path": nested * index + "/a", "value": value} for index in range(1, 40)]
    refused(Reason.CONTENT, json.dumps([{"op": "add", "path": "/a", "value": value}, *steps]).encode())


POINTERS = st.sampled_from(
    [
        "",
        "/",
        "/id",
        "/note",
        "/note/0",
        "/note/-",
        "/note/0/text",
        "/code/coding/1",
        "/x/y",
        "/~0",
        "/valueQuantity/value",
    ]
)
OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "no"]), "path": POINTERS},
    optional={"from": POINTERS, "value": st.sampled_from([None, 1, "x", [], {}, {"text": "b"}, [[1]], True])},
)


@settings(max_examples=300, deadline=None)
@given(st.lists(OPERATION, max_size=6))
def test_any_patch_is_applied_or_refused(operations: list[Any]) -> None:
    before = copy.deepcopy(OBSERVATION)
    outcome: object = None
    try:
        after = patched(*operations)
        outcome = (after["resourceType"], after["id"])
    except DomainError as error:
        outcome = error.reason
    assert outcome in (("Observation", "abc"), Reason.SYNTAX, Reason.CONTENT)
    assert before == OBSERVATION
