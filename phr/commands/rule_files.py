"""What the commands on rules share: their options, their tables, and the rules of a folder, by name.

The rule: what is not there is one sentence, with the nearest there is, and exit code 2.
"""

import difflib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from phr.commands.opening import refusal
from phr.prevention.dates import day
from phr.prevention.rulebook import Read, RuleError, read_all
from phr.prevention.words import Language

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day (today).")]
Folder = Annotated[Path, typer.Option(help="Where the rules are.")]
Lang = Annotated[Language, typer.Option(help="The language of what people are told.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="Only this rule.")]


def loaded(folder: Path) -> list[Read]:
    """Every rule of a folder, or why not and exit."""
    try:
        found = read_all(folder)
    except RuleError as error:
        raise refusal(f"{error}\nNothing was done: `rules check` says more.") from None
    if not found:
        raise refusal(f"There is no rule in {folder}.")
    return found


def named(listed: list[Read], rule_id: str) -> Read:
    """The rule of this id, or the nearest and exit."""
    for one in listed:
        if one.rule.id == rule_id:
            return one
    raise unknown("rule", rule_id, [one.rule.id for one in listed])


def unknown(what: str, name: str, known: Iterable[str]) -> typer.Exit:
    """Say that it is not known, and the nearest names; the exit to raise."""
    near = difflib.get_close_matches(name, sorted(known), cutoff=0.5)
    return refusal(f"There is no {what} {name}." + (f" Did you mean {' or '.join(near)}?" if near else ""))


def table(*headers: str, **more: Any) -> Table:
    """A table in which nothing is cut short: an id that does not fit goes on below."""
    return Table(*(Column(one, overflow="fold") for one in headers), **more)


def that_day(on: datetime | None) -> date:
    """The day asked for, or today in Paris."""
    return day(datetime.now(UTC)) if on is None else on.date()
