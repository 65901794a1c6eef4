"""`python -m phr rules`: for those who own the rules: check them, read one, try it on somebody, draw all.

The rule: no database, no settings, nobody real; what is said of a rule is what its file says.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from phr.commands.opening import refusal
from phr.commands.rule_files import Day, Folder, Lang, loaded, named, table, that_day
from phr.commands.rule_trials import explain, simulate
from phr.prevention import calendar, calendar_page, drawing, examples, layout, pages, sheet
from phr.prevention.rule import Rules, Version
from phr.prevention.rulebook import RULES_FOLDER, Read, RuleError, read, rule_set, stale
from phr.prevention.words import Language, audience

rules_cli = typer.Typer(no_args_is_help=True, help="The rules of prevention: check, read, try and draw them.")

DOCS = Path("docs/prevention")


@rules_cli.command()
def check(
    folder: Folder = RULES_FOLDER,
    old: Annotated[bool, typer.Option("--stale", help="List the sources last checked over 400 days ago.")] = False,
    on: Day = None,
) -> None:
    """Load every file and play its examples. Exit code 1 when anything is wrong."""
    found, faults = _read_what_can_be(folder)
    if old:
        _tell_stale(rule_set(found), that_day(on))
    else:
        listed = table("Rule", "Theme", "Versions", "Examples", "Source")
        for one in found:
            wrong = examples.faults(one)
            faults += wrong
            verified = "verified" if one.rule.versions[0].source.verified else "[yellow]not verified[/]"
            played = f"[red]{len(wrong)} of {len(one.examples)} wrong[/]" if wrong else str(len(one.examples))
            listed.add_row(one.rule.id, one.rule.theme, str(len(one.rule.versions)), played, verified)
        Console().print(listed)
        checked = sum(one.rule.versions[0].source.verified for one in found)
        count = sum(len(one.examples) for one in found)
        typer.echo(f"{len(found)} rules, {count} examples, {checked} sources verified, {len(faults)} faults.")
    for fault in faults:
        typer.echo(fault, err=True)
    raise typer.Exit(1 if faults else 0)


def _read_what_can_be(folder: Path) -> tuple[list[Read], list[str]]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise refusal(f"There is no rule in {folder}.")
    found: list[Read] = []
    faults: list[str] = []
    for path in paths:
        try:
            found.append(read(path))
        except RuleError as error:
            faults += str(error).splitlines()
    return found, faults


def _tell_stale(rules: Rules, on: date) -> None:
    listed = stale(rules, on)
    if listed:
        told = table("Rule", "In force from", "Last checked", "Days ago", "Source")
        for rule, version in sorted(listed, key=lambda one: one[1].source.checked):
            source = version.source
            days = str((on - source.checked).days)
            told.add_row(rule.id, str(version.in_force), str(source.checked), days, f"{source.title}\n{source.link}")
        Console().print(told)
    typer.echo(f"{len(listed)} sources of what is in force on {on} were last checked over 400 days before.")


@rules_cli.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID")], lang: Lang = "en", folder: Folder = RULES_FOLDER
) -> None:
    """Everything of one rule: whom, when, what satisfies it, sources, history, examples."""
    listed = loaded(folder)
    one = named(listed, rule_id)
    rule, console = one.rule, Console(highlight=False, markup=False)
    console.print(getattr(rule.title, lang), style="bold")
    journey = f", journey {rule.journey}" if rule.journey else ""
    console.print(f"{rule.id}: {rule.theme}{journey}", style="dim")
    for version in rule.versions:
        _show_version(console, version, lang)
    played = table("Example", "On", "Born", "Sex", "Known", "Answer", title="Examples", title_justify="left")
    for example in one.examples:
        born, sex = str(example.born or "not known"), example.sex or "not known"
        known, answer = "\n".join(sheet.known(example)), ", ".join(sheet.expected(example))
        played.add_row(example.name, str(example.on), born, sex, known, answer)
    console.print()
    console.print(played)


def _show_version(console: Console, version: Version, lang: Language) -> None:
    source = version.source
    console.print(f"\nIn force from {version.in_force}: {version.requirement}", style="bold cyan")
    console.print(f"  {audience(version, lang)}")
    _part(console, "Whom", sheet.whom(version, lang))
    _part(console, "Said", [getattr(version.say, lang), f"To do: {sheet.TODO[version.todo]}.", sheet.told_by(version)])
    doses = [line for told, doses in sheet.courses(version) for line in (told, *(f"  {one}" for one in doses))]
    _part(console, "When", [*sheet.when(version), *doses])
    sets = [f"{getattr(one.title, lang)} ({one.name}): {sheet.codes(one)}" for one in sheet.satisfied(version)]
    _part(console, "Satisfied by", sets or ["nothing: it is told, and that is all"])
    verified = "verified at the issuing authority" if source.verified else "NOT VERIFIED: our source is secondary"
    _part(
        console, "Source", [source.title, source.link, f"“{source.quote}”", f"checked on {source.checked}, {verified}"]
    )


def _part(console: Console, title: str, lines: Iterable[str]) -> None:
    console.print(f"  {title}", style="bold")
    for line in lines:
        console.print(f"    {line}", soft_wrap=True)


rules_cli.command()(explain)
rules_cli.command()(simulate)


@rules_cli.command(name="calendar")
def calendar_command(
    out: Annotated[Path, typer.Option(help="The folder.")] = DOCS, on: Day = None, folder: Folder = RULES_FOLDER
) -> None:
    """Draw the whole schedule by age and sex: calendar.svg, and calendar.html with the same as a table."""
    rules = rule_set(loaded(folder))
    drawn_on = calendar.day_of(rules) if on is None else on.date()
    lanes = calendar.lanes(rules, drawn_on)
    title = "Prevention, from birth to a hundred years"
    drawings = {
        "calendar.svg": drawing.drawn(lanes, layout.WIDE, title),
        "calendar.html": calendar_page.page(lanes, drawn_on),
    }
    _write(out, drawings)
    typer.echo(f"{out / 'calendar.svg'} and {out / 'calendar.html'} drawn, as of {drawn_on}.")


@rules_cli.command(name="pages")
def pages_command(out: Annotated[Path, typer.Option(help="The folder.")] = DOCS, folder: Folder = RULES_FOLDER) -> None:
    """Write a page for each rule, and an index. A page made so, of a rule that is no more, is removed."""
    made = pages.pages(loaded(folder))
    _write(out, made)
    gone = [one for one in out.glob("*.md") if one.name not in made and one.read_text("utf-8").startswith(pages.MARK)]
    for one in gone:
        one.unlink()
    typer.echo(f"{len(made)} pages in {out}, {len(gone)} removed.")


def _write(out: Path, made: dict[str, str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (out / name).write_text(text, encoding="utf-8")
