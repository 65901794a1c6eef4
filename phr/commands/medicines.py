"""`python -m phr medicines`: load the public database of medicines from the files the operator downloaded; show one.

The rule: nothing is fetched; a file that is not as it should be changes nothing, and is named with its line.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from phr.commands.opening import Opened, opened, refusal
from phr.core.database import Database
from phr.medicines import loading, lookup
from phr.medicines.medication import regulation
from phr.medicines.medicine import Medicine
from phr.medicines.source import FileError, Source

medicines_cli = typer.Typer(no_args_is_help=True, help="The public database of medicines (BDPM), and interactions.")
_FEW = 10


@medicines_cli.command()
def load(
    folder: Annotated[Path, typer.Argument(help="Where CIS_bdpm.txt, CIS_CIP_bdpm.txt, CIS_COMPO_bdpm.txt … are.")],
    interactions: Annotated[Path | None, typer.Option(help="Your file of interactions: a;b;level;text.")] = None,
) -> None:
    """Replace the whole set of medicines, in one transaction; running servers see it at once, and never half of it."""
    with (
        opened() as here,
        Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), disable=not sys.stderr.isatty()
        ) as progress,
    ):
        tasks: dict[Source, TaskID] = {}

        def tell(source: Source, line: int) -> None:
            if source not in tasks:
                tasks[source] = progress.add_task(source.path.name, total=source.lines)
            progress.update(tasks[source], completed=line)

        try:
            done = loading.load(here.engine, loading.find(folder, interactions), datetime.now(UTC), tell)
        except FileError as error:
            raise refusal(f"Nothing was changed: {error}.") from None
    _summary(done)


def _summary(done: loading.Loaded) -> None:
    table = Table("File", "Lines", "Left out", "Encoding", "SHA-256")
    for name, source in done.files.items():
        encoding = source.encoding.removesuffix("-sig")
        table.add_row(name, str(source.lines), str(done.left_out.get(name, 0)), encoding, source.sha256)
    Console().print(table)
    counts = ", ".join(f"{n} {what.removeprefix('medicine_')}" for what, n in done.rows.items())
    said = "These very files were loaded already: nothing was changed" if done.already else "Loaded"
    typer.echo(f"{said}. Release {done.number} of {done.at:%Y-%m-%d %H:%M} UTC: {counts}.")
    if done.unknown:
        named, more = ", ".join(done.unknown[:_FEW]), " …" if len(done.unknown) > _FEW else ""
        typer.echo(f"{len(done.unknown)} names of the interactions are of no substance loaded: {named}{more}.")
    if "interactions" not in done.files:
        typer.echo("No interactions were supplied: they are said not to be checked.")


@medicines_cli.command()
def show(wanted: Annotated[list[str], typer.Argument(metavar="CIS|CIP13|NAME")]) -> None:
    """Everything that is loaded of a medicine; of a name, the list of those it may be."""
    with opened() as here:
        found = asyncio.run(_found(here, " ".join(wanted)))
    if not found:
        raise refusal("No medicine that is loaded has this code or these words in its name.")
    if len(found) > 1:
        table = Table("CIS", "Name", "Form")
        for one in found:
            table.add_row(one.cis, one.name, one.form)
        Console().print(table)
        return
    _shown(found[0])


async def _found(here: Opened, wanted: str) -> Sequence[Medicine]:
    url = here.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    database = await Database.connect(url, 1)
    try:
        async with database.session() as session:
            release = await lookup.current(session)
            if release is None:
                raise refusal("No medicines are loaded: `medicines load` does it.")
            if lookup.CODE.fullmatch(wanted):
                return await lookup.by_code(session, release, wanted)
            return await lookup.by_name(session, release, wanted)
    finally:
        await database.close()


def _shown(one: Medicine) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{one.cis}  {one.name}", style="bold")
    state = "authorised" if one.authorised else "not authorised any more"
    console.print(f"  {one.form}, {', '.join(one.routes)}; {one.holder}; {state}")
    for each in one.ingredients:
        console.print(f"  {'SA' if each.active else 'FT'} {each.code} {each.name} {each.strength} / {each.per}")
    for condition in one.conditions:
        console.print(f"  {condition}")
    for code in regulation(one.conditions):
        console.print(f"  → {code}")
    for box in one.boxes:
        console.print(f"  {box.cip13} {box.label}{'' if box.marketed else ' (not marketed)'}")
