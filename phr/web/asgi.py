"""A route of ours called from another, its body passed on as it comes: what the test client of HTTPX would buffer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request
from starlette.types import Message

from phr.web.pages import Pairs

_AHEAD = 8
"""How many pieces wait at most: then the answer waits for its reader."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that has begun."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


async def streamed(request: Request, path: str, query: Pairs, headers: Mapping[str, str]) -> Streamed:
    """GET a path of the application that serves `request`, with these headers alone."""
    begun: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
    scope = {
        **{name: request.scope[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")},
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Message:
        # TRAP: who listens for the end of the connection asks again and again: only the first answer is at once.
        if asked:
            return asked.pop()
        await asyncio.Event().wait()  # a reader who leaves cancels the task
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.set_result(message)
        elif message.get("body"):
            await pieces.put(message["body"])

    async def answer() -> None:
        try:
            await request.app(scope, receive, send)
        except Exception as error:
            if begun.done():
                await pieces.put(None)
                raise
            begun.set_exception(error)
        else:
            await pieces.put(None)

    task = asyncio.create_task(answer())

    async def body() -> AsyncIterator[bytes]:
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await task
        finally:
            task.cancel()

    start = await begun
    told = {name.decode(): value.decode() for name, value in start.get("headers", ())}
    return Streamed(start["status"], told, body())
