"""What one recipient is told now, of what is recommended; and when to ask again. Pure.

The rule: one message a day, of all that is due; nothing that was declined, put off, refused by a preference or said
already; in the hours of no campaign's silence. What is held back has a date on which it is asked again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from phr.prevention.advice import Advice
from phr.prevention.campaign import Campaign, Programme
from phr.prevention.dates import day
from phr.prevention.person import Statement

A_WEEK = timedelta(days=7)
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing told: by which campaign, of which advice; `mark`: what is kept of it."""

    campaign: Campaign
    advice: Advice
    mark: UUID


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told now, and the first date on which there may be more. `wait`: until when silence holds it back."""

    items: tuple[Item, ...] = ()
    again: date | None = None
    wait: datetime | None = None

    @property
    def advices(self) -> list[Advice]:
        """What is told, once for each rule, what is late first."""
        found = {one.advice.rule.id: one.advice for one in self.items}
        return sorted(found.values(), key=lambda one: (one.status.value != "overdue", one.due or date.max))

    def by(self, channel: str) -> bool:
        """Whether some campaign, and the rule itself, say this by that channel."""
        return any(
            channel in one.campaign.channels
            and one.advice.version is not None
            and channel in one.advice.version.channels
            for one in self.items
        )


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told, as far as it matters: what they accept to be told of (themes), and what they were told.

    `mark`: the keyed hash of an occasion for them; `told`: when each of these was told, by mark.
    """

    accepts: Callable[[str], bool]
    mark: Callable[[str], UUID]
    told: Mapping[UUID, datetime]


def choose(
    programme: Programme, advices: Sequence[Advice], said: Iterable[Statement], to: Recipient, at: datetime
) -> Telling:
    """What to tell this recipient at this instant."""
    today = day(at)
    declined = _declined(said, today)
    dates = [one.next_change for one in advices if one.next_change is not None]
    found: list[Item] = []
    for campaign in programme.campaigns:
        for advice in advices:
            stopped = campaign.stop_after_declined and advice.rule.id in declined
            if stopped or not campaign.speaks_of(advice) or not to.accepts(advice.rule.theme):
                continue
            when, mark = _turn(campaign, advice, to, today)
            if when == today:
                found.append(Item(campaign, advice, mark))
            elif when is not None:
                dates.append(when)
    kept, held = _capped(found, to, today)
    awake = max((one.campaign.awake(at) for one in kept), default=at)
    again = min([*dates, *held, *([today] if awake > at else [])], default=None)
    return Telling((), again, awake) if awake > at else Telling(tuple(kept), again)


def _turn(campaign: Campaign, advice: Advice, to: Recipient, today: date) -> tuple[date | None, UUID]:
    """When this may be told, today or later, and its mark then; None: never again.

    The same occasion (the rule, when it was due, the dose; the year's run of a campaign with a season) is told again
    after what the rule says of `remind`.
    """
    run = campaign.run(today)
    first = "" if run is None or campaign.season is None else run[0].isoformat()
    occasion = f"{campaign.id}|{first}|{advice.rule.id}|{advice.due or ''}|{advice.step or ''}"
    turn, last = 0, None
    while (mark := to.mark(f"{occasion}|{turn}")) in to.told:
        turn, last = turn + 1, day(to.told[mark])
    if run is None:
        return None, mark
    when = max(run[0], today)
    if last is not None:
        remind = None if advice.version is None else advice.version.remind
        if remind is None:
            return _next_run(campaign, run), mark
        when = max(when, remind.after(last))
    return when if when < run[1] else _next_run(campaign, run), mark


def _next_run(campaign: Campaign, run: tuple[date, date]) -> date | None:
    after = None if campaign.season is None else campaign.run(run[1])
    return None if after is None else after[0]


def _capped(found: Sequence[Item], to: Recipient, today: date) -> tuple[list[Item], list[date]]:
    """Those that the caps let through, and when the others may be: never two messages a day, so many in seven days."""
    days = sorted({day(at) for at in to.told.values()})
    if days and days[-1] >= today:
        return [], [days[-1] + A_DAY] if found else []
    week = [one for one in days if one > today - A_WEEK]
    kept, held = [], []
    for item in found:
        most = item.campaign.per_week
        if len(week) < most:
            kept.append(item)
        else:
            held.append(week[-most] + A_WEEK)
    return kept, held


def _declined(said: Iterable[Statement], today: date) -> frozenset[str]:
    """The rules of which the last thing the person said, over or not, is that they decline."""
    last = {one.rule: one.said for one in sorted(said, key=lambda one: one.on) if one.on <= today}
    return frozenset(rule for rule, what in last.items() if what == "declined")
