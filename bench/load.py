"""A closed-loop HTTP/1.1 load: a few connections that each ask again as soon as they are answered.

The client is as thin as Python allows, so that what is measured is the server.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p95: float


class BadAnswerError(Exception):
    """An answer that is not 200: a benchmark of errors measures nothing."""


async def _connection(port: int, requests: Sequence[bytes], until: float, times: list[float], offset: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    n = offset
    try:
        while time.perf_counter() < until:
            begun = time.perf_counter()
            writer.write(requests[n % len(requests)])
            n += 1
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise BadAnswerError(head.split(b"\r\n", 1)[0].decode())
            lowered = head.lower()
            at = lowered.index(b"content-length:") + 15
            await reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))
            times.append(time.perf_counter() - begun)
    finally:
        writer.close()


async def _round(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Measured:
    times: list[float] = []
    begun = time.perf_counter()
    until = begun + seconds
    step = max(1, len(requests) // connections)
    await asyncio.gather(*(_connection(port, requests, until, times, c * step) for c in range(connections)))
    elapsed = time.perf_counter() - begun
    return Measured(len(times) / elapsed, median(times) * 1000, quantiles(times, n=20)[18] * 1000)


def measure(port: int, requests: Sequence[bytes], connections: int = 16, seconds: float = 3.0) -> Measured:
    """One round of load on a local port."""
    return asyncio.run(_round(port, requests, connections, seconds))


def get(path: str, token: str | None = None) -> bytes:
    """A GET request, as bytes."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/fhir+json\r\n{authorization}\r\n"
    return head.encode()
