"""`python -m phr worker` and `campaigns`: send what prevention says is due, and say beforehand how many it would be.

The rule: counts only, on the terminal and in the log; small ones are hidden.
"""

import logging
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from phr.access.installation import Installation
from phr.commands.opening import opened, refusal
from phr.core.database import Database
from phr.core.keys import KeyEncryptionKeys
from phr.core.vault import KeyFile
from phr.prevention import campaign_files, pyramid, queue
from phr.prevention.campaign import Programme
from phr.prevention.dates import NEVER, day
from phr.prevention.rehearsal import LAST, SEXES, Rehearsal, about, band, rehearse, told
from phr.prevention.rulebook import RuleError
from phr.prevention.sending import Looked
from phr.representation import PARIS

campaigns_cli = typer.Typer(no_args_is_help=True, help="Campaigns of prevention: what is told to whom, and when.")
_T = TypeVar("_T")


def work(
    once: Annotated[bool, typer.Option("--once", help="Send what is due now, then stop.")] = False,
    at: Annotated[datetime | None, typer.Option(help="Sandbox: as if it were then, in Paris.")] = None,
) -> None:
    """Send what is due: to each person, what is recommended to them and when, as the campaigns say."""
    programme = _programme()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")

    async def inside(here: Installation, url: str) -> tuple[int, int]:
        if at is not None and not here.settings.sandbox:
            raise refusal("Only in the sandbox is it as if it were another time.")
        queue.install(url)
        looked = sent = 0
        piped = not sys.stdout.isatty()
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), disable=piped) as progress:
            task = progress.add_task("looking", total=None)

            def done(one: Looked) -> None:
                nonlocal looked, sent
                looked, sent = looked + 1, sent + one.told
                progress.update(task, description=f"{looked} looked at, {sent} told")

            then = None if at is None else at.replace(tzinfo=at.tzinfo or PARIS)
            await queue.Rounds(here, programme, url, then, done).run(once=once)
        return looked, sent

    looked, sent = _run(inside)
    typer.echo(f"{looked} looked at, {sent} told.")


@campaigns_cli.command(name="list")
def list_command() -> None:
    """The campaigns, when they run and what they tell of."""
    today = day(datetime.now(UTC))
    table = Table("Campaign", "What", "Rules", "Told when", "By", "From", "Until")
    for one in _programme().campaigns:
        run = one.run(today)
        first, last = ("over", "") if run is None else (str(run[0]), "" if run[1] == NEVER else str(run[1]))
        always = run is not None and run[0] == date.min
        told_when, by = (", ".join(sorted(listed)) for listed in (one.statuses, one.channels))
        table.add_row(one.id, one.title.en, str(len(one.rules)), told_when, by, "" if always else first, last)
    Console().print(table)


@campaigns_cli.command(name="dry-run")
def dry_run(
    name: Annotated[str, typer.Argument(help="The campaign.")],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day (today).")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it there, as a population pyramid.")] = None,
) -> None:
    """How many people a campaign would tell that day, by age and sex. Nothing is sent."""
    programme = _programme()
    campaign = programme.get(name)
    if campaign is None:
        raise refusal(f"There is no campaign {name}: `campaigns list` says which there are.")
    that_day = day(datetime.now(UTC)) if on is None else on.date()

    async def inside(here: Installation, url: str) -> Rehearsal:
        counted = Rehearsal()
        with Progress(
            SpinnerColumn(), TextColumn("{task.completed} looked at"), disable=not sys.stderr.isatty()
        ) as bar:
            task = bar.add_task("", total=None)
            async for counted in rehearse(here, programme, campaign, that_day):
                bar.update(task, completed=counted.looked)
        return counted

    counted = _run(inside)
    Console().print(_table(counted))
    typer.echo(
        f"{campaign.title.en}, {that_day}: {about(counted.people)} people, {about(counted.messages)} messages, "
        f"{about(len(counted.mailed))} e-mails, {about(len(counted.pushed))} notified on a device."
    )
    if svg is not None:
        svg.write_text(pyramid.drawn(f"{campaign.title.en}, {that_day}", counted.cells), encoding="utf-8")
        typer.echo(f"{svg} drawn.")


def _table(counted: Rehearsal) -> Table:
    table = Table("Age")
    for title in ("Women", "Men", "Not said"):
        table.add_column(title, justify="right")
    for start in sorted({start for start, _ in counted.cells}, key=lambda one: LAST + 1 if one is None else one):
        table.add_row(band(start), *(told(counted.cells[start, sex]) for sex in SEXES))
    return table


def _programme() -> Programme:
    try:
        return campaign_files.load()
    except RuleError as error:
        raise refusal(str(error)) from None


def _run(work: Callable[[Installation, str], Coroutine[Any, Any, _T]]) -> _T:
    """Do the work on the opened installation, at its database's address."""
    with opened() as here:

        async def inside() -> _T:
            url = here.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            database = await Database.connect(url, queue.AT_ONCE + 2)
            keks = KeyEncryptionKeys(KeyFile.load(here.settings.key_file))
            try:
                return await work(Installation.make(here.settings, database, keks, here.keys), url)
            finally:
                await database.close()

        return uvloop.run(inside())
