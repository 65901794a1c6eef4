"""Watches every log record of the whole suite for what a log must never hold, and fails the run if one does.

Activated by `pytest_plugins = ["tests.logwatch"]` in conftest.py.
"""

import logging
import re
import traceback
from collections.abc import Iterator

import pytest

WATCHED = ("carnet", "uvicorn", "asyncpg", "sqlalchemy", "authlib", "fastapi", "starlette", "asyncio", "multipart")
SECRETS = {
    "a bearer token": re.compile(r"Bearer\s+\S"),
    "a JWT": re.compile(r"eyJ[A-Za-z0-9_-]{8,}"),
    "an INS": re.compile(r"(?<!\d)[12]\d{4}(\d{2}|2[AB])\d{8}(?!\d)"),
    "a resource id": re.compile(r"\b[0-9a-f]{3}-[0-9a-f]{32}\b"),
    "a name": re.compile(r"Durand|Lemoine|Moreau|Benali|Lefèvre", re.IGNORECASE),
    "a password": re.compile(r"correct horse battery"),
    "a document": re.compile(r"%PDF-|ClinicalDocument"),
}


def told(record: logging.LogRecord) -> str:
    """Everything a handler could write of a record."""
    text = record.getMessage()
    if record.exc_info is not None and record.exc_info[0] is not None:
        text += "\n" + "".join(traceback.format_exception(*record.exc_info))
    return text + (record.exc_text or "") + (record.stack_info or "")


def secrets_in(text: str) -> list[str]:
    """What a log should not say and this one does, by kind."""
    return [kind for kind, pattern in SECRETS.items() if pattern.search(text)]


class Watch(logging.Handler):
    """Keeps the first records that say too much: their logger, place and what kind of secret."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        for kind in secrets_in(told(record)):
            if len(self.found) < 20:
                self.found.append(f"{kind}: {record.name} {record.pathname}:{record.lineno}")


@pytest.fixture(scope="session", autouse=True)
def nothing_secret_is_logged() -> Iterator[None]:
    """Fails at the end of the session when any record of the watched loggers, at any level, held a secret."""
    watch, before = Watch(), {}
    for name in WATCHED:
        logger = logging.getLogger(name)
        before[logger] = logger.level
        logger.addHandler(watch)
        # A level the application sets itself stays (Authlib tells tokens at DEBUG). SQLAlchemy tells rows at DEBUG.
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO if name == "sqlalchemy" else logging.DEBUG)
    yield
    for logger, level in before.items():
        logger.removeHandler(watch)
        logger.setLevel(level)
    assert not watch.found, watch.found
