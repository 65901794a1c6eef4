"""Professionals who open records, in tests: who they are, their tokens, what the journal and the mails then say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session
from stdnum import luhn

from auth import accounts, mail
from auth.professionals import Professional as Identity
from auth.scopes import parse
from phr.access.journal import Note, Tag, journal, read_note
from phr.access.reader import Professional
from phr.access.visit import Visit
from phr.core import outbox
from tests.house import Caller, House

Json = dict[str, Any]
PS, STRUCT = "urn:oid:1.2.250.1.71.4.2.1", "urn:oid:1.2.250.1.71.4.2.2"
SECRET = {"carnet_confidentiality": "INVISIBLE_REPRESENTANTS_LEGAUX"}
SCOPES = ("user/*.cruds",)
TREATING = {"basis": "treating"}


def rpps(n: int) -> str:
    """A national id (PSIdNat) whose RPPS number has its check digit."""
    first = f"1{n:09d}"
    return f"8{first}{luhn.calc_check_digit(first)}"


def finess(n: int) -> str:
    """A national id of a structure (StructIdNat) whose FINESS number has its check digit."""
    first = f"69{n:06d}"
    return f"1{first}{luhn.calc_check_digit(first)}"


def who(n: int, profession: str = "10", **more: str) -> Identity:
    """A professional, in a structure of their own."""
    blank = dict.fromkeys(("skill", "sector", "mode"), "")
    known = {"family": "Petit", "given": "Lou", "category": "C", "structure": finess(n), "structure_name": "Cabinet"}
    return Identity(id=rpps(n), profession=profession, **{**blank, **known, **more})


DOCTOR, NURSE, PHARMACIST = who(1), who(2, "60"), who(3, "21")
REGULATOR = who(4, regulation="1")
TREATING_PHYSICIAN = who(5)
STRANGER = who(6)


def software(
    house: House,
    identity: Identity = DOCTOR,
    record: str | None = None,
    scopes: tuple[str, ...] = SCOPES,
    assistant: Identity | None = None,
) -> Caller:
    """A professional's software; `assistant`: who acts for them."""
    claims = house.claims("professional", "software", scopes, record, subject=identity.id)
    actor = assistant.id if assistant is not None else None
    return house.caller(replace(claims, professional=identity, assistant=assistant, actor=actor))


def visit(house: House, identity: Identity, now: datetime, *, confidential: bool = False) -> Visit:
    """A professional at the door, at another moment."""
    scopes = tuple(scope for text in SCOPES if (scope := parse(text)) is not None)
    reader = Professional("software", identity, None, None)
    return Visit(house.parts.installation, reader, scopes, (), now, confidential)


def body(**values: Any) -> Json:
    """A Parameters body: booleans, strings, identifiers (pairs), references to nothing else."""
    made = []
    for name, value in values.items():
        if isinstance(value, bool):
            made.append({"name": name, "valueBoolean": value})
        elif isinstance(value, tuple):
            made.append({"name": name, "valueIdentifier": {"system": value[0], "value": value[1]}})
        else:
            made.append({"name": name, "valueString": value})
    return {"resourceType": "Parameters", "parameter": made}


def notes(house: House, record: str) -> list[tuple[Tag, Note]]:
    """What the journal of a record says, oldest first."""
    opened = house.parts.installation.remembered(record, datetime.now(UTC))
    assert opened is not None
    with Session(house.parts.engine) as session:
        rows = session.execute(select(journal).where(journal.c.chain == record).order_by(journal.c.seq)).all()
    return [(Tag(row.tag), read_note(opened.keys, row.chain, row.id, row.sealed)) for row in rows]


def account(house: House, record: str | None, email: str) -> UUID:
    """An account with an address, of the person whose record this is, if any."""
    keys, mark = house.parts.installation.system_keys, uuid4().hex
    with Session(house.parts.engine) as session, session.begin():
        return accounts.create(session, keys, mark, "x", "Ada Durand", email, record, datetime.now(UTC))


def mails(house: House) -> list[Json]:
    """The mails that wait."""
    with Session(house.parts.engine) as session:
        return outbox.waiting(session, house.parts.installation.system_keys, mail.KIND)


async def consents(caller: Caller, record: str, status: str = "active") -> list[Json]:
    """The Consents a caller finds in a record."""
    found = (await caller.get(f"Consent?patient={record}&status={status}")).json()
    return [entry["resource"] for entry in found.get("entry", ()) if entry["search"]["mode"] == "match"]


def reason(consent: Json) -> str:
    """Why a Consent ended."""
    [coded] = [one for one in consent["extension"] if one["url"].endswith("/status-reason")]
    return str(coded["valueCoding"]["code"])
