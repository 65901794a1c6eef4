"""Asking for a subscription: what it may be about, for whom, and until when.

The rule: it is about one record whose person the reader sees now, or about what is sent to the reader's own structure
or to them; it ends with the grant of the token it was asked with, and never later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from auth.claims import Claims
from fhir.parameters import KINDS
from fhir.predicate import And, IdIn, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from fhir.validation import validate
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES
from phr.access.journal import Tag
from phr.access.reader import Person, Professional, identity
from phr.access.right import Refused, may_act_for
from phr.access.scope import READ
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, absent, forbidden, invalid
from phr.core.errors import Reason as Why
from phr.events import Topic
from phr.plan import obey
from phr.reading import require
from phr.subscriptions import channel
from phr.subscriptions.ledger import party_of
from phr.subscriptions.subscriber import lasts, sees_person
from phr.subscriptions.wish import Wish, wish_of

Json = dict[str, Any]
KIND = KINDS["Subscription"]
FOCUS = {
    Topic.DOCUMENT: "DocumentReference",
    Topic.MESSAGE: "Communication",
    Topic.PRESCRIPTION: "Task",
    Topic.ACCESS: "Consent",
    Topic.ADVICE: "Communication",
}
"""What each topic's events point at."""
_APART = ("id", "meta", "text", "error", "end", "contained")


@dataclass(frozen=True, slots=True)
class About:
    """What is asked, about which record or party, until when. `resource`: as it is kept."""

    wish: Wish
    record: str | None
    party: UUID | None
    until: datetime
    resource: Json


async def judged(visit: Visit, claims: Claims, body: Json, verb: str, asked: str) -> About:
    """Judge what is asked, now; in the journal. Raises CONTENT, FORBIDDEN, and ABSENT alike for who is not in sight."""
    issues = validate(KIND.name, body)
    if issues:
        raise DomainError(Why.CONTENT, *issues)
    wish = wish_of(body)
    require(visit, verb, KIND)
    require(visit, READ, KINDS[FOCUS[wish.topic]])
    record = _record(visit, wish)
    await channel.admit(body["channel"].get("endpoint"), sandbox=visit.installation.settings.sandbox)
    party: UUID | None = None
    async with visit.act(record, verb, Tag.SUBSCRIPTION, asked) as deed:
        if record is None:
            party = await _party(deed, wish.to or "")
        seen = party is not None if record is None else await sees_person(deed)
        allowed = may_act_for(deed.decision.powers, KIND)
        deed.refused = "no-right" if not seen else "caregiver" if isinstance(allowed, Refused) else ""
        until = await lasts(deed.session, claims)
    if not seen or until is None:
        raise absent()
    obey(allowed)
    return About(wish, record, party, min(until, _end(body, visit.now) or until), _kept(body))


def _record(visit: Visit, wish: Wish) -> str | None:
    """The record it is about; None when it is about what is sent to somebody."""
    reader = visit.reader
    if not isinstance(reader, Person | Professional):
        raise forbidden("A person's application subscribes, or a professional's.")
    if wish.to is not None:
        if not isinstance(reader, Professional):
            raise forbidden("What is sent to a structure is for who acts in it.")
        return None
    if isinstance(reader, Person):
        if wish.patient not in (None, reader.record):
            raise absent()
        return reader.record
    if wish.patient is None:
        raise invalid("Whose record? A filter says it: Patient?_id=", "Subscription.criteria", "required")
    return wish.patient


async def _party(deed: Deed, to: str) -> UUID | None:
    """The reader's own structure, or themself, when `to` (`Type/id`) is theirs in the directory."""
    kind, _, identifier = to.partition("/")
    match = And((KindIn(frozenset({kind})), IdIn(frozenset({identifier}))))
    rows = await deed.fetch(all_of(deed.unscoped().commons, match, 1))
    reader = deed.visit.reader
    if not rows or not isinstance(reader, Professional):
        return None
    who, structure = reader.identity.id, reader.identity.structure
    known = {"Organization": _structure(structure), "Practitioner": _professional(who)}[kind]
    body = Stored.from_row(rows[0]).json(deed.view.keyring)
    listed = {(one.get("system"), one.get("value")) for one in body.get("identifier", ())}
    if known.isdisjoint(listed):
        return None
    name = f"structure:{structure}" if kind == "Organization" else identity(reader)
    return party_of(deed.visit.installation.system_keys, name)


def _structure(id: str) -> frozenset[tuple[str, str]]:
    """A structure's national id, and the FINESS number in it."""
    finess = {(FINESS, id[1:])} if id.startswith("1") and len(id) == 10 else set()
    return frozenset({(STRUCTURES, id)} | finess) if id else frozenset()


def _professional(id: str) -> frozenset[tuple[str, str]]:
    rpps = {(RPPS, id[1:])} if id.startswith("8") else set()
    return frozenset({(PROFESSIONALS, id)} | rpps)


def _end(body: Mapping[str, Any], now: datetime) -> datetime | None:
    if "end" not in body:
        return None
    end = datetime.fromisoformat(str(body["end"]))
    if end <= now:
        raise invalid("It would be over already.", "Subscription.end")
    return end


def _kept(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in _APART}
