"""Devices: registered, refreshed, forgotten; pushed to over real connections, and what is pushed says nothing."""

import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from auth import grants
from phr import deliveries
from phr.access.consent import Terms
from phr.access.provision import Right
from phr.access.right import HIDDEN_FROM_PATIENT
from phr.core import outbox
from phr.core.settings import Mail, Webhook
from phr.notifications import device, pushing, quiet
from phr.notifications.device import MOST, UNUSED, push_device
from phr.notifications.web_push import SENTENCE
from tests.house import Caller, House
from tests.kin import Person, granted, parameters, person, represent
from tests.notifications.browser import Subscription, encoded, signed
from tests.notifications.sink import Sink, listening
from tests.notifications.told import centre, happen, listed, own, said, send, waiting
from tests.phr.care import software

SECRET = "a secret that the operator knows"
Json = dict[str, Any]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as found:
        yield found


@pytest.fixture
async def ada(house: House) -> Person:
    return await person(house, "Ada")


async def register(caller: Caller, record: str, given: dict[str, str], status: int = 201) -> str:
    answer = await caller.post(f"Patient/{record}/$register-device", parameters(**given))
    assert answer.status_code == status, answer.text
    return str(said(answer.json(), "device"))


async def devices(caller: Caller, record: str) -> list[Json]:
    answer = await caller.get(f"Patient/{record}/$devices")
    assert answer.status_code == 200, answer.text
    return listed(answer.json(), "device")


async def key_of(caller: Caller, record: str) -> str:
    return str(said((await caller.get(f"Patient/{record}/$devices")).json(), "key"))


def push(house: House, now: datetime | None = None) -> int:
    """Send what is due, as the server does; how many tries."""
    server = house.parts.server
    return send(house, pushing.deliverers(server.engine, server.keys, house.parts.installation.settings), now)


def with_webhook(house: House, url: str) -> None:
    installation = house.parts.installation
    installation.settings = replace(installation.settings, push_webhook=Webhook(url, SECRET))


async def test_what_a_browser_is_sent(house: House, ada: Person, sink: Sink) -> None:
    browser = Subscription(sink.url("/wpush/v2/abc?x=1"))
    await register(ada.caller(), ada.record, browser.given())
    about = await happen(house, ada.record, "prescription")
    assert push(house) == 1
    [received] = sink.received
    [entry] = await centre(ada.caller(), ada.record)
    assert browser.opened(received.body) == {"id": entry["id"], "text": SENTENCE}
    assert (received.path, received.headers["topic"]) == ("/wpush/v2/abc?x=1", entry["id"])
    assert (received.headers["content-encoding"], received.headers["ttl"]) == ("aes128gcm", "86400")
    claims = signed(received, await key_of(ada.caller(), ada.record))
    assert claims["aud"] == "http://127.0.0.1"
    assert claims["sub"] == f"mailto:{house.settings.mail_from}"
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600  # RFC 8292 §2
    for secret in (about, ada.record, "prescription", "Ada"):
        assert secret not in str(received)
    assert waiting(house, "push") == []


async def test_what_the_operator_is_sent(house: House, ada: Person, sink: Sink) -> None:
    with_webhook(house, sink.url("/push"))
    await register(ada.caller(), ada.record, {"kind": "mobile", "token": "tok-1", "platform": "ios"})
    await happen(house, ada.record, "message")
    assert push(house) == 1
    [received] = sink.received
    [entry] = await centre(ada.caller(), ada.record)
    assert json.loads(received.body) == {"notification": entry["id"], "token": "tok-1", "platform": "ios"}
    at, _, mac = received.headers["carnet-signature"].removeprefix("t=").partition(",v1=")
    assert abs(int(at) - time.time()) < 60
    assert hmac.new(SECRET.encode(), f"{at}.".encode() + received.body, "sha256").hexdigest() == mac


async def test_registered_again_is_refreshed_and_listed_without_where_it_is(house: House, ada: Person) -> None:
    browser, now = Subscription("https://push.example/secret"), house.now()
    first = await register(ada.caller(), ada.record, browser.given())
    house.parts.server.clock = lambda: now + timedelta(days=100)
    assert await register(own(ada), ada.record, browser.given()) == first
    answer = await own(ada).get(f"{ada.patient}/$devices")
    [found] = listed(answer.json(), "device")
    assert (found["id"], found["kind"], found["client"]) == (first, "web-push", "app")
    assert "push.example" not in answer.text
    registered, refreshed, until = (
        datetime.fromisoformat(found[name]) for name in ("registered", "refreshed", "until")
    )
    assert refreshed - registered > timedelta(days=99)
    assert until - refreshed == UNUSED
    with Session(house.parts.engine) as session:
        assert b"push.example" not in session.execute(select(push_device.c.sealed)).scalar_one()


async def test_one_that_is_not_refreshed_is_forgotten(house: House, ada: Person, sink: Sink) -> None:
    await register(ada.caller(), ada.record, Subscription(sink.url()).given())
    await happen(house, ada.record, "message")
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(push_device).values(seen=datetime.now(UTC) - UNUSED))
    push(house)  # it was enqueued while it stood
    await happen(house, ada.record, "message")
    assert (sink.received, waiting(house, "push"), await devices(ada.caller(), ada.record)) == ([], [], [])
    with Session(house.parts.engine) as session, session.begin():
        device.forget(session, datetime.now(UTC))
        assert session.execute(select(func.count()).select_from(push_device)).scalar_one() == 0


@pytest.mark.parametrize("status", [404, 410])
async def test_one_that_is_gone_is_forgotten_at_once(house: House, ada: Person, sink: Sink, status: int) -> None:
    sink.status = status
    await register(ada.caller(), ada.record, Subscription(sink.url()).given())
    await happen(house, ada.record, "message")
    assert push(house) == 1
    assert await devices(ada.caller(), ada.record) == []
    await happen(house, ada.record, "message")
    assert (push(house), len(sink.received)) == (0, 1)


async def test_what_is_not_taken_is_tried_again_with_the_same_id(house: House, ada: Person, sink: Sink) -> None:
    sink.statuses = [500, 429, 307, 201]
    browser = Subscription(sink.url())
    await register(ada.caller(), ada.record, browser.given())
    await happen(house, ada.record, "message")
    now = datetime.now(UTC)
    assert push(house, now) == 1
    assert push(house, now + timedelta(seconds=5)) == 0
    for hours in (1, 2, 3, 4):
        push(house, now + timedelta(hours=hours))
    assert len(sink.received) == 4
    assert len({one.headers["topic"] for one in sink.received}) == 1
    assert len({browser.opened(one.body)["id"] for one in sink.received}) == 1
    assert waiting(house, "push") == []


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from phr.core import egress, outbox
from phr.core.database import synchronous_engine
from phr.core.keys import KeyEncryptionKeys, SystemKeys
from phr.core.settings import from_environment
from phr.core.vault import KeyFile
from phr.notifications import pushing

url, key_file = sys.argv[1:]
settings = from_environment({"PHR_ENV": "sandbox"})
engine = synchronous_engine(url)
keys = SystemKeys.open(engine, KeyEncryptionKeys(KeyFile.load(Path(key_file))))

def post(url, body, headers):
    egress.post(url, body, headers, sandbox=True)
    os.kill(os.getpid(), signal.SIGKILL)

outbox.send_one(engine, keys, pushing.deliverers(engine, keys, settings, post), datetime.now(UTC))
"""


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)


async def test_killed_between_sending_and_forgetting_it_is_sent_again_with_the_same_id(
    house: House, ada: Person, sink: Sink
) -> None:
    browser = Subscription(sink.url())
    await register(ada.caller(), ada.record, browser.given())
    await happen(house, ada.record, "message")
    url = house.parts.engine.url.render_as_string(hide_password=False)
    killed = await run_in_threadpool(_run, _KILLED, url, str(house.settings.key_file))
    assert killed.returncode == -signal.SIGKILL
    assert len(sink.received) == 1
    deadline = time.monotonic() + 20
    while not push(house) and time.monotonic() < deadline:
        pass  # the database lets go of the row once it sees that its process is gone
    assert len(sink.received) == 2
    first, second = (browser.opened(one.body)["id"] for one in sink.received)
    assert first == second == sink.received[0].headers["topic"] == sink.received[1].headers["topic"]
    assert push(house) == 0


async def test_a_preference_silences_a_kind_and_an_emergency_is_always_pushed(
    house: House, ada: Person, sink: Sink
) -> None:
    await register(ada.caller(), ada.record, Subscription(sink.url()).given())
    for name in ("push-message", "push-access"):
        await house.lend(ada.record, Terms(Right.PREFERENCE, permits=False, purpose=name))
    for kind in ("message", "access"):
        await happen(house, ada.record, kind)
    assert push(house) == 0
    for kind in ("document", "emergency"):
        await happen(house, ada.record, kind)
    assert push(house) == 2
    assert len(waiting(house, "mail")) == 4


async def test_nothing_is_pushed_of_what_is_not_in_sight(house: House, sink: Sink) -> None:
    ada, mum = await person(house, "Lina", born="2015-01-01"), await person(house, "Mum")
    await represent(ada, mum)
    await register(ada.caller(), ada.record, Subscription(sink.url("/ada")).given())
    await register(mum.acting(ada.record), ada.record, Subscription(sink.url("/mum")).given())
    await happen(house, ada.record, "document", HIDDEN_FROM_PATIENT)
    assert push(house) == 0
    await happen(house, ada.record, "document", confidential=True)
    push(house)
    assert [one.path for one in sink.received] == ["/ada"]


async def test_a_device_is_told_of_the_record_it_was_registered_in_alone(house: House, sink: Sink) -> None:
    child, mum = await person(house, "Lina", born="2015-01-01"), await person(house, "Mum")
    await represent(child, mum)
    await register(mum.acting(child.record), child.record, Subscription(sink.url()).given())
    await happen(house, mum.record, "message")
    assert push(house) == 0
    await happen(house, child.record, "message")
    assert push(house) == 1
    assert await devices(mum.caller(), mum.record) == []


async def test_an_application_that_lost_its_grant_is_pushed_to_no_more(house: House, ada: Person, sink: Sink) -> None:
    grant = granted(house, ada, ada.record)
    app = ada.caller(grant=str(grant))
    await register(app, ada.record, Subscription(sink.url()).given())
    await happen(house, ada.record, "message")
    assert push(house) == 1
    await happen(house, ada.record, "message")
    with Session(house.parts.engine) as session, session.begin():
        grants.revoke(session, grant, datetime.now(UTC))
    assert await devices(ada.caller(), ada.record) == []
    await happen(house, ada.record, "message")
    push(house)
    assert len(sink.received) == 1
    assert waiting(house, "push") == []


async def test_removed_and_whose_it_is(house: House) -> None:
    ada, mum = await person(house, "Lina", born="2015-01-01"), await person(house, "Mum")
    await represent(ada, mum)
    browser = Subscription("https://push.example/x")
    mine = await register(ada.caller(), ada.record, browser.given())
    theirs = await register(mum.acting(ada.record), ada.record, browser.given())
    assert mine != theirs
    for caller, named in (
        (ada.caller(), theirs),
        (mum.caller(), theirs),
        (ada.caller(), "what"),
        (ada.caller(), "0" * 32),
    ):
        answer = await caller.post(f"{ada.patient}/$remove-device", parameters(device=named))
        assert answer.status_code == 404
    assert (await ada.caller().post(f"{ada.patient}/$remove-device", parameters())).status_code == 422
    assert (await ada.caller().post(f"{ada.patient}/$remove-device", parameters(device=mine))).status_code == 200
    assert await devices(ada.caller(), ada.record) == []
    assert [one["id"] for one in await devices(mum.acting(ada.record), ada.record)] == [theirs]


async def test_an_account_has_so_many_and_the_one_unused_for_longest_gives_way(house: House, ada: Person) -> None:
    now = house.now()
    made = []
    for n in range(MOST + 2):
        house.parts.server.clock = lambda n=n: now + timedelta(minutes=n)  # type: ignore[misc]
        made.append(await register(ada.caller(), ada.record, Subscription(f"https://push.example/{n}").given()))
    assert {one["id"] for one in await devices(ada.caller(), ada.record)} == set(made[2:])


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in Subscription("https://push.example/x").given().items() if key != name}


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "mobile", "token": "t", "platform": "ios"},  # no webhook
        {"kind": "fax"},
        {},
        _without("endpoint"),
        _without("auth"),
        {**_without("endpoint"), "endpoint": "ftp://push.example/"},
        {**_without("endpoint"), "endpoint": "https://u:p@push.example/"},
        {**_without("endpoint"), "endpoint": "https://push.example/" + "x" * 3000},
        {**_without("auth"), "auth": encoded(b"short")},
        {**_without("p256dh"), "p256dh": encoded(b"\x04" + bytes(64))},
        {**_without("p256dh"), "p256dh": "é"},
        {**_without(""), "token": "t"},
    ],
)
async def test_what_is_no_device_is_refused(house: House, ada: Person, given: dict[str, str]) -> None:
    await register(ada.caller(), ada.record, given, 422)
    assert await devices(ada.caller(), ada.record) == []


async def test_in_production_an_address_inside_is_refused_when_given_or_when_posted_to(
    house: House, ada: Person, sink: Sink
) -> None:
    await register(ada.caller(), ada.record, Subscription(sink.url()).given())
    installation, server = house.parts.installation, house.parts.server
    installation.settings = replace(installation.settings, env="production")
    await register(ada.caller(), ada.record, Subscription(sink.url("/other")).given(), 422)
    inside = Subscription(f"https://127.0.0.1:{sink.port}/")
    await register(ada.caller(), ada.record, inside.given())
    await happen(house, ada.record, "message")
    assert push(house) == 2
    assert sink.received == []
    with Session(server.engine) as session:
        assert {one.error for one in outbox.listed(session, dead=False) if one.kind == "push"} == {"RefusedError"}


async def test_who_may_register(house: House, ada: Person) -> None:
    bob = await person(house, "Bob")
    given = Subscription("https://push.example/x").given()
    for caller, status in (
        (bob.caller(), 404),
        (bob.acting(ada.record), 404),
        (software(house), 403),
        (house.depositor(), 403),
        (ada.caller(("patient/*.rs",)), 403),
    ):
        await register(caller, ada.record, given, status)
    assert await devices(ada.caller(), ada.record) == []


async def test_the_key_is_the_same_in_every_process(house: House, ada: Person) -> None:
    assert await key_of(ada.caller(), ada.record) == await key_of(ada.caller(), ada.record)
    assert len(await key_of(ada.caller(), ada.record)) == 87


def test_every_way_out_keeps_the_quiet_hours_of_what_it_sends(house: House) -> None:
    with_webhook(house, "https://operator.example/push")
    installation, server = house.parts.installation, house.parts.server
    installation.settings = replace(installation.settings, mail=Mail("smtp://127.0.0.1:9", ""))
    server.clock = lambda: datetime(2026, 11, 23, 22, tzinfo=UTC)
    found = deliveries.deliverers(server, installation)
    for kind in ("mail", "push", "mobile-push"):
        with pytest.raises(outbox.NotNowError) as held:
            found[kind](quiet.said([(time_of_day(20), time_of_day(8))]))
        assert held.value.until == datetime(2026, 11, 24, 7, tzinfo=UTC), kind
