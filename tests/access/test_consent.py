"""A right as FHIR: what is written is what is read, and what could be believed to say more is refused."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir.validation import validate
from phr.access.consent import (
    CLIENT,
    FINESS,
    PROFESSIONALS,
    RPPS,
    STRUCTURES,
    Actor,
    Terms,
    consent_of,
    end_of_day,
    provision_of,
    right_of,
    terms_of,
)
from phr.access.provision import Right
from phr.core.errors import DomainError, Reason
from tests.access.rights import _terms as terms_by_right
from tests.access.worlds import KEYS, MINE, NOW

Json = dict[str, Any]
FULL = Terms(
    Right.CODE_LEASE,
    Actor(PROFESSIONALS, "810001", "Dr Lou Petit"),
    since=NOW,
    until=NOW + timedelta(hours=1),
    purpose="treating",
    kinds=("Observation",),
    codes=(("http://loinc.org", "11502-2"),),
    data=("DocumentReference/x-1",),
    source=f"{MINE[:3]}-{7:032x}",
    organization=Actor(STRUCTURES, "1690000001"),
)


def _provision(**more: Any) -> Callable[[Json], Json]:
    return lambda body: {**body, "provision": {**body["provision"], **more}}


def _without(name: str) -> Callable[[Json], Json]:
    return lambda body: {**body, "provision": {k: v for k, v in body["provision"].items() if k != name}}


_ACTOR = {"identifier": {"system": PROFESSIONALS, "value": "810001"}}
BROKEN: dict[str, Callable[[Json], Json]] = {
    "no provision": lambda body: {k: v for k, v in body.items() if k != "provision"},
    "an exception inside": _provision(provision=[{"type": "deny"}]),
    "a period of data": _provision(dataPeriod={"start": "2020"}),
    "labels": _provision(securityLabel=[{"code": "R"}]),
    "no type": _without("type"),
    "another type": _provision(type="maybe"),
    "a lease that denies": _provision(type="deny"),
    "no period": _without("period"),
    "no start": _provision(period={"end": "2029-12-01"}),
    "the end first": _provision(period={"start": "2030-01-02", "end": "2029-12-01"}),
    "a local time": _provision(period={"start": "2030-01-02T10:00:00"}),
    "a month": _provision(period={"start": "2030-01"}),
    "two actors": _provision(actor=[{"reference": _ACTOR}, {"reference": _ACTOR}]),
    "a literal": _provision(actor=[{"reference": {"reference": "Practitioner/1"}}]),
    "a literal too": _provision(actor=[{"reference": {**_ACTOR, "reference": "Practitioner/1"}}]),
    "an unknown system": _provision(actor=[{"reference": {"identifier": {"system": "urn:x", "value": "1"}}}]),
    "no value": _provision(actor=[{"reference": {"identifier": {"system": PROFESSIONALS}}}]),
    "a URI that is no account": _provision(
        actor=[{"reference": {"identifier": {"system": "urn:ietf:rfc:3986", "value": "http://x"}}}]
    ),
    "two purposes": _provision(purpose=[{"system": "https://carnet.example/CodeSystem/purpose", "code": "a"}] * 2),
    "a purpose of others": _provision(purpose=[{"system": "urn:x", "code": "treating"}]),
    "a class of others": _provision(**{"class": [{"system": "urn:x", "code": "Observation"}]}),
    "a type not served": _provision(**{"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Nothing"}]}),
    "documents lent whole": _provision(
        **{"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "DocumentReference"}]}
    ),
    "a code without a system": _provision(code=[{"coding": [{"code": "11502-2"}]}]),
    "a code in words": _provision(code=[{"text": "biology"}]),
    "a power of others": _provision(action=[{"coding": [{"system": "urn:x", "code": "consult"}]}]),
    "related data": _provision(data=[{"meaning": "related", "reference": {"reference": "Observation/1"}}]),
    "data elsewhere": _provision(data=[{"meaning": "instance", "reference": {"reference": "http://x/Observation/1"}}]),
    "two structures": lambda body: {**body, "organization": body["organization"] * 2},
}


def _refusal(consent: Json) -> DomainError | None:
    try:
        terms_of(consent)
    except DomainError as error:
        return error
    return None


def check_consents() -> None:
    """Every broken form is refused, with where; the same right whole is read."""
    whole = {**consent_of(FULL, MINE, NOW), "id": "x"}
    assert provision_of(whole, KEYS) is not None
    for name, broken in BROKEN.items():
        error = _refusal(broken(whole))
        assert error is not None, name
        assert error.reason is Reason.CONTENT, name
        assert (error.issues[0].expression or "").startswith("Consent"), name
    for codes in (["code-lease", "care-relation"], ["nothing"]):
        coding = [{"system": "https://carnet.example/CodeSystem/right", "code": code} for code in codes]
        assert _refusal({**whole, "category": [{"coding": coding}]}) is not None
    permitted = {**consent_of(Terms(Right.BLOCK, FULL.actor, permits=False), MINE, NOW), "id": "x"}
    assert _refusal(_provision(type="permit")(permitted)) is not None
    for status in ("proposed", "inactive", "rejected", "draft", "entered-in-error"):
        assert provision_of({**whole, "status": status}, KEYS) is None


def test_what_says_more_than_is_kept_is_refused() -> None:
    check_consents()


def test_what_is_written_is_what_is_read() -> None:
    for terms in (*terms_by_right(), FULL):
        body = consent_of(replace(terms, since=terms.since or NOW), MINE, NOW)
        assert not validate("Consent", body)
        read = terms_of(body)
        for field in fields(Terms):
            if field.name not in ("since", "label", "extension"):
                assert getattr(read, field.name) == getattr(terms, field.name), (field.name, terms)


def test_what_is_not_ours_decides_nothing() -> None:
    other = {**consent_of(FULL, MINE, NOW), "id": "x"}
    other["category"] = [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]
    assert right_of(other) is None
    assert provision_of(other, KEYS) is None


def test_an_actor_has_one_name_whatever_the_identifier() -> None:
    assert Actor(RPPS, "10001234567").name == Actor(PROFESSIONALS, "810001234567").name == "professional:810001234567"
    assert Actor(FINESS, "690000001").name == Actor(STRUCTURES, "1690000001").name == "structure:1690000001"
    assert Actor.account("a").name == "account:a"
    assert Actor(CLIENT, "app").name == "client:app"


def test_days_are_those_of_paris() -> None:
    """Summer time begins on 29 March 2026 and ends on 25 October: the end of a day stays midnight."""
    for at, days, end in (
        ("2026-03-27T12:00:00+00:00", 0, "2026-03-27T23:00:00+00:00"),
        ("2026-03-27T23:30:00+00:00", 0, "2026-03-28T23:00:00+00:00"),
        ("2026-03-27T12:00:00+00:00", 3, "2026-03-30T22:00:00+00:00"),
        ("2026-10-23T12:00:00+00:00", 3, "2026-10-26T23:00:00+00:00"),
    ):
        assert end_of_day(datetime.fromisoformat(at), days) == datetime.fromisoformat(end).astimezone(UTC)


def test_a_day_ends_at_midnight_in_paris() -> None:
    body = _provision(period={"start": "2026-03-29", "end": "2026-03-29"})(consent_of(FULL, MINE, NOW))
    read = terms_of(body)
    assert read.since == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert read.until == datetime(2026, 3, 29, 22, tzinfo=UTC)
