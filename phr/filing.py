"""Telling that documents were filed: to software that subscribed, and to people in their centre, by mail, on devices.

The rule: in the transaction that files them. What belongs to a prescription or to a message is told by its own
operations, not a second time here.
"""

from collections.abc import Iterable

from fhir.store import Draft
from phr import events, notices
from phr.access.visit import Deed
from phr.operated import is_operated


async def tell(deed: Deed, made: Iterable[Draft]) -> None:
    """Tell of the documents among these new resources."""
    documents = [one for one in made if one.kind.name == "DocumentReference"]
    await events.emit_all(deed, events.Topic.DOCUMENT, [one.reference for one in documents])
    await notices.tell_filed(deed, [one.reference for one in documents if not is_operated(one.json)])
