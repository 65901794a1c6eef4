"""Secure mail and threads: a letter from a structure's mailbox becomes a message, in the thread it answers or another.

The rule: a structure writes as itself, under the rules of any other; what goes out waits in the outbox under the kind
`phr.messages.telling.MSSANTE`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phr import rights
from phr.access.consent import STRUCTURES, Actor
from phr.access.provision import LEASES, Right
from phr.access.visit import Deed
from phr.core.errors import DomainError, Issue, Reason, absent
from phr.messages import composing, parties
from phr.messages.attachments import File
from phr.messages.text import LONGEST_SUBJECT, line, lines
from phr.messages.thread import Thread, known

__all__ = ["File", "Mailbox", "receive"]
_RELATED = LEASES | {Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR, Right.PRESCRIPTION}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mail address of a structure: `structure` is its StructIdNat, `name` what people call it."""

    address: str
    structure: str
    name: str = ""


async def receive(
    deed: Deed,
    sender: Mailbox,
    subject: str,
    text: str,
    files: Sequence[File],
    reply_to: str | None,
    references: Sequence[str] = (),
) -> str:
    """Store a letter as a message, in a transaction under way; the id of its thread. `reply_to`: the thread it answers.

    `deed` is the gateway's own (`System`, every scope of `system`) and decides. `references`: documents filed with
    it, `DocumentReference/id`. Raises ABSENT alike for a structure that is blocked and one that nothing lets write;
    CONFLICT (the thread is closed), TOO_MANY (429), CONTENT (422), MEDIA_TYPE (415), TOO_LARGE (413).
    """
    who, said = Actor(STRUCTURES, sender.structure, sender.name), lines(text, "text")
    if await parties.shut_out(deed, [who]):
        raise absent()
    base = f"{deed.visit.installation.settings.issuer}/fhir"
    thread = await (_answered(deed, who, reply_to) if reply_to else _started(deed, who, subject, base))
    message = composing.Message(parties.reference(who), said, tuple(references), tuple(files))
    await composing.compose(deed, base, thread, message, who.name)
    return thread.id


async def _answered(deed: Deed, who: Actor, id: str) -> Thread:
    thread = await known(deed, id, lock=True)
    if who.name not in {one.name for one in await parties.shown_to(deed, thread)}:
        raise absent()
    if not thread.is_open:
        raise DomainError(Reason.CONFLICT, Issue("conflict", "This thread is closed: it accepts nothing more."))
    return thread


async def _started(deed: Deed, who: Actor, subject: str, base: str) -> Thread:
    """A new thread with the person, for a structure that a right was opened for, or that was written to."""
    if not await _is_related(deed, who):
        raise absent()
    about = line(subject[:LONGEST_SUBJECT].strip() or "…", "subject")
    to_person = [await parties.person(deed)]
    thread = await composing.start(deed, base, composing.Subject(parties.reference(who), to_person, about))
    await parties.show(deed, thread.id, [who], ())
    return thread


async def _is_related(deed: Deed, who: Actor) -> bool:
    hashed, now = rights.keys_of(deed).hashed(who.name), deed.visit.now
    held = await rights.listed(deed, [*_RELATED, Right.CONVERSATION])
    return any(one.lasts(now) and hashed in (one.actor, one.structure) for one in held)
