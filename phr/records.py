"""Opening a person's record, and finding it by the identifiers that may find one (INS).

The rule: a record is found through a keyed hash, never by searching people; one identifier opens one record.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from fhir.record import new_bucket, new_id
from fhir.store import open_record
from fhir.tables import record_lookup
from phr.access.installation import Installation, OpenedRecord
from phr.access.journal import Tag
from phr.access.reader import Depositor, Operator, Professional
from phr.access.scope import SEARCH, granted
from phr.access.visit import Deed, Visit
from phr.core.database import Session, compile_query
from phr.core.errors import DomainError, Issue, Reason, forbidden, invalid
from phr.core.identifiers import INS, INS_OIDS
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid
from phr.lifecycle import opens, opposed

Json = dict[str, Any]

_FIND = compile_query(select(record_lookup.c.record).where(record_lookup.c.hash == bindparam("hash", type_=Uuid())))


def mark(keys: SystemKeys, ins: INS) -> UUID:
    """What stands for an INS in the lookup of records."""
    return keyed_uuid(keys.get("lookup"), f"record|{ins.system}|{ins.value}")


def ins_of(system: str, value: str, installation: Installation) -> INS | None:
    """The INS an identifier is, if its authority is one this installation opens records under; else None.

    Raises ValueError when the authority is one of ours and the number is not valid.
    """
    oid = system.removeprefix("urn:oid:")
    return INS.parse(value, oid) if oid in installation.settings.ins_oids else None


async def find(session: Session, installation: Installation, system: str, value: str) -> str | None:
    """The id of the record an INS opened, None when there is none or the identifier finds nobody."""
    try:
        ins = ins_of(system, value, installation)
    except ValueError:
        return None
    if ins is None:
        return None
    row = await session.one(_FIND, {"hash": mark(installation.system_keys, ins)})
    return None if row is None else str(row["record"])


def _inss(patient: Json, installation: Installation) -> Iterator[INS]:
    for n, identifier in enumerate(patient.get("identifier", ())):
        where = f"Patient.identifier[{n}]"
        system = identifier.get("system", "")
        try:
            ins = ins_of(system, identifier.get("value", ""), installation)
        except ValueError:
            raise invalid("The INS is not valid: check its digits and its key.", f"{where}.value") from None
        if ins is not None:
            yield ins
        elif system.removeprefix("urn:oid:") in INS_OIDS:
            raise invalid("No record opens here under this assigning authority.", f"{where}.system")


async def open_for(deed: Deed, patient: Json) -> OpenedRecord:
    """Open a record for a Patient and go on inside it. The Patient's id is the returned record's.

    Raises DomainError CONTENT on a wrong INS, CONFLICT when one of its INS has a record already, or its person opposed
    the opening of one (L1111-13-1).
    """
    visit = deed.visit
    installation = visit.installation
    hashes = [mark(installation.system_keys, ins) for ins in _inss(patient, installation)]
    await opens(deed.session)
    if await opposed(deed.session, hashes) is not None:
        issue = Issue("business-rule", "The person opposed the opening of a record.", "Patient.identifier")
        raise DomainError(Reason.CONFLICT, issue)
    name = new_id(new_bucket())
    wrapped, keys = installation.new_record_key(name)
    if not await open_record(deed.session, name, wrapped, hashes, visit.now):
        issue = Issue("duplicate", "A record is open under this identifier already.", "Patient.identifier")
        raise DomainError(Reason.CONFLICT, issue)
    opened = OpenedRecord(keys, 1, None, visit.now)
    deed.enter(opened, "c")
    return opened


SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


async def look_up(visit: Visit, system: str, value: str) -> Json | None:
    """Whether a person has a record here, by INS: the Patient's id, that it is open, and the identifier asked.

    The one search across people, for professionals, for software that deposits and for the operator (TD02). Journaled
    in the record it finds, or in the client's own chain. No row is looked at, so a scope's query could not be asked.
    """
    if not isinstance(visit.reader, Professional | Depositor | Operator):
        raise forbidden("This reader does not look people up.")
    if not granted(visit.scopes, visit.reader, SEARCH, "Patient", whole=True):
        raise forbidden("The token's scopes do not allow looking people up.")
    async with visit.installation.database.session() as session:
        name = await find(session, visit.installation, system, value)
    try:
        return await _found(visit, name, {"system": system, "value": value})
    except DomainError as error:
        if name is None or error.reason is not Reason.ABSENT:
            raise
        return await _found(visit, None, {})


async def _found(visit: Visit, name: str | None, identifier: Json) -> Json | None:
    async with visit.act(name, SEARCH, Tag.LOOKUP, "Patient?identifier") as deed:
        if name is None:
            return None
        deed.touched.append(f"Patient/{name}")
        meta = {"tag": [SUBSETTED]}
        return {"resourceType": "Patient", "id": name, "meta": meta, "identifier": [identifier], "active": True}
