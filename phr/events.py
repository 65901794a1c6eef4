"""What happens in a record that somebody may want to be told of: one closed list of topics, emitted where they happen.

The rule: an event is written in the transaction that causes it, and names a resource; nothing of what it says. Who is
told, and whether, is judged when they are told, through their own lens (`phr.subscriptions`).
"""

from collections.abc import Sequence
from enum import StrEnum

from fhir.record import bucket_of, new_id
from phr.access.visit import Deed
from phr.core import outbox
from phr.subscriptions import numbers, rows
from phr.subscriptions.ledger import WAKE, Event, party_of


class Topic(StrEnum):
    """What software subscribes to. Closed."""

    DOCUMENT = "new-document"
    MESSAGE = "new-message"
    PRESCRIPTION = "prescription-state"
    ACCESS = "access-event"
    ADVICE = "advice-due"

    @property
    def canonical(self) -> str:
        """The URL that names it."""
        return f"https://carnet.example/SubscriptionTopic/{self.value}"


async def emit(deed: Deed, topic: Topic, focus: str, *parties: str) -> None:
    """Say that something happened to `focus` (`Type/id`). `parties`: names of who is concerned outside of the record,

    such as `structure:1750000001` for a pharmacy that a prescription was sent to.
    """
    await emit_all(deed, topic, (focus,), *parties)


async def emit_all(deed: Deed, topic: Topic, focuses: Sequence[str], *parties: str) -> None:
    """The same of several at once. One statement when nobody listens, none when nothing happened."""
    if deed.opened is None or not focuses:
        return
    session, keys, now, record = (
        deed.session,
        deed.visit.installation.system_keys,
        deed.visit.now,
        deed.opened.keys.record,
    )
    concerned = [party_of(keys, one) for one in parties]
    listening = await rows.listening(session, record, topic, concerned, now)
    bucket = bucket_of(record) or 0
    for told in listening:
        events = [Event(bucket, new_id(bucket), record, told, one, now, None, False, False) for one in focuses]
        await numbers.happened(session, events)
        await outbox.enqueue(session, keys, WAKE, {"subscription": told}, now)
