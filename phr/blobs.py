"""The bytes of Binaries: checked, scanned and sealed in pieces on the way in, opened piece by piece on the way out.

The rule: a piece is bound to its Binary, its version, its place and whether it is the last; nothing can be cut off,
repeated or moved.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, select

from fhir import store
from fhir.lens import Binder, Lens, Statement
from fhir.predicate import IdIn
from fhir.record import RecordKeys
from phr import content
from phr.access.visit import Deed, Visit
from phr.antivirus import Scanner
from phr.core.database import Session
from phr.core.errors import DomainError, Issue, Reason
from phr.core.settings import Settings
from phr.core.vault import BrokenSealError

PIECE = 256 << 10
"""Bytes sealed at a time: what a download holds in memory."""

HEAD = 4096
XML = ("text/xml", "application/xml", "application/hl7-v3+xml")


@dataclass(frozen=True, slots=True)
class Blob:
    """How long the bytes of a Binary version are, and in how many pieces."""

    id: str
    version: int
    size: int
    chunks: int


def _context(identifier: str, version: int, n: int, *, last: bool) -> str:
    return f"blob/{identifier}/{version}/{n}/{'last' if last else 'more'}"


def _refused(reason: Reason, code: str, diagnostics: str) -> DomainError:
    return DomainError(reason, Issue(code, diagnostics, "Binary.data"))


async def admit(data: bytes, declared: str, settings: Settings, at: str = "Binary.contentType") -> None:
    """Let bytes in, or raise: too large (413), a type not accepted or not what was declared (415), infected (422).

    Judged by magic number. Raises UNAVAILABLE when a configured antivirus does not answer.
    """
    if len(data) > settings.document_bytes:
        raise _refused(Reason.TOO_LARGE, "too-long", f"A document is at most {settings.document_bytes} bytes.")
    if content.sniff(data[:HEAD]) is None:
        raise _refused(
            Reason.MEDIA_TYPE, "not-supported", "Accepted content: PDF, PNG, JPEG, plain UTF-8 text, CDA XML."
        )
    if not content.matches(declared, data[:HEAD]):
        issue = Issue("not-supported", "The content is not of the type it is declared to be.", at)
        raise DomainError(Reason.MEDIA_TYPE, issue)
    if declared.partition(";")[0].strip() in XML:
        content.check_xml(data)
    elif declared.startswith("text/"):
        content.check_text(data)
    if settings.clamd is not None:
        verdict = await Scanner(settings.clamd).scan(_pieces(data))
        if not verdict.clean:
            raise _refused(Reason.CONTENT, "security", "The antivirus refuses this content.")


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


async def keep(session: Session, keys: RecordKeys, identifier: str, version: int, data: bytes) -> None:
    """Seal and store the bytes of a Binary version, in the transaction that stores the Binary."""
    count = max(1, -(-len(data) // PIECE))
    for n in range(count):
        piece = data[n * PIECE : (n + 1) * PIECE]
        sealed = keys.seal(piece, _context(identifier, version, n, last=n == count - 1))
        await store.insert_chunk(session, identifier, version, n, sealed)
    await store.insert_blob(session, identifier, version, len(data), count)


def _blob_of(lens: Lens, identifier: str, version: int) -> Statement:
    def build(bind: Binder) -> Select[Any]:
        found = lens.blobs(bind)
        own = (found.c.id == bind(String()), found.c.version == bind(found.c.version.type))
        return select(found.c.size, found.c.chunks).where(*own)

    return Statement(("blob", lens.shape()), build, (*lens.values(), identifier, version))


def _piece_of(lens: Lens, identifier: str, version: int, n: int) -> Statement:
    def build(bind: Binder) -> Select[Any]:
        found = lens.chunks(bind)
        numbers = (found.c.version == bind(found.c.version.type), found.c.n == bind(found.c.n.type))
        return select(found.c.sealed).where(found.c.id == bind(String()), *numbers)

    return Statement(("piece", lens.shape()), build, (*lens.values(), identifier, version, n))


async def blob_of(session: Session, lens: Lens, identifier: str, version: int) -> Blob:
    """The size of a visible Binary version. Raises DomainError ABSENT."""
    statement = _blob_of(lens.narrowed(IdIn(frozenset({identifier}))), identifier, version)
    row = await session.one(statement.query(), statement.bound())
    if row is None:
        raise DomainError(Reason.ABSENT, Issue("not-found", "No such resource."))
    return Blob(identifier, version, row["size"], row["chunks"])


async def piece_of(session: Session, lens: Lens, keys: RecordKeys, blob: Blob, n: int) -> bytes:
    """One piece, opened. Raises DomainError UNAVAILABLE when it is missing or damaged."""
    statement = _piece_of(lens.narrowed(IdIn(frozenset({blob.id}))), blob.id, blob.version, n)
    row = await session.one(statement.query(), statement.bound())
    try:
        if row is None:
            raise BrokenSealError
        return keys.unseal(row["sealed"], _context(blob.id, blob.version, n, last=n == blob.chunks - 1))
    except BrokenSealError:
        raise DomainError(Reason.UNAVAILABLE, Issue("exception", "Stored content is damaged.")) from None


async def whole(deed: Deed, lens: Lens, keys: RecordKeys, identifier: str, version: int) -> bytes:
    """All the bytes of a visible Binary version, inside a transaction."""
    blob = await blob_of(deed.session, lens, identifier, version)
    pieces: Sequence[bytes] = [await piece_of(deed.session, lens, keys, blob, n) for n in range(blob.chunks)]
    return b"".join(pieces)


async def stream(visit: Visit, lens: Lens, keys: RecordKeys, blob: Blob, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes [start, stop) of a blob, one piece in memory at a time, a connection held for each piece only."""
    for n in range(start // PIECE, -(-stop // PIECE)):
        async with visit.installation.database.session() as session:
            piece = await piece_of(session, lens, keys, blob, n)
        offset = n * PIECE
        yield piece[max(0, start - offset) : stop - offset]
