"""The time on the clock in Paris, and the instant it is: what an agenda is written in, and what a process waits for.

The rule: an hour that daylight saving skips is read with the offset before the change (02:30 is then 03:30), one that
comes twice is the first (RFC 5545 §3.3.5); unless an instant said which, as its zone does.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from phr.representation import PARIS

_BEFORE = re.compile(r"P(?:(\d{1,2})W|(?:(\d{1,3})D)?(?:T(?=\d)(?:(\d{1,3})H)?(?:(\d{1,4})M)?)?)")


def instant_of(wall: datetime) -> datetime:
    """The instant of a time on the clock, in UTC."""
    return wall.replace(tzinfo=PARIS).astimezone(UTC)


def wall_of(at: datetime) -> datetime:
    """The time on the clock at an instant; what is written with the offset of Paris stays as it is written."""
    written = at.replace(tzinfo=None)
    return written if _offset(written) == at.utcoffset() else at.astimezone(PARIS).replace(tzinfo=None)


def written(wall: datetime) -> str:
    """As FHIR and people read it: the clock, and its offset."""
    return wall.replace(tzinfo=PARIS).isoformat(timespec="seconds")


def read(text: str) -> datetime:
    """A FHIR dateTime with its hour, or the same without a zone, on the clock of Paris. Raises ValueError."""
    found = datetime.fromisoformat(text) if "T" in text else None
    if found is None or not 1900 < found.year < 2200:
        raise ValueError("a day and an hour are expected, such as 2026-12-24T08:00")
    return (found if found.tzinfo is None else wall_of(found)).replace(second=0, microsecond=0)


def end_of_day(day: date) -> datetime:
    """The last second of a day."""
    return datetime.combine(day, time(23, 59, 59))


def _offset(wall: datetime) -> timedelta | None:
    return wall.replace(tzinfo=PARIS).utcoffset()


@dataclass(frozen=True, slots=True)
class Before:
    """How long before: days by the calendar, then exact time (RFC 5545 §3.3.6)."""

    days: int
    exact: timedelta

    def of(self, at: datetime) -> datetime:
        """The instant that long before another: the day before at eight is at eight, whatever the night did."""
        return instant_of(wall_of(at) - timedelta(days=self.days)) - self.exact

    def __str__(self) -> str:
        """As ISO 8601 writes it."""
        minutes = int(self.exact.total_seconds()) // 60
        hours, rest = divmod(minutes, 60)
        clock = (f"{hours}H" if hours else "") + (f"{rest}M" if rest else "")
        return f"P{self.days}D" + (f"T{clock}" if clock else "") if self.days else f"PT{clock or '0M'}"


def before(text: str) -> Before:
    """An ISO 8601 duration of weeks, or of days, hours and minutes. Raises ValueError."""
    found = _BEFORE.fullmatch(text)
    if found is None or text == "P":
        raise ValueError("a duration is expected, such as P1D, PT2H or P1DT30M")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    return Before(weeks * 7 + days, timedelta(hours=hours, minutes=minutes))
