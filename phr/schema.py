"""The database's schema, brought up to date by Alembic; several processes starting at once take turns."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from phr.core.database import psycopg_url

_ONE_AT_A_TIME = 0x43_41_52_4E  # "CARN", an advisory lock of our own
_HERE = Path(__file__).resolve().parent.parent / "migrations"


def migrate(url: str) -> None:
    """Run every migration that has not run yet. Raises sqlalchemy.exc.SQLAlchemyError."""
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(select(func.pg_advisory_lock(_ONE_AT_A_TIME)))
            config = Config()
            config.set_main_option("script_location", str(_HERE))
            config.set_main_option("sqlalchemy.url", psycopg_url(url).replace("%", "%%"))
            command.upgrade(config, "head")
    finally:
        engine.dispose()
