"""`rules explain` and `rules simulate`: what the rules say to somebody, and to a crowd. Nobody real.

The rule: the plain engine answers; what is not said of a person is not known.
"""

import sys
from collections import Counter
from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from phr.commands.opening import refusal
from phr.commands.rule_files import Day, Folder, Lang, RuleOption, loaded, named, table, that_day, unknown
from phr.prevention import simulation as simulated
from phr.prevention.advice import Advice, Status
from phr.prevention.codes import ABOVE
from phr.prevention.engine import judge
from phr.prevention.facts import ASKED_OTHERWISE, FACTS
from phr.prevention.person import Answer, Event, Person, Pregnancy, Sex
from phr.prevention.rulebook import RULES_FOLDER, rule_set
from phr.prevention.words import Language, reason

COLOURS = {
    Status.OVERDUE: "bold red",
    Status.DUE: "yellow",
    Status.SOON: "cyan",
    Status.DONE: "green",
    Status.ASK: "magenta",
    Status.NOT_CONCERNED: "dim",
}


def explain(
    born: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Birth date.")],
    sex: Annotated[Sex | None, typer.Option(help="Left out: not known.")] = None,
    on: Day = None,
    event: Annotated[list[str] | None, typer.Option(help="What was done: mammography=2024-05-01. Repeat.")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="What is known: smoker=yes, smoker=no. Repeat.")] = None,
    pregnancy: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of the last period.")
    ] = None,
    rule: RuleOption = None,
    lang: Lang = "en",
    every: Annotated[bool, typer.Option("--all", help="Also what does not concern them.")] = False,
    folder: Folder = RULES_FOLDER,
) -> None:
    """What the rules say to somebody, and why."""
    listed, asked = loaded(folder), that_day(on)
    chosen = [named(listed, rule)] if rule else listed
    person = Person(
        born.date(),
        sex,
        tuple(sorted(_event(one) for one in event or [])),
        dict(_answer(one) for one in fact or []),
        () if pregnancy is None else (Pregnancy(pregnancy.date()),),
    )
    _check_dates(person, asked)
    advices = [judge(one.rule, person, asked) for one in chosen]
    told = [one for one in advices if every or rule or one.status is not Status.NOT_CONCERNED]
    said = table("Status", "What", "Why", "Changes on")
    for one in sorted(told, key=_urgency):
        title = f"{getattr(one.rule.title, lang)}\n[dim]{one.rule.id}[/]"
        said.add_row(f"[{COLOURS[one.status]}]{one.status}[/]", title, _why(one, lang), str(one.next_change or "never"))
    Console(highlight=False).print(said)
    counts = Counter(one.status for one in advices)
    typer.echo(f"On {asked}: " + ", ".join(f"{counts[one]} {one}" for one in COLOURS if counts[one]) + ".")


def _check_dates(person: Person, on: date) -> None:
    """A slip of the keyboard is not answered as if somebody were so."""
    born = person.born or date.min
    if born > on:
        raise refusal(f"--born {born}: that is after {on}.")
    began = [one.on for one in person.events] + [one.start for one in person.pregnancies]
    if before := [one for one in began if one < born]:
        raise refusal(f"{min(before)} is before the birth.")


def _urgency(advice: Advice) -> tuple[int, date]:
    return list(COLOURS).index(advice.status), advice.due or date.max


def _why(advice: Advice, lang: Language) -> str:
    questions = (getattr(FACTS[name].question, lang) for name in advice.missing)
    return "\n".join([reason(advice, lang), *questions])


def simulate(
    people: Annotated[int, typer.Option(min=1, help="How many.")],
    seed: Annotated[int, typer.Option(help="One seed is one crowd.")] = 1,
    on: Day = None,
    by_age: Annotated[bool, typer.Option("--by-age", help="By age and sex instead of by rule.")] = False,
    rule: RuleOption = None,
    folder: Folder = RULES_FOLDER,
) -> None:
    """What the rules say to synthetic people. Their ages are roughly those of France, the rest is a guess."""
    listed = loaded(folder)
    rules = rule_set([named(listed, rule)] if rule else listed)
    tally = simulated.Tally()
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("simulating", total=people)
        for so_far in simulated.simulate(rules, people, that_day(on), seed):
            tally = so_far
            bar.advance(task)
    counted = table("Age", "Sex", "People") if by_age else table("Rule")
    for status in COLOURS:
        counted.add_column(status.value, justify="right", style=COLOURS[status], overflow="fold")
    if by_age:
        for cell in sorted(tally.heads):
            counts = (str(tally.cells[cell, status]) for status in COLOURS)
            counted.add_row(f"{cell[0]}–{cell[0] + simulated.BAND - 1}", cell[1], str(tally.heads[cell]), *counts)
    else:
        for one in rules.all:
            counted.add_row(one.id, *(str(tally.rules[one.id, status]) for status in COLOURS))
    Console().print(counted)
    typer.echo(f"{tally.people} people, {len(rules.all)} rules, on {that_day(on)}, seed {seed}.")


def _event(said: str) -> Event:
    name, _, on = said.partition("=")
    if name not in ABOVE:
        raise unknown("value set", name, ABOVE)
    try:
        return Event(date.fromisoformat(on), ABOVE[name])
    except ValueError:
        raise refusal(f"--event {said}: say {name}=YYYY-MM-DD.") from None


def _answer(said: str) -> tuple[str, tuple[Answer, ...]]:
    name, _, value = said.partition("=")
    known = FACTS.keys() - ASKED_OTHERWISE
    if name not in known:
        raise unknown("fact", name, known)
    if value not in ("yes", "no"):
        raise refusal(f"--fact {said}: say {name}=yes or {name}=no.")
    return name, (Answer(value == "yes"),)
