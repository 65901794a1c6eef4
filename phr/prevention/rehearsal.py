"""A dry run: how many people a campaign would tell on a day, by age and sex. Nothing is sent, nothing is kept.

The rule: it reads as the campaign does, and is in each journal as any look is; it answers with counts, not small ones.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from uuid import UUID

from phr.access.installation import Installation
from phr.prevention import watch
from phr.prevention.campaign import Campaign, Programme
from phr.prevention.person import Person
from phr.prevention.sending import look
from phr.representation import PARIS

SMALL = 5
"""Fewer people than that are not told apart."""
BAND = 5
LAST = 85
"""Years of age: the width of a band, and where the last begins."""
SEXES = ("female", "male", None)
Cell = tuple[int | None, str | None]
"""Where the band of ages begins (None: no birth date), and the sex (None: not said)."""


@dataclass(slots=True)
class Rehearsal:
    """How many records were looked at; how many people and messages there would be; people by age and sex; accounts

    that would be mailed and pushed to: once, whatever the records they read."""

    looked: int = 0
    people: int = 0
    messages: int = 0
    mailed: set[UUID] = field(default_factory=set)
    pushed: set[UUID] = field(default_factory=set)
    cells: Counter[Cell] = field(default_factory=Counter)


async def rehearse(here: Installation, programme: Programme, campaign: Campaign, on: date) -> AsyncIterator[Rehearsal]:
    """Look at everybody as if it were that day's noon, in Paris; yields what was counted so far."""
    at, alone, counted = datetime.combine(on, time(12), PARIS), programme.only(campaign), Rehearsal()
    async for names in watch.everybody(here.database):
        for name in names:
            found = await look(here, alone, name, datetime.now(UTC), at, rehearsing=True)
            counted.looked += 1
            if found.told and found.person is not None:
                counted.people += 1
                counted.messages += found.told
                counted.mailed |= found.mailed
                counted.pushed |= found.pushed
                counted.cells[cell(found.person, on)] += 1
        yield counted
    yield counted


def cell(person: Person, on: date) -> Cell:
    """Where a person is counted."""
    if person.born is None:
        return None, person.sex
    age = on.year - person.born.year - ((on.month, on.day) < (person.born.month, person.born.day))
    return min(max(age, 0) // BAND * BAND, LAST), person.sex


def told(count: int) -> str:
    """A count as it is shown."""
    return f"<{SMALL}" if 0 < count < SMALL else str(count)


def about(count: int) -> str:
    """A total as it is shown: to the nearest ten, so that a hidden cell is not what is left of it."""
    return f"about {round(count, -1)}" if count >= SMALL else told(count)


def band(start: int | None) -> str:
    """What a band of ages is called."""
    if start is None:
        return "?"
    return f"{start}+" if start == LAST else f"{start}–{start + BAND - 1}"
