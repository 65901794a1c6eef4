"""`fhir` is ours and fhir.resources' at once; one file imports the models; what fields say is read right."""

import ast
from pathlib import Path

import pytest

import fhir
from fhir import bindings, models
from fhir.parameters import KINDS

ROOT = Path(fhir.__file__).resolve().parent.parent


def test_the_two_packages_named_fhir_coexist() -> None:
    import fhir.resources

    assert Path(fhir.__file__).resolve().parent == ROOT / "fhir"
    assert ROOT not in [*Path(str(fhir.resources.__file__)).resolve().parents][:2]


def test_only_models_imports_fhir_resources() -> None:
    importers = set()
    for package in ("fhir", "phr", "auth", "migrations", "bench"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [each.name for each in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [f"{node.module}.{each.name}" for each in node.names]
                if any(f"{name}.".startswith(("fhir.resources.", "fhir_core.")) for name in names):
                    importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"fhir/models.py"}


def test_no_module_hides_fhir_resources() -> None:
    assert not list((ROOT / "fhir").glob("resources*"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_r4b_model(kind: str) -> None:
    found = models.model(kind)
    assert found.__name__ == kind
    assert ".R4B." in found.__module__
    assert models.model(kind) is found


@pytest.mark.parametrize(
    "kind", ["", "Resource", "DomainResource", "HumanName", "String", "Nope", "patient", "../os", "Bündle", "__class__"]
)
def test_what_is_no_resource_type_has_no_model(kind: str) -> None:
    with pytest.raises(LookupError):
        models.model(kind)


def test_elements_of_an_observation() -> None:
    found = models.elements("Observation")
    assert found["status"].primitive == "code"
    assert found["status"].required
    assert found["code"].child == "CodeableConcept"
    assert found["code"].required
    assert found["code"].summary
    assert found["component"].child == "ObservationComponent"
    assert found["component"].many
    assert found["valueQuantity"].path == found["valueQuantity"].choice == "value"
    assert found["_valueString"].path == "value"
    assert found["_valueString"].child == "FHIRPrimitiveExtension"
    assert found["encounter"].targets == {"Encounter"}
    assert found["focus"].targets == frozenset()
    assert "fhir_comments" not in found
    assert not any("__" in name for name in found)


def test_every_reachable_element_has_exactly_one_type_and_no_truncated_binding() -> None:
    todo, done = [*KINDS, "Resource"], set()
    primitives = set()
    while todo:
        owner = todo.pop()
        done.add(owner)
        for element in models.elements(owner).values():
            assert (element.primitive is None) is (element.child is not None)
            primitives.add(element.primitive)
            if element.child and element.child not in done:
                todo.append(element.child)
            codes = bindings.codes(owner, element)
            assert not codes & {"+", "etc."}
            if bindings.truncated(element) and f"{owner}.{element.name}" != "Expression.language":
                assert codes > element.values - {"+"}, f"{owner}.{element.name}"
    assert len(done) > 200
    assert "xhtml" in primitives
    assert "base64Binary" in primitives


def test_facts_name_elements_that_exist() -> None:
    facts = bindings._facts()
    named = [*facts["absent"], *facts["open"], *facts["targets"], *facts["required"], *facts["concepts"]]
    named += [each for form in facts["forms"] for each in form["elements"]]
    for name in named:
        owner, _, element = name.partition(".")
        assert element in models.elements(owner), name
    used = {each for sets in facts["required"].values() for each in sets}
    assert used == set(facts["sets"])
