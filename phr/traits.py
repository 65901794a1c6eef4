"""Finding a record by the INS traits a national identity provider asserts, when no matricule is given.

The rule: a match that is not unique, or not exact on every strict trait, opens nothing.
"""

from sqlalchemy import Column, SmallInteger, Table, Uuid

from fhir.tables import ID
from phr.core.database import metadata

trait_lookup = Table(
    "trait_lookup",
    metadata,
    Column("hash", Uuid, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("record", ID, primary_key=True),
)
"""A keyed hash of a person's strict identity traits, and the records that have them: none, one, or too many."""
