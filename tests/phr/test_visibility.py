"""Labels and archiving are read generously, and a change of them is told from any other change."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from phr import codes
from phr.documents import (
    ARCHIVED_URL,
    is_archived,
    labels,
    only_archive_changed,
    only_labels_changed,
    only_visibility_changed,
)

Document = dict[str, Any]


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@pytest.fixture
def report() -> Document:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "securityLabel": [coded(codes.CONFIDENTIALITY, "N")],
        "content": [{"attachment": {"size": 3}}],
    }


def test_labels_come_from_both_places_in_any_case_and_system() -> None:
    resource = {
        "meta": {"security": [{"system": "x", "code": "invisible_patient"}, {"code": "N"}]},
        "securityLabel": [
            {"coding": [{"code": "N"}, {"system": "urn:misspelt", "code": " MASQUE_PS "}]},
            coded(codes.VISIBILITY, "INVISIBLE_REPRESENTANTS_LEGAUX"),
        ],
    }
    assert labels(resource) == {"INVISIBLE_PATIENT", "MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"}
    assert labels({"securityLabel": [coded("x", "N")]}) == frozenset()
    assert labels({}) == frozenset()


@pytest.mark.parametrize("url", [ARCHIVED_URL, "http://esante.gouv.fr/cisis/fhir/StructureDefinition/PDSm_isArchived"])
def test_archived(url: str) -> None:
    assert is_archived({"extension": [{"url": "x"}, {"url": url, "valueBoolean": True}]})
    assert not is_archived({"extension": [{"url": url, "valueBoolean": False}]})
    assert not is_archived({"extension": [{"url": url, "valueString": "true"}]})
    assert not is_archived({"extension": [{"url": "x", "valueBoolean": True}]})
    assert not is_archived({})


def test_only_labels_changed(report: Document) -> None:
    after = copy.deepcopy(report)
    after["securityLabel"] = [coded(codes.VISIBILITY, "MASQUE_PS")]
    after["meta"] = {"versionId": "2", "lastUpdated": "2026-01-01T00:00:00Z", "security": [{"code": "R"}]}
    assert only_labels_changed(report, after)
    assert only_visibility_changed(report, after)
    assert not only_archive_changed(report, after)
    del after["securityLabel"]
    assert only_labels_changed(report, after)


def test_only_archive_changed(report: Document) -> None:
    after = report | {"extension": [{"url": ARCHIVED_URL, "valueBoolean": True}], "meta": {"versionId": "2"}}
    assert only_archive_changed(report, after)
    assert only_archive_changed(after, report)
    assert only_visibility_changed(report, after)
    assert not only_labels_changed(report, after)
    smuggled = [{"url": ARCHIVED_URL, "valueBoolean": True, "extension": [{"url": "x"}]}]
    assert not only_archive_changed(report, report | {"extension": smuggled})


@pytest.mark.parametrize(
    "change",
    [
        {"status": "entered-in-error"},
        {"description": "x"},
        {"meta": {"tag": [{"code": "x"}]}},
        {"meta": {"profile": ["x"]}},
        {"extension": [{"url": "x", "valueBoolean": True}]},
        {"_securityLabel": {}},
    ],
)
def test_anything_else_is_a_change(report: Document, change: Document) -> None:
    after = report | {"securityLabel": []} | change
    assert not only_labels_changed(report, after)
    assert not only_archive_changed(report, after)
    assert not only_visibility_changed(report, after)


def test_numbers_are_compared_as_written() -> None:
    one, other = {"a": Decimal("1.10")}, {"a": Decimal("1.1")}
    assert only_labels_changed(one, copy.deepcopy(one))
    assert not only_labels_changed(one, other)
    assert not only_labels_changed({"a": 1}, {"a": True})
    assert only_labels_changed({"a": 1, "b": 2}, {"b": 2, "a": 1})
