"""Who writes, and who is written to: as References, and as the rights that show them the thread and nothing else.

The rule: who is blocked is shown nothing and told nothing, and nobody but the person learns that they are.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from auth import accounts
from fhir.parameters import KINDS
from fhir.predicate import KindIn
from fhir.search import one_of
from fhir.stored import Stored
from phr import blocks, operated, rights
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor, Terms, consent_of
from phr.access.provision import Right, in_force
from phr.access.reader import Citizen, Delegate, Person, Professional
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.visit import Deed
from phr.core.errors import DomainError, forbidden, invalid
from phr.documents import with_labels
from phr.messages.thread import Json, Thread, token

MOST = 20
"""Whom a thread is written to at most: a care team, not a mailing list."""
_NATIONAL = {RPPS: (PROFESSIONALS, "8"), FINESS: (STRUCTURES, "1")}
_TO = "Parameters.parameter.where(name = 'to')"


def named(identifiers: Iterable[dict[str, Any]]) -> tuple[Actor, ...]:
    """The professionals and structures these Identifiers name, each once, by national id. Raises CONTENT (422)."""
    found: dict[str, Actor] = {}
    for one in identifiers:
        what = "structure" if one.get("system") in (STRUCTURES, FINESS) else "professional"
        try:
            actor = blocks.named(what, one)
        except DomainError:
            raise invalid("A professional or a structure is named by a national identifier.", _TO) from None
        system, first = _NATIONAL.get(actor.system, (actor.system, ""))
        found[actor.name] = Actor(system, first + actor.value)
    if len(found) > MOST:
        raise invalid(f"A thread is written to {MOST} at most.", _TO, "too-many")
    return tuple(found.values())


def reference(actor: Actor) -> Json:
    """A professional or a structure, by their national identifier."""
    kind = "Practitioner" if actor.system == PROFESSIONALS else "Organization"
    named_as = {"display": actor.display} if actor.display else {}
    return {"type": kind, "identifier": {"system": actor.system, "value": actor.value}, **named_as}


async def sender(deed: Deed) -> Json:
    """Who writes now, as `Communication.sender`; of who acts for the person, both names. Raises FORBIDDEN."""
    reader = deed.visit.reader
    if isinstance(reader, Professional):
        who = reader.identity
        display = ", ".join(filter(None, (who.name, who.structure_name)))
        return reference(Actor(PROFESSIONALS, who.id, display))
    if not isinstance(reader, Citizen | Delegate):
        raise forbidden("Messages are between people and professionals.")
    name = await person_name(deed)
    if isinstance(reader, Delegate):
        system, record = deed.visit.installation.system_keys, operated.keys_of(deed).record
        reached = await accounts.reached(deed.session, system, record, [UUID(reader.account)])
        acting = next((one.name for one in reached if str(one.id) == reader.account), "")
        name = f"{acting} ({name})" if acting else name
    return {"reference": f"Patient/{reader.record}", **({"display": name} if name else {})}


async def person(deed: Deed) -> Json:
    """The person of the record, as who takes part."""
    name = await person_name(deed)
    return {"reference": f"Patient/{operated.keys_of(deed).record}", **({"display": name} if name else {})}


async def person_name(deed: Deed) -> str:
    """What the person is called, as who writes sees it; empty when they do not."""
    match = [KindIn(frozenset({"Patient"}))]
    rows = await deed.fetch(one_of(deed.unscoped().of(KINDS["Patient"]), match, gone=False))
    if not rows:
        return ""
    names = Stored.from_row(rows[0]).json(deed.view.keyring).get("name", [])
    first = next((one for one in names if one.get("use") == "official"), names[0] if names else {})
    return " ".join(filter(None, (next(iter(first.get("given", ())), ""), first.get("family", ""))))


async def show(deed: Deed, thread: str, actors: Sequence[Actor], labels: Iterable[str]) -> None:
    """Show a new thread to these, but to who is blocked: a right each, kept from whom the thread is kept from."""
    wanted = [*labels, *([HIDDEN_FROM_PROXIES] if deed.confidential else [])]
    shut = await shut_out(deed, actors)
    for actor in actors:
        if actor.name not in shut:
            terms = Terms(Right.CONVERSATION, actor, codes=((operated.THREAD, thread),))
            body = with_labels(consent_of(terms, rights.keys_of(deed).record, deed.visit.now), wanted)
            made = await operated.create(deed, rights.CONSENT, body, own=isinstance(deed.visit.reader, Person))
            await rights.derive(deed, made.json)


async def shut_out(deed: Deed, actors: Iterable[Actor]) -> frozenset[str]:
    """The names of those among them that the person blocked."""
    hashed = rights.keys_of(deed).hashed
    held = in_force(await rights.listed(deed, [Right.BLOCK]), Right.BLOCK, deed.visit.now)
    blocked = {one.actor for one in held}
    return frozenset(one.name for one in actors if hashed(one.name) in blocked)


async def shown_to(deed: Deed, thread: Thread) -> tuple[Actor, ...]:
    """Those whom the thread is shown to now: their right was not ended, by a block or otherwise."""
    keys = rights.keys_of(deed)
    held = in_force(await rights.listed(deed, [Right.CONVERSATION]), Right.CONVERSATION, deed.visit.now)
    mine = token(keys, thread.id)
    standing = {one.actor for one in held if mine in one.tokens}
    return tuple(one for one in thread.parties if keys.hashed(one.name) in standing)
