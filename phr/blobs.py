"""The bytes of Binaries: judged and scanned as they arrive, sealed in pieces, opened piece by piece on the way out.

The rule: a piece is bound to its Binary, its version, its place and whether it is the last; nothing can be cut off,
repeated or moved.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, select

from fhir import store
from fhir.lens import Binder, Lens, Statement
from fhir.predicate import IdIn
from fhir.record import RecordKeys
from phr.access.visit import Deed, Visit
from phr.antivirus import CLEAN, Scanner
from phr.content import Judge
from phr.core.database import Session
from phr.core.errors import DomainError, Issue, Reason
from phr.core.settings import Settings
from phr.core.vault import BrokenSealError

PIECE = 256 << 10
"""Bytes sealed at a time: what a download holds in memory."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes let in, in pieces of `PIECE`, with their size and hash (base64 of SHA-1, as FHIR's Attachment.hash)."""

    pieces: tuple[bytes, ...]
    size: int
    sha1: str


@dataclass(frozen=True, slots=True)
class Blob:
    """How long the bytes of a Binary version are, and in how many pieces."""

    id: str
    version: int
    size: int
    chunks: int


def _context(identifier: str, version: int, n: int, *, last: bool) -> str:
    return f"blob/{identifier}/{version}/{n}/{'last' if last else 'more'}"


async def receive(
    chunks: AsyncIterator[bytes], declared: str, settings: Settings, at: str = "Binary.contentType"
) -> Content:
    """Let bytes in as they arrive, judged, scanned and hashed on the way; one copy of them is held.

    Raises TOO_LARGE (413), MEDIA_TYPE (415: a type not accepted or not what was declared, by magic number), CONTENT
    (422: infected, or empty), UNAVAILABLE when a configured antivirus does not answer.
    """
    judge, digest = Judge(declared, at), hashlib.sha1(usedforsecurity=False)
    pieces: list[bytes] = []
    rest, size = bytearray(), 0
    async with AsyncExitStack() as stack:
        scan = await stack.enter_async_context(Scanner(settings.clamd).open()) if settings.clamd else None
        async for chunk in chunks:
            size += len(chunk)
            if size > settings.document_bytes:
                raise too_large(settings.document_bytes)
            judge.feed(chunk)
            digest.update(chunk)
            if scan is not None:
                await scan.feed(chunk)
            rest += chunk
            while len(rest) >= PIECE:
                pieces.append(bytes(rest[:PIECE]))
                del rest[:PIECE]
        if not size:
            raise _refused(Reason.CONTENT, "required", "The content is empty.")
        judge.close()
        verdict = await scan.verdict() if scan is not None else CLEAN
    if verdict.reason is Reason.UNAVAILABLE:
        raise _refused(Reason.UNAVAILABLE, "transient", "The antivirus does not answer; try again.")
    if not verdict.clean:
        raise _refused(Reason.CONTENT, "security", "The antivirus refuses this content.")
    if rest:
        pieces.append(bytes(rest))
    return Content(tuple(pieces), size, base64.b64encode(digest.digest()).decode())


async def admit(data: bytes, declared: str, settings: Settings, at: str = "Binary.contentType") -> Content:
    """`receive`, for bytes that came inside a resource."""
    return await receive(_pieces(data), declared, settings, at)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
        await asyncio.sleep(0)  # judging a large document does not keep the others waiting


def too_large(limit: int) -> DomainError:
    """The refusal of a document over the limit, in bytes."""
    return _refused(Reason.TOO_LARGE, "too-long", f"A document is at most {limit} bytes.")


def _refused(reason: Reason, code: str, diagnostics: str) -> DomainError:
    return DomainError(reason, Issue(code, diagnostics, "Binary.data"))


async def keep(session: Session, keys: RecordKeys, identifier: str, version: int, content: Content) -> None:
    """Seal and store the bytes of a Binary version, in the transaction that stores the Binary."""
    count = len(content.pieces)
    for n, piece in enumerate(content.pieces):
        sealed = keys.seal(piece, _context(identifier, version, n, last=n == count - 1))
        await store.insert_chunk(session, identifier, version, n, sealed)
    await store.insert_blob(session, identifier, version, content.size, count)


def _blob_of(lens: Lens, identifier: str, version: int) -> Statement:
    def build(bind: Binder) -> Select[Any]:
        found = lens.blobs(bind)
        own = (found.c.id == bind(String()), found.c.version == bind(found.c.version.type))
        return select(found.c.size, found.c.chunks).where(*own)

    return Statement(("blob", lens.shape()), build, (*lens.values(), identifier, version))


def _piece_of(lens: Lens, identifier: str, version: int, n: int) -> Statement:
    def build(bind: Binder) -> Select[Any]:
        found = lens.chunks(bind)
        own = (found.c.id == bind(String()), found.c.version == bind(found.c.version.type))
        return select(found.c.sealed).where(*own, found.c.n == bind(found.c.n.type))

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


async def measured(deed: Deed, lens: Lens, keys: RecordKeys, identifier: str, version: int) -> tuple[int, str]:
    """The size and hash of a visible Binary version, inside a transaction, one piece in memory at a time."""
    blob = await blob_of(deed.session, lens, identifier, version)
    digest = hashlib.sha1(usedforsecurity=False)
    for n in range(blob.chunks):
        digest.update(await piece_of(deed.session, lens, keys, blob, n))
    return blob.size, base64.b64encode(digest.digest()).decode()


async def stream(visit: Visit, lens: Lens, keys: RecordKeys, blob: Blob, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes [start, stop) of a blob, one piece in memory at a time, a connection held for each piece only."""
    for n in range(start // PIECE, -(-stop // PIECE)):
        async with visit.installation.database.session() as session:
            piece = await piece_of(session, lens, keys, blob, n)
        offset = n * PIECE
        yield piece[max(0, start - offset) : stop - offset]
