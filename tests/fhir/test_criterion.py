"""What is indexed and what is asked meet: searches agree with a naive reading of the resource."""

import uuid
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir import dates
from fhir.criteria import compare_dates
from fhir.criterion import Criterion, Reading, criterion
from fhir.index import Index, index
from fhir.parameters import KINDS
from fhir.predicate import Predicate, Row

NOW = datetime(2024, 6, 1, tzinfo=UTC)
BASE = "http://me/fhir"


def hashed(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, text)


def one(name: str, value: str) -> Criterion:
    return criterion(Reading(hashed, hashed, NOW, BASE, {}), KINDS["Observation"], name, value)


def row(found: Index) -> Row:
    """A stored row with these search values."""
    return Row(
        bucket=0,
        id="1",
        kind="Observation",
        updated=NOW,
        gone=False,
        record="1",
        masked=found.masked,
        hidden_from_patient=found.hidden_from_patient,
        hidden_from_proxies=found.hidden_from_proxies,
        withheld_until=None,
        author=None,
        category=found.category,
        tokens=found.tokens,
        dates=found.dates,
        words=frozenset((name, word) for name, words in found.words.items() for word in words),
    )


texts = st.sampled_from(["a", "b", "a|b", "a\\", "a,b", "$", "é"])
systems = st.sampled_from([None, "http://s", "s|", "a"])
codings = st.lists(st.tuples(systems, texts), max_size=3)
stamps = st.one_of(
    st.sampled_from(["2024", "2024-02", "2024-02-10", "2023-12-31T23:30:00-01:00", "2024-02-10T12:00:00Z"]),
    st.dates(min_value=datetime(2023, 11, 1).date(), max_value=datetime(2024, 3, 1).date()).map(str),  # noqa: DTZ001
)


@st.composite
def observations(draw: st.DrawFn) -> dict[str, Any]:
    resource: dict[str, Any] = {"resourceType": "Observation"}
    found = draw(codings)
    if found:
        concept = [{"code": code} | ({"system": system} if system else {}) for system, code in found]
        resource["code"] = {"coding": concept}
    when = draw(st.sampled_from(["none", "date", "period", "open"]))
    if when == "date":
        resource["effectiveDateTime"] = draw(stamps)
    elif when == "period":
        start, end = sorted([draw(stamps), draw(stamps)])
        resource["effectivePeriod"] = {"start": start, "end": end}
    elif when == "open":
        resource["effectivePeriod"] = {draw(st.sampled_from(["start", "end"])): draw(stamps)}
    subject = draw(st.sampled_from([None, "Patient/1", "Patient/2", "Group/1", "http://me/fhir/Patient/1"]))
    if subject:
        resource["subject"] = {"reference": subject}
    return resource


def escaped(text: str) -> str:
    for mark in ("\\", ",", "|", "$"):
        text = text.replace(mark, "\\" + mark)
    return text


def satisfied(asked: Criterion, resource: dict[str, Any]) -> bool:
    found = index(KINDS["Observation"], resource, hashed, BASE)
    assert isinstance(asked, Predicate)
    return asked.holds(row(found))


@given(observations(), systems, st.one_of(st.none(), texts), st.booleans())
def test_tokens_agree_with_a_naive_reading(
    resource: dict[str, Any], system: str | None, code: str | None, negated: bool
) -> None:
    if not system and not code:
        system = "http://s"
    value = escaped(code or "") if system is None else f"{escaped(system)}|{escaped(code or '')}"
    coded = resource.get("code", {}).get("coding", [])
    naive = any(
        (system is None or coding.get("system") == system) and (code is None or coding["code"] == code)
        for coding in coded
    )
    asked = one("code:not" if negated else "code", value)
    assert satisfied(asked, resource) == (naive != negated)


@given(observations(), texts)
def test_no_system_agrees_with_a_naive_reading(resource: dict[str, Any], code: str) -> None:
    coded = resource.get("code", {}).get("coding", [])
    naive = any("system" not in coding and coding["code"] == code for coding in coded)
    assert satisfied(one("code", "|" + escaped(code)), resource) == naive
    assert satisfied(one("code:missing", "true"), resource) == ("code" not in resource)


@given(observations(), st.sampled_from(dates.PREFIXES), stamps)
def test_dates_agree_with_a_naive_reading(resource: dict[str, Any], prefix: str, asked: str) -> None:
    def limit(text: str | None, end: bool) -> int:
        return dates.span(text)[end] if text else (dates.END if end else dates.BEGINNING)

    ranges = []
    if text := resource.get("effectiveDateTime"):
        ranges.append(dates.span(text))
    if period := resource.get("effectivePeriod"):
        ranges.append((limit(period.get("start"), False), limit(period.get("end"), True)))
    _, low, high = dates.asked(prefix + asked, NOW)
    naive = any(compare_dates(prefix, low, high, found) for found in ranges)
    assert satisfied(one("date", prefix + asked), resource) == naive
    assert satisfied(one("date:missing", "false"), resource) == bool(ranges)


@given(observations(), st.sampled_from(["1", "2", "Patient/1", "Group/1", BASE + "/Patient/1"]))
def test_references_agree_with_a_naive_reading(resource: dict[str, Any], asked: str) -> None:
    stored = resource.get("subject", {}).get("reference", "").removeprefix(BASE + "/")
    wanted = asked.removeprefix(BASE + "/")
    naive = stored == wanted or stored.endswith("/" + wanted)
    assert satisfied(one("subject", asked), resource) == naive
    assert satisfied(one("patient", asked), resource) == (naive and stored.startswith("Patient/"))
