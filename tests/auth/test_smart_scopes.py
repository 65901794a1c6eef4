"""SMART App Launch 2.2 scopes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import scopes
from auth.scopes import PLAIN, Scope, allowed, parse, split

VITAL = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Observation.rs", "user/*.cruds", "system/Patient.c", "patient/*.s",
        f"patient/Observation.rs?category={VITAL}", f"user/Observation.s?category={VITAL}&status=final",
        "patient/Observation.rs?code=http://loinc.org|29463-7,http://loinc.org|8302-2",
        "patient/Observation.rs?category=a&category=b", "patient/Observation.rs?_tag=a",
        "patient/Observation.rs?category=a%26b%20c%23%2B%5C%22", "patient/Condition.r?code=%C3%A9",
    ],
)  # fmt: skip
def test_a_scope_reads_back(scope: str) -> None:
    parsed = parse(scope)
    assert parsed is not None
    assert str(parsed) == scope


def test_its_parts() -> None:
    assert parse("patient/Observation.rs") == Scope("patient", "Observation", frozenset("rs"))
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    assert parse(f"patient/Observation.rs?category={system}|laboratory&status=final") == Scope(
        "patient", "Observation", frozenset("rs"), (("category", f"{system}|laboratory"), ("status", "final"))
    )


def test_values_are_percent_decoded_once() -> None:
    """RFC 6749 §3.3: a scope-token holds no space, no quote and no backslash."""
    parsed = parse("patient/Observation.rs?category=http%3A%2F%2Fx.org%7Ca%2520b%20c")
    assert parsed is not None
    assert parsed.query == (("category", "http://x.org|a%20b c"),)
    assert str(parsed) == "patient/Observation.rs?category=http://x.org|a%2520b%20c"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("patient/Observation.read", "patient/Observation.rs"),
        ("user/Observation.write", "user/Observation.cud"),
        ("system/Observation.*", "system/Observation.cruds"),
        ("patient/*.*", "patient/*.cruds"),
        ("patient/*.read", "patient/*.rs"),
    ],
)
def test_the_first_version_means_what_the_second_says(first: str, second: str) -> None:
    """SMART App Launch 2.2, "Scopes for requesting FHIR resources", v1: read is rs, write is cud, * is cruds."""
    assert parse(first) == parse(second)
    assert str(parse(first)) == second


@pytest.mark.parametrize(
    "scope",
    [
        "", "openid", "patient/Observation.", "patient/Observation.sr", "patient/Observation.rr",
        "patient/observation.r", "patient/Observation.reads", "patient/Observation.readwrite", "patient/Observation.**",
        "launch", "practitioner/Observation.r", "patient/Observation.rs\n", "patient/Obsérvation.r", " patient/*.r",
        "patient/*/x.r", "offline_access", "patient/Observation.rs?", "patient/Observation.rs?category",
        "patient/Observation.rs?category=", "patient/Observation.rs?=x", "patient/Observation.?category=x",
        "patient/Observation.rs?category:not=x", "patient/Observation.rs?subject.name=x",
        "patient/Observation.rs?_has:Group:member:_id=x", "patient/Observation.rs?category=x#y",
        "patient/Observation.rs?category=x&", "patient/Observation.rs?category=x&&status=y",
        "patient/Observation.rs?category=x&category=x", "patient/Observation.rs?category=%", "patient/Observation.rs#x",
        "patient/Observation.rs?category=%4", "patient/Observation.rs?category=%zz",
        "patient/Observation.rs?category=%FF", "patient/Observation.rs?category=a%0Ab",
        "patient/Observation.rs?category=a%00", "patient/Observation.rs?category=%E2%80%AEa",
        "patient/Observation.rs?category=a+b", "patient/Observation.rs?category=a b",
        "patient/Observation.rs?category=é", "patient/Observation.rs?category=a?b=c",
        'patient/Observation.rs?category="a"', "patient/Observation.rs?category=a\\b",
        "patient/Observation.read?category=x", "patient/Observation.*?category=x",
        "patient/Observation.rs?category=" + "x" * 1000,
    ],
)  # fmt: skip
def test_anything_else_does_not(scope: str) -> None:
    assert parse(scope) is None


@given(pairs=st.lists(st.tuples(st.sampled_from(("category", "_tag")), st.text(min_size=1, max_size=20)), max_size=3))
def test_every_query_reads_back_or_is_refused(pairs: list[tuple[str, str]]) -> None:
    scope = Scope("user", "Observation", frozenset("rs"), tuple(pairs))
    try:
        text = str(scope)
    except UnicodeEncodeError:
        return
    shown = all(value.isprintable() for _, value in pairs) and len(set(pairs)) == len(pairs)
    assert parse(text) == (scope if shown else None)
    assert len(split(text)) == 1


CATEGORY, BOTH = "patient/Observation.rs?category=a", "patient/Observation.rs?status=b&category=a"


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
        ("offline_access", ("offline_access",), True),
        ("offline_access", ("openid", "patient/*.cruds"), False),
        (CATEGORY, ("patient/*.cruds",), True),
        (CATEGORY, (CATEGORY,), True),
        (BOTH, ("patient/Observation.rs?category=a&status=b",), True),
        (BOTH, (CATEGORY,), True),
        (CATEGORY, (BOTH,), False),
        (CATEGORY, ("patient/Observation.rs?category=b",), False),
        ("patient/Observation.rs", (CATEGORY,), False),
        ("patient/Observation.cruds?category=a", (CATEGORY,), False),
        ("patient/Condition.rs?category=a", (CATEGORY,), False),
        ("patient/Observation.read", ("patient/*.rs",), True),
        ("patient/Observation.rs", ("patient/*.read",), True),
        ("patient/Observation.write", ("patient/*.read",), False),
        ("patient/Observation.*", ("patient/*.cruds",), True),
        ("patient/Observation.rs?category:not=a", ("patient/*.cruds",), False),
        ("nonsense", ("nonsense",), False),
    ],
)
def test_a_client_is_bounded(scope: str, registered: tuple[str, ...], answer: bool) -> None:
    assert allowed(scope, registered) is answer


def test_a_word_is_no_resource_scope() -> None:
    assert [parse(word) for word in PLAIN] == [None] * len(PLAIN)
    assert (scopes.OPENID, scopes.FHIR_USER, scopes.LAUNCH_PATIENT) == ("openid", "fhirUser", "launch/patient")
    assert (scopes.PROFILE, scopes.OFFLINE, scopes.LAUNCH) == ("profile", "offline_access", "launch")


def test_split() -> None:
    assert split("a  b a c") == ("a", "b", "c")
    assert split(None) == ()
    assert split(f"openid {CATEGORY}") == ("openid", CATEGORY)
