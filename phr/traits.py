"""Finding a record by the INS traits a national identity provider asserts, when no matricule is given.

The rule: a match that is not unique, or not exact on every strict trait, opens nothing. A Patient that says its own
identity is not validated (provisional or recovered, FR Core identity reliability) is not found.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, SmallInteger, Table, Uuid, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from auth.traits import Traits
from fhir.record import bucket_of
from fhir.tables import ID
from phr.access.installation import Installation
from phr.core.database import Session, compile_query, metadata
from phr.core.vault import keyed_uuid, subkey

trait_lookup = Table(
    "trait_lookup",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
)
"""A keyed hash of a person's strict identity traits, and the records that have them: none, one, or too many."""
Index("trait_lookup_record_idx", trait_lookup.c.bucket, trait_lookup.c.record)

Json = dict[str, Any]

BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INSEE_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
SURE = ("VALI", "QUAL")

_HASH = bindparam("hash", type_=Uuid())
_BUCKET = bindparam("bucket", type_=SmallInteger())
_RECORD = bindparam("record", type_=ID)
_WRITE = compile_query(
    insert(trait_lookup).values({"hash": _HASH, "bucket": _BUCKET, "record": _RECORD}).on_conflict_do_nothing()
)
_FORGET = compile_query(
    delete(trait_lookup).where(
        trait_lookup.c.hash == _HASH, trait_lookup.c.bucket == _BUCKET, trait_lookup.c.record == _RECORD
    )
)
_FIND = compile_query(select(trait_lookup.c.record).where(trait_lookup.c.hash == _HASH).limit(2))


def traits_of(patient: Json) -> Traits | None:
    """The strict traits of a Patient in the shape of fr-core-patient-ins; None when it does not tell them all."""
    official = [one for one in patient.get("name", ()) if one.get("use") == "official"]
    if len(official) != 1 or not _sure(patient):
        return None
    given = next(iter(official[0].get("given", ())), None)
    return Traits.of(
        official[0].get("family"), given, patient.get("gender"), patient.get("birthDate"), _birth_place(patient)
    )


async def record_traits(
    session: Session, installation: Installation, record: str, patient: Json, before: Json | None = None
) -> None:
    """Keep the lookup in step with a Patient written in the same transaction. `before`: the version it replaces."""
    new, old = traits_of(patient), None if before is None else traits_of(before)
    if new == old:
        return
    place = {"bucket": bucket_of(record), "record": record}
    if old is not None:
        await session.fetch(_FORGET, {"hash": _hash(installation, old), **place})
    if new is not None:
        await session.fetch(_WRITE, {"hash": _hash(installation, new), **place})


async def match(session: Session, installation: Installation, traits: Traits) -> str | None:
    """The one record that has exactly these traits. None: no record, or several; it never says which."""
    rows = await session.fetch(_FIND, {"hash": _hash(installation, traits)})
    return str(rows[0]["record"]) if len(rows) == 1 else None


def _hash(installation: Installation, traits: Traits) -> UUID:
    return keyed_uuid(subkey(installation.system_keys.get("lookup"), "traits"), traits.text)


def _sure(patient: Json) -> bool:
    """Whether nothing in the Patient doubts its identity."""
    stated = [
        part.get("valueCoding", {}).get("code")
        for one in patient.get("extension", ())
        if one.get("url") == RELIABILITY
        for part in one.get("extension", ())
        if part.get("url") == "identityStatus"
    ]
    return all(code in SURE for code in stated)


def _birth_place(patient: Json) -> str | None:
    """The one INSEE code of the birth place: a commune, or 99xxx for a country."""
    codes = [
        part.get("valueCoding", {}).get("code")
        for one in patient.get("extension", ())
        if one.get("url") == BIRTH_PLACE
        for part in one.get("valueAddress", {}).get("extension", ())
        if part.get("url") == INSEE_CODE
    ]
    return codes[0] if len(codes) == 1 else None
