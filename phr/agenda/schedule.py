"""When a reminder is told: its times, what is told of those that went by, and when to look again. Pure.

The rule: a time that went by is told once, late, while it is younger than a day; what is older is left, and the next
one is waited for. Several that went by meanwhile are told once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from phr.agenda.recurrence import Recurrence
from phr.agenda.wall import instant_of, wall_of

LATE = timedelta(days=1)
_SLACK = timedelta(hours=2)
"""More than daylight saving moves an hour on the clock."""
_LIFE = timedelta(days=36_525)
"""Nothing is planned further than a century after its start."""


@dataclass(frozen=True, slots=True)
class Times:
    """The instants of a reminder: `start` on the clock in Paris, and how it comes back, if it does."""

    start: datetime
    rule: Recurrence | None = None

    def after(self, at: datetime) -> datetime | None:
        """The first one after an instant, in UTC."""
        return next((one for one in self._from(at) if one > at), None)

    def last(self, since: datetime, now: datetime) -> datetime | None:
        """The last one in [since, now]."""
        found = None
        for one in self._from(since):
            if one > now:
                break
            found = one if one >= since else found
        return found

    def within(self, since: datetime, until: datetime) -> list[datetime]:
        """Those in [since, until), in UTC."""
        found = []
        for one in self._from(since):
            if one >= until:
                break
            if one >= since:
                found.append(one)
        return found

    def _from(self, at: datetime) -> Iterator[datetime]:
        """In order, from about an instant on."""
        if self.rule is None:
            yield instant_of(self.start)
            return
        last = self.rule.until or datetime.max.replace(tzinfo=UTC)
        for wall in self.rule.expanded(self.start).xafter(wall_of(at) - _SLACK, inc=True):
            one = instant_of(wall)
            if one > last or wall > self.start + _LIFE:
                return
            yield one


def starting(start: datetime, rule: Recurrence | None) -> Times | None:
    """The times from the first that fits the rule on, so that a series always begins with its start; None: never."""
    first = start if rule is None else next(iter(rule.expanded(start)), None)
    found = None if first is None else Times(first, rule)
    return found if found is not None and found.after(instant_of(found.start) - _SLACK) is not None else None


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a reminder whose time came: whether it is told now, and when it is due next; None: it is over."""

    told: bool
    due: datetime | None
    snoozed: datetime | None


def settle(times: Times, due: datetime, snoozed: datetime | None, now: datetime) -> Settled:
    """Settle a reminder that waited for `due`, or for `snoozed` if it was put off."""
    gone_by = [one for one in (times.last(due, now), snoozed) if one is not None and one <= now]
    later = snoozed if snoozed is not None and snoozed > now else None
    coming = [one for one in (times.after(now), later) if one is not None]
    return Settled(any(now - one < LATE for one in gone_by), min(coming, default=None), later)
