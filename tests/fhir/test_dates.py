"""FHIR dates as ranges: precision, zones, open ends, prefixes, and what is no date."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir import dates
from phr.core.errors import DomainError, Reason


def at(*parts: int) -> int:
    return dates.microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[misc,arg-type]


SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", at(2024, 1, 1), at(2025, 1, 1)),
        ("2024-02", at(2024, 2, 1), at(2024, 3, 1)),
        ("2023-12", at(2023, 12, 1), at(2024, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("1969-12-31", -86400 * SECOND, 0),
        ("2024-01-01T10:00", at(2024, 1, 1, 10), at(2024, 1, 1, 10, 1)),
        ("2024-01-01T10:00:30", at(2024, 1, 1, 10, 0, 30), at(2024, 1, 1, 10, 0, 31)),
        ("2024-01-01T10:00:30Z", at(2024, 1, 1, 10, 0, 30), at(2024, 1, 1, 10, 0, 31)),
        ("2024-01-01T00:30:00+01:00", at(2023, 12, 31, 23, 30), at(2023, 12, 31, 23, 30, 1)),
        ("2024-01-01T00:30:00-05:30", at(2024, 1, 1, 6), at(2024, 1, 1, 6, 0, 1)),
        ("2024-01-01T00:00:00.5Z", at(2024, 1, 1) + 500_000, at(2024, 1, 1) + 600_000),
        ("2024-01-01T00:00:00.123456789Z", at(2024, 1, 1) + 123_456, at(2024, 1, 1) + 123_457),
        ("2016-12-31T23:59:60Z", at(2017, 1, 1), at(2017, 1, 1, 0, 0, 1)),
        ("0001", at(1, 1, 1), at(2, 1, 1)),
        ("9999-12", at(9999, 12, 1), at(9999, 12, 31) + 86400 * SECOND),
        ("9999-12-31T23:59:59-14:00", at(9999, 12, 31, 23, 59, 59) + 14 * 3600 * SECOND, None),
    ],
)
def test_a_date_is_as_long_as_its_precision(text: str, low: int, high: int | None) -> None:
    assert dates.span(text) == (low, low + SECOND if high is None else high)


@pytest.mark.parametrize(
    "text",
    [
        "", "24", "2024-13", "2024-02-30", "2023-02-29", "0000", "2024-1-1", "2024-01-01T10", "2024-01-01T24:00:00Z",
        "2024-01-01T10:60:00Z", "2024-01-01T10:00:61Z", "2024-01-01T10:00:00+15:00", "2024-01-01T10:00:00+02:60",
        "2024-01-01 10:00:00", "2024-01-01T10:00:00.Z", "20240101", "٢٠٢٤", "2024\n", "2024-W10", "today",
    ],
)  # fmt: skip
def test_what_is_no_date_is_malformed_and_never_repeated(text: str) -> None:
    with pytest.raises(DomainError) as refused:
        dates.span(text)
    assert refused.value.reason is Reason.SYNTAX
    assert not text or all(text not in issue.diagnostics for issue in refused.value.issues)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2024", (at(2024, 1, 1), at(2025, 1, 1))),
        ({"start": "2024", "end": "2025-01"}, (at(2024, 1, 1), at(2025, 2, 1))),
        ({"start": "2024"}, (at(2024, 1, 1), dates.END)),
        ({"end": "2024"}, (dates.BEGINNING, at(2025, 1, 1))),
        ({}, None),
        ({"start": 3}, None),
        (None, None),
        (7, None),
        ({"event": ["2024-03", "2024-01"]}, (at(2024, 1, 1), at(2024, 4, 1))),
        (
            {"repeat": {"boundsPeriod": {"start": "2024", "end": "2024"}}, "event": ["2025"]},
            (at(2024, 1, 1), at(2026, 1, 1)),
        ),
        ({"repeat": {"frequency": 1}}, None),
        ({"repeat": 4, "event": 5}, None),
    ],
)
def test_ranges(value: Any, found: tuple[int, int] | None) -> None:
    assert dates.ranges(value) == found


NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("prefix", [p for p in dates.PREFIXES if p != "ap"])
def test_prefixes(prefix: str) -> None:
    assert dates.asked(f"{prefix}2024-01-01", NOW) == (prefix, at(2024, 1, 1), at(2024, 1, 2))


def test_no_prefix_is_eq_and_an_unknown_one_is_malformed() -> None:
    assert dates.asked("2024", NOW)[0] == "eq"
    for text in ("xx2024", "eq", "eqeq2024", "GE2024", "ge 2024", "eq\n2024"):
        with pytest.raises(DomainError):
            dates.asked(text, NOW)


def test_ap_widens_by_a_tenth_of_the_distance_to_now() -> None:
    prefix, low, high = dates.asked("ap2024-05-22", NOW)
    day = 86400 * SECOND
    assert (prefix, low, high) == ("ap", at(2024, 5, 22) - day, at(2024, 5, 23) + day)
    assert dates.asked("ap2024-06-11", NOW)[1:] == (at(2024, 6, 10), at(2024, 6, 13))


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year < 9999))
def test_an_instant_and_back(moment: datetime) -> None:
    assert dates.instant(dates.microseconds(moment)) == moment
    assert dates.span(moment.isoformat(timespec="microseconds"))[0] == dates.microseconds(moment)
    shifted = moment.isoformat(timespec="seconds").replace("+00:00", "-03:00")
    whole = moment.replace(microsecond=0)
    assert dates.span(shifted)[0] == dates.microseconds(whole) + 3 * 3600 * SECOND


def test_instants_stay_within_what_a_datetime_holds() -> None:
    assert dates.instant(dates.END) == datetime.max.replace(tzinfo=UTC)
    assert dates.instant(dates.BEGINNING) == datetime.min.replace(tzinfo=UTC)
    assert dates.instant(0) + timedelta(0) == datetime(1970, 1, 1, tzinfo=UTC)
