"""The calendar of the rules, against one that was counted by hand, a month and a day at a time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phr.prevention.dates import EVER, NEVER, NONE, Duration, add, day, duration
from tests.prevention import naive

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
DURATIONS = st.builds(Duration, st.integers(0, 1300), st.integers(0, 1000))


@pytest.mark.parametrize(
    ("start", "lasts", "end"),
    [
        ("2012-02-29", "1y", "2013-03-01"),
        ("2012-02-29", "4y", "2016-02-29"),
        ("1896-02-29", "4y", "1900-03-01"),
        ("2026-01-31", "1m", "2026-03-01"),
        ("2024-01-31", "1m", "2024-03-01"),
        ("2024-01-30", "1m", "2024-03-01"),
        ("2024-01-29", "1m", "2024-02-29"),
        ("2026-03-31", "1m", "2026-05-01"),
        ("2026-12-31", "2m", "2027-03-01"),
        ("2026-12-15", "1m", "2027-01-15"),
        ("2026-01-31", "1m1d", "2026-03-02"),  # months first: 1 March, then a day
        ("2026-01-30", "1m1d", "2026-03-02"),
        ("2026-05-17", "6w", "2026-06-28"),
        ("2026-05-17", "11y6m", "2037-11-17"),
        ("2026-05-17", "0d", "2026-05-17"),
    ],
)
def test_so_long_after(start: str, lasts: str, end: str) -> None:
    assert duration(lasts).after(date.fromisoformat(start)) == date.fromisoformat(end)


@pytest.mark.parametrize(
    ("end", "lasts", "start"),
    [
        ("2026-03-31", "1m", "2026-03-01"),  # there is no 31 February
        ("2025-03-01", "1m", "2025-02-01"),
        ("2024-02-29", "1y", "2023-03-01"),
        ("2026-01-15", "1m", "2025-12-15"),
        ("2026-03-31", "1m1d", "2026-02-28"),  # months first: 1 March, then a day less
    ],
)
def test_so_long_before(end: str, lasts: str, start: str) -> None:
    assert duration(lasts).before(date.fromisoformat(end)) == date.fromisoformat(start)


@given(DAYS, DURATIONS)
def test_the_calendar_is_the_one_counted_by_hand(start: date, lasts: Duration) -> None:
    assert lasts.after(start) == naive.after(start, lasts)
    assert add(start, lasts.months, lasts.days) == naive.moved(start, lasts.months, lasts.days)
    if start.year * 12 > lasts.months + 120:
        assert lasts.before(start) == naive.before(start, lasts)


@given(DAYS, DAYS, DURATIONS)
def test_who_was_born_later_is_never_older(one: date, other: date, lasts: Duration) -> None:
    assert lasts.after(min(one, other)) <= lasts.after(max(one, other))


@given(DAYS, DURATIONS, DURATIONS)
def test_more_months_are_never_earlier(start: date, one: Duration, more: Duration) -> None:
    longer = Duration(one.months + more.months, one.days + more.days)
    assert longer.after(start) >= one.after(start)


@given(DAYS, st.integers(0, 1200))
def test_a_day_of_the_month_is_kept_or_is_the_first(start: date, months: int) -> None:
    end = add(start, months)
    assert end.day == start.day or (end.day == 1 and naive.length(*_month_before(end)) < start.day)


def _month_before(day: date) -> tuple[int, int]:
    before = day.replace(day=1) - timedelta(days=1)
    return before.year, before.month


@given(st.dates(date(1920, 1, 1), date(2026, 12, 31)), st.integers(1, 100))
def test_ages_follow_each_other_without_a_gap_or_a_day_twice(born: date, age: int) -> None:
    """Half-open: on the birthday somebody has the new age, the day before the one before, and no day has two."""
    birthday = Duration(12 * age).after(born)
    year_of_age = naive.Window(birthday, Duration(12 * (age + 1)).after(born))
    year_before = naive.Window(Duration(12 * (age - 1)).after(born), birthday)
    assert year_of_age.holds(birthday)
    assert not year_before.holds(birthday)
    assert year_before.holds(birthday - timedelta(days=1))
    assert 365 <= (year_of_age.end - year_of_age.start).days <= 366


@given(DURATIONS)
def test_what_is_before_and_after_everything_stays(lasts: Duration) -> None:
    assert lasts.after(NEVER) == NEVER
    assert lasts.before(EVER) == EVER
    assert lasts.before(NEVER) == NEVER


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999))
def test_a_duration_is_read_as_it_is_written(years: int, months: int, weeks: int, days: int) -> None:
    assert duration(f"{years}y{months}m{weeks}w{days}d") == Duration(12 * years + months, 7 * weeks + days)


@pytest.mark.parametrize("text", ["", "3", "1d2y", "1.5y", "-1y", "1 y", "1Y", "1y\n", "for ever"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        duration(text)


def test_no_time_is_no_time() -> None:
    assert duration("0d") == NONE


@pytest.mark.parametrize(
    ("now", "there"),
    [
        (datetime(2026, 1, 1, 22, 59, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 1, 23, 0, tzinfo=UTC), date(2026, 1, 2)),  # winter: an hour ahead
        (datetime(2026, 7, 1, 21, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 1, 22, 0, tzinfo=UTC), date(2026, 7, 2)),  # summer: two
    ],
)
def test_the_day_is_that_of_paris(now: datetime, there: date) -> None:
    assert day(now) == there
