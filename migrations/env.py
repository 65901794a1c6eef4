"""Alembic's environment: the URL comes from the caller, the schema from the models."""

from alembic import context
from sqlalchemy import create_engine, pool

import auth.tables
import fhir.tables
import phr.access.journal
import phr.access.register
import phr.agenda.due
import phr.core.keys
import phr.core.outbox
import phr.idempotence
import phr.imports
import phr.inbox
import phr.lifecycle
import phr.medicines.tables
import phr.messages.drafts
import phr.messages.life
import phr.messages.marks
import phr.messages.openness
import phr.messages.pace
import phr.messages.reports
import phr.mssante.marks
import phr.notifications.device
import phr.notifications.entry
import phr.prescription.ledger
import phr.prevention.feed
import phr.prevention.watch
import phr.representation
import phr.sharing
import phr.subscriptions.ledger
import phr.traits
from phr.core.database import metadata

MODELS = (
    auth.tables,
    fhir.tables,
    phr.access.journal,
    phr.access.register,
    phr.agenda.due,
    phr.core.keys,
    phr.core.outbox,
    phr.idempotence,
    phr.imports,
    phr.inbox,
    phr.lifecycle,
    phr.messages.drafts,
    phr.messages.life,
    phr.messages.marks,
    phr.messages.openness,
    phr.messages.pace,
    phr.messages.reports,
    phr.medicines.tables,
    phr.mssante.marks,
    phr.prescription.ledger,
    phr.notifications.device,
    phr.notifications.entry,
    phr.prevention.feed,
    phr.prevention.watch,
    phr.representation,
    phr.sharing,
    phr.subscriptions.ledger,
    phr.traits,
)

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=metadata, compare_type=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
