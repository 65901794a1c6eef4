"""The resources of a thread as they are written: its header, its messages with their files, and the news of each.

The rule: a message carries its thread's tag, and the visibility of its thread; and of what it refers to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fhir.store import Draft
from phr import operated
from phr.access.visit import Deed
from phr.documents import with_labels
from phr.messages import life, pace, parties, telling
from phr.messages.attachments import File, attach, kept_from
from phr.messages.thread import COMMUNICATION, HEADER, MESSAGE, OPEN, SENT, Json, Thread, communication
from phr.operated import keys_of
from phr.plan import Item, Plan


@dataclass(frozen=True, slots=True)
class Subject:
    """What a new thread is about, and between whom: References. `labels`: the visibility labels of all of it."""

    sender: Json = field(repr=False)
    recipients: Sequence[Json] = field(repr=False)
    subject: str = field(repr=False)
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """Who writes (a Reference), what, and what goes with it."""

    sender: Json = field(repr=False)
    text: str = field(repr=False)
    references: Sequence[str] = ()
    files: Sequence[File] = ()


async def start(deed: Deed, base: str, said: Subject) -> Thread:
    """Write the header of a new thread."""
    plan = Plan(deed, base, operated=True)
    thread, record = plan.new_id(COMMUNICATION), keys_of(deed).record
    body = communication(HEADER, OPEN, record, said.sender, deed.visit.now, topic={"text": said.subject})
    if said.recipients:
        body["recipient"] = list(said.recipients)
    name = await parties.person_name(deed)
    if name:  # who is shown the thread alone does not see the Patient
        body["subject"]["display"] = name
    [made] = await _store(plan, thread, with_labels(body, said.labels), thread)
    return Thread.started(made)


async def compose(deed: Deed, base: str, thread: Thread, message: Message, author: str) -> Draft:
    """Write a message, and tell of it. `author`: whose name counts it (`phr.access.reader.identity`).

    Raises TOO_MANY (429), and what `attach` raises.
    """
    await pace.keep(deed, author, thread.id)
    plan, labels = Plan(deed, base, operated=True), sorted(await kept_from(deed, message.references, thread.kept_from))
    attached = await attach(plan, thread.id, message.references, message.files, labels)
    payload = [{"contentString": message.text}, *attached]
    record = keys_of(deed).record
    body = communication(MESSAGE, SENT, record, message.sender, deed.visit.now, payload=payload)
    *_, made = await _store(plan, plan.new_id(COMMUNICATION), with_labels(body, labels), thread.id)
    await life.lives(deed, thread.id)
    await telling.tell(deed, thread, made.id, author)
    return made


async def _store(plan: Plan, id: str, body: Json, thread: str) -> list[Draft]:
    tagged = operated.tagged(body, operated.THREAD, thread)
    await plan.add(Item(COMMUNICATION, id, tagged, COMMUNICATION.name))
    return await plan.store()
