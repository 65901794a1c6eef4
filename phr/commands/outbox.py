"""`python -m phr outbox`: what waits to be sent, what was given up, and trying it again or dropping it.

The rule: a message is never opened here: its kind, its age, its tries and the type of its last error, no more.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from phr.commands.opening import opened, refusal
from phr.core import outbox
from phr.core.outbox import Message

outbox_cli = typer.Typer(no_args_is_help=True, help="What waits to be sent: mails, pushes, hooks, logout notices.")
_Ids = Annotated[list[UUID] | None, typer.Argument(help="Messages, by their ids.", metavar="[ID]...")]
_Every = Annotated[bool, typer.Option("--all", help="Every message that was given up.")]


@outbox_cli.command(name="list")
def list_command(dead: Annotated[bool, typer.Option("--dead", help="What was given up.")] = False) -> None:
    """What waits, oldest first; or what was given up."""
    now = datetime.now(UTC)
    with opened() as here, Session(here.engine) as session:
        found = outbox.listed(session, dead=dead)
    table = Table("Id", "Kind", "Age", "Tries", "Last error", "Given up" if dead else "Next try")
    for one in found:
        when = _age(now - one.dead) + " ago" if one.dead else "in " + _age(max(one.due - now, timedelta(0)))
        table.add_row(str(one.id), one.kind, _age(now - one.created), str(one.tries), one.error or "", when)
    if found:
        Console().print(table)
    typer.echo(f"{len(found)} {'given up' if dead else 'waiting'}.")


@outbox_cli.command()
def retry(ids: _Ids = None, every: _Every = False) -> None:
    """Try messages again, at once and for as long as new ones."""

    def again(session: Session, chosen: Collection[UUID]) -> int:
        return outbox.retry(session, chosen, datetime.now(UTC))

    typer.echo(f"{_each(again, ids, every)} to be tried again.")


@outbox_cli.command()
def drop(ids: _Ids = None, every: _Every = False) -> None:
    """Forget messages: they are never sent."""
    typer.echo(f"{_each(outbox.drop, ids, every)} dropped.")


def _each(do: Callable[[Session, Collection[UUID]], int], ids: list[UUID] | None, every: bool) -> int:
    """Do it to those named, or to every one given up; nothing is done unless all of those named are there."""
    if bool(ids) is every:
        raise refusal("Name messages by their ids (`outbox list`), or say --all for those that were given up.")
    with opened() as here, Session(here.engine) as session, session.begin():
        dead = outbox.listed(session, dead=True)
        known: list[Message] = dead if every else [*dead, *outbox.listed(session, dead=False)]
        chosen = {one.id for one in known} if every else set(ids or ())
        missing = chosen - {one.id for one in known}
        if missing:
            raise refusal(f"There is no message {', '.join(sorted(map(str, missing)))}: nothing was done.")
        return do(session, chosen)


def _age(time: timedelta) -> str:
    hours, minutes = divmod(int(time.total_seconds()) // 60, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"
