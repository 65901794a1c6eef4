"""FHIR dates as half-open ranges of microseconds since 1970, and what a search value asks of them.

The rule: a date is as long as its precision says (2024 is a year). Without a time zone it is UTC, whole days
included, so that the server's own zone never changes an answer. Open ends are BEGINNING and END.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from phr.core.errors import malformed

BEGINNING = -(2**62)
END = 2**62
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
_SECOND = 1_000_000
_FORM = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def span(text: str) -> tuple[int, int]:
    """The range of a date, dateTime or instant, by its precision (FHIR R4 §2.24.0). Raises malformed.

    Digits beyond the microsecond are dropped; a leap second (:60) is the second after :59. The dates of a record
    repeat, hence the cache.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise malformed("Not a FHIR date.")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        if hour is None:
            return _days(int(year), month, day)
        low = (date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY) * _DAY
    except ValueError:
        raise malformed("A date that is not in the calendar.") from None
    low += _clock(int(hour), int(minute), int(second or 0)) - _offset(zone)
    if second is None:
        return low, low + 60 * _SECOND
    if fraction is None:
        return low, low + _SECOND
    digits = fraction[:6]
    step = int(10 ** (6 - len(digits)))
    low += int(digits) * step
    return low, low + step


def _days(year: int, month: str | None, day: str | None) -> tuple[int, int]:
    first = date(year, int(month or 1), int(day or 1)).toordinal() - _EPOCH_DAY
    if day is not None:
        length = 1
    elif month is not None:
        length = 31 if month == "12" else date(year, int(month) + 1, 1).toordinal() - _EPOCH_DAY - first
    else:
        length = date(year, 12, 31).toordinal() - _EPOCH_DAY - first + 1
    return first * _DAY, (first + length) * _DAY


def _clock(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 60:
        raise malformed("A time that is not on the clock.")
    return ((hour * 60 + minute) * 60 + second) * _SECOND


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise malformed("A time zone that does not exist.")
    return (hours * 60 + minutes) * 60 * _SECOND * (-1 if zone[0] == "-" else 1)


def ranges(value: Any) -> tuple[int, int] | None:
    """The range of a date, dateTime, instant (text), Period or Timing (object); None when it bears no date.

    A Period without an end is open. Only the outer limits of a Timing count (FHIR R4 §3.1.1.4.5).
    Raises malformed.
    """
    if isinstance(value, str):
        return span(value)
    if not isinstance(value, Mapping):
        return None
    if "event" in value or "repeat" in value:
        return _timing(value)
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, str) and not isinstance(end, str):
        return None
    low = span(start)[0] if isinstance(start, str) else BEGINNING
    high = span(end)[1] if isinstance(end, str) else END
    return low, high


def _timing(timing: Mapping[str, Any]) -> tuple[int, int] | None:
    events = timing.get("event")
    found = [span(event) for event in events if isinstance(event, str)] if isinstance(events, list) else []
    repeat = timing.get("repeat")
    bounds = ranges(repeat.get("boundsPeriod")) if isinstance(repeat, Mapping) else None
    if bounds is not None:
        found.append(bounds)
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def microseconds(at: datetime) -> int:
    """A timezone-aware datetime as microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """Microseconds since 1970 as a UTC datetime, kept within the years a datetime can hold."""
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if at < 0 else datetime.max.replace(tzinfo=UTC)


def asked(text: str, now: datetime) -> tuple[str, int, int]:
    """Parse a search value: (prefix, low, high). Raises malformed.

    `ap` widens the range by a tenth of its distance to `now` on each side (FHIR R4 §3.1.1.4.5).
    """
    match = _PREFIXED.fullmatch(text)
    prefix, value = (match[1] or "eq", match[2]) if match else ("eq", text)
    low, high = span(value)
    if prefix == "ap":
        slack = abs(microseconds(now) - low) // 10
        low, high = low - slack, high + slack
    return prefix, low, high
