"""Threads and messages as Parameters: what each operation of the messages answers."""

from collections.abc import Sequence
from typing import Any

from phr.access.right import HIDDEN_FROM_PATIENT
from phr.documents import labels
from phr.messages.correspondents import Correspondent
from phr.messages.drafts import Draft
from phr.messages.listing import Listed, Read
from phr.messages.marks import Mark
from phr.messages.sending import Sent

Json = dict[str, Any]
LEGAL = (
    "Correspondence between professionals. It is not shown to the person yet: each message shows by itself one month "
    "after it was written, or when one of its professionals shows it ($show-thread). It is no private notebook: the "
    "person may ask for it, as for whatever was exchanged between professionals about their health (CSP L1111-7, not "
    "verified here)."
)
"""What marking a thread professional-only means."""


def sent(found: Sent, *, kept: bool) -> Json:
    """The thread and the message, by reference; `kept`: it is kept from the person for now."""
    named = [_reference("thread", found.thread), _reference("message", found.message)]
    return _parameters([*named, *([{"name": "legal", "valueString": LEGAL}] if kept else [])])


def thread_list(found: Sequence[Listed], link: str | None) -> Json:
    """Each thread: its header, when its last message was, how many are unread, and the reader's mark."""
    return _parameters([*(_listed(one) for one in found), *_next(link)])


def read_thread(found: Read, link: str | None) -> Json:
    """The header, the messages oldest first, the reader's mark."""
    said = [_resource("thread", found.json), *_mark(found.mark)]
    if HIDDEN_FROM_PATIENT in labels(found.json):
        said.append({"name": "legal", "valueString": LEGAL})
    told = [
        {"name": "message", "part": [_resource("communication", body), _true("mine", mine), _true("unread", unread)]}
        for body, mine, unread in found.messages
    ]
    return _parameters([*said, *told, *_next(link)])


def recipient_list(found: Sequence[Correspondent]) -> Json:
    """Whom a person may write to: each with their identifier, name, and what they are."""
    return _parameters([{"name": "recipient", "part": _recipient(one)} for one in found])


def resource(name: str, body: Json) -> Json:
    """One resource."""
    return _parameters([_resource(name, body)])


def marked(mark: Mark) -> Json:
    """The reader's mark on a thread."""
    return _parameters(_mark(mark))


def drafted(draft: Draft) -> Json:
    """What is written so far; nothing of an empty draft."""
    said = (("subject", draft.subject), ("text", draft.text))
    return _parameters([{"name": name, "valueString": value} for name, value in said if value])


def _listed(one: Listed) -> Json:
    last = {"name": "last", "valueInstant": one.last.isoformat(timespec="milliseconds")}
    unread = {"name": "unread", "valueInteger": one.unread}
    header = _resource("header", one.json)
    return {"name": "thread", "part": [header, last, unread, _true("archived", one.is_away), _unsubscribed(one.mark)]}


def _mark(mark: Mark) -> list[Json]:
    read = [] if mark.read is None else [{"name": "read", "valueInstant": mark.read.isoformat(timespec="milliseconds")}]
    return [*read, _true("archived", mark.archived is not None), _unsubscribed(mark)]


def _unsubscribed(mark: Mark) -> Json:
    return _true("unsubscribed", mark.unsubscribed)


def _resource(name: str, body: Json) -> Json:
    return {"name": name, "resource": body}


def _true(name: str, value: bool) -> Json:
    return {"name": name, "valueBoolean": value}


def _recipient(one: Correspondent) -> list[Json]:
    who = {"name": "identifier", "valueIdentifier": {"system": one.actor.system, "value": one.actor.value}}
    return [who, {"name": "name", "valueString": one.actor.display}, {"name": "what", "valueCode": one.what}]


def _reference(name: str, id: str) -> Json:
    return {"name": name, "valueReference": {"reference": f"Communication/{id}"}}


def _next(link: str | None) -> list[Json]:
    return [] if link is None else [{"name": "next", "valueUrl": link}]


def _parameters(listed: Sequence[Json]) -> Json:
    return {"resourceType": "Parameters", **({"parameter": list(listed)} if listed else {})}
