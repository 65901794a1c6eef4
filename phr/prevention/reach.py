"""Which events could matter to a rule, for somebody of a birth date, from a day on.

The rule: too wide is only slow, too narrow is wrong: where it is not plain, every event may matter. What is not an
event (answers, pregnancies, what was said) is not looked at here.
"""

from datetime import date, timedelta

from phr.prevention.advice import Advice
from phr.prevention.dates import EVER, NEVER
from phr.prevention.rule import Version
from phr.prevention.series import begun_until
from phr.prevention.who import ages
from phr.prevention.windows import Window, around, counts_from

ANY = EVER, NEVER
NONE = NEVER, NEVER
_NEVER_INSIDE = frozenset({"sex", "cohort"})
_MONTHS_ARE_UNEQUAL = timedelta(days=3)
"""Months taken away from a day and given back may end that far from it."""


def reach(alike: Advice, born: date, on: date) -> Window:
    """[from, before): an event outside of it leaves an advice as it is for those of whom nothing more is known.

    `alike`: what `judge` answers that day of somebody of this birth, of whom nothing else is known. Another version,
    the day it comes into force, changes the advice whatever was done: only that of the day is looked at.
    """
    version = alike.version
    if version is None or alike.why[0].name in _NEVER_INSIDE:
        return NONE
    if version.who.unless:
        return ANY
    schedule, whole = version.schedule, ages(version.who, born)
    if whole[0] >= whole[1]:
        return ANY
    if schedule.shape == "once":
        return counts_from(version, whole), whole[1]
    if schedule.shape == "each":
        return _each(version, born, whole, on)
    if schedule.shape == "every":
        counts = whole[0] if on < whole[1] else on
        return min(one.lasts.before(counts) for one in schedule.holds) - _MONTHS_ARE_UNEQUAL, NEVER
    if alike.next_change is not None or schedule.begun is None:
        return ANY  # a dose too early is told of while another is called for
    return min(one.start.start.after(born) for one in schedule.courses), begun_until(schedule, born)


def _each(version: Version, born: date, whole: Window, on: date) -> Window:
    """From the window of that day, or else the last before it."""
    if version.schedule.each == "pregnancy":
        return NONE
    before, here, after, _ = around(version, born, whole, on)
    first = here or before or after
    return NONE if first is None else (counts_from(version, first), NEVER)
