"""What `_summary` and `_elements` leave."""

import copy
from typing import Any

import pytest

from fhir import models
from fhir.summary import select, summarise
from phr.core.errors import DomainError, Reason

TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "abc",
    "meta": {"versionId": "3", "tag": [{"code": "kept"}]},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Weight</div>'},
    "extension": [{"url": "http://example.org/e", "valueString": "x"}],
    "modifierExtension": [{"url": "http://example.org/m", "valueString": "x"}],
    "status": "final",
    "_status": {"id": "s"},
    "code": {"text": "Weight", "extension": [{"url": "http://example.org/e", "valueString": "x"}]},
    "valueQuantity": {"value": 1, "unit": "kg"},
    "note": [{"text": "a"}],
    "_effectiveDateTime": {"extension": [{"url": "http://example.org/e", "valueCode": "unknown"}]},
    "referenceRange": [{"text": "b"}],
    "component": [
        {"code": {"text": "c"}, "valueString": "d", "interpretation": [{"text": "no"}]},
        {"code": {"text": "e"}, "dataAbsentReason": {"text": "no"}},
    ],
}


def test_true_keeps_summary_elements_at_every_level() -> None:
    assert summarise(OBSERVATION, "true") == {
        "resourceType": "Observation",
        "id": "abc",
        "meta": {"versionId": "3", "tag": [{"code": "kept"}, TAG]},
        "status": "final",
        "_status": {"id": "s"},
        "code": {"text": "Weight"},
        "modifierExtension": OBSERVATION["modifierExtension"],
        "valueQuantity": {"value": 1, "unit": "kg"},
        "_effectiveDateTime": OBSERVATION["_effectiveDateTime"],
        "component": [{"code": {"text": "c"}, "valueString": "d"}, {"code": {"text": "e"}}],
    }


def test_text_keeps_the_narrative_and_what_is_mandatory() -> None:
    kept = summarise(OBSERVATION, "text")
    assert set(kept) == {"resourceType", "id", "meta", "text", "status", "_status", "code", "modifierExtension"}


def test_data_leaves_only_the_narrative_out() -> None:
    assert set(summarise(OBSERVATION, "data")) == set(OBSERVATION) - {"text"}


def test_false_is_the_whole_unmarked() -> None:
    assert summarise(OBSERVATION, "false") == OBSERVATION


@pytest.mark.parametrize("mode", ["true", "text", "data"])
def test_a_summary_is_marked_once_valid_and_leaves_the_original_alone(mode: str) -> None:
    before = copy.deepcopy(OBSERVATION)
    once = summarise(OBSERVATION, mode)
    assert summarise(once, mode) == once
    assert once["meta"]["tag"].count(TAG) == 1
    assert before == OBSERVATION
    models.model("Observation").model_validate(once)


def test_a_resource_without_meta_is_marked() -> None:
    kept = summarise({"resourceType": "Patient", "name": [{"family": "Doux"}], "photo": [{"title": "x"}]}, "true")
    assert kept == {"resourceType": "Patient", "name": [{"family": "Doux"}], "meta": {"tag": [TAG]}}


def test_elements_keeps_what_is_named_and_what_is_mandatory() -> None:
    kept = select(OBSERVATION, ["note", "nothing"])
    assert set(kept) == {"resourceType", "id", "meta", "status", "_status", "code", "note", "modifierExtension"}
    assert TAG in kept["meta"]["tag"]
    models.model("Observation").model_validate(kept)


def test_elements_knows_a_choice_by_both_names() -> None:
    for name in ("value", "valueQuantity"):
        assert "valueQuantity" in select(OBSERVATION, [name])
    assert "_effectiveDateTime" in select(OBSERVATION, ["effective"])
    assert "valueQuantity" not in select(OBSERVATION, ["valueString"])


@pytest.mark.parametrize("mode", ["count", "", "True", "yes"])
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(DomainError) as caught:
        summarise(OBSERVATION, mode)
    assert caught.value.reason is Reason.SYNTAX
