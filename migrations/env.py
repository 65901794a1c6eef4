"""Alembic's environment: the URL comes from the caller, the schema from the models."""

from alembic import context
from sqlalchemy import create_engine, pool

import auth.tables
import fhir.tables
import phr.access.journal
import phr.access.register
import phr.core.keys
import phr.core.outbox
import phr.imports
import phr.inbox
import phr.lifecycle
import phr.prevention.feed
import phr.prevention.watch
import phr.representation
import phr.sharing
import phr.traits
from phr.core.database import metadata

MODELS = (
    auth.tables,
    fhir.tables,
    phr.access.journal,
    phr.access.register,
    phr.core.keys,
    phr.core.outbox,
    phr.imports,
    phr.inbox,
    phr.lifecycle,
    phr.prevention.feed,
    phr.prevention.watch,
    phr.representation,
    phr.sharing,
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
