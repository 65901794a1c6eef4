"""Opaque signed cursors: where a page ended, and the whole question it answered, sealed.

The rule: a next link holds no searched value in clear, and opens only for the reader it was made for.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from phr.core.errors import malformed
from phr.core.vault import BrokenSealError, seal, unseal


@dataclass(frozen=True, slots=True)
class Cursor:
    """The question's pairs, and the sort key of the last row given (instants as ISO text)."""

    pairs: tuple[tuple[str, str], ...]
    after: tuple[Any, ...]


def _plain(value: object) -> object:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _back(value: Any) -> object:
    return datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value


def issue(key: bytes, reader: str, kind: str, cursor: Cursor) -> str:
    """The cursor as text for a URL, good for this reader and this type only."""
    body = msgspec.json.encode([cursor.pairs, [_plain(value) for value in cursor.after]])
    return base64.urlsafe_b64encode(seal(key, body, f"cursor/{reader}/{kind}".encode())).rstrip(b"=").decode()


def read(key: bytes, reader: str, kind: str, text: str) -> Cursor:
    """What `issue` made. Raises DomainError SYNTAX for anything else."""
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        pairs, after = msgspec.json.decode(unseal(key, sealed, f"cursor/{reader}/{kind}".encode()))
    except (BrokenSealError, binascii.Error, ValueError):
        raise malformed("This page link is not valid: search again.") from None
    return Cursor(tuple((name, value) for name, value in pairs), tuple(_back(value) for value in after))
