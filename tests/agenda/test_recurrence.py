"""When reminders come, against a naive oracle: every day is asked whether it fits, every minute which it is."""
# ruff: noqa: DTZ001  # a time on the clock has no zone

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phr.agenda import wall
from phr.agenda.recurrence import DAYS, Recurrence, parse
from phr.agenda.schedule import LATE, Times, settle, starting

PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = date(2027, 3, 28), date(2026, 10, 25)


def naive(start: datetime, rule: str, until: date) -> list[datetime]:
    """The instants of a series, found by looking at each day in turn; RFC 5545 read a second time, by hand."""
    parts = dict(one.split("=") for one in rule.split(";"))
    step, count = int(parts.get("INTERVAL", 1)), int(parts.get("COUNT", 10_000))
    found: list[datetime] = []
    day = start.date()
    monday = day - timedelta(days=day.weekday())
    last = parts.get("UNTIL")
    while day < until and len(found) < count:
        months = (day.year - start.year) * 12 + day.month - start.month
        tomorrow = day + timedelta(days=1)
        match parts["FREQ"]:
            case "DAILY":
                fits = (day - start.date()).days % step == 0
            case "WEEKLY":
                days = parts.get("BYDAY", DAYS[start.weekday()]).split(",")
                fits = (day - monday).days // 7 % step == 0 and DAYS[day.weekday()] in days
            case "MONTHLY" if "BYDAY" in parts:
                nth, name = parts["BYDAY"][:-2], parts["BYDAY"][-2:]
                week_later = day + timedelta(days=7)
                which = (day.day + 6) // 7
                fits = DAYS[day.weekday()] == name and (
                    week_later.month != day.month if nth == "-1" else which == int(nth)
                )
                fits = fits and months % step == 0
            case "MONTHLY":
                wanted = int(parts.get("BYMONTHDAY", start.day))
                fits = months % step == 0 and (tomorrow.month != day.month if wanted == -1 else day.day == wanted)
            case _:
                fits = (day.month, day.day) == (start.month, start.day) and (day.year - start.year) % step == 0
        if fits:
            found.append(instant(day, start.hour, start.minute))
        day = tomorrow
    return [one for one in found if last is None or one.strftime("%Y%m%dT%H%M%SZ") <= last]


def instant(day: date, hour: int, minute: int) -> datetime:
    """The first instant of this day when the clock shows this hour; when none does, the clock of before the change."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)
    for minutes in range(max(0, hour - 2) * 60, (hour + 3) * 60):
        at = midnight + timedelta(minutes=minutes)
        there = at.astimezone(PARIS)
        if there.date() == day and (there.hour, there.minute) == (hour, minute):
            return at
    return midnight + timedelta(hours=hour, minutes=minute)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if freq == "WEEKLY" and draw(st.booleans()):
        parts.append("BYDAY=" + ",".join(sorted(draw(st.sets(st.sampled_from(DAYS), min_size=1)), key=DAYS.index)))
    if freq == "MONTHLY":
        match draw(st.integers(0, 2)):
            case 0:
                nth = draw(st.sampled_from([1, 2, 3, 4, -1]))
                parts.append(f"BYDAY={nth}{draw(st.sampled_from(DAYS))}")
            case 1:
                parts.append(f"BYMONTHDAY={draw(st.sampled_from([1, 28, 29, 30, 31, -1]))}")
    match draw(st.integers(0, 2)):
        case 0:
            parts.append(f"COUNT={draw(st.integers(1, 30))}")
        case 1:
            end = draw(st.datetimes(datetime(2027, 1, 1), datetime(2029, 6, 1)))
            parts.append(f"UNTIL={end:%Y%m%dT%H%M%SZ}")
    return ";".join(parts)


starts = st.one_of(
    st.datetimes(datetime(2026, 10, 20), datetime(2028, 3, 5)),
    st.builds(datetime, st.just(2026), st.just(10), st.integers(24, 26), st.integers(0, 4), st.sampled_from([0, 30])),
    st.builds(datetime, st.just(2027), st.just(3), st.integers(27, 29), st.integers(0, 4), st.sampled_from([0, 30])),
    st.sampled_from([datetime(2028, 2, 29, 8), datetime(2027, 1, 31, 2, 30), datetime(2027, 8, 31, 23, 59)]),
).map(lambda at: at.replace(second=0, microsecond=0, fold=0))


@settings(max_examples=150, deadline=None)
@given(starts, rules())
@example(datetime(2027, 3, 26, 2, 30), "FREQ=DAILY;COUNT=5")
@example(datetime(2026, 10, 23, 2, 30), "FREQ=DAILY;COUNT=5")
@example(datetime(2028, 2, 29, 8), "FREQ=YEARLY")
@example(datetime(2027, 1, 31, 8), "FREQ=MONTHLY")
@example(datetime(2027, 1, 1, 8), "FREQ=MONTHLY;BYMONTHDAY=-1;INTERVAL=2")
def test_the_times_are_those_of_the_oracle(start: datetime, text: str) -> None:
    until = date(2029, 1, 1) if "YEARLY" not in text else date(2041, 1, 1)
    expected = naive(start, text, until)
    times = starting(start, parse(text))
    end = datetime(until.year, 1, 1, tzinfo=PARIS).astimezone(UTC)
    if times is None:
        assert expected == []
        return
    assert times.within(wall.instant_of(start) - timedelta(days=1), end) == expected
    assert not expected or wall.instant_of(times.start) == expected[0]
    # From anywhere: the next one, and the last one.
    for here in [*expected[:3], *expected[-2:]]:
        after = here + timedelta(seconds=1)
        following = [one for one in expected if one > here]
        if following:
            assert times.after(here) == following[0]
            assert times.last(after, following[0]) == following[0]
        assert times.last(here, here) == here
        assert times.last(after, after) is None
    # Written and read again, it says the same.
    assert times.rule is not None
    assert parse(str(times.rule)) == times.rule


@pytest.mark.parametrize(
    ("hour", "offsets"), [(8, [1, 2, 2]), (1, [1, 1, 2]), (2, [1, 1, 2]), (3, [1, 2, 2])], ids=["8h", "1h", "2h", "3h"]
)
def test_the_clock_stays_across_the_change_of_march(hour: int, offsets: list[int]) -> None:
    times = Times(datetime(2027, 3, 27, hour, 30), parse("FREQ=DAILY;COUNT=3"))
    found = times.within(datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC))
    assert [
        (datetime(2027, 3, 27 + n, hour, 30, tzinfo=UTC) - at) // timedelta(hours=1) for n, at in enumerate(found)
    ] == offsets
    if hour == 2:
        assert found[1].astimezone(PARIS).strftime("%H:%M") == "03:30", "02:30 is not that day: an hour later"


def test_an_hour_that_comes_twice_comes_once() -> None:
    times = Times(datetime(2026, 10, 24, 2, 30), parse("FREQ=DAILY;COUNT=3"))
    found = times.within(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert [f"{at:%d %H:%M}" for at in found] == ["24 00:30", "25 00:30", "26 01:30"]


def test_month_ends_and_leap_days_are_skipped_or_the_last_day() -> None:
    since, until = datetime(2027, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
    the_31st = Times(datetime(2027, 1, 31, 8), parse("FREQ=MONTHLY")).within(since, until)
    assert [at.month for at in the_31st] == [1, 3, 5, 7, 8, 10, 12] * 2
    last = Times(datetime(2027, 1, 31, 8), parse("FREQ=MONTHLY;BYMONTHDAY=-1")).within(since, until)
    assert [at.astimezone(PARIS).day for at in last][:14] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29]
    leap = Times(datetime(2028, 2, 29, 8), parse("FREQ=YEARLY"))
    assert [at.year for at in leap.within(since, datetime(2041, 1, 1, tzinfo=UTC))] == [2028, 2032, 2036, 2040]


def test_a_series_begins_with_its_first_time() -> None:
    times = starting(datetime(2026, 11, 25, 8), parse("FREQ=WEEKLY;BYDAY=MO"))
    assert times is not None
    assert times.start == datetime(2026, 11, 30, 8)
    on_the_day = starting(datetime(2027, 3, 22, 2, 30), parse("FREQ=WEEKLY;BYDAY=SU"))
    assert on_the_day is not None
    assert on_the_day.start == datetime(2027, 3, 28, 2, 30), "the clock is kept, though it skips that hour"
    for never in ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30", "FREQ=DAILY;UNTIL=20260101"):
        assert starting(datetime(2027, 2, 1, 8), parse(never)) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "DAILY", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=8", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;INTERVAL=0"),
        *("FREQ=DAILY;", "FREQ=DAILY;INTERVAL=100", "FREQ=DAILY;COUNT=1000", "FREQ=DAILY;COUNT=2;UNTIL=20270101"),
        *("FREQ=DAILY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=1MO", "FREQ=WEEKLY;BYDAY=", "FREQ=WEEKLY;BYDAY=MO,MO"),
        *("FREQ=MONTHLY;BYDAY=MO", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=MONTHLY;BYDAY=1MO,2MO"),
        *("FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=-2"),
        *("FREQ=YEARLY;BYMONTHDAY=3", "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=3", "FREQ=DAILY;UNTIL=2027"),
        *("FREQ=DAILY;UNTIL=20271301", "FREQ=DAILY;UNTIL=20270101T000000", "FREQ=DAILY;COUNT=²"),
    ],
)
def test_what_is_not_of_the_subset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        parse(text)


def test_what_is_read_is_written_in_one_way() -> None:
    assert str(parse("rrule:freq=weekly;byday=TH,mo;interval=1")) == "FREQ=WEEKLY;BYDAY=MO,TH"
    assert str(parse("FREQ=DAILY;UNTIL=20261231")) == "FREQ=DAILY;UNTIL=20261231T225959Z"
    assert parse("FREQ=MONTHLY;BYDAY=-1FR") == Recurrence("MONTHLY", days=((-1, 4),))


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("2026-12-24T08:00", "2026-12-24T08:00:00+01:00"),
        ("2026-07-01T08:00:30", "2026-07-01T08:00:00+02:00"),
        ("2026-07-01T08:00:00Z", "2026-07-01T10:00:00+02:00"),
        ("2026-07-01T08:00:00-04:00", "2026-07-01T14:00:00+02:00"),
        ("2027-03-28T02:30:00", "2027-03-28T02:30:00+01:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00"),
    ],
)
def test_an_hour_is_read_on_the_clock_of_paris(text: str, clock: str) -> None:
    assert wall.written(wall.read(text)) == clock
    assert wall.read(clock) == wall.read(text)
    assert wall.instant_of(wall.read(clock)) == datetime.fromisoformat(clock)


@pytest.mark.parametrize(
    "text", ["", "2026-12-24", "demain", "2026-13-01T08:00", "0001-01-01T00:00", "9999-01-01T00:00"]
)
def test_a_day_alone_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".{5}"):
        wall.read(text)


@pytest.mark.parametrize(
    ("text", "again", "told"),
    [
        ("P1D", "P1D", "2027-03-27T08:00:00+01:00"),
        ("PT24H", "PT24H", "2027-03-27T07:00:00+01:00"),
        ("P1W", "P7D", "2027-03-21T08:00:00+01:00"),
        ("P1DT90M", "P1DT1H30M", "2027-03-27T06:30:00+01:00"),
        ("PT0M", "PT0M", "2027-03-28T08:00:00+02:00"),
    ],
)
def test_days_before_are_of_the_calendar_and_hours_exact(text: str, again: str, told: str) -> None:
    early = wall.before(text)
    assert str(early) == again
    assert early.of(datetime.fromisoformat("2027-03-28T06:00:00+00:00")) == datetime.fromisoformat(told)


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "-P1D", "P1Y", "P1M", "P1.5D", "P1DT", "PT1S", "P9999D"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        wall.before(text)


@settings(max_examples=200, deadline=None)
@given(starts, rules(), st.integers(0, 200), st.integers(0, 60 * 24 * 30), st.none() | st.integers(0, 60 * 24 * 3))
def test_what_went_by_is_told_once_and_late_for_a_day(
    start: datetime, text: str, turn: int, minutes: int, put_off: int | None
) -> None:
    times = starting(start, parse(text))
    series = [] if times is None else naive(start, text, date(2034, 1, 1))
    early = [one for one in series if one < datetime(2028, 6, 1, tzinfo=UTC)]
    if times is None or not early or "YEARLY" in text:
        return
    due = early[turn % len(early)]
    now = due + timedelta(minutes=minutes)
    snoozed = None if put_off is None else due + timedelta(minutes=put_off)
    found = settle(times, due, snoozed, now)
    gone_by = [one for one in [*series, *([snoozed] if snoozed else [])] if due <= one <= now]
    assert found.told is (max(gone_by) > now - LATE)
    coming = [one for one in [*series, *([snoozed] if snoozed else [])] if one > now]
    assert found.due == min(coming, default=None)
    assert found.snoozed == (snoozed if snoozed is not None and snoozed > now else None)
