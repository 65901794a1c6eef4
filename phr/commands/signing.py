"""`python -m phr signing`: the keys that sign tokens. Rotating one stops nothing, in any process."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from auth.signing import OVERLAP, PUBLISHED_BEFORE, Listed, SigningKeys
from phr.commands.opening import opened, refusal

signing_cli = typer.Typer(no_args_is_help=True, help="The keys that sign tokens.")


@signing_cli.command()
def rotate() -> None:
    """Publish a new key now. It signs in ten minutes, when every verifier knows it; the older one verifies on."""
    with opened() as here:
        now = datetime.now(UTC)
        kid = SigningKeys(here.engine, here.keys).rotate(now)
    begins = now + PUBLISHED_BEFORE
    until = begins + OVERLAP
    typer.echo(f"{kid} is published. It signs from {begins:%H:%M} UTC; the older key verifies until {until:%H:%M} UTC.")


@signing_cli.command()
def distrust(kid: Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")]) -> None:
    """A private key may have leaked: stop believing what it signed. Within a minute, in every running process."""
    with opened() as here:
        if not SigningKeys(here.engine, here.keys).distrust(kid, datetime.now(UTC)):
            raise refusal("There is no such key; nothing was changed.")
    typer.echo(f"{kid} is not believed any more: everybody whose token it signed refreshes it, or signs in again.")


@signing_cli.command(name="list")
def list_command() -> None:
    """Every signing key, oldest first."""
    with opened() as here:
        found = SigningKeys(here.engine, here.keys).listed(datetime.now(UTC))
    table = Table("kid", "published", "signs until", "state")
    for one in found:
        table.add_row(*_row(one))
    Console().print(table)


def _row(one: Listed) -> tuple[str, str, str, str]:
    until = "" if one.retired is None else f"{one.retired:%Y-%m-%d %H:%M}"
    return one.kid, f"{one.created:%Y-%m-%d %H:%M}", until, one.state.value
