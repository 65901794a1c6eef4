"""What goes with a message: references into the record, and files that are sealed in it.

The rule: a reference shows nothing by itself: whoever follows it sees what their own lens shows, or the one 404. What a
person or their representatives may not know of is not told by a message either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir import tokens
from fhir.parameters import KINDS
from fhir.predicate import And, Flagged, IdIn, Predicate, Withheld
from fhir.search import all_of
from phr import blobs, operated
from phr.access.right import HIDDEN_FROM_PATIENT, HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.core.errors import invalid
from phr.documents import with_labels
from phr.messages.text import LONGEST_NAME, line
from phr.messages.thread import Json
from phr.plan import Item, Plan

MOST = 10
_BINARY = KINDS["Binary"]
_UNSENT = frozenset({"AuditEvent", "Binary", "Communication", "Consent"})
"""What is not sent by reference: who sees the record, other messages, and bytes apart from what they are of."""
AT = "Parameters.parameter.where(name = 'attachment')"


@dataclass(frozen=True, slots=True)
class File:
    """A file: what it is called, the media type it is said to be of (judged by its bytes), the bytes."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


def referred(reference: dict[str, Any], base: str) -> str:
    """`Type/id` of a resource of the record to attach. Raises CONTENT (422)."""
    pair = tokens.local(str(reference.get("reference", "")), base)
    kind = KINDS.get(pair[0]) if pair is not None else None
    if pair is None or kind is None or kind.commons or kind.name in _UNSENT:
        raise invalid("What is attached is a resource of this record, or a file.", AT)
    return f"{pair[0]}/{pair[1]}"


async def kept_from(deed: Deed, references: Sequence[str], thread: frozenset[str]) -> frozenset[str]:
    """The visibility labels of a message: its thread's; and, as one thing it refers to is kept from representatives,
    so is it. Raises CONTENT (422) for what awaits its announcement, in a thread that the person reads (R1111-53)."""

    async def are(what: Predicate) -> bool:
        match = And((IdIn(frozenset(one.partition("/")[2] for one in references)), what))
        return bool(references) and bool(await deed.fetch(all_of(deed.unscoped().inside, match, 1)))

    if HIDDEN_FROM_PATIENT not in thread and await are(Withheld(deed.visit.now)):
        raise invalid("What is attached is not shown to the person yet: tell them, and show it first.", AT)
    secret = await are(Flagged("hidden_from_proxies"))
    return thread | ({HIDDEN_FROM_PROXIES} if secret else frozenset())


async def attach(
    plan: Plan, thread: str, references: Sequence[str], files: Sequence[File], labels: Sequence[str]
) -> list[Json]:
    """The payloads of a message's attachments; its files are planned, with the tag of the thread.

    Raises CONTENT (422), MEDIA_TYPE (415: what the bytes are is not accepted), TOO_LARGE (413), UNAVAILABLE.
    """
    if len(references) + len(files) > MOST:
        raise invalid(f"A message has {MOST} attachments at most.", AT, "too-many")
    payloads: list[Json] = [{"contentReference": {"reference": name}} for name in dict.fromkeys(references)]
    for file in files:
        content = await blobs.admit(file.data, file.content_type, plan.deed.visit.installation.settings, AT)
        name, body = line(file.name, AT, LONGEST_NAME), {"resourceType": "Binary", "contentType": file.content_type}
        id = plan.new_id(_BINARY)  # noqa: A001
        tagged = operated.tagged(with_labels(body, labels), operated.THREAD, thread)
        await plan.add(Item(_BINARY, id, tagged, AT, content=content))
        described = {"contentType": file.content_type, "size": content.size, "hash": content.sha1}
        payloads.append({"contentAttachment": {**described, "url": f"Binary/{id}", "title": name}})
    return payloads
