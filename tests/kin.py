"""People with a record and an account, who act for one another, over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import accounts, clients, grants, sessions
from auth.sessions import Proof
from phr import imports, mandates
from phr.access.reader import SELF
from phr.core import outbox
from tests.house import ALL, INS_SYSTEM, Caller, House

Json = dict[str, Any]
CONSULT = ("consult",)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, their record and their account."""

    house: House
    ins: str
    given: str
    family: str
    born: str
    record: str
    account: UUID
    email: str

    @property
    def patient(self) -> str:
        """Where their own operations are."""
        return f"Patient/{self.record}"

    def caller(self, scopes: Sequence[str] = ALL, **more: Any) -> Caller:
        """Their own app, in their own record."""
        claims = self.house.claims("citizen-app", "app", scopes, self.record, subject=str(self.account))
        return self.house.caller(replace(claims, expires=datetime.now(UTC) + timedelta(days=3), **more))

    def acting(self, record: str, scopes: Sequence[str] = ALL, **more: Any) -> Caller:
        """The same app, in the record of somebody they act for."""
        claims = self.house.claims("citizen-app", "app", scopes, record, subject=str(self.account))
        values = {"actor": str(self.account), "expires": datetime.now(UTC) + timedelta(days=3), **more}
        return self.house.caller(replace(claims, **values))

    def invited(self, **more: Any) -> Json:
        """What whoever invites them types."""
        return {
            "identifier": {"system": INS_SYSTEM, "value": self.ins},
            "family": self.family,
            "given": self.given,
            "birthDate": self.born,
            **more,
        }


async def person(
    house: House, given: str = "Claire", family: str = "Moreau", born: str = "1985-05-17", *, account: bool = True
) -> Person:
    """Somebody new, with their account unless said."""
    ins = house.new_ins()
    name = [{"use": "official", "family": family, "given": [given]}]
    record = await house.open_record(ins, name=name, birthDate=born)
    email = f"{uuid4().hex}@poste.test"
    made = await enroll(house, record, f"{given} {family}", email, born) if account else UUID(int=0)
    return Person(house, ins, given, family, born, record, made, email)


async def enroll(house: House, record: str, name: str, email: str, born: str | None = None) -> UUID:
    """An account of this record."""
    server = house.parts.server

    def work() -> UUID:
        with Session(server.engine) as session, session.begin():
            now = datetime.now(UTC)
            return accounts.create(session, server.keys, uuid4().hex, "", name, email, record, now, born)

    return await run_in_threadpool(work)


def parameters(**values: Any) -> Json:
    """A Parameters body: strings, booleans, identifiers; a tuple repeats its name."""
    listed = []
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            kind = "Boolean" if isinstance(one, bool) else "Identifier" if isinstance(one, dict) else "String"
            listed.append({"name": name, f"value{kind}": one})
    return {"resourceType": "Parameters", "parameter": listed}


async def invite(caller: Caller, patient: str, whom: Person, powers: Sequence[str] = CONSULT, **more: Any) -> str:
    """Invite a caregiver; the Consent."""
    answer = await caller.post(f"{patient}/$invite-caregiver", parameters(**whom.invited(power=tuple(powers), **more)))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def answer(whom: Person, consent: str, *, accept: bool = True) -> httpx.Response:
    """Answer an invitation, from one's own record."""
    return await whom.caller().post(f"{whom.patient}/$answer-invitation", parameters(consent=consent, accept=accept))


async def care(cared_for: Person, caregiver: Person, *powers: str, **more: Any) -> str:
    """Invited and accepted; the Consent."""
    consent = await invite(cared_for.caller(), cared_for.patient, caregiver, powers or CONSULT, **more)
    found = await answer(caregiver, consent)
    assert found.status_code == 200, found.text
    return consent


async def represent(child: Person, *parents: Person) -> None:
    """Parents act for a child, as the operator writes it."""
    installation = child.house.parts.installation
    visit = imports.visit_of(installation, SELF, datetime.now(UTC))
    for parent in parents:
        await mandates.represent(visit, child.record, parent.account, child.given)


def mails(house: House, to: str) -> list[str]:
    """The subjects of the mails that wait for an address."""
    server = house.parts.server
    with Session(server.engine) as session:
        return [one["subject"] for one in outbox.waiting(session, server.keys, "mail") if one["to"] == to]


def granted(house: House, who: Person, record: str, client: str = "app") -> UUID:
    """A consent given on the consent page, for a month and more."""
    server, now = house.parts.server, datetime.now(UTC)
    with Session(server.engine) as session, session.begin():
        app = clients.find(session, client) or clients.register(
            session,
            id=client,
            name="Mon Suivi",
            kind=clients.Kind.CITIZEN_APP,
            redirect_uris=["https://app.test/callback"],
            scopes=["patient/*.rs"],
            now=now,
        )
        account = accounts.find(session, server.keys, who.account)
        assert account is not None
        secret = sessions.start(session, server.keys, account, Proof(("pwd", "otp"), "mfa", now), "Firefox", now)[1]
        visitor = sessions.find(session, server.keys, secret, now)
        assert visitor is not None
        actor = None if record == who.record else str(who.account)
        return grants.record(session, server.keys, app, visitor, ["patient/*.rs"], record, actor, True, now)


def minor(days: int = 1, years: int = 18) -> str:
    """The birth date of who has their birthday of that year in so many days, in Paris."""
    day = datetime.now(ZoneInfo("Europe/Paris")).date() + timedelta(days=days)
    try:
        return day.replace(year=day.year - years).isoformat()
    except ValueError:  # 29 February
        return date(day.year - years, 3, 1).isoformat()
