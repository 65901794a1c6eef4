"""The subscriptions of a reader and their software: made, read, changed, switched off, deleted by them alone.

The rule: another's is as if it were not. What is shown of one depends on what its owner did and was told, and on the
access it rests on; never on what happened out of their sight.
"""

from typing import Any

from auth.claims import Claims
from fhir.record import bucket_of, new_bucket, new_id
from phr.access.journal import Tag
from phr.access.reader import Person
from phr.access.scope import CREATE, DELETE, READ, SEARCH, UPDATE
from phr.access.visit import Visit
from phr.core import outbox
from phr.core.errors import DomainError, Issue, Reason, absent, invalid
from phr.reading import require
from phr.subscriptions import channel, rows
from phr.subscriptions.asking import KIND, About, judged
from phr.subscriptions.held import Held, new_secret, sealing
from phr.subscriptions.ledger import WAKE
from phr.subscriptions.subscriber import Subscriber, lasts, owner_of, stands

Json = dict[str, Any]
MOST = 20
"""Subscriptions that are not over, of one reader by one software (of a person: in one record)."""


async def create(visit: Visit, claims: Claims, body: Json) -> Held:
    """Make a subscription and ask for its handshake. Raises CONTENT, FORBIDDEN, ABSENT, CONFLICT (too many)."""
    about = await judged(visit, claims, body, CREATE, KIND.name)
    keys, now = visit.installation.system_keys, visit.now
    owner = owner_of(keys, visit.reader)
    bucket = new_bucket() if about.record is None else bucket_of(about.record)
    made, subscriber, secret = new_id(bucket or 0), Subscriber(claims, visit.confidential), new_secret()
    values: Json = {"bucket": bucket, "id": made, "record": about.record, "party": about.party}
    values |= {
        "owner": owner,
        "told": 0,
        "topic": about.wish.topic.value,
        "version": 1,
        **_fresh(visit, about, subscriber),
    }
    async with visit.installation.database.transaction() as session:
        held = [row for row in await rows.owned(session, owner) if row["until"] > now]
        if len(held) >= MOST:
            raise DomainError(Reason.CONFLICT, Issue("too-costly", f"At most {MOST}: delete one first."))
        values["sealed"] = sealing(keys, made, about.resource, subscriber, secret)
        await rows.put(session, values)
        await outbox.enqueue(session, keys, WAKE, {"subscription": made}, now)
    return Held.of(keys, values)


async def read(visit: Visit, id: str) -> tuple[Held, bool]:
    """A subscription of the reader's, and whether what it rests on stands. Raises ABSENT."""
    found = await mine(visit, id, READ, f"Subscription/{id}")
    return found, await still_stands(visit, found)


async def update(visit: Visit, claims: Claims, id: str, body: Json, if_match: str | None) -> Held:
    """Switch it off, or ask for it anew: from now on it rests on the token it is changed with, and shakes hands again.

    What it is about does not change. Raises ABSENT, CONTENT, FORBIDDEN, PRECONDITION.
    """
    before = await mine(visit, id, UPDATE, f"Subscription/{id}")
    if if_match is not None and {before.etag, "*"}.isdisjoint(one.strip() for one in if_match.split(",")):
        raise DomainError(Reason.PRECONDITION, Issue("conflict", "The resource has changed since: read it again."))
    if body.get("id") != id:
        raise invalid("The id in the resource is that of the address.", "Subscription.id")
    whole = channel.restored(body, before.resource)
    about = await judged(visit, claims, whole, UPDATE, f"Subscription/{id}")
    was = before.wish
    if (about.wish.topic, about.record, about.wish.to) != (was.topic, before.record, was.to):
        raise invalid("What it is about does not change: delete it, and make another.", "Subscription.criteria")
    keys, subscriber = visit.installation.system_keys, Subscriber(claims, visit.confidential)
    values = {**rows.named(id), "version": before.version + 1, **_fresh(visit, about, subscriber)}
    values["sealed"] = sealing(keys, id, about.resource, subscriber, before.secret)
    async with visit.installation.database.transaction() as session:
        if not await rows.change(session, values, before.version):
            raise DomainError(Reason.CONFLICT, Issue("conflict", "It was changed at the same time: try again."))
        await outbox.enqueue(session, keys, WAKE, {"subscription": id}, visit.now)
        row = await rows.find(session, id)
    return Held.of(keys, row)


async def delete(visit: Visit, id: str) -> None:
    """Delete a subscription of the reader's: nothing more is told. Raises ABSENT."""
    await mine(visit, id, DELETE, f"Subscription/{id}")
    async with visit.installation.database.transaction() as session:
        await rows.remove(session, id)


async def listed(visit: Visit, asked: str = "Subscription") -> list[Held]:
    """All the reader's own, in the journal. Raises FORBIDDEN."""
    require(visit, SEARCH, KIND)
    keys = visit.installation.system_keys
    async with visit.act(home(visit), SEARCH, Tag.SUBSCRIPTION, asked) as deed:
        found = await rows.owned(deed.session, owner_of(keys, visit.reader))
    return [Held.of(keys, row) for row in found]


async def mine(visit: Visit, id: str, verb: str, asked: str) -> Held:
    """One of the reader's own, in the journal. Raises FORBIDDEN, ABSENT."""
    require(visit, verb, KIND)
    keys = visit.installation.system_keys
    async with visit.act(home(visit), verb, Tag.SUBSCRIPTION, asked) as deed:
        row = await rows.find(deed.session, id)
        found = row is not None and row["owner"] == owner_of(keys, visit.reader)
        deed.refused = "" if found else "unknown"
    if row is None or not found:
        raise absent()
    return Held.of(keys, row)


async def still_stands(visit: Visit, held: Held) -> bool:
    """Whether what it rests on stands now: its grant, its software, its access; as its owner may know."""
    here, claims = visit.installation, held.subscriber.claims
    async with here.database.session() as session:
        until = await lasts(session, claims)
    if until is None or min(until, held.until) <= visit.now:
        return False
    return await stands(held.subscriber.visit(here, visit.now), held.record)


def home(visit: Visit) -> str | None:
    """In whose journal it is written: the person's own, or that of the professional's software."""
    return visit.reader.record if isinstance(visit.reader, Person) else None


def _fresh(visit: Visit, about: About, subscriber: Subscriber) -> Json:
    """The values of one just asked for."""
    status = "off" if about.wish.status == "off" else "requested"
    state = {"status": status, "since": visit.now, "failures": 0, "retry": None, "beat": None}
    return {**state, "grant": subscriber.grant, "until": about.until, "updated": visit.now}
