"""Whose record an operator means: an INS leads to a record, a record or a sign-in name to an account.

The rule: nobody is searched; an exact number or name finds one, or nothing.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import accounts
from auth.accounts import of_record
from fhir.record import bucket_of
from fhir.tables import record, record_lookup
from phr.core.identifiers import INS
from phr.core.keys import SystemKeys
from phr.records import mark


def numbers(typed: str, oids: tuple[str, ...]) -> list[INS]:
    """What a matricule may be: an INS under each of these authorities. Raises ValueError when its key is wrong."""
    return [INS.parse(typed, oid) for oid in oids]


def record_of(session: Session, keys: SystemKeys, ins: INS) -> str | None:
    """The open record of an INS."""
    mine = record_lookup.c.hash == mark(keys, ins)
    found: str | None = session.execute(select(record_lookup.c.record).where(mine)).scalar_one_or_none()
    if found is None:
        return None
    still = record.c.bucket == bucket_of(found), record.c.id == found, record.c.closed.is_(None)
    return found if session.execute(select(record.c.id).where(*still)).one_or_none() else None


def account_by(session: Session, keys: SystemKeys, named: str, oids: tuple[str, ...]) -> UUID | None:
    """The account of a person, by their INS when they enrolled here, else by sign-in name or e-mail."""
    try:
        found = [record_of(session, keys, ins) for ins in numbers(named, oids)]
    except ValueError:
        account = accounts.lookup(session, keys, named)[0]
        return None if account is None else account.id
    owners = [of_record(session, keys, name) for name in found if name is not None]
    return owners[0] if len(owners) == 1 else None
