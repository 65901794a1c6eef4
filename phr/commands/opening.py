"""What each command opens first: the settings, the database and, for proof that it may, the key file.

The rule: what goes wrong before the work begins is one sentence and exit code 2.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from phr.core.database import synchronous_engine
from phr.core.embedded import embedded
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import Settings, UnsafeSettingsError, from_environment
from phr.core.vault import BrokenSealError, KeyFile


@dataclass(frozen=True, slots=True)
class Opened:
    """A migrated database and the keys of this installation."""

    settings: Settings
    engine: Engine
    keys: SystemKeys


def settings_or_exit() -> Settings:
    """The settings of the environment."""
    try:
        return from_environment(os.environ)
    except UnsafeSettingsError as error:
        hint = "" if "PHR_ENV" in os.environ else " To try it on this machine, set PHR_ENV=sandbox."
        raise refusal(f"Carnet will not start: {error}.{hint}") from None


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the configured PostgreSQL, or of the embedded one for as long as it is needed."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded(settings.data_dir) as url:
        yield url


@contextmanager
def opened() -> Iterator[Opened]:
    """The database, once the key file has opened it: without the key file nobody is the operator."""
    settings = settings_or_exit()
    if not settings.key_file.is_file():
        raise refusal(f"{settings.key_file} is not there: it is made by `serve` in the sandbox, by `keys create` else.")
    with database(settings) as url:
        engine = synchronous_engine(url)
        try:
            yield Opened(settings, engine, _keys(settings, engine))
        finally:
            engine.dispose()


def refusal(sentence: str) -> typer.Exit:
    """Say why not on the error output; the exit to raise."""
    typer.echo(sentence, err=True)
    return typer.Exit(2)


def _keys(settings: Settings, engine: Engine) -> SystemKeys:
    try:
        return SystemKeys.open(engine, KeyEncryptionKeys(KeyFile.load(settings.key_file)))
    except (BrokenSealError, ValueError, OSError) as error:
        raise refusal(f"The key file does not open this database ({type(error).__name__}).") from None
    except ProgrammingError:
        raise refusal("The database has no schema yet: run `python -m phr migrate`.") from None
    except OperationalError:
        raise refusal("The database does not answer.") from None
