"""Which scopes are predicates, and which SQL they are."""

import pytest

from auth.scopes import Scope, parse
from fhir.parameters import KINDS
from fhir.predicate import And, Everything, KindIn, Nothing, Or, Predicate
from phr.access.reader import Citizen, Delegate, Depositor, Operator, Professional, System
from phr.access.scope import contexts, expressible, granted, narrowing
from tests.access.worlds import DOCTOR, HL7, KEYS, MINE, OTHERS

ADA = Citizen("app", "ada", MINE)


def scope(text: str) -> Scope:
    parsed = parse(text)
    assert parsed is not None, text
    return parsed


YES = (
    "patient/*.cruds",
    "patient/Observation.rs",
    "patient/Practitioner.s",
    "patient/AuditEvent.rs",
    f"patient/Observation.rs?category={HL7}|vital-signs",
    f"patient/Observation.cruds?category={HL7}|",
    "patient/Observation.cruds?category=vital-signs,laboratory&status=final",
    "patient/Observation.s?code=|x",
    "patient/Condition.r?_tag=x",
    "patient/DocumentReference.rs?type=http://loinc.org|11502-2",
    "system/Practitioner.s?identifier=urn:x|1",
    "patient/Patient.rud?active=true",
    "patient/Observation.read",
)
NO = (
    "patient/Foo.rs",
    "patient/*.rs?category=x",
    "patient/*.rs?_tag=x",
    "patient/Observation.rs?date=2026",
    "patient/Observation.rs?subject=Patient/x",
    "patient/Observation.rs?_id=x",
    "patient/Observation.rs?_lastUpdated=2026",
    "patient/Observation.rs?_profile=http://x.org",
    "patient/Observation.rs?nothing=x",
    "patient/Observation.rs?_count=3",
    "patient/Observation.rs?category=x&date=2026",
    "patient/Observation.rs?category=|",
    "patient/Observation.rs?category=a|b|c",
    "patient/Observation.rs?category=a,,b",
    "patient/Practitioner.rs?family=x",
    "patient/AuditEvent.rs?_tag=x",
    "system/Patient.c?active=true",
    "system/Patient.cruds?active=true",
)


def check_expressible() -> None:
    """What a row can be asked, and what it cannot; and that what cannot be asked gives nothing."""
    for text in YES:
        assert expressible(scope(text)), text
    for text in NO:
        held = scope(text)
        assert not expressible(held), text
        reader = ADA if held.context == "patient" else Operator("o")
        assert not any(granted([held], reader, verb, kind) for verb in "cruds" for kind in KINDS), text
        assert {narrowing([held], reader, verb, KEYS) for verb in "cruds"} == {Nothing()}, text
    for modified in ("category:not", "category:missing", "code.x", "_has:Group:member:_id", "subject:identifier"):
        assert not expressible(Scope("patient", "Observation", frozenset("rs"), ((modified, "true"),))), modified
    check_contexts()
    few = (scope("system/Patient.s?active=true"), scope("system/Observation.s"))
    assert granted(few, Depositor("d"), "s", "Patient")
    assert not granted(few, Depositor("d"), "s", "Patient", whole=True)
    assert granted(few, Depositor("d"), "s", "Observation", whole=True)


def check_contexts() -> None:
    """Whose scopes count, where."""
    for reader in (ADA, Delegate("app", "mum", MINE)):
        assert contexts(reader, MINE) == contexts(reader, None) == {"patient"}
    for other in (Depositor("d"), Operator("o"), System("s")):
        assert contexts(other, MINE) == contexts(other, None) == {"system"}
    assert contexts(Professional("p", DOCTOR, None, None), MINE) == {"user"}
    assert contexts(Professional("p", DOCTOR, None, None), None) == {"user"}
    launched = Professional("p", DOCTOR, MINE, None)
    assert contexts(launched, MINE) == contexts(launched, None) == {"user", "patient"}
    assert contexts(launched, OTHERS) == {"user"}


def test_expressible() -> None:
    check_expressible()


def narrowed(*texts: str) -> Predicate:
    return narrowing([scope(text) for text in texts], ADA, "r", KEYS)


def test_scopes_of_one_structure_are_one_statement() -> None:
    first = narrowed(
        "patient/Observation.rs?category=a", "patient/Condition.r", "patient/Encounter.rs?status=x&class=y"
    )
    other = narrowed("patient/Encounter.r?class=b&status=c", "patient/Device.rs", "patient/Goal.rs?category=d")
    assert first.shape() == other.shape()
    assert list(first.values()) != list(other.values())
    assert len(list(first.values())) == len(list(other.values()))


def test_a_wider_scope_makes_a_narrower_one_needless() -> None:
    assert narrowed("patient/Observation.rs", "patient/Observation.rs?category=a") == KindIn(frozenset({"Observation"}))
    assert narrowed("patient/*.rs", "patient/Observation.rs?category=a") == Everything()
    once = narrowed("patient/Observation.rs?category=a")
    assert isinstance(once, And)
    assert narrowed("patient/Observation.rs?category=a", "patient/Observation.rs?category=a") == once
    assert isinstance(narrowed("patient/Observation.rs?category=a", "patient/Observation.rs?category=b"), Or)


@pytest.mark.parametrize("verb", "cruds")
def test_a_verb_not_given_is_nothing(verb: str) -> None:
    held = [scope(f"patient/Observation.{one}?category=a") for one in "cruds" if one != verb]
    assert narrowing(held, ADA, verb, KEYS) == Nothing()
