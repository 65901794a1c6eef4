"""What delivering a notification costs: from the outbox to a push service and to a webhook, against posting the bytes.

The rule: the floor posts to the same sink, in turn, as many requests of the same bytes, one new connection each, and
does nothing else: no row locked, opened and deleted, no device looked for, nothing encrypted nor signed.
"""

import asyncio
import json
import shutil
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.orm import Session

from bench.line import Line
from bench.subscriptions import told
from fhir.record import new_id
from phr.app import Parts, assemble
from phr.core import egress, outbox
from phr.core.embedded import embedded
from phr.core.settings import Settings, Webhook, from_environment
from phr.notifications import device, pushing
from phr.notifications.device import MOBILE, WEB
from phr.schema import migrate

TIMES, ROUNDS = 200, 5
_REACHED = {MOBILE: {"token": "t" * 150, "platform": "android"}}

Posted = tuple[bytes, dict[str, str]]
"""A body and its headers."""


async def delivered(parts: Parts, settings: Settings) -> list[Line]:
    """A line for Web Push, which encrypts, and one for the operator's webhook, which signs."""
    with _sink() as port:
        url = f"http://127.0.0.1:{port}/"
        known = replace(settings, push_webhook=Webhook(url, "a secret of the operator's"))
        account, lines = uuid4(), []
        for kind, reached in ((WEB, _browser(url)), (MOBILE, _REACHED[MOBILE])):
            id = await _registered(parts, account, kind, reached)  # noqa: A001
            lines.append(await asyncio.to_thread(_measured, parts, known, kind, account, id, port))
        return lines


def _measured(parts: Parts, settings: Settings, kind: str, account: UUID, id: UUID, port: int) -> Line:
    server = parts.server
    sent: list[Posted] = []

    def kept(url: str, body: bytes, headers: dict[str, str]) -> int:
        sent.append((body, headers))
        return egress.post(url, body, headers, sandbox=settings.sandbox)

    known = pushing.deliverers(server.engine, server.keys, settings, kept)
    found = {pushing.KINDS[kind]: known[pushing.KINDS[kind]]}

    def ours() -> float:
        sent.clear()
        with Session(server.engine) as session, session.begin():
            for _ in range(TIMES):
                message = {"account": str(account), "device": str(id), "notification": uuid4().hex}
                outbox.put(session, server.keys, pushing.KINDS[kind], message, datetime.now(UTC))
        return _timed(lambda: outbox.send_one(server.engine, server.keys, found, datetime.now(UTC)))

    def floor() -> float:
        listed = iter(sent or [_mobile() for _ in range(TIMES)])
        return _timed(lambda: _post(port, *next(listed)))

    ours(), floor()
    pairs = [(ours(), floor()) for _ in range(ROUNDS)]
    with Session(server.engine) as session:
        if [one for one in outbox.listed(session, dead=False) if one.kind in found]:
            raise RuntimeError("not all was delivered")
    mine, other = (median(times) for times in zip(*pairs, strict=True))
    ratio = median(one / two for one, two in pairs)
    rates = f"{TIMES / mine:,.0f}/s", f"{TIMES / other:,.0f}/s"
    return Line(f"notifications delivered, {kind} ÷ the bytes posted", *rates, f"{ratio:.2f}", "-")


def _timed(once: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(TIMES):
        once()
    return time.perf_counter() - begun


def _post(port: int, body: bytes, headers: dict[str, str]) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/", body, headers)
    connection.getresponse().read()
    connection.close()


def _mobile() -> Posted:
    """What the webhook is sent, signed or not: the same number of bytes."""
    body = json.dumps({"notification": uuid4().hex, **_REACHED[MOBILE]}).encode()
    return body, {"Content-Type": "application/json", "Carnet-Signature": "0" * 80}


def _browser(url: str) -> dict[str, str]:
    """A browser's push subscription."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    p256dh, auth = (urlsafe_b64encode(one).decode().rstrip("=") for one in (raw, b"0123456789abcdef"))
    return {"endpoint": url, "p256dh": p256dh, "auth": auth}


async def _registered(parts: Parts, account: UUID, kind: str, reached: dict[str, str]) -> UUID:
    said: dict[str, Any] = {"kind": kind, "client": "bench", "reached": reached}
    async with parts.installation.database.transaction() as session:
        return await device.put(session, parts.server.keys, account, new_id(0), None, said, datetime.now(UTC))


@contextmanager
def _sink() -> Iterator[int]:
    """A server in a process of its own that says 201 to whatever is posted; its port."""
    ready: Queue[int] = Queue()
    child = Process(target=_listen, args=(ready,), daemon=True)
    child.start()
    try:
        yield ready.get(timeout=20)
    finally:
        child.terminate()
        child.join(10)


def _listen(ready: "Queue[int]") -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_port)
    server.serve_forever()


async def _on(directory: Path, url: str) -> list[Line]:
    settings = from_environment({"PHR_ENV": "sandbox", "PHR_DATA_DIR": str(directory)})
    parts = await assemble(settings, url)
    try:
        return await delivered(parts, settings)
    finally:
        await parts.close()


def main() -> None:
    """`python -m bench.notifications`: on an installation of its own."""
    directory = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        with embedded(directory) as url:
            migrate(url)
            print(told(asyncio.run(_on(directory, url))))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
