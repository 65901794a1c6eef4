"""A subscriber: a real HTTP server that checks what it is told, and how its subscription is asked."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from phr.core import outbox
from phr.events import Topic
from phr.subscriptions import delivery
from phr.subscriptions.ledger import WAKE
from tests.house import Caller, House

Json = dict[str, Any]
GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"


@dataclass(slots=True)
class Hook:
    """What it was told, in order. `answers`: the status of the next ones (200); `secret`: what it checks with."""

    url: str
    told: list[Json] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    refused: int = 0
    secret: str = ""
    holding: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)

    def of(self, kind: str) -> list[Json]:
        """The Parameters of the notifications of one type."""
        return [one for one in map(status_in, self.told) if value(one, "type") == kind]

    @property
    def events(self) -> list[tuple[int, str | None]]:
        """The number and the focus of each event told."""
        return [event_in(one) for one in self.of("event-notification")]

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.events]


@contextmanager
def listening(port: int = 0) -> Iterator[Hook]:
    """Serve on this machine until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.reached.set()
            if hook.holding is not None:
                hook.holding.wait(30)
            if hook.secret and not signed(hook.secret, self.headers["Carnet-Signature"], body):
                hook.refused += 1
                self.send_response(401)
            else:
                status = hook.answers.pop(0) if hook.answers else 200
                hook.told.append({**json.loads(body), "answered": status})
                hook.headers.append(dict(self.headers))
                self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    hook = Hook(f"http://127.0.0.1:{server.server_port}/told/here?and=there")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def signed(secret: str, header: str, body: bytes) -> bool:
    """As the documentation says to check: the HMAC of the time and the body, not too old."""
    said = dict(part.split("=", 1) for part in header.split(","))
    wanted = hmac.new(bytes.fromhex(secret), f"{said['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, said["v1"])


def asked(hook: Hook | str, topic: Topic = Topic.DOCUMENT, filtered: str | None = None, **more: Any) -> Json:
    """A Subscription. `content`, `heartbeat`, `timeout`, `header` go where the guide puts them."""
    content = more.pop("content", "id-only")
    channel: Json = {}
    extension = [
        {"url": f"{GUIDE}/backport-{url}", "valueUnsignedInt": more.pop(name)}
        for name, url in (("heartbeat", "heartbeat-period"), ("timeout", "timeout"))
        if name in more
    ]
    channel |= {"extension": extension} if extension else {}
    channel |= {"type": "rest-hook", "endpoint": hook if isinstance(hook, str) else hook.url}
    channel |= {"payload": "application/fhir+json"}
    channel |= {"_payload": {"extension": [{"url": f"{GUIDE}/backport-payload-content", "valueCode": content}]}}
    channel |= {"header": more.pop("header")} if "header" in more else {}
    body: Json = {"resourceType": "Subscription", "status": "requested", "reason": "To be told"}
    body |= {"criteria": topic.canonical, "channel": channel}
    if filtered is not None:
        body["_criteria"] = {"extension": [{"url": f"{GUIDE}/backport-filter-criteria", "valueString": filtered}]}
    return {**body, **more}


async def subscribe(
    caller: Caller, hook: Hook, topic: Topic = Topic.DOCUMENT, filtered: str | None = None, **more: Any
) -> str:
    """Subscribe and shake hands; the id."""
    made = await caller.post("Subscription", asked(hook, topic, filtered, **more))
    assert made.status_code == 201, made.text
    body = made.json()
    [secret] = [one["valueString"] for one in body["channel"]["extension"] if one["url"].endswith("-secret")]
    hook.secret = secret
    await deliver(caller.house)
    assert (await caller.get(f"Subscription/{body['id']}")).json()["status"] == "active"
    return str(body["id"])


async def deliver(house: House, at: datetime | None = None) -> int:
    """Send all that is due; how many messages were looked at."""
    server, here = house.parts.server, house.parts.installation
    known = {WAKE: delivery.deliverer(server, here)}

    def send() -> bool:
        return outbox.send_one(house.parts.engine, here.system_keys, known, at or house.now())

    looked = 0
    while await run_in_threadpool(send):
        looked += 1
    return looked


async def later(house: House, **span: float) -> None:
    """Some time passes, and what is due is sent."""
    then = house.now() + timedelta(**span)
    house.parts.server.clock = lambda: then
    await deliver(house)


def waiting(house: House) -> list[datetime]:
    """When the wake-ups that wait are due."""
    with Session(house.parts.engine) as session:
        mine = select(outbox.outbox.c.due).where(outbox.outbox.c.kind == WAKE).order_by(outbox.outbox.c.due)
        return list(session.execute(mine).scalars())


def status_in(bundle: Json) -> Json:
    """The Parameters of a notification."""
    assert bundle["type"] == "history"
    found: Json = bundle["entry"][0]["resource"]
    return found


def value(parameters: Json, name: str) -> Any:
    """The value of a parameter."""
    for one in parameters["parameter"]:
        if one["name"] == name:
            return next(value for key, value in one.items() if key.startswith("value"))
    return None


def event_in(parameters: Json) -> tuple[int, str | None]:
    [found] = events_in(parameters)
    return found


def events_in(parameters: Json) -> list[tuple[int, str | None]]:
    """Each event: its number, and its focus as `Type/id`."""
    found = []
    for one in parameters["parameter"]:
        if one["name"] == "notification-event":
            parts = {part["name"]: part for part in one["part"]}
            focus = parts.get("focus")
            name = None if focus is None else focus["valueReference"]["reference"].partition("/fhir/")[2]
            found.append((int(parts["event-number"]["valueString"]), name))
    return found
