"""Element paths: arrays, choices, filters, truth."""

from typing import Any

import pytest

from fhir import paths

PATIENT: dict[str, Any] = {
    "telecom": [
        {"system": "email", "value": "e"},
        {"system": "phone", "value": "p"},
        "stray",
    ],
    "name": [{"given": ["a", "b", None]}, {"given": ["c"]}],
    "subject": {"reference": "Patient/1/_history/2"},
    "participant": [
        {"actor": {"reference": "http://x/fhir/Location/9"}},
        {"actor": {"reference": "Patient/1"}},
        {"actor": {"type": "Patient", "identifier": {"value": "i"}}},
        {"actor": {"reference": "#contained"}},
    ],
    "valueDateTime": "2024",
    "extension": [{"url": "http://a.b/c", "valueBoolean": True}, {"url": "other", "valueBoolean": False}],
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name.given", ["a", "b", "c"]),
        ("name.given.deeper", []),
        ("nothing.at.all", []),
        ("telecom[system=email].value", ["e"]),
        ("value[x:Period,dateTime]", ["2024"]),
        ("value[x:Period]", []),
        ("subject[is=Patient].reference", ["Patient/1/_history/2"]),
        ("participant.actor[is=Location].reference", ["http://x/fhir/Location/9"]),
        ("participant.actor[is=Patient].reference", ["Patient/1"]),
        ("extension[url=http://a.b/c].valueBoolean", [True]),
        ("extension[url=http://a.b/c].valueBoolean?", [True]),
        ("extension[url=other].valueBoolean?", [False]),
        ("extension[url=absent].valueBoolean?", [False]),
        ("value[x:boolean,dateTime]?", [True]),
    ],
)
def test_paths(text: str, found: list[Any]) -> None:
    assert paths.evaluate(paths.compiled(text), PATIENT) == found
    assert list(paths.values((text,), PATIENT)) == found


def test_a_path_is_compiled_once() -> None:
    assert paths.compiled("name.given") is paths.compiled("name.given")


@pytest.mark.parametrize("text", ["", "a b", "a[x]", "a[system]", "a.b[c=d"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError):
        paths.compiled(text)


def test_a_filter_on_what_is_no_object() -> None:
    assert paths.walk(["a", {"b": 1}], paths.compiled("b[c=d]").steps) == []


def test_types_of_references() -> None:
    assert paths.referenced_type({"reference": "urn:uuid:1", "type": "Device"}) == "Device"
    assert paths.referenced_type({"type": 3}) is None
