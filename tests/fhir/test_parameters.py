"""Every fact of the registry names an element that exists, and a type that is served."""

import re

import pytest

from fhir import paths
from fhir.models import elements
from fhir.parameters import COMMON, KINDS, TYPES, Kind, Parameter

COMMONS = {
    "Practitioner", "PractitionerRole", "Organization", "Location", "HealthcareService", "Questionnaire",
    "PlanDefinition", "ActivityDefinition", "Endpoint", "Schedule", "Slot",
}  # fmt: skip
FROM_CONTEXT = {"Patient", "Medication", "Bundle", "Subscription"}
CASES = [(kind, text) for kind in KINDS.values() for text in
         sorted({path for p in kind.parameters.values() for path in p.paths}
                | {*kind.patient_paths, *kind.happened, *kind.category})]  # fmt: skip


def follow(kind: str, path: paths.Path) -> list[str]:
    """The types the path ends on; raises LookupError where it names no element."""
    types = [kind]
    for step in path.steps:
        below = []
        for type_ in types:
            found = elements(type_)
            for name in step.names:
                element = found[name]
                below.append(element.child or element.primitive or "")
            for name, _ in step.filters:
                if name == "is":
                    assert element.child == "Reference"
                else:
                    assert name in elements(element.child or "")
        types = below
    return types


@pytest.mark.parametrize(("kind", "text"), CASES, ids=lambda case: getattr(case, "name", case))
def test_every_path_exists_in_the_model(kind: Kind, text: str) -> None:
    assert all(follow(kind.name, paths.compiled(text)))


FIT = {
    "date": {"date", "dateTime", "instant", "Period", "Timing"},
    "reference": {"Reference", "canonical", "uri"},
    "uri": {"uri", "url", "canonical"},
    "string": {"string", "markdown", "HumanName", "Address"},
    "token": {
        "CodeableConcept", "Coding", "Identifier", "ContactPoint", "code", "boolean", "string", "id", "uri", "dateTime",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_path_ends_on_a_type_its_parameter_can_read(kind: Kind) -> None:
    for parameter in kind.parameters.values():
        for text in parameter.paths:
            for ending in follow(kind.name, paths.compiled(text)):
                assert ending in FIT[parameter.type], (parameter, ending)
    for text in kind.happened:
        assert set(follow(kind.name, paths.compiled(text))) <= FIT["date"]
    for text in kind.patient_paths:
        assert follow(kind.name, paths.compiled(text)) == ["Reference"]


def test_who_lives_where() -> None:
    assert len(KINDS) == 53
    assert {kind.name for kind in KINDS.values() if kind.commons} == COMMONS
    assert {kind.name for kind in KINDS.values() if not kind.patient_paths} == COMMONS | FROM_CONTEXT


def test_strings_are_searched_in_the_commons_only() -> None:
    for kind in KINDS.values():
        for parameter in kind.parameters.values():
            assert parameter.type in TYPES
            assert parameter.type != "string" or kind.commons
            assert re.fullmatch(r"[A-Za-z][A-Za-z-]*", parameter.name)
            assert set(parameter.targets) <= set(KINDS)
            assert parameter.type == "reference" or not parameter.targets


def test_what_a_document_is_found_by() -> None:
    document = KINDS["DocumentReference"].parameters
    wanted = "patient type category period setting facility event status author security-label is-archived creation"
    assert set(wanted.split()) <= set(document)
    assert {"sourceId", "designationType"} <= set(KINDS["List"].parameters)
    assert set(KINDS["AuditEvent"].parameters) == {"action", "agent", "date", "entity", "group", "outcome", "patient"}
    assert set(COMMON) == {"_id", "_lastUpdated", "_security", "_tag", "_profile"}
    assert document["patient"] == Parameter("patient", "reference", ("subject[is=Patient]",), ("Patient",))


@pytest.mark.parametrize("line", ["quantity value", "token", "reference subject -> Nobody"])
def test_a_faulty_line_is_refused(line: str) -> None:
    from fhir.parameters import _parameter

    with pytest.raises(ValueError):
        _parameter("x", line, ("Patient",))
