"""Writing a message: in a thread that is open, or as the first of a new one.

The rule: who writes takes part; the message, what goes with it, and the news of it are one transaction.
"""

from dataclasses import dataclass, field
from typing import Any

from phr import idempotence
from phr.access.consent import PROFESSIONALS, Actor
from phr.access.journal import Tag
from phr.access.reader import Citizen, Person, Professional, identity
from phr.access.right import HIDDEN_FROM_PATIENT, may_act_for
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit, asked_of
from phr.blocks import elsewhere
from phr.core.errors import DomainError, Issue, Reason, forbidden, invalid
from phr.messages import composing, drafts, parties, starting
from phr.messages.attachments import File
from phr.messages.text import line, lines
from phr.messages.thread import COMMUNICATION, Thread, find
from phr.plan import obey
from phr.reading import require

_ASKED = "$send-message"
_AT = "Parameters.parameter.where(name = '{}')"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is sent. `thread`: the one it answers, else a new one `to` these about `subject`.

    `references`: `Type/id` of resources of the record. Of a professional's new thread: `with_person`, whether the
    person takes part; `professional_only`, whether it is not shown to them yet.
    """

    text: str = field(repr=False)
    thread: str = ""
    to: tuple[Actor, ...] = ()
    subject: str = field(default="", repr=False)
    references: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    with_person: bool = True
    professional_only: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The ids of the thread and of the message."""

    thread: str
    message: str


async def send(visit: Visit, record: str, wish: Wish, base: str, key: str | None = None, body: Any = None) -> Sent:
    """Send a message. `key`: the Idempotency-Key of this request, whose body it is for: sent twice, it is sent once.

    Raises ABSENT (no such thread, or who may not start one), FORBIDDEN, CONTENT (422), CONFLICT (closed), TOO_MANY.
    """
    require(visit, CREATE, COMMUNICATION)
    elsewhere(visit, record)
    text, asked = lines(wish.text, _AT.format("text")), asked_of(("Patient", record, _ASKED))
    async with visit.act(record, CREATE, Tag.MESSAGE, asked, deciding=True) as deed:
        thread = await _standing(deed, wish)
        before = await idempotence.repeated(deed, key, asked, body)
        if before is not None:
            return Sent(before["thread"], before["message"])
        if thread is None:
            thread = await _start(deed, wish, base)
        else:
            await _check_open(deed, thread, wish)
        sender = await parties.sender(deed)
        message = composing.Message(sender, text, wish.references, wish.files)
        made = await composing.compose(deed, base, thread, message, identity(visit.reader))
        await drafts.drop(deed, wish.thread)
        sent = Sent(thread.id, made.id)
        await idempotence.keep(deed, key, asked, body, {"thread": sent.thread, "message": sent.message})
        return sent


async def _standing(deed: Deed, wish: Wish) -> Thread | None:
    """The thread that is answered; None when who asks may start one."""
    if not wish.thread:
        await starting.check(deed)
        return None
    if isinstance(deed.visit.reader, Person):
        obey(may_act_for(deed.decision.powers, COMMUNICATION))
    return await find(deed, wish.thread, lock=True)


async def _check_open(deed: Deed, thread: Thread, wish: Wish) -> None:
    if wish.to or wish.subject or wish.professional_only or not wish.with_person:
        raise invalid("Whom a thread is between, and about what, does not change: start another.", _AT.format("to"))
    if not thread.is_open:
        raise DomainError(Reason.CONFLICT, Issue("conflict", "This thread is closed: it accepts nothing more."))
    if isinstance(deed.visit.reader, Person) and not thread.has_person:
        raise forbidden("You may read this thread, you do not take part in it.")
    if isinstance(deed.visit.reader, Citizen) and not await parties.shown_to(deed, thread):
        raise DomainError(Reason.CONFLICT, Issue("conflict", "Nobody is left to read this thread: start another."))


async def _start(deed: Deed, wish: Wish, base: str) -> Thread:
    reader, subject = deed.visit.reader, line(wish.subject, _AT.format("subject"))
    own = Actor(PROFESSIONALS, reader.identity.id) if isinstance(reader, Professional) else None
    with_person = wish.with_person and not wish.professional_only
    to = tuple(one for one in wish.to if own is None or one.name != own.name)
    if own is None and not with_person:
        raise forbidden("Only a professional starts a thread that the person takes no part in.")
    if not to and (own is None or not with_person):
        raise invalid("Whom it is for is missing.", _AT.format("to"), "required")
    named = await starting.addressed(deed, to)
    labels = [HIDDEN_FROM_PATIENT] if wish.professional_only else []
    between = [parties.reference(one) for one in named]
    if own is not None and with_person:
        between.append(await parties.person(deed))
    thread = await composing.start(deed, base, composing.Subject(await parties.sender(deed), between, subject, labels))
    await parties.show(deed, thread.id, (*named, *((own,) if own is not None else ())), labels)
    return thread
