"""Ages and durations, by the calendar.

The rule: somebody has an age from the birthday on; a day that a month does not have is the first of the next (born on
29 February: 1 March; one month after 31 January: 1 March); every interval is half-open, [from, until).
"""

import re
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

EVER = date(MINYEAR, 1, 1)
"""Before everything."""
NEVER = date(MAXYEAR, 12, 31)
"""After everything: the end of what does not end."""

_DURATION = re.compile(r"(?:(\d{1,3})y)?(?:(\d{1,3})m)?(?:(\d{1,3})w)?(?:(\d{1,4})d)?")


class Duration(Struct, frozen=True, gc=False):
    """Whole months, then days."""

    months: int = 0
    days: int = 0

    def after(self, day: date) -> date:
        """The day that long after `day`. NEVER stays; nothing leaves the calendar."""
        if months := self.months:
            month = day.month + months - 1
            try:
                day = date(day.year + month // 12, month % 12 + 1, day.day)
            except ValueError:
                day = _absent(day.year + month // 12, month % 12 + 1)
        if self.days and day != NEVER and day != EVER:
            return day + timedelta(self.days)
        return day

    def before(self, day: date) -> date:
        """The day that long before `day`. EVER and NEVER stay; nothing leaves the calendar."""
        return day if day in (EVER, NEVER) else Duration(-self.months, -self.days).after(day)

    def within(self, other: "Duration") -> bool:
        """Whether it is another and never the longer of the two, whatever the day."""
        return self != other and self.months <= other.months and self.days <= other.days


NONE = Duration()
"""No time at all."""


def _absent(year: int, month: int) -> date:
    """What stands for a day that a month does not have, or that the calendar does not."""
    if not MINYEAR <= year <= MAXYEAR:
        return NEVER if year > MAXYEAR else EVER
    return NEVER if (year, month) == (MAXYEAR, 12) else date(year + month // 12, month % 12 + 1, 1)


def longest(some: Sequence[Duration]) -> Duration | None:
    """The one that none of the others is longer than, whatever the day; None when there is none."""
    return next((one for one in some if all(other == one or other.within(one) for other in some)), None)


def shortest(some: Sequence[Duration]) -> Duration | None:
    """The one that is longer than none of the others, whatever the day; None when there is none."""
    return next((one for one in some if all(other == one or one.within(other) for other in some)), None)


def duration(text: str) -> Duration:
    """`50y`, `11y6m`, `6w`, `8d`: years, months, weeks, days, in this order. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"{text!r} is not a duration such as 50y, 2m, 6w, 8d or 1y6m")
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    return Duration(years * 12 + months, weeks * 7 + days)


def add(day: date, months: int = 0, days: int = 0) -> date:
    """`day` moved by whole months, then by days."""
    return Duration(months, days).after(day)


def day(now: datetime, zone: str = "Europe/Paris") -> date:
    """The date it is there at this instant."""
    return now.astimezone(ZoneInfo(zone)).date()
