"""`python -m phr records`: opposition, closing, reopening, destruction and death, as the operator says them.

The rule: a record is named by its INS, nothing of its content is shown, and what is done is in its person's journal.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.progress import MofNCompleteColumn, Progress

from phr import closing, destruction, lifecycle, records, rotation
from phr.access.installation import Installation
from phr.access.reader import Operator
from phr.access.visit import Visit
from phr.commands.opening import opened, refusal
from phr.core.database import Database
from phr.core.errors import DomainError, Reason
from phr.core.identifiers import INS
from phr.core.keys import KeyEncryptionKeys
from phr.core.vault import KeyFile
from phr.lifecycle import Closing, Life
from phr.representation import PARIS

records_cli = typer.Typer(
    no_args_is_help=True, help="The life of a record: opposition, closing, reopening, destruction."
)
_Authority = Annotated[str | None, typer.Option(help="OID of the INS's authority, when a number has two records.")]
_Ins = Annotated[str, typer.Argument(metavar="INS", help="Matricule INS, 15 characters.")]
_Reason = Annotated[Closing, typer.Option(help="request, erasure (destroyed in a month) or death.")]
_BY = Operator("operator")
_T = TypeVar("_T")


@records_cli.command()
def oppose(ins: _Ins, authority: _Authority = None) -> None:
    """Write down that this person opposes the opening of a record. Nothing else is kept of them."""

    async def work(here: Installation) -> None:
        now = datetime.now(UTC)
        async with here.database.transaction() as session:
            for number in _numbers(here, ins, authority):
                if not await lifecycle.oppose(session, records.mark(here.system_keys, number), now):
                    raise refusal("Nothing was changed: a record is open under this INS already; close it.")

    _run(work)
    typer.echo("Done. No record opens under this INS until `unoppose`.")


@records_cli.command()
def unoppose(ins: _Ins, authority: _Authority = None) -> None:
    """Take an opposition back: a record may open again under this INS."""

    async def work(here: Installation) -> None:
        async with here.database.transaction() as session:
            numbers = _numbers(here, ins, authority)
            found = [await lifecycle.unoppose(session, records.mark(here.system_keys, one)) for one in numbers]
        if not any(found):
            raise refusal("Nothing was changed: nobody opposed under this INS.")

    _run(work)
    typer.echo("Done. A record may open under this INS.")


@records_cli.command()
def show(ins: _Ins, authority: _Authority = None) -> None:
    """Where a record is in its life: open, closed or to be destroyed, since when and why. Nothing of its content."""

    async def work(here: Installation) -> Life | datetime:
        async with here.database.session() as session:
            marks = [records.mark(here.system_keys, one) for one in _numbers(here, ins, authority)]
            opposed = await lifecycle.opposed(session, marks)
        return (await _found(here, ins, authority))[1] if opposed is None else opposed

    found = _run(work)
    if isinstance(found, datetime):
        typer.echo(f"state: none, and none opens\nopposed, or destroyed on request: {_said(found)}")
    else:
        _say(found)


@records_cli.command()
def close(ins: _Ins, reason: _Reason, authority: _Authority = None) -> None:
    """Close a record: nobody reads it any more, and what was lent of it ends."""
    if reason is Closing.CITIZEN:
        raise refusal("Only the person closes as `citizen`; say `request` when they asked you to.")
    _decide(ins, authority, lambda visit, name: closing.shut(visit, name, reason, "records close"))


@records_cli.command()
def reopen(
    ins: _Ins, reason: Annotated[str, typer.Option(help="For the person's journal.")], authority: _Authority = None
) -> None:
    """Open a closed record again, with all that was in it; also one closed for a death that was a mistake."""
    _decide(ins, authority, lambda visit, name: closing.restore(visit, name, "records reopen", reason))


@records_cli.command()
def destroy(due: Annotated[bool, typer.Option("--due", help="Every record whose time has come.")] = False) -> None:
    """Destroy the records whose time has come, for ever: key first, then every row. Run again to resume."""
    if not due:
        raise refusal("Nothing was changed: say --due. To destroy one record, close it with --reason erasure.")

    async def work(here: Installation) -> tuple[int, int]:
        now, done = datetime.now(UTC), 0
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
            task = progress.add_task("destroying", total=await destruction.count_due(here, now))
            async for _ in destruction.destroy_due(here, now):
                done += 1
                progress.advance(task)
        return done, await destruction.count_due(here, now)

    done, left = _run(work)
    typer.echo(f"{done} destroyed. Older dumps still hold their keys, until `keys rotate` then `keys retire`.")
    if left:
        typer.echo(f"{left} could not be: the log says why. Run again.", err=True)
        raise typer.Exit(1)


def retire_key(name: Annotated[str, typer.Argument(help="The old key's id.")]) -> None:
    """Take an old key out of the key file, for ever: no dump made while it was in use opens any more by itself."""

    async def work(here: Installation) -> None:
        try:
            await rotation.retire(here, name)
        except (ValueError, OSError) as error:
            raise refusal(f"The key file was not changed: {error}.") from None

    _run(work)
    typer.echo(f"{name} is gone from the key file. Destroy every copy of the file that still holds it.")


def _decide(ins: str, authority: str | None, act: Callable[[Visit, str], Coroutine[Any, Any, Life]]) -> None:
    async def work(here: Installation) -> Life:
        name, _ = await _found(here, ins, authority)
        try:
            return await act(Visit(here, _BY, (), (), datetime.now(UTC)), name)
        except DomainError as error:
            if error.reason not in (Reason.CONFLICT, Reason.ABSENT):
                raise
            raise refusal(f"Nothing was changed: {error.issues[0].diagnostics}") from None

    _say(_run(work))


async def _found(here: Installation, typed: str, authority: str | None) -> tuple[str, Life]:
    """The record of an INS, open or closed."""
    async with here.database.session() as session:
        found = []
        for number in _numbers(here, typed, authority):
            name = await records.find(session, here, number.system, number.value)
            life = None if name is None else await lifecycle.life_of(session, name)
            if name is not None and life is not None:
                found.append((name, life))
    if not found:
        raise refusal("No record is known under this INS: it never opened, or it was destroyed.")
    if len(found) > 1:
        raise refusal("Several authorities have a record under this number: say which with --authority.")
    return found[0]


def _numbers(here: Installation, typed: str, authority: str | None) -> list[INS]:
    oids = here.settings.ins_oids if authority is None else (authority.removeprefix("urn:oid:"),)
    try:
        return [INS.parse(typed, oid) for oid in oids]
    except ValueError:
        raise refusal("This is not a matricule INS of an authority we know, or its key is wrong.") from None


def _say(life: Life) -> None:
    lines = [f"state: {'open' if life.closed is None else 'closed' if life.erased is None else 'destroyed'}"]
    told = {"opened": life.opened, "closed": life.closed, "why": life.closing, "destroyed": life.erased}
    told["to be destroyed" if life.erased is None else "being deleted since"] = life.until
    lines += [f"{name}: {_said(value)}" for name, value in told.items() if value is not None]
    typer.echo("\n".join(lines))


def _said(value: datetime | Closing) -> str:
    return value.value if isinstance(value, Closing) else value.astimezone(PARIS).date().isoformat()


def _run(work: Callable[[Installation], Coroutine[Any, Any, _T]]) -> _T:
    """Do the work on the opened installation."""
    with opened() as here:

        async def inside() -> _T:
            url = here.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            database = await Database.connect(url, 2)
            keks = KeyEncryptionKeys(KeyFile.load(here.settings.key_file))
            try:
                return await work(Installation.make(here.settings, database, keks, here.keys))
            finally:
                await database.close()

        return asyncio.run(inside())
