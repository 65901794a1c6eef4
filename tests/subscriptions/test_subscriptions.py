"""Subscriptions: who may ask, what is told, in which order, under which numbers, and what is never told."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from auth import clients, grants, tables
from phr import events
from phr.access.journal import Tag
from phr.access.reader import System
from phr.access.scope import CREATE
from phr.access.visit import Visit
from phr.core.database import Session as Asking
from phr.events import Topic
from phr.subscriptions import rows
from tests.access.city import delegate
from tests.deposit import Clinic, clinic, deposited, document, label
from tests.house import Caller, House, account_of
from tests.kin import granted, person
from tests.phr.care import DOCTOR, PHARMACIST, STRANGER, body, notes, software, who
from tests.subscriptions.hooks import (
    Hook,
    asked,
    deliver,
    events_in,
    later,
    listening,
    status_in,
    subscribe,
    value,
    waiting,
)

Json = dict[str, Any]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as found:
        yield found


@pytest.fixture
async def record(house: House) -> str:
    return await house.open_record()


@pytest.fixture
async def by(house: House) -> Clinic:
    return await clinic(house)


def app(house: House, record: str, **more: Any) -> Caller:
    """The person's application, whose token lasts a month."""
    claims = house.claims("citizen-app", "app", ("patient/*.cruds",), record)
    claims = replace(claims, expires=house.now() + timedelta(days=30), **more)
    return house.caller(claims)


async def deposit(house: House, record: str, by: Clinic, *labels: str) -> str:
    """A document, by a hospital, with these labels: its address."""
    found = document(record, by, securityLabel=[label("N"), *map(label, labels)])
    return f"DocumentReference/{(await deposited(house.depositor(), found))['id']}"


async def parameters(caller: Caller, path: str) -> Json:
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["entry"][0]["resource"]
    return found


async def test_it_shakes_hands_then_tells_each_event_in_order(
    house: House, hook: Hook, record: str, by: Clinic
) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook, header=["Authorization: Bearer mine"])
    [hello] = hook.of("handshake")
    assert value(hello, "status") == "requested"
    assert value(hello, "events-since-subscription-start") == "0"
    assert value(hello, "topic") == "https://carnet.example/SubscriptionTopic/new-document"
    assert value(hello, "subscription") == {"reference": f"http://carnet.test/fhir/Subscription/{mine}"}
    made = [await deposit(house, record, by) for _ in range(3)]
    await deliver(house)
    assert hook.events == list(zip((1, 2, 3), made, strict=True))
    assert [value(one, "events-since-subscription-start") for one in hook.of("event-notification")] == ["1", "2", "3"]
    assert hook.refused == 0
    assert {one["Authorization"] for one in hook.headers} == {"Bearer mine"}
    assert {one["Content-Type"] for one in hook.headers} == {"application/fhir+json"}
    assert await deliver(house) == 0
    told = [note for tag, note in notes(house, record) if tag is Tag.SUBSCRIPTION and note.asked.endswith("$notify")]
    assert [note.client for note in told] == ["app"] * 3
    profile = hook.told[1]["meta"]["profile"]
    assert profile == ["http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
                       "backport-subscription-notification-r4"]  # fmt: skip


async def test_secrets_are_shown_once(house: House, hook: Hook, record: str) -> None:
    caller = app(house, record)
    made = (await caller.post("Subscription", asked(hook, header=["X-Key: abc"]))).json()
    assert [one["url"] for one in made["channel"]["extension"]] == [
        "https://carnet.example/StructureDefinition/subscription-secret"
    ]
    secret = made["channel"]["extension"][0]["valueString"]
    for path in (f"Subscription/{made['id']}", "Subscription", f"Subscription/{made['id']}/$status"):
        text = (await caller.get(path)).text
        assert secret not in text
        assert "told/here" not in text
        assert "abc" not in text
    shown = (await caller.get(f"Subscription/{made['id']}")).json()
    assert shown["channel"]["endpoint"] == f"{hook.url.partition('/told')[0]}/***"
    assert shown["channel"]["header"] == ["X-Key: ***"]
    again = await caller.put(f"Subscription/{made['id']}", {**shown, "reason": "Another"}, If_Match='W/"1"')
    assert again.status_code == 200, again.text
    assert (again.headers["ETag"], again.json()["reason"]) == ('W/"2"', "Another")
    assert secret not in again.text
    hook.secret = secret
    await deliver(house)
    assert hook.headers[-1]["X-Key"] == "abc"  # what is sent back as it was shown is kept
    stale = await caller.put(f"Subscription/{made['id']}", shown, If_Match='W/"1"')
    assert stale.status_code == 412


@pytest.mark.parametrize(
    "more",
    [
        {"content": "full-resource"},
        {"criteria": "Observation?code=x"},
        {"criteria": "https://carnet.example/SubscriptionTopic/everything"},
        {"heartbeat": 5},
        {"filtered": "Observation?code=8302-2"},
        {"filtered": "Task?owner=Organization/1"},
        {"header": ["Host: elsewhere"]},
        {"header": ["no colon"]},
        {"status": "error"},
        {"end": "2001-01-01T00:00:00Z"},
        {"hook": "ftp://somewhere.example/"},
        {"hook": "http://user:password@127.0.0.1/"},
        {"hook": "http://169.254.169.254/latest/meta-data"},
        {"hook": "http://10.0.0.8/"},
        {"hook": "http://[::ffff:10.0.0.8]/"},
        {"hook": "https://nowhere.invalid/"},
    ],
)
async def test_what_is_not_done_is_refused(house: House, record: str, more: Json) -> None:
    where = more.pop("hook", "http://127.0.0.1:1/")
    answer = await app(house, record).post("Subscription", asked(where, **more))
    assert answer.status_code == 422, answer.text
    assert (await app(house, record).get("Subscription")).json()["total"] == 0


async def test_production_takes_no_address_inside(house: House, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = replace(house.settings, env="production")
    monkeypatch.setattr(house.parts.installation, "settings", strict)
    for url in ("http://127.0.0.1/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "http://app.test/"):
        assert (await app(house, record).post("Subscription", asked(url))).status_code == 422, url


async def test_an_address_that_moves_inside_is_told_nothing(
    house: House, hook: Hook, record: str, by: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is given, inside when it is told."""
    caller, real = app(house, record), socket.getaddrinfo
    where = ["93.184.216.34"]

    def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return real(where[0] if host == "moves.example" else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    port = hook.url.split(":")[2].partition("/")[0]
    made = await caller.post("Subscription", asked(f"http://moves.example:{port}/x"))
    assert made.status_code == 201
    where[0] = "127.0.0.1"
    monkeypatch.setattr(house.parts.installation, "settings", replace(house.settings, env="production"))
    await deliver(house)
    await later(house, minutes=5)
    await later(house, minutes=5)
    assert hook.told == []
    assert (await caller.get(f"Subscription/{made.json()['id']}")).json()["status"] == "error"


async def test_two_subscribers_are_told_what_each_sees(house: House, record: str, by: Clinic) -> None:
    await house.relate(record, DOCTOR.id)
    doctor = software(house, DOCTOR)
    with listening() as mine, listening() as theirs:
        await subscribe(app(house, record), mine)
        await subscribe(doctor, theirs, filtered=f"Patient?_id={record}")
        plain = await deposit(house, record, by)
        masked = await deposit(house, record, by, "MASQUE_PS")
        secret = await deposit(house, record, by, "INVISIBLE_PATIENT")
        last = await deposit(house, record, by)
        await deliver(house)
        assert mine.events == [(1, plain), (2, masked), (3, last)]
        assert theirs.events == [(1, plain), (2, secret), (3, last)]


async def test_a_professional_follows_whom_they_see_alone(house: House, hook: Hook, record: str, by: Clinic) -> None:
    doctor = software(house, DOCTOR)
    unknown = await doctor.post("Subscription", asked(hook, filtered=f"Patient?_id={record[:3]}-{'0' * 32}"))
    known = await doctor.post("Subscription", asked(hook, filtered=f"DocumentReference?patient=Patient/{record}"))
    assert (unknown.status_code, unknown.text) == (known.status_code, known.text) == (404, known.text)
    assert (await doctor.post("Subscription", asked(hook))).status_code == 422
    [refused] = [note for tag, note in notes(house, record) if tag is Tag.SUBSCRIPTION]
    assert refused.refused == "no-right"
    for caller in (house.depositor(), house.operator()):
        assert (await caller.post("Subscription", asked(hook, filtered=f"Patient?_id={record}"))).status_code == 403
    narrow = house.citizen(record, ("patient/Subscription.cruds", "patient/Observation.rs"))
    assert (await narrow.post("Subscription", asked(hook))).status_code == 403


async def test_a_parent_subscribes_and_a_caregiver_does_not(house: House, hook: Hook, record: str, by: Clinic) -> None:
    """A caregiver does not decide who is told; a parent is told what they see."""
    await house.represent(record, account_of("dad"), "consult", "documents")
    caregiver = await delegate(house, record, name="dad").post("Subscription", asked(hook))
    assert caregiver.status_code == 403
    await house.represent(record, account_of("mum"))
    await subscribe(delegate(house, record), hook)
    shown = await deposit(house, record, by)
    await deposit(house, record, by, "INVISIBLE_REPRESENTANTS_LEGAUX")
    await deliver(house)
    assert hook.events == [(1, shown)]


async def test_a_subscription_is_its_owners_alone(house: House, hook: Hook, record: str) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    others = (house.citizen(record, client="another"), house.citizen(await house.open_record()), software(house))
    for other in others:
        assert (await other.get("Subscription")).json()["total"] == 0
        for answer in (
            await other.get(f"Subscription/{mine}"),
            await other.delete(f"Subscription/{mine}"),
            await other.put(f"Subscription/{mine}", {**asked(hook), "id": mine}),
            await other.get(f"Subscription/{mine}/$status"),
            await other.get(f"Subscription/{mine}/$events"),
        ):
            assert answer.status_code == 404
    found = (await caller.get(f"Subscription?status=active&url={hook.url.replace('&', '%26')}")).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [mine]
    assert (await caller.get("Subscription?status=off")).json()["total"] == 0
    for path in (f"{mine}/_history", f"{mine}/$get-ws-binding-token", "$validate"):
        assert (await caller.get(f"Subscription/{path}")).status_code == 405


async def test_off_and_deleted_are_told_nothing(house: House, hook: Hook, record: str, by: Clinic) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    off = await caller.put(f"Subscription/{mine}", {**asked(hook), "id": mine, "status": "off"})
    assert (off.status_code, off.json()["status"]) == (200, "off")
    await deposit(house, record, by)
    await deliver(house)
    assert hook.events == []
    on = await caller.put(f"Subscription/{mine}", {**asked(hook), "id": mine})
    assert on.json()["status"] == "requested"
    shown = await deposit(house, record, by)
    await deliver(house)
    assert hook.events == [(1, shown)]
    assert (await caller.delete(f"Subscription/{mine}")).status_code == 204
    await deposit(house, record, by)
    await deliver(house)
    assert len(hook.events) == 1
    assert (await caller.get(f"Subscription/{mine}")).status_code == 404
    another = await caller.put(f"Subscription/{mine}", {**asked(hook), "id": mine})
    assert another.status_code == 404


async def test_what_it_is_about_does_not_change(house: House, hook: Hook, record: str) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    assert (await caller.put(f"Subscription/{mine}", {**asked(hook, Topic.ACCESS), "id": mine})).status_code == 422


@pytest.mark.parametrize("how", ["grant", "client", "withdrawn", "closed", "over"])
async def test_nothing_is_told_once_the_grant_is_over(house: House, hook: Hook, by: Clinic, how: str) -> None:
    """Revoked between the event and its delivery: neither that one nor another is told."""
    ada = await person(house)
    grant = granted(house, ada, ada.record)
    caller = ada.caller(grant=str(grant))
    mine = await subscribe(caller, hook, heartbeat=60)
    await deposit(house, ada.record, by)
    with Session(house.parts.engine) as session, session.begin():
        if how == "grant":
            grants.revoke(session, grant, house.now())
        elif how == "client":
            clients.disable(session, "app")
        elif how == "over":
            session.execute(update(tables.grant).values(revoked=house.now()))
    if how == "withdrawn":
        answer = await ada.caller(client="carnet-pages").post(
            f"{ada.patient}/$withdraw-application", body(client="app")
        )
        assert answer.status_code == 200, answer.text
    if how == "closed":
        fresh = ada.caller(client="carnet-pages", acr="mfa", auth_time=int(house.now().timestamp()))
        closed = await fresh.post(f"{ada.patient}/$close", {"resourceType": "Parameters"})
        assert closed.status_code == 200, closed.text
    await deliver(house)
    await later(house, minutes=2)
    assert hook.events == []
    assert hook.of("heartbeat") == []
    if how in ("grant", "over", "withdrawn"):
        again = ada.caller(grant=str(granted(house, ada, ada.record)))
        shown = (await again.get(f"Subscription/{mine}")).json()
        assert (shown["status"], shown["error"]) == ("off", "The access this rests on has ended.")
        renewed = await again.put(f"Subscription/{mine}", {**asked(hook), "id": mine})
        assert renewed.status_code == 200, renewed.text
        told = await deposit(house, ada.record, by)
        await deliver(house)
        assert hook.events == [(1, told)]


async def test_nothing_is_told_once_the_relation_is_over(house: House, hook: Hook, record: str, by: Clinic) -> None:
    consent = await house.relate(record, DOCTOR.id)
    doctor = software(house, DOCTOR)
    mine = await subscribe(doctor, hook, filtered=f"Patient?_id={record}")
    await deposit(house, record, by)
    await house.end(record, consent)
    await deliver(house)
    assert hook.events == []
    assert (await doctor.get(f"Subscription/{mine}")).json()["status"] == "off"
    status = await parameters(doctor, f"Subscription/{mine}/$status")
    assert (value(status, "status"), value(status, "events-since-subscription-start")) == ("off", "0")
    await house.relate(record, DOCTOR.id)  # opened again: what happened meanwhile is not told
    seen = await deposit(house, record, by)
    await deliver(house)
    assert hook.events == [(1, seen)]


async def test_it_ends_with_its_token(house: House, hook: Hook, record: str, by: Clinic) -> None:
    """Without a grant there is nothing to be renewed: ten minutes, and no longer, whatever was asked."""
    caller = house.citizen(record)
    far = (house.now() + timedelta(days=9)).isoformat()
    made = (await caller.post("Subscription", asked(hook, end=far))).json()
    assert datetime.fromisoformat(made["end"]) <= datetime.now(UTC) + timedelta(minutes=10)
    await deliver(house)
    await deposit(house, record, by)
    await later(house, minutes=11)
    assert hook.events == []
    async with house.parts.installation.database.session() as session:  # nobody waits for it any more
        assert await rows.listening(session, record, Topic.DOCUMENT, [], house.now()) == []


async def test_an_event_without_content_names_nothing(house: House, hook: Hook, record: str, by: Clinic) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook, content="empty")
    await deposit(house, record, by)
    await deliver(house)
    assert hook.events == [(1, None)]
    assert value(hook.of("event-notification")[0], "topic") is None
    assert events_in(await parameters(caller, f"Subscription/{mine}/$events")) == [(1, None)]


async def test_events_are_told_again_when_asked(house: House, hook: Hook, record: str, by: Clinic) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    made = [await deposit(house, record, by) for _ in range(4)]
    await deliver(house)
    numbered = list(zip(range(1, 5), made, strict=True))
    all_of_them = await parameters(caller, f"Subscription/{mine}/$events")
    assert (value(all_of_them, "type"), events_in(all_of_them)) == ("query-event", numbered)
    some = await parameters(caller, f"Subscription/{mine}/$events?eventsSinceNumber=2&eventsUntilNumber=3")
    assert events_in(some) == numbered[1:3]
    said = {"resourceType": "Parameters", "parameter": [{"name": "eventsSinceNumber", "valueString": "4"}]}
    posted = await caller.post(f"Subscription/{mine}/$events", said)
    assert events_in(status_in(posted.json())) == numbered[3:]
    assert (await caller.get(f"Subscription/{mine}/$events?eventsSinceNumber=x")).status_code == 400
    status = await parameters(caller, f"Subscription/$status?id={mine}&status=active")
    assert (value(status, "type"), value(status, "events-since-subscription-start")) == ("query-status", "4")
    assert (await caller.get("Subscription/$status?status=off")).json()["total"] == 0
    # Hidden since: it keeps its number, and no more is told of it.
    hidden = made[1].partition("/")[2]
    patch = [{"op": "add", "path": "/securityLabel/-", "value": label("INVISIBLE_PATIENT")}]
    assert (await house.depositor().patch(f"DocumentReference/{hidden}", patch)).status_code == 200
    again = events_in(await parameters(caller, f"Subscription/{mine}/$events"))
    assert again == [(1, made[0]), (2, None), (3, made[2]), (4, made[3])]


async def test_a_heartbeat_says_that_all_is_well(house: House, hook: Hook, record: str, by: Clinic) -> None:
    await subscribe(app(house, record), hook, heartbeat=60)
    await deposit(house, record, by)
    await deliver(house)
    await later(house, seconds=59)
    assert hook.of("heartbeat") == []
    await later(house, seconds=2)
    await later(house, seconds=61)
    assert [value(one, "events-since-subscription-start") for one in hook.of("heartbeat")] == ["1", "1"]
    assert len(waiting(house)) == 1


async def test_what_is_not_taken_is_told_again_in_order(house: House, hook: Hook, record: str, by: Clinic) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    hook.answers = [500, 503]
    first, second = await deposit(house, record, by), await deposit(house, record, by)
    await deliver(house)
    assert hook.events == [(1, first)]  # one try: the other waits behind it
    await later(house, seconds=9)
    assert len(hook.events) == 1
    await later(house, seconds=2)
    await later(house, seconds=21)
    assert hook.events == [(1, first)] * 3 + [(2, second)]
    assert (await caller.get(f"Subscription/{mine}")).json()["status"] == "active"


async def test_it_is_in_error_in_the_end_and_loses_nothing(house: House, hook: Hook, record: str, by: Clinic) -> None:
    caller = app(house, record)
    mine = await subscribe(caller, hook)
    hook.answers = [500] * 10
    made = [await deposit(house, record, by)]
    await deliver(house)
    for _ in range(12):
        await later(house, hours=1)
    assert len(hook.events) == 10
    shown = (await caller.get(f"Subscription/{mine}")).json()
    assert (shown["status"], shown["error"]) == ("error", "The endpoint did not take what it was told.")
    made.append(await deposit(house, record, by))
    assert await deliver(house) == 1
    assert len(hook.events) == 10
    assert waiting(house) == []
    assert (await caller.put(f"Subscription/{mine}", {**asked(hook), "id": mine})).status_code == 200
    await deliver(house)
    assert hook.events[10:] == [(1, made[0]), (2, made[1])]
    assert value(hook.of("event-notification")[-1], "status") == "active"


async def test_a_handshake_refused_is_an_error(house: House, hook: Hook, record: str) -> None:
    caller, hook.answers = app(house, record), [404, 301, 204]
    mine = (await caller.post("Subscription", asked(hook))).json()["id"]
    await deliver(house)
    await later(house, minutes=1)
    assert (await caller.get(f"Subscription/{mine}")).json()["status"] == "requested"
    hook.answers = [500]
    await later(house, minutes=1)
    assert (await caller.get(f"Subscription/{mine}")).json()["status"] == "error"
    assert len(hook.of("handshake")) == 3


async def test_what_is_hidden_before_anything_was_sent_has_no_number(house: House, record: str, by: Clinic) -> None:
    """Nobody answers; the document is hidden; somebody answers again: it was never told, and its number is free."""
    caller = app(house, record)
    with listening() as first:
        mine, port = await subscribe(caller, first), int(first.url.split(":")[2].partition("/")[0])
    hidden = await deposit(house, record, by)
    await deliver(house)
    status = await parameters(caller, f"Subscription/{mine}/$status")
    assert value(status, "events-since-subscription-start") == "0"
    patch = [{"op": "add", "path": "/securityLabel/-", "value": label("INVISIBLE_PATIENT")}]
    assert (await house.depositor().patch(hidden, patch)).status_code == 200
    shown = await deposit(house, record, by)
    with listening(port) as second:
        await later(house, minutes=1)
        assert second.events == [(1, shown)]


async def test_what_is_hidden_after_it_was_sent_keeps_its_number(
    house: House, hook: Hook, record: str, by: Clinic
) -> None:
    """It was told, in sight then, and not taken: told again it is a number, and no more."""
    await subscribe(app(house, record), hook)
    hook.answers = [500]
    hidden = await deposit(house, record, by)
    await deliver(house)
    patch = [{"op": "add", "path": "/securityLabel/-", "value": label("INVISIBLE_PATIENT")}]
    assert (await house.depositor().patch(hidden, patch)).status_code == 200
    shown = await deposit(house, record, by)
    await later(house, minutes=1)
    assert hook.events == [(1, hidden), (1, None), (2, shown)]


async def test_a_pharmacy_is_told_of_what_is_sent_to_it(house: House, hook: Hook, record: str) -> None:
    pharmacist = who(3, "21")
    structure = {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": pharmacist.structure}
    made = await house.operator().post("Organization", {"resourceType": "Organization", "identifier": [structure]})
    other = await house.operator().post("Organization", {"resourceType": "Organization", "name": "Another"})
    filtered = f"Task?owner=Organization/{made.json()['id']}"
    pharmacy = software(house, pharmacist)
    mine = await subscribe(pharmacy, hook, Topic.PRESCRIPTION, filtered)
    elsewhere = f"Task?owner=Organization/{other.json()['id']}"
    assert (await pharmacy.post("Subscription", asked(hook, Topic.PRESCRIPTION, elsewhere))).status_code == 404
    doctor = await software(house, DOCTOR).post("Subscription", asked(hook, Topic.PRESCRIPTION, filtered))
    assert doctor.status_code == 404
    assert (
        await house.citizen(record).post("Subscription", asked(hook, Topic.PRESCRIPTION, filtered))
    ).status_code == 403
    second = await house.open_record()
    for where in (record, second):  # two people; one lets the pharmacy see
        task = {"resourceType": "Task", "status": "ready", "intent": "order", "for": {"reference": f"Patient/{where}"}}
        task |= {"code": {"text": "x"}}
        sent = (await house.citizen(where).post("Task", task)).json()["id"]
        await _emitted(house, where, f"Task/{sent}", f"structure:{pharmacist.structure}")
        if where == second:
            await house.relate(where, pharmacist.id)
    await _emitted(house, second, f"Task/{sent}", "structure:1999999999")
    own = {"resourceType": "Task", "status": "ready", "intent": "order", "for": {"reference": f"Patient/{second}"}}
    deposited_here = (await pharmacy.post("Task", own)).json()["id"]
    await _emitted(house, second, f"Task/{deposited_here}", f"structure:{pharmacist.structure}")
    await deliver(house)
    assert hook.events == [(1, f"Task/{deposited_here}")]
    assert events_in(await parameters(pharmacy, f"Subscription/{mine}/$events")) == [(1, f"Task/{deposited_here}")]
    assert PHARMACIST.id == pharmacist.id


async def _emitted(house: House, record: str, focus: str, *parties: str) -> None:
    visit = Visit(house.parts.installation, System("tests"), (), (), house.now())
    async with visit.act(record, CREATE, Tag.PRESCRIPTION, "Task") as deed:
        await events.emit(deed, Topic.PRESCRIPTION, focus, *parties)


async def test_an_access_is_told_to_the_person(house: House, hook: Hook, record: str) -> None:
    await subscribe(app(house, record), hook, Topic.ACCESS)
    opened = await software(house, STRANGER).post(f"Patient/{record}/$open-access", body(basis="treating"))
    assert opened.status_code == 201
    await deliver(house)
    assert hook.events == [(1, f"Consent/{opened.json()['id']}")]


async def test_no_more_than_so_many(house: House, record: str) -> None:
    caller = app(house, record)
    made = [await caller.post("Subscription", asked("http://127.0.0.1:1/")) for _ in range(21)]
    assert [one.status_code for one in made] == [201] * 20 + [409]


async def test_what_was_over_a_month_ago_is_forgotten(house: House, hook: Hook, record: str, by: Clinic) -> None:
    mine = await subscribe(house.citizen(record), hook)
    await deposit(house, record, by)
    async with house.parts.installation.database.session() as session:
        with Session(house.parts.engine) as swept, swept.begin():
            rows.forget(swept, house.now() + timedelta(days=29))
        assert await rows.find(session, mine) is not None
        with Session(house.parts.engine) as swept, swept.begin():
            rows.forget(swept, house.now() + timedelta(days=31))
        assert await rows.find(session, mine) is None


async def test_nobody_listens_costs_one_statement(house: House, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of: list[str] = []
    fetch = Asking.fetch

    async def counted(self: Any, query: Any, values: Any = None) -> list[Any]:
        asked_of.append(query.sql)
        return await fetch(self, query, values)

    monkeypatch.setattr(Asking, "fetch", counted)
    await _emitted(house, record, f"Task/{uuid4()}", "structure:1999999999")
    assert len([sql for sql in asked_of if "subscription" in sql]) == 1


async def test_the_statement_tells_it(house: House) -> None:
    listed = (await house.http.get("/fhir/metadata")).json()["rest"][0]["resource"]
    [found] = [one for one in listed if one["type"] == "Subscription"]
    assert {one["code"] for one in found["interaction"]} == {"read", "search-type", "create", "update", "delete"}
    assert {one["name"]: one["definition"].rpartition("/")[2] for one in found["operation"]} == {
        "status": "backport-subscription-status",
        "events": "backport-subscription-events",
    }
    assert [one["valueCanonical"] for one in found["extension"]] == [topic.canonical for topic in Topic]
