"""`python -m phr clients`: the registry of software, which has no other door. Clients never register themselves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth import clients, purposes, rfc7591
from auth.scopes import parse
from phr import catalogue
from phr.access.scope import expressible
from phr.commands.opening import opened, refusal
from phr.core.settings import Settings
from phr.demo.clients import demo_key_thumbprints

clients_cli = typer.Typer(
    no_args_is_help=True,
    help="The software that may ask for tokens. Only the operator, who holds the database and the key file, can run "
    "this: there is no registration over the network.",
)
_Jwks = Annotated[Path | None, typer.Option(help="File with its public keys, a JWK Set.")]


@clients_cli.command()
def add(
    id: Annotated[str, typer.Argument(metavar="ID", help="Its client_id, for ever.")],
    kind: Annotated[clients.Kind, typer.Argument(help="Bounds what it can ever be granted.")],
    name: Annotated[str, typer.Argument(help="What people will read on the consent page.")],
    redirect_uri: Annotated[list[str] | None, typer.Option(help="Where people come back to; repeatable.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="One scope it may ask for; repeatable.")] = None,
    jwks: _Jwks = None,
    metadata: Annotated[Path | None, typer.Option(help="JSON file with what else RFC 7591 registers.")] = None,
) -> None:
    """Register a client; prints what was registered."""
    with _registry() as (session, settings):
        for parsed in map(parse, scope or ()):
            if parsed is not None and not expressible(parsed):
                raise ValueError(f"{parsed} could never be granted: the access policy cannot enforce it")
        made = clients.register(
            session,
            id=id,
            name=name,
            kind=kind,
            scopes=scope or (),
            now=datetime.now(UTC),
            redirect_uris=redirect_uri or (),
            jwks=_keys(jwks, settings),
            metadata=None if metadata is None else _object(metadata),
        )
    _print(made)


@clients_cli.command(name="list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="As JSON, with everything.")] = False) -> None:
    """Every client, disabled ones too."""
    with _registry() as (session, _):
        found = clients.list_all(session)
    if as_json:
        typer.echo(json.dumps([_described(one) for one in found], ensure_ascii=False, indent=2))
        return
    table = Table(Column("id", overflow="fold"), "kind", "name", "authenticates by", "state")
    for one in found:
        table.add_row(one.id, one.kind.value, one.name, one.auth_method, "disabled" if one.disabled else "active")
    Console().print(table)


@clients_cli.command()
def disable(id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Shut a client out, at its next request: its tokens are refused, and it gets no other."""
    with _registry() as (session, _):
        made = clients.disable(session, id)
    _print(made)


@clients_cli.command()
def rotate(
    id: Annotated[str, typer.Argument(metavar="ID")],
    jwks: Annotated[Path, typer.Option(help="File with its new public keys, a JWK Set.")],
    drop_old: Annotated[bool, typer.Option("--drop-old", help="The old keys stop working now.")] = False,
) -> None:
    """Give a client new keys. First without --drop-old: both work. Once it uses the new ones: again, with it."""
    with _registry() as (session, settings):
        made = clients.rotate(session, id, _keys(jwks, settings) or {}, drop_old=drop_old)
    _print(made)


@clients_cli.command()
def describe(
    services: Annotated[Path, typer.Argument(metavar="FILE", help="TOML, one [[service]] for each client.")],
) -> None:
    """Write in the catalogue what services are and what each of their purposes needs; all of a file, or nothing.

    People who agreed to other purposes are asked again. A service SUSPENDUE or DEREFERENCEE stops at once.
    """
    with _registry() as (session, _):
        made = [clients.describe(session, client, service) for client, service in catalogue.services_in(services)]
    for one in made:
        _print(one)


@contextmanager
def _registry() -> Iterator[tuple[Session, Settings]]:
    """One transaction; what the registry refuses is said in one sentence."""
    with opened() as here, Session(here.engine) as session:
        try:
            with session.begin():
                yield session, here.settings
        except IntegrityError:
            raise refusal("Nothing was changed: a client has this id already.") from None
        except (ValueError, LookupError) as error:
            raise refusal(f"Nothing was changed: {error.args[0]}.") from None


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        raise ValueError(f"{path} cannot be read as JSON") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return found


def _keys(path: Path | None, settings: Settings) -> dict[str, Any] | None:
    """The JWK Set in a file, demo keys refused in production."""
    if path is None:
        return None
    found = _object(path)
    prints = {key.thumbprint() for key in clients.keys(found).keys}
    if not settings.sandbox and prints & demo_key_thumbprints():
        raise ValueError("this is a demo key, which anybody can compute: production refuses it")
    return found


def _described(one: clients.Client) -> dict[str, Any]:
    """What is registered, and what is derived from it, under the names of RFC 7591."""
    kept = rfc7591.kept(one)
    return {
        "client_id": one.id,
        "client_name": one.name,
        "kind": one.kind.value,
        "redirect_uris": list(one.redirect_uris),
        "scope": " ".join(one.scopes),
        **({} if one.jwks is None else {"jwks": one.jwks}),
        **kept,
        **({} if one.service is None else {clients.SERVICE: purposes.kept(one.service)}),
        "application_type": "native" if one.native else "web",
        "token_endpoint_auth_method": one.auth_method,
        "sector_identifier": one.sector,
        "disabled": one.disabled,
    }


def _print(one: clients.Client) -> None:
    typer.echo(json.dumps(_described(one), ensure_ascii=False, indent=2))
