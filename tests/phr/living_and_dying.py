"""A person whose record closes: their account, their app just proven, and what the database says of the record."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from auth import accounts, grants
from auth.clients import Kind
from auth.mail import KIND as MAIL
from auth.sessions import Proof
from fhir.tables import record
from phr.access.reader import Operator
from phr.access.visit import Visit
from phr.core import outbox
from tests.house import ALL, Caller, House

EMAIL = "ada@example.test"


def proven(house: House, name: str, account: UUID | str | None = None, acr: str = "mfa") -> Caller:
    """An app of the person whose record this is, proven just now."""
    more = {} if account is None else {"subject": str(account)}
    claims = house.claims("citizen-app", "app", ALL, name, **more)
    return house.caller(replace(claims, acr=acr, auth_time=int(datetime.now(UTC).timestamp())))


async def ask(caller: Caller, name: str, operation: str, **said: str) -> httpx.Response:
    """One of the three operations."""
    listed = [{"name": one, "valueString": value} for one, value in said.items()]
    return await caller.post(f"Patient/{name}/${operation}", {"resourceType": "Parameters", "parameter": listed})


def told(answer: httpx.Response) -> dict[str, Any]:
    """The parameters of an answer."""
    assert answer.status_code == 200, answer.text
    listed = answer.json()["parameter"]
    return {one["name"]: next(value for key, value in one.items() if key != "name") for one in listed}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account of their own."""

    house: House
    record: str
    account: UUID
    app: Caller

    @classmethod
    async def of(cls, house: House, ins: str | None = None) -> "Person":
        """Open a record, and the account of its person."""
        name = await house.open_record(ins)
        server = house.parts.server
        with Session(server.engine) as session, session.begin():
            login, email = f"ada{house._people}", EMAIL.replace("ada", f"ada{house._people}")
            found = accounts.create(session, server.keys, login, "!", "Ada", email, name, datetime.now(UTC))
        return cls(house, name, found, proven(house, name, found))

    def mails(self) -> list[str]:
        """The subjects of the mails that wait for them."""
        server = self.house.parts.server
        with Session(server.engine) as session:
            mine = accounts.find(session, server.keys, self.account)
            assert mine is not None
            return [one["subject"] for one in outbox.waiting(session, server.keys, MAIL) if one["to"] == mine.email]

    def account_now(self) -> accounts.Account:
        """The account as it stands."""
        server = self.house.parts.server
        with Session(server.engine) as session:
            found = accounts.find(session, server.keys, self.account)
        assert found is not None
        return found


def row_of(house: House, name: str) -> Row[Any]:
    """The record's row."""
    with house.parts.engine.connect() as connection:
        return connection.execute(select(record).where(record.c.id == name)).one()


def operator(house: House, now: datetime | None = None) -> Visit:
    """The command line's own visit."""
    return Visit(house.parts.installation, Operator("operator"), (), (), now or datetime.now(UTC))


def granted_by(house: House, account: UUID, name: str) -> UUID:
    """What an account granted an application on a record: its grant."""
    server, now = house.parts.server, datetime.now(UTC)
    nobody = {"id": None, "professional": None, "assistant": None}
    who: Any = SimpleNamespace(subject=account, proof=Proof(("pwd", "otp"), "mfa", now), **nobody)
    app: Any = SimpleNamespace(id="app", kind=Kind.CITIZEN_APP, native=True)
    with Session(server.engine) as session, session.begin():
        return grants.record(session, server.keys, app, who, ("patient/*.rs",), name, None, True, now)
