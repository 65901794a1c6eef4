"""Sound resources, broken at random: judged whatever they became, and never repeated."""

import copy
import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir import wire
from fhir.outcome import outcome
from fhir.validation import MOST_ISSUES, validate
from phr.core.errors import DomainError
from tests.fhir.sound import PATIENT, SOUND, Json

SECRET = "zq7secret"


@pytest.mark.parametrize("resource", SOUND, ids=lambda each: each["resourceType"])
def test_no_value_is_ever_repeated(resource: Json) -> None:
    for path in range(60):
        changed = mutated(
            resource, random.Random(path), lambda chance: chance.choice([SECRET, [SECRET], {"text": SECRET}])
        )
        assert SECRET not in repr(validate(resource["resourceType"], changed))
    assert SECRET not in repr(validate("Patient", {**PATIENT, f"{SECRET} is sick": 1}))


def spots(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    found = []
    todo = [node]
    while todo:
        each = todo.pop()
        pairs = list(each.items()) if isinstance(each, dict) else list(enumerate(each))
        found += [(each, key) for key, _ in pairs]
        todo += [value for _, value in pairs if isinstance(value, dict | list)]
    return found


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"extension": [value], "url": "http://a"}
    return value


ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**64, -(10**200), 1.5, float("nan"), float("inf"), Decimal("1.10"),
    Decimal("NaN"), Decimal("sNaN"), Decimal("1e9999"), "", " ", "x", "#", "#o", "/", "Patient/1", "?", "urn:uuid:",
    "\x00", "\ud800", "\u202e", "\ufeff", "\u00a0", "é" * 3, "😀", "2024-02-30", "0000", "2024-13-01T99:99:99Z",
    "2016-12-31T23:59:60Z", "+", "{}", '{"resourceType":"Patient"}', "A" * 100_000, "=" * 8, "<div/>", [], {}, [[]],
    [None], {"id": "x"}, {"": 1}, {"resourceType": "Patient"}, {"resourceType": "Nope"}, {"resourceType": 5},
    {"extension": []}, [{"resourceType": "Patient", "id": "o"}], [1, "a", None], lambda: nested(30),
    lambda: nested(900),
    {"reference": 5}, {"start": 5, "end": []}, {"coding": [5]}, {"tag": 5}, {"tag": [{"system": []}]},
]  # fmt: skip
NAMES = [
    "",
    "_",
    "__class__",
    "self",
    "cls",
    "data",
    "resourceType",
    "resource_type",
    "id",
    "_id",
    "extension",
    "contained",
    "text",
    "x y",
    "é",
]


def mutated(resource: Json, chance: random.Random, odd: Any = None) -> Json:
    """The resource with one to three random changes."""
    changed = copy.deepcopy(resource)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(spots(changed) or [(changed, "resourceType")])
        value = odd(chance) if odd else chance.choice(ODD)
        value = value() if callable(value) else copy.deepcopy(value)
        match chance.randint(0, 5):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict):
                container[chance.choice(NAMES)] = value
            case 2:
                container[key] = [container[key]]
            case 3:
                container[key] = {"text": container[key]}
            case 4 if isinstance(container, list):
                container.extend([container[key]] * 3)
            case _:
                container[key] = value
    return changed


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SOUND), st.randoms(use_true_random=False))
def test_any_mutation_is_judged_and_never_raises(resource: Json, chance: random.Random) -> None:
    changed = mutated(resource, chance)
    issues = validate(resource["resourceType"], changed)
    assert len(issues) <= MOST_ISSUES
    for each in issues:
        assert each.expression is not None
        assert each.expression.startswith(resource["resourceType"])
        assert each.code != "null"
    told_as = outcome(issues)
    assert validate("OperationOutcome", told_as) == ()
    # decode refuses, or encode is given what is no JSON
    with suppress(DomainError, UnicodeEncodeError, RecursionError):
        validate(resource["resourceType"], wire.decode(wire.encode(changed), 50))
