"""What happens in a record that somebody may want to be told of: one closed list of topics, emitted where they happen.

The rule: an event is written in the transaction that causes it, and names a resource; nothing of what it says.
"""

from enum import StrEnum

from phr.access.visit import Deed


class Topic(StrEnum):
    """What software subscribes to. Closed."""

    DOCUMENT = "new-document"
    MESSAGE = "new-message"
    PRESCRIPTION = "prescription-state"
    ACCESS = "access-event"
    ADVICE = "advice-due"


async def emit(deed: Deed, topic: Topic, focus: str, *parties: str) -> None:
    """Say that something happened to `focus` (`Type/id`). `parties`: names of who is concerned outside of the record,

    such as `structure:1750000001` for a pharmacy that a prescription was sent to.
    """
