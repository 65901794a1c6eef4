"""What the engine knows of a person: when they were born, what was done, what is known to hold, what was said.

The rule: nothing here says where it was read; what is not known is absent, which is neither yes nor no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from phr.prevention.dates import EVER, NEVER

Sex = Literal["female", "male"]
Said = Literal["not-concerned", "later", "declined", "contraindicated", "indicated"]
"""What was said of a rule: by the person the first three, by a professional the last two."""


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Something done on a day, by the names of the value sets (`codes/*.toml`) it belongs to.

    `declared`: on the person's word alone.
    """

    on: date
    sets: frozenset[str] = field(compare=False)
    declared: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A fact (`facts.toml`) known to be so, or not, in [since, until). Outside of it nothing is known."""

    value: bool
    since: date = EVER
    until: date = NEVER


@dataclass(frozen=True, slots=True)
class Pregnancy:
    """[start, end): from the first day of the last period. A pregnancy not known to be over lasts 45 weeks."""

    start: date
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of a rule on a day, and until when it stands (None: until something else is said)."""

    rule: str
    said: Said
    on: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Events in the order of their dates. Born or sex None: not known. `by_set`, `named`: the events by their sets."""

    born: date | None
    sex: Sex | None
    events: tuple[Event, ...] = ()
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    pregnancies: tuple[Pregnancy, ...] = ()
    statements: tuple[Statement, ...] = ()
    by_set: Mapping[str, tuple[Event, ...]] = field(init=False, compare=False, repr=False)
    named: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        by_set: dict[str, tuple[Event, ...]] = {}
        for event in self.events:
            for name in event.sets:
                by_set[name] = (*by_set.get(name, ()), event)
        object.__setattr__(self, "by_set", by_set)
        object.__setattr__(self, "named", frozenset(by_set))
