"""`python -m phr people`: the letters that invite citizens, and who acts for whom. What only the operator decides.

The rule: a name, a birth date or a family tie comes from the administrative file in the operator's hands; what it says
of a record is compared there, and never shown from it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from auth import accounts, invitations
from auth.accounts import of_record
from phr import enrolment, imports, mandates, representation
from phr.access.installation import Installation
from phr.access.reader import SELF
from phr.access.visit import Visit
from phr.commands.opening import Opened, opened, refusal
from phr.core.database import Database
from phr.core.errors import DomainError
from phr.core.identifiers import INS
from phr.core.keys import KeyEncryptionKeys
from phr.core.vault import KeyFile

people_cli = typer.Typer(
    no_args_is_help=True, help="Inviting people to open their account, and parents who act for a child."
)
representations_cli = typer.Typer(no_args_is_help=True, help="Who acts for whom.")
people_cli.add_typer(representations_cli, name="representations")

_Authority = Annotated[str | None, typer.Option(help="OID of the INS's authority, when a number has two records.")]
_Born = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Birth date, YYYY-MM-DD.")]
_Given = Annotated[str, typer.Option(help="First name, as the person uses it.")]
_Family = Annotated[str, typer.Option(help="Family name, as the person uses it.")]
_Ins = Annotated[str, typer.Argument(metavar="INS", help="Matricule INS, 15 characters.")]
_Child = Annotated[str, typer.Argument(metavar="CHILD", help="The child's matricule INS.")]
_Parent = Annotated[str, typer.Argument(metavar="PARENT", help="The parent's matricule INS, sign-in name or e-mail.")]


_T = TypeVar("_T")


@people_cli.command()
def invite(ins: _Ins, born: _Born, given: _Given, family: _Family, authority: _Authority = None) -> None:
    """Print an invitation code for the letter to this person. It is shown once, and opens one account."""
    with _work() as (here, session):
        number, record = _record(here, session, ins, authority)
        if of_record(session, here.keys, record) is not None:
            raise refusal("This person has an account already.")
        now = datetime.now(UTC)
        code = invitations.invite(
            session,
            here.keys,
            record=record,
            ins=number,
            birth_date=born.date().isoformat(),
            given=given,
            family=family,
            now=now,
        )
    until = (now + invitations.LIFETIME).date().isoformat()
    typer.echo(f"{invitations.shown(code)}\nValid until {until}, once, at {here.settings.issuer}/enrol")


@people_cli.command()
def represent(
    child: _Child,
    parent: _Parent,
    label: Annotated[str, typer.Option(help="What the parent calls the child: a first name.")],
    born: _Born,
    authority: _Authority = None,
) -> None:
    """Let a parent act for a child, until the child is of age."""
    with _work() as (here, session):
        record = _record(here, session, child, authority)[1]
        account = accounts.find(session, here.keys, _account(here, session, parent))
        if account is None or account.record == record:
            raise refusal("Nothing was changed: nobody represents themselves.")
        found, day = account.id, born.date()
        until = _decide(here, lambda visit: mandates.represent(visit, record, found, label, day))
    typer.echo(f"Done. It ends by itself on {_day(until)}.")


@people_cli.command()
def unrepresent(child: _Child, parent: _Parent, authority: _Authority = None) -> None:
    """End it: the parent's applications lose this record at their next request."""
    with _work() as (here, session):
        record = _record(here, session, child, authority)[1]
        account = _account(here, session, parent)
        if not _decide(here, lambda visit: mandates.unrepresent(visit, record, account)):
            raise refusal("Nothing was changed: this parent does not act for this child.")
    typer.echo("Done. Every access given under it is revoked.")


@representations_cli.command()
def renew() -> None:
    """Write the Consents that the release before did not: until then its parents see nothing. Run again to resume."""
    done, failed = 0, 0
    with _work() as (here, session):
        for one in list(representation.every(session, here.keys, datetime.now(UTC))):
            if one.consent is None and one.basis == representation.PARENT:
                try:
                    _decide(here, partial(mandates.represent, record=one.record, account=one.account, label=one.label))
                    done += 1
                except typer.Exit:
                    failed += 1
    typer.echo(f"{done} renewed, {failed} could not be.")
    raise typer.Exit(1 if failed else 0)


@representations_cli.command(name="list")
def list_command(
    parent: Annotated[str | None, typer.Option(help="Only this parent's: INS, sign-in name or e-mail.")] = None,
) -> None:
    """Who acts for whom now."""
    table = Table("sign-in name", "acts for", "as", "record", "since", "until")
    now = datetime.now(UTC)
    with _work() as (here, session):
        if parent is None:
            found = representation.every(session, here.keys, now)
        else:
            found = iter(representation.of_account(session, here.keys, _account(here, session, parent), now))
        for one in found:
            account = accounts.find(session, here.keys, one.account)
            login = "" if account is None else account.login
            until = "" if one.until is None else _day(one.until)
            table.add_row(login, one.label, one.basis, one.record, _day(one.since), until)
    Console().print(table)


@contextmanager
def _work() -> Iterator[tuple[Opened, Session]]:
    """One transaction on the opened database: undone when something is refused."""
    with opened() as here, Session(here.engine) as session, session.begin():
        yield here, session


def _decide(here: Opened, act: Callable[[Visit], Coroutine[Any, Any, _T]]) -> _T:
    """Do it as this installation, in the record and in its journal; what is refused is said and changes nothing."""

    async def inside() -> _T:
        url = here.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        database = await Database.connect(url, 1)
        keks = KeyEncryptionKeys(KeyFile.load(here.settings.key_file))
        installation = Installation.make(here.settings, database, keks, here.keys)
        try:
            return await act(imports.visit_of(installation, SELF, datetime.now(UTC)))
        except DomainError as error:
            raise refusal(f"Nothing was changed: {error.issues[0].diagnostics}") from None
        finally:
            await database.close()

    return asyncio.run(inside())


def _record(here: Opened, session: Session, typed: str, authority: str | None) -> tuple[INS, str]:
    """The INS and the open record it leads to."""
    oids = here.settings.ins_oids if authority is None else (authority.removeprefix("urn:oid:"),)
    try:
        numbers = enrolment.numbers(typed, oids)
    except ValueError:
        raise refusal("This is not a matricule INS of an authority we know, or its key is wrong.") from None
    found = [(ins, record) for ins in numbers if (record := enrolment.record_of(session, here.keys, ins)) is not None]
    if not found:
        raise refusal("No record is open under this INS.")
    if len(found) > 1:
        raise refusal("Several authorities have a record under this number: say which with --authority.")
    return found[0]


def _account(here: Opened, session: Session, named: str) -> UUID:
    found = enrolment.account_by(session, here.keys, named, here.settings.ins_oids)
    if found is None:
        raise refusal("No account is known by this INS, sign-in name or e-mail.")
    return found


def _day(at: datetime) -> str:
    return at.astimezone(representation.PARIS).date().isoformat()
