"""How often a reminder comes back: a bounded part of the recurrence rules of RFC 5545, §3.3.10.

The rule: what is not in this part is refused, never half understood. A day that a month does not have is skipped, as
RFC 5545 says: the 31st comes seven times a year, 29 February in leap years; the last day of a month is BYMONTHDAY=-1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from phr.agenda.wall import end_of_day, instant_of

FREQUENCIES: Mapping[str, Literal[0, 1, 2, 3]] = {
    "DAILY": DAILY,
    "WEEKLY": WEEKLY,
    "MONTHLY": MONTHLY,
    "YEARLY": YEARLY,
}
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LAST = -1
MOST_INTERVAL, MOST_COUNT = 99, 999
_PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "COUNT", "UNTIL"})
_DAY = re.compile(r"([1-4]|-1)?(MO|TU|WE|TH|FR|SA|SU)")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One rule. `days`: (which of the month, or 0; day of the week, 0 for Monday). `until`: the last instant, UTC."""

    freq: str
    interval: int = 1
    days: tuple[tuple[int, int], ...] = ()
    month_day: int = 0
    count: int = 0
    until: datetime | None = None

    def __str__(self) -> str:
        """As RFC 5545 writes it."""
        found = [f"FREQ={self.freq}"]
        found += [f"INTERVAL={self.interval}"] if self.interval > 1 else []
        found += ["BYDAY=" + ",".join(f"{nth or ''}{DAYS[day]}" for nth, day in self.days)] if self.days else []
        found += [f"BYMONTHDAY={self.month_day}"] if self.month_day else []
        found += [f"COUNT={self.count}"] if self.count else []
        found += [f"UNTIL={self.until:%Y%m%dT%H%M%SZ}"] if self.until else []
        return ";".join(found)

    def expanded(self, start: datetime) -> rrule:
        """The wall times of a series that starts then, `until` left aside."""
        return rrule(
            FREQUENCIES[self.freq],
            dtstart=start,
            interval=self.interval,
            byweekday=[weekday(day, nth or None) for nth, day in self.days] or None,
            bymonthday=self.month_day or None,
            count=self.count or None,
        )


def parse(text: str) -> Recurrence:
    """Read a rule, with or without its name (`RRULE:`). Raises ValueError, in words for who wrote it."""
    pairs = [part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").split(";")]
    parts = {name: value for name, _, value in pairs}
    if len(parts) != len(pairs) or not parts.keys() <= _PARTS:
        raise ValueError(f"the parts of a rule are {', '.join(sorted(_PARTS))}, each once")
    freq = parts.get("FREQ", "")
    if freq not in FREQUENCIES:
        raise ValueError("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT or UNTIL, not both")
    return Recurrence(
        freq,
        _number(parts, "INTERVAL", MOST_INTERVAL) or 1,
        _days(freq, parts.get("BYDAY")),
        _month_day(freq, parts),
        _number(parts, "COUNT", MOST_COUNT),
        _until(parts.get("UNTIL")),
    )


def _number(parts: dict[str, str], name: str, most: int) -> int:
    text = parts.get(name)
    if text is None:
        return 0
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text) or int(text) > most:
        raise ValueError(f"{name} is from 1 to {most}")
    return int(text)


def _days(freq: str, text: str | None) -> tuple[tuple[int, int], ...]:
    found = [_DAY.fullmatch(part) for part in text.split(",")] if text is not None else []
    days = tuple(sorted((int(one[1] or 0), DAYS.index(one[2])) for one in found if one is not None))
    weekly = freq == "WEEKLY" and all(nth == 0 for nth, _ in days)
    monthly = freq == "MONTHLY" and len(days) == 1 and days[0][0] != 0
    if len(days) != len(found) or len(set(days)) != len(days) or (found and not weekly and not monthly):
        raise ValueError("BYDAY lists days of a WEEKLY rule (MO,TH), or is one day of a MONTHLY one (1MO to 4SU, -1FR)")
    return days


def _month_day(freq: str, parts: dict[str, str]) -> int:
    text = parts.get("BYMONTHDAY")
    if text is None:
        return 0
    if freq != "MONTHLY" or "BYDAY" in parts or not re.fullmatch(r"-1|[1-9]|[12][0-9]|3[01]", text):
        raise ValueError("BYMONTHDAY is one day of a MONTHLY rule, 1 to 31, or -1 for the last, without BYDAY")
    return int(text)


def _until(text: str | None) -> datetime | None:
    """A day is meant whole, in Paris; an instant is in UTC (RFC 5545 §3.3.10)."""
    if text is None:
        return None
    try:
        if len(text) == 8:
            return instant_of(end_of_day(datetime.strptime(text, "%Y%m%d").date()))  # noqa: DTZ007  # a day of Paris
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("UNTIL is a day (20261231) or an instant (20261231T225959Z)") from None
