"""SMART App Launch 2.2 scopes."""

import pytest

from auth.scopes import Scope, allowed, parse, split


@pytest.mark.parametrize("scope", ["patient/Observation.rs", "user/*.cruds", "system/Patient.c", "patient/*.s"])
def test_a_scope_reads_back(scope: str) -> None:
    parsed = parse(scope)
    assert parsed is not None
    assert str(parsed) == scope


def test_its_parts() -> None:
    assert parse("patient/Observation.rs") == Scope("patient", "Observation", frozenset("rs"))


@pytest.mark.parametrize(
    "scope",
    [
        "", "openid", "patient/Observation.", "patient/Observation.sr", "patient/Observation.rr",
        "patient/observation.r",
        "patient/Observation.read", "patient/Observation.*", "patient/*.*", "patient/Observation.rs?category=x",
        "launch", "practitioner/Observation.r", "patient/Observation.rs\n", "patient/Obsérvation.r", " patient/*.r",
        "patient/*/x.r", "offline_access",
    ],
)  # fmt: skip
def test_anything_else_does_not(scope: str) -> None:
    assert parse(scope) is None


@pytest.mark.parametrize(
    ("scope", "registered", "answer"),
    [
        ("patient/Observation.rs", ("patient/*.cruds",), True),
        ("patient/Observation.r", ("patient/Observation.rs",), True),
        ("patient/*.rs", ("patient/Observation.rs",), False),
        ("patient/Observation.c", ("patient/Observation.rs",), False),
        ("user/Observation.r", ("patient/*.rs",), False),
        ("patient/Observation.rs", ("patient/Observation.r", "patient/Observation.s"), False),
        ("openid", ("openid",), True),
        ("openid", ("patient/*.cruds",), False),
        ("offline_access", ("offline_access",), False),
        ("patient/Observation.rs?category=x", ("patient/*.cruds",), False),
    ],
)
def test_a_client_is_bounded(scope: str, registered: tuple[str, ...], answer: bool) -> None:
    assert allowed(scope, registered) is answer


def test_split() -> None:
    assert split("a  b a c") == ("a", "b", "c")
    assert split(None) == ()
