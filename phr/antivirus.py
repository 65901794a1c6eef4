"""Asks a clamd whether bytes are clean, as they stream by (INSTREAM, clamd(8)).

The rule: no answer is not a clean answer. Unreachable, late, cut short or unreadable means UNAVAILABLE.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from phr.core.errors import Reason

_COMMAND = b"zINSTREAM\0"
_END = bytes(4)
_FAILURES = (OSError, EOFError, asyncio.LimitOverrunError, ValueError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What clamd said. `reason`: None when clean, CONTENT when infected, UNAVAILABLE when not known."""

    clean: bool
    reason: Reason | None


CLEAN = Verdict(True, None)
INFECTED = Verdict(False, Reason.CONTENT)
UNKNOWN = Verdict(False, Reason.UNAVAILABLE)


class Scan:
    """One scan in progress: `feed` what arrives, then ask for the `verdict`. Use it as a context manager.

    A failure on the way does not raise and does not stop the upload: it shows in the verdict.
    """

    __slots__ = ("_address", "_reader", "_timeout", "_verdict", "_writer")

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._verdict: Verdict | None = None

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._timeout):
                self._reader, self._writer = await self._connect()
                self._writer.write(_COMMAND)
                await self._writer.drain()
        except _FAILURES:
            self._verdict = UNKNOWN
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            with suppress(*_FAILURES):
                async with asyncio.timeout(self._timeout):
                    await self._writer.wait_closed()

    async def feed(self, chunk: bytes) -> None:
        """Send bytes to clamd, waiting for it when it is slower than the upload."""
        # A zero-length chunk ends the stream.
        if self._verdict is not None or self._writer is None or not chunk:
            return
        try:
            async with asyncio.timeout(self._timeout):
                self._writer.write(len(chunk).to_bytes(4, "big") + chunk)
                await self._writer.drain()
        except _FAILURES:
            self._verdict = UNKNOWN

    async def verdict(self) -> Verdict:
        """End the stream and read the answer. Asked again, answers the same."""
        if self._verdict is None:
            self._verdict = await self._ask()
        return self._verdict

    async def _ask(self) -> Verdict:
        if self._writer is None or self._reader is None:
            return UNKNOWN
        try:
            async with asyncio.timeout(self._timeout):
                self._writer.write(_END)
                await self._writer.drain()
                answer = await self._reader.readuntil(b"\0")
        except _FAILURES:
            return UNKNOWN
        if answer == b"stream: OK\0":
            return CLEAN
        return INFECTED if answer.endswith(b" FOUND\0") else UNKNOWN

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith("/"):
            return await asyncio.open_unix_connection(self._address)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))


@dataclass(frozen=True, slots=True)
class Scanner:
    """A clamd at `host:port` or at the path of its socket. `timeout`: seconds for each wait on it."""

    address: str
    timeout: float = 30.0

    def open(self) -> Scan:
        """A scan to feed as bytes arrive: `async with scanner.open() as scan`."""
        return Scan(self.address, self.timeout)

    async def scan(self, chunks: AsyncIterator[bytes]) -> Verdict:
        """The verdict on a whole stream."""
        async with self.open() as scan:
            async for chunk in chunks:
                await scan.feed(chunk)
            return await scan.verdict()
