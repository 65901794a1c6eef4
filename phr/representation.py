"""Who may act for whom: a parent for a child's record. Caregivers come with the citizen's other rights.

The rule: a representation is written by the operator, checked when the citizen chooses for whom they sign in, and
ending it revokes every grant made under it.
"""

from sqlalchemy import Column, DateTime, LargeBinary, String, Table, Uuid

from fhir.tables import ID
from phr.core.database import metadata

representation = Table(
    "representation",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("record", ID, primary_key=True),
    Column("basis", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("ended", DateTime(timezone=True)),
)
"""Keyed by the account that acts, which distributes it. `sealed`: what the person is called on the chooser page."""
