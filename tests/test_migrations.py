"""Migrations run on an empty database, give the schema of the models, and take turns when several start at once."""

import ast
import threading
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

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
from phr.core.database import metadata, psycopg_url
from phr.schema import migrate

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
VERSIONS = Path(__file__).parent.parent / "migrations" / "versions"
GROWING = (
    *("record", "resource", "history", "blob", "blob_chunk", "journal", "journal_head", "provision"),
    *("prevention_watch", "prevention_message", "answered", "mssante_mail", "reminder"),
)


def test_the_migrated_schema_is_that_of_the_models(empty_database_url: str) -> None:
    assert MODELS
    migrate(empty_database_url)
    engine = create_engine(psycopg_url(empty_database_url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrating_twice_and_at_once_changes_nothing(empty_database_url: str) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            migrate(empty_database_url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    engine = create_engine(psycopg_url(empty_database_url), poolclass=NullPool)
    assert set(metadata.tables) < set(inspect(engine).get_table_names())
    engine.dispose()


def test_what_grows_with_people_has_the_bucket_in_its_keys() -> None:
    """Citus distributes by the bucket (design §2): it is in the primary key and in every unique constraint."""
    for name in GROWING:
        table = metadata.tables[name]
        assert "bucket" in table.primary_key.columns
        for index in table.indexes:
            assert not index.unique or "bucket" in index.columns
        for constraint in table.foreign_key_constraints:
            assert "bucket" in constraint.columns


def test_migrations_only_go_up() -> None:
    for path in VERSIONS.glob("*.py"):
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert names == ["upgrade"], path.name
