"""A campaign: which recommendations are told, by what means, when and how often.

The rule: it adds nothing to what the rules say of a person; it only chooses what of it is told, and when.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from phr.notifications.quiet import Hours, awake
from phr.prevention.advice import Advice
from phr.prevention.rule import Channel, Rules, Season, Words


@dataclass(frozen=True, slots=True, eq=False)
class Campaign:
    """What is told of `rules` (ids), from `start` until just before `before`, each year in `season` if it has one.

    per_week: it is silent for who had so many messages in seven days. quiet: from when until when nothing is said.
    stop_after_declined: once somebody declined, never again, even when what they declined until is over.
    """

    id: str
    title: Words
    rules: frozenset[str]
    statuses: frozenset[str]
    channels: frozenset[Channel]
    start: date
    before: date
    season: Season | None
    per_week: int
    quiet: Hours
    stop_after_declined: bool

    def speaks_of(self, advice: Advice) -> bool:
        """Whether this is told: a rule of the campaign, in one of its statuses, by the inbox, and not put off."""
        put_off = any(clause.name == "later" for clause in advice.why)
        said = advice.rule.id in self.rules and advice.status.value in self.statuses and not put_off
        return said and advice.version is not None and "inbox" in advice.version.channels

    def run(self, on: date) -> tuple[date, date] | None:
        """[from, before) of its run on that day, or of the next one; None when it is over."""
        runs = [(self.start, self.before)]
        if self.season is not None:
            years = range(on.year - 1, on.year + 3)
            seasons = [_season(self.season, year) for year in years]
            runs = [(max(first, self.start), min(last, self.before)) for first, last in seasons]
        return next(((first, last) for first, last in runs if on < last and first < last), None)

    def awake(self, at: datetime) -> datetime:
        """This instant, or the end of the quiet hours it is in."""
        return awake(at, self.quiet)


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """The rules and the campaigns of an installation. `mark`: changes with anything of either."""

    rules: Rules
    campaigns: tuple[Campaign, ...]
    mark: str

    def get(self, id: str) -> Campaign | None:
        """The campaign of this id."""
        return next((one for one in self.campaigns if one.id == id), None)

    def only(self, campaign: Campaign) -> "Programme":
        """The same with one campaign."""
        return replace(self, campaigns=(campaign,), rules=named(self.rules, campaign.rules))


def named(rules: Rules, ids: Iterable[str]) -> Rules:
    """Those of these rules that are named."""
    kept = frozenset(ids)
    return Rules(rules.version, tuple(one for one in rules.all if one.id in kept))


def _season(season: Season, year: int) -> tuple[date, date]:
    first = date(year, *season.start)
    return first, date(year + (season.before <= season.start), *season.before)
