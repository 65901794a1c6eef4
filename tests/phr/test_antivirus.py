"""Against a real server that speaks clamd's protocol, and against several that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from phr.antivirus import CLEAN, INFECTED, UNKNOWN, Scanner
from phr.core.errors import Reason

EICAR = b"a string that this server takes for a virus"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Clamd:
    """The part of clamd that answers INSTREAM: collects the chunks, looks for EICAR."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.limit = limit
        self.received = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(10) == b"zINSTREAM\0"
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            self.received += await reader.readexactly(size)
            if len(self.received) > self.limit:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        found = EICAR in self.received
        writer.write(b"stream: Eicar-Signature FOUND\0" if found else b"stream: OK\0")


@asynccontextmanager
async def serving(handler: Handler, path: Path | None = None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    if path is not None:
        server = await asyncio.start_unix_server(serve, path)
        address = str(path)
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield address
    finally:
        server.close()
        await server.wait_closed()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def answering(answer: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            await reader.readexactly(size)
        writer.write(answer)

    return handler


async def test_clean_bytes_arrive_whole_and_empty_chunks_do_not_end_the_stream() -> None:
    clamd = Clamd()
    chunks = [b"a" * 70_000, b"", b"b", b"c" * 300_000]
    async with serving(clamd) as address:
        assert await Scanner(address, 5).scan(stream(*chunks)) == CLEAN
    assert clamd.received == b"".join(chunks)


async def test_a_virus_after_an_empty_chunk_is_found() -> None:
    async with serving(Clamd()) as address:
        verdict = await Scanner(address, 5).scan(stream(b"x", b"", EICAR[:9], EICAR[9:], b"y"))
    assert verdict == INFECTED
    assert not verdict.clean
    assert verdict.reason is Reason.CONTENT


async def test_a_scan_is_fed_as_bytes_arrive() -> None:
    clamd = Clamd()
    async with serving(clamd) as address, Scanner(address, 5).open() as scan:
        await scan.feed(b"first")
        for _ in range(100):
            if clamd.received:
                break
            await asyncio.sleep(0.01)
        assert clamd.received == b"first"
        assert await scan.verdict() == CLEAN
        await scan.feed(EICAR)
        assert await scan.verdict() == CLEAN


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with serving(Clamd(), tmp_path / "clamd.sock") as address:
        assert await Scanner(address, 5).scan(stream(b"x")) == CLEAN


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"stream: OK\n\0",
        b"OK\0",
        b"UNKNOWN COMMAND\0",
        b"stream: temporary file ERROR\0",
        b"stream: OK FOUND ERROR\0",
        b"x" * (1 << 17) + b"\0",
    ],
)
async def test_any_other_answer_is_no_answer(answer: bytes) -> None:
    async with serving(answering(answer)) as address:
        verdict = await Scanner(address, 5).scan(stream(b"x"))
    assert verdict == UNKNOWN
    assert verdict.reason is Reason.UNAVAILABLE


async def test_clamd_dies_in_the_middle() -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(20)
        writer.transport.abort()

    async with serving(dies) as address:
        assert await Scanner(address, 5).scan(stream(*[b"x" * 65_536] * 200)) == UNKNOWN


async def test_more_than_clamd_takes() -> None:
    async with serving(Clamd(limit=100_000)) as address:
        assert await Scanner(address, 5).scan(stream(*[b"x" * 65_536] * 200)) == UNKNOWN


async def test_clamd_never_answers() -> None:
    released = asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async with serving(hangs) as address:
        assert await Scanner(address, 0.1).scan(stream(b"x")) == UNKNOWN
        assert await Scanner(address, 0.1).scan(stream(*[b"x" * (1 << 20)] * 20)) == UNKNOWN
        released.set()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "/nowhere/clamd.sock", "127.0.0.1", "127.0.0.1:port"])
async def test_no_clamd_at_all(address: str) -> None:
    scanner = Scanner(address, 2)
    assert await scanner.scan(stream(b"x")) == UNKNOWN
    async with scanner.open() as scan:
        assert await scan.verdict() == UNKNOWN


async def test_a_scan_never_opened_is_never_clean() -> None:
    assert await Scanner("127.0.0.1:1", 1).open().verdict() == UNKNOWN


async def test_an_upload_that_fails_leaves_no_connection() -> None:
    closed = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        closed.set()

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError("the client went away")

    async with serving(watch) as address:
        with pytest.raises(RuntimeError):
            await Scanner(address, 5).scan(broken())
        async with asyncio.timeout(5):
            await closed.wait()
