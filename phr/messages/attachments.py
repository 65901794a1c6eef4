"""What goes with a message: references into the record, and files that are sealed in it.

The rule: a reference shows nothing by itself: whoever follows it sees what their own lens shows, or the one 404.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir import tokens
from fhir.parameters import KINDS
from phr import blobs, operated
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
