"""`python -m phr signing`: the keys that sign tokens. Rotating one stops nothing, in any process."""

from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table

from auth.signing import OVERLAP, PUBLISHED_BEFORE, Listed, SigningKeys
from phr.commands.opening import opened

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
