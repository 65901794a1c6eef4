"""What the engine answers: one value for each rule, with the clause that decided it.

The rule: values, frozen. They are msgspec's, which makes one in a tenth of the time: the engine makes thousands.
"""

from datetime import date
from enum import StrEnum

from msgspec import Struct

from phr.prevention.rule import Rule, Version


class Status(StrEnum):
    """Where a person stands with a recommendation."""

    OVERDUE = "overdue"
    DUE = "due"
    SOON = "soon"
    DONE = "done"
    NOT_CONCERNED = "not-concerned"
    ASK = "ask"


class Clause(Struct, frozen=True, gc=False):
    """What decided: its name (docs/prevention.md lists them) and what it is about: dates, names, a number."""

    name: str
    about: tuple[date | str | int, ...] = ()


class Advice(Struct, frozen=True, gc=False):
    """Where one person stands with one rule on one day. `version` None: the rule is not in force.

    since, until: from when, and until when, the schedule says so. due: the day it was, is or will be due. step: the
    dose at stake, from 1. missing: the facts to ask. next_change: the first date on which anything here would differ.
    """

    rule: Rule
    version: Version | None
    status: Status
    why: tuple[Clause, ...]
    since: date | None = None
    until: date | None = None
    due: date | None = None
    step: int | None = None
    missing: tuple[str, ...] = ()
    next_change: date | None = None
