"""The whole schedule by age and sex, ready to be drawn: a lane for each thing that is done, a bar for each rule.

The rule: ages are months from birth; bars are cut to a life of a hundred years; what is drawn is what the rules say.
"""

from dataclasses import dataclass
from datetime import date
from typing import get_args

from phr.prevention.codes import ABOVE, VALUE_SETS
from phr.prevention.dates import EVER, NEVER, Duration
from phr.prevention.rule import Dose, Rule, Rules, Season, Theme, Version
from phr.prevention.words import lasting

LIFE = 1200.0
"""The end of the drawing, in months: a hundred years."""
MONTH = 365.25 / 12
THEMES: tuple[Theme, ...] = get_args(Theme)
_CHILDBEARING = (180.0, 660.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One rule on its lane, from `start` to `end` in months; `doses`: where the doses of its first course fall."""

    rule: Rule
    version: Version
    start: float
    end: float
    doses: tuple[float, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One thing that is done in a life: a vaccine, a test, an examination."""

    title: str
    theme: Theme
    bars: tuple[Bar, ...]


def day_of(rules: Rules) -> date:
    """The day the rule set was last read against its sources: that of the drawing, unless another is asked for."""
    return max((version.source.checked for rule in rules.all for version in rule.versions), default=EVER)


def lanes(rules: Rules, on: date) -> list[Lane]:
    """The versions in force that day, by theme, then by age; rules that the same thing satisfies share a lane."""
    shared: list[tuple[set[str], list[Bar]]] = []
    for rule in rules.all:
        version = rule.at(on)
        bar = None if version is None else _bar(rule, version, on)
        if bar is None:
            continue
        wanted = set(bar.version.satisfying)
        mine = [one for one in shared if _alike(one[0], wanted) and one[1][0].rule.theme == rule.theme]
        shared = [one for one in shared if one not in mine]
        names = wanted.union(*(names for names, _ in mine))
        shared.append((names, [*(bar for _, bars in mine for bar in bars), bar]))
    found = [_lane(names, sorted(bars, key=lambda one: (one.start, one.end))) for names, bars in shared]
    return sorted(found, key=lambda one: (THEMES.index(one.theme), one.bars[0].start, one.title))


def _alike(some: set[str], others: set[str]) -> bool:
    """Whether something satisfies both, or one of them counts as the other."""
    return any(one in ABOVE[other] or other in ABOVE[one] for one in some for other in others)


def _lane(names: set[str], bars: list[Bar]) -> Lane:
    first = bars[0].rule
    tops = [one for name, one in VALUE_SETS.items() if name in names and not (ABOVE[name] - {name}) & names]
    title = (
        first.title.en.partition(" (")[0]
        if len(bars) == 1
        else " / ".join(one.title.en.partition(" (")[0] for one in tops)
    )
    return Lane(title, first.theme, tuple(bars))


def _bar(rule: Rule, version: Version, on: date) -> Bar | None:
    """None: nobody alive is of an age that the rule is for."""
    who, (start, end) = version.who, _ages(version, on)
    if who.pregnancy is not None:
        start, end = max(start, _CHILDBEARING[0]), min(end, _CHILDBEARING[1])
    doses = tuple(one for one in _doses(version, start) if one < LIFE)
    if doses:
        start = min(doses)
    ends = [LIFE if one.before is None else _months(one.before) for one in version.schedule.courses]
    end = min(end, max(ends, default=LIFE))
    return Bar(rule, version, start, end, doses, _caption(version, doses)) if start < end else None


def _ages(version: Version, on: date) -> tuple[float, float]:
    """The ages it is for that day: some births have not come to them yet, or are past them."""
    age, who = version.who.age, version.who
    start, end = _months(age.start), LIFE if age.before is None else _months(age.before)
    if who.born_before != NEVER:
        start = max(start, (on - who.born_before).days / MONTH)
    if who.born_from != EVER:
        end = min(end, (on - who.born_from).days / MONTH)
    return max(start, 0.0), min(end, LIFE)


def _doses(version: Version, start: float) -> list[float]:
    schedule = version.schedule
    if schedule.each == "age":
        return [_months(one) for one in schedule.ages]
    if not schedule.courses:
        return []
    found: list[float] = []
    course = schedule.courses[0]
    for dose in course.doses:
        found.append(_due(dose, found[-1]) if found else max(_due(dose, 0.0), start, _months(course.start.start)))
    return found


def _due(dose: Dose, before: float) -> float:
    """When a dose is recommended, the one before having been given at that age."""
    ages = [before + _months(one) for one in (dose.after, dose.min_after) if one is not None]
    return max(*ages, *(_months(one) for one in (dose.age, dose.min_age) if one is not None))


def _caption(version: Version, doses: tuple[float, ...]) -> str:
    schedule, who = version.schedule, version.who
    told = [] if who.sex is None or who.pregnancy is not None else ["women" if who.sex == "female" else "men"]
    if schedule.shape == "series":
        told.append(f"{len(doses)} dose{'s' if len(doses) > 1 else ''}")
    elif schedule.shape == "every":
        told.append(
            f"every {' or '.join(_short(one) for one in sorted({hold.lasts for hold in schedule.holds}, key=_months))}"
        )
    elif who.pregnancy is not None:
        told.append(f"each pregnancy, from week {who.pregnancy.start.days // 7}")
    elif schedule.each == "season" and who.season is not None:
        told.append(f"each year, {_season(who.season)}")
    elif schedule.each == "year":
        told.append("each year")
    elif schedule.each == "age":
        told.append("at these ages")
    else:
        told.append("once")
    if who.all or who.any:
        told.append("in some cases" if version.requirement != "targeted" else "if at risk")
    return ", ".join(told)


def _season(one: Season) -> str:
    first, last = (date(2001, month, 1).strftime("%b") for month, _ in (one.start, one.before))
    month, day = one.before
    if day == 1:
        last = date(2001, month - 1 or 12, 1).strftime("%b")
    return first if first == last else f"{first}–{last}"


def _short(span: Duration) -> str:
    return lasting(span, "en")


def _months(span: Duration) -> float:
    return span.months + span.days / MONTH
