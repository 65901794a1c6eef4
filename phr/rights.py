"""The rights of a record, written as Consents: by the operations that open and end them, and by plain REST.

The rule: a Consent of ours and its row in the register are written in one transaction, under the record's lock
(`Visit.act(..., deciding=True)`); what ended is never opened again; a block ends what it forbids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fhir.parameters import KINDS
from fhir.predicate import IdIn
from fhir.search import all_of
from fhir.store import Draft
from fhir.stored import Keyring, Stored
from phr import inbox, operated
from phr.access import register
from phr.access.consent import Terms, consent_of, provision_of, right_of, terms_of
from phr.access.decision import Because
from phr.access.provision import LEASES, SHOWN, Provision, Right
from phr.access.reader import Person, Reader
from phr.access.right import Refused, may_decide
from phr.access.visit import Deed
from phr.core.errors import forbidden
from phr.operated import keys_of

Json = dict[str, Any]
CONSENT = KINDS["Consent"]
STATUS_REASON = "https://carnet.example/StructureDefinition/status-reason"
REASON = "https://carnet.example/CodeSystem/status-reason"
_ENDED_BY_BLOCK = LEASES | SHOWN | {Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR}


@dataclass(frozen=True, slots=True)
class Held:
    """A Consent of the record as it stands: its row, its JSON."""

    stored: Stored
    json: Json

    @property
    def status(self) -> str:
        """R4 consent-state-codes."""
        return str(self.json.get("status"))


async def write(deed: Deed, terms: Terms) -> Draft:
    """Open a right: its Consent and its row. What a professional opens has no author: its person alone ends it."""
    body = consent_of(terms, keys_of(deed).record, deed.visit.now)
    made = await operated.create(deed, CONSENT, body, own=isinstance(deed.visit.reader, Person))
    await derive(deed, made.json)
    return made


async def change(deed: Deed, held: Held, body: Json) -> Draft:
    """Write the next version of a Consent, and its row. Its author stays."""
    made = await operated.replace(deed, held.stored, body)
    await derive(deed, made.json)
    return made


async def end(deed: Deed, ids: Iterable[str], reason: str, status: str = "inactive") -> list[Draft]:
    """End rights that are active or proposed, with a coded reason. Those ended already are left as they are."""
    found = await find(deed, ids)
    return [
        await change(deed, one, ended(one.json, reason, status))
        for one in found
        if one.status in ("active", "proposed")
    ]


def ended(body: Json, reason: str, status: str = "inactive") -> Json:
    """The Consent, ended for a coded reason."""
    kept = [one for one in body.get("extension", ()) if one.get("url") != STATUS_REASON]
    why = {"url": STATUS_REASON, "valueCoding": {"system": REASON, "code": reason}}
    return {**body, "status": status, "extension": [*kept, why]}


async def find(deed: Deed, ids: Iterable[str]) -> list[Held]:
    """Consents of this record by id; for what decides about them, whatever the reader sees."""
    wanted = frozenset(ids)
    if not wanted:
        return []
    keys = keys_of(deed)
    rows = await deed.fetch(all_of(deed.every("Consent"), IdIn(wanted), len(wanted)))
    keyring = Keyring({keys.record: keys})
    return [Held(stored, stored.json(keyring)) for stored in map(Stored.from_row, rows)]


async def listed(deed: Deed, rights: Iterable[Right]) -> list[Provision]:
    """All the rows of the register about these rights, over or not, oldest first."""
    wanted = frozenset(rights)
    return [one for one in await register.every(deed.session, keys_of(deed).record) if one.right in wanted]


async def blocks(deed: Deed, *about: UUID | None) -> list[Provision]:
    """The blocks of any of these, in force or to come, but those kept from who represents the person, to them."""
    kept_from = deed.decision.because is Because.REPRESENTS
    found = [one for one in await listed(deed, [Right.BLOCK]) if one.actor is not None and one.actor in about]
    return [one for one in found if lasting(one, deed) and not (kept_from and one.confidential)]


def lasting(one: Provision, deed: Deed) -> bool:
    """Whether a right is not over, begun or not."""
    return one.until is None or deed.visit.now < one.until


async def derive(deed: Deed, consent: Mapping[str, Any]) -> None:
    """Keep the register in step with a Consent just written; a block ends what runs. Raises CONTENT (422)."""
    keys = keys_of(deed)
    found = provision_of(consent, keys)
    await register.derive(deed.session, keys.record, str(consent["id"]), found)
    if found is None:
        await _leaves(deed, consent)
        return
    if found.right is Right.TREATING_PHYSICIAN:  # one at a time
        await end(deed, [one.id for one in await listed(deed, [found.right]) if one.id != found.id], "replaced")
    if found.right is Right.BLOCK:
        running = await listed(deed, _ENDED_BY_BLOCK)
        await end(deed, [one.id for one in running if found.actor in (one.actor, one.structure)], "blocked")


async def _leaves(deed: Deed, consent: Mapping[str, Any]) -> None:
    """Who held a lease finds it in their list no more: they would come and look, and that would be in the journal."""
    actor = terms_of(consent).actor if right_of(consent) in tuple(LEASES) else None
    if actor is not None:
        await inbox.take_out(deed, actor.value, inbox.RELATION, str(consent["id"]))


def judge(reader: Reader, before: Json, after: Json, *, mine: bool) -> None:
    """Whether a reader makes this change to a right by writing its Consent. Raises FORBIDDEN with the reason."""
    right = right_of(before)
    if right is not right_of(after):
        raise forbidden("What a right is about does not change: end it, and write another.")
    verdict = may_decide(reader, right, str(before.get("status")), str(after.get("status")), mine=mine)
    if isinstance(verdict, Refused):
        raise forbidden(verdict.why)
    if not mine and _terms(before) != _terms(after):
        raise forbidden("What a professional opened can only be ended.")


def _terms(consent: Json) -> Json:
    """What a Consent says, but for its status and what the server writes."""
    apart = ("id", "meta", "text", "status", "extension")
    kept = {name: value for name, value in consent.items() if name not in apart}
    return {**kept, "extension": [one for one in consent.get("extension", ()) if one.get("url") != STATUS_REASON]}


def is_right(body: Mapping[str, Any]) -> bool:
    """Whether a Consent is a right of ours."""
    return body.get("resourceType") == "Consent" and right_of(body) is not None


__all__ = [
    "Held",
    "blocks",
    "change",
    "derive",
    "end",
    "ended",
    "find",
    "is_right",
    "judge",
    "keys_of",
    "lasting",
    "listed",
    "write",
]
