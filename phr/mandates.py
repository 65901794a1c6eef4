"""A mandate to act for somebody: how it begins, narrows and ends, in the record and on the side of the account.

The rule: the Consent, the contact, the attestation, the account's own row and the grants made under it change in one
transaction; until when is a date in the Consent, so that a mandate ends by itself, as at a child's majority.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, bindparam, update

from fhir.parameters import KINDS
from fhir.predicate import IdIn
from fhir.search import all_of
from fhir.store import Draft
from fhir.stored import Stored
from fhir.tables import ID
from phr import attestation, delegation, notices, representation, rights
from phr.access.consent import URI, Actor, Terms, consent_of
from phr.access.decision import Because
from phr.access.provision import Right
from phr.access.reader import SELF, System
from phr.access.scope import CREATE, UPDATE
from phr.access.visit import Deed, Visit
from phr.core.database import compile_query
from phr.core.errors import absent, forbidden, invalid
from phr.delegation import Delegation, Refusal, deciding
from phr.imports import EVERYTHING
from phr.plan import Item, Plan
from phr.representation import Representation, delegation_invitation

Json = dict[str, Any]
_RELATED, _DOCUMENT = KINDS["RelatedPerson"], KINDS["DocumentReference"]
_RELATIONSHIP = {
    Right.CAREGIVER: ("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "CAREGIVER", "Aidant"),
    Right.LEGAL_REPRESENTATIVE: ("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "PRN", "Parent"),
}
_ANSWERED = compile_query(
    update(delegation_invitation)
    .where(
        delegation_invitation.c.consent == bindparam("id", type_=ID),
        delegation_invitation.c.answered.is_(None),
    )
    .values(answered=bindparam("now", type_=DateTime(timezone=True)))
)


async def answered(deed: Deed, consent: str) -> None:
    """An invitation waits no more, whomever it went to."""
    await deed.session.fetch(_ANSWERED, {"id": consent, "now": deed.visit.now})


async def begin(deed: Deed, found: Delegation, account: UUID, base: str) -> Draft:
    """An invitation becomes a mandate: the Consent is active, with a contact and an attestation of its own."""
    plan = Plan(_filing(deed), base)
    contact = plan.new_id(_RELATED)
    given = found.terms.actor
    actor = Actor.account(account, "" if given is None else given.display)
    terms = replace(found.terms, actor=actor, since=deed.visit.now, status="active")
    await plan.add(Item(_RELATED, contact, _related(deed, terms), _RELATED.name))
    document = await _attest(plan, deed, terms, None)
    await plan.store()
    more = {"performer": [{"reference": f"RelatedPerson/{contact}"}], "sourceReference": {"reference": document}}
    await notices.tell(deed, "delegation")
    return await rights.change(deed, found.held, _written(deed, found, terms) | more)


async def change(
    visit: Visit, record: str, consent: str, powers: Sequence[str], until: datetime | None, base: str
) -> Draft:
    """Narrow what a caregiver may do, or until when. Widening takes another invitation: 422, as an ended one is."""
    delegation.at_home(visit, record, UPDATE)
    async with deciding(visit, record, UPDATE, "Patient/$change-delegation") as deed:
        delegation.governs(deed)
        found = await delegation.one(deed, consent)
        if found.terms.right is not Right.CAREGIVER or not found.stands("active", visit.now):
            raise delegation.over()
        terms = _narrowed(found.terms, powers, until, visit.now)
        plan = Plan(_filing(deed), base)
        document = await _attest(plan, deed, terms, found.held.json.get("sourceReference"))
        await plan.store()
        kept = {name: found.held.json[name] for name in ("performer",) if name in found.held.json}
        body = _written(deed, found, terms) | kept | {"sourceReference": {"reference": document}}
        made = await rights.change(deed, found.held, body)
        await notices.tell(deed, "delegation")
        await representation.shorten(deed.session, found.account, record, terms.until, visit.now)
    return made


def _narrowed(terms: Terms, powers: Sequence[str], until: datetime | None, now: datetime) -> Terms:
    fewer = delegation.powers_of(powers) if powers else terms.powers
    wider = not set(fewer) <= set(terms.powers) or (until and terms.until and until > terms.until)
    if wider or (not powers and until is None):
        raise Refusal("wider", invalid("A delegation is narrowed; for more, invite again.", code="business-rule"))
    if until is not None and until <= now:
        raise Refusal("transition", invalid("That is past: end the delegation instead.", code="business-rule"))
    return replace(terms, powers=fewer, until=until or terms.until)


async def end(visit: Visit, record: str, consent: str, base: str) -> Draft:
    """End a mandate or withdraw an invitation: by who governs the record, or, their own, by who acts (they leave)."""
    delegation.at_home(visit, record, UPDATE)
    async with deciding(visit, record, UPDATE, "Patient/$end-delegation") as deed:
        leaving = deed.decision.under == consent
        if deed.decision.because is Because.CARES_FOR and not leaving:
            raise Refusal("caregiver", absent())
        because = Because.CARES_FOR if leaving else delegation.governs(deed)
        found = await delegation.one(deed, consent)
        parent = found.terms.right is Right.LEGAL_REPRESENTATIVE
        if found.stands("proposed", visit.now):
            if parent and because is Because.OWN_RECORD:
                raise Refusal("parent", forbidden("Only the parent who invited withdraws it."))
            await answered(deed, consent)
            [made] = await rights.end(deed, [consent], "withdrawn", "rejected")
        elif not found.stands("active", visit.now):
            raise delegation.over()
        elif parent and not leaving:
            raise Refusal("parent", forbidden("Who holds parental authority is for the operator to write."))
        else:
            made = await _end(deed, found, "left" if leaving else "revoked", base)
    return made


async def _end(deed: Deed, found: Delegation, reason: str, base: str) -> Draft:
    """The Consent, the contact, the account's side of it and the grants made under it, all at once."""
    [made] = await rights.end(deed, [found.id], reason)
    contact = next((one.get("reference", "") for one in found.held.json.get("performer", ())), "")
    filing = _filing(deed)
    rows = await filing.fetch(all_of(filing.view.inside, IdIn(frozenset({contact.partition("/")[2]})), 1, lock=True))
    for row in map(Stored.from_row, rows):
        before = row.json(filing.view.keyring)
        plan = Plan(filing, base)
        await plan.add(Item(_RELATED, row.id, {**before, "active": False}, _RELATED.name, row, before))
        await plan.store()
    keys, record = deed.visit.installation.system_keys, rights.keys_of(deed).record
    await representation.end(deed.session, keys, found.account, record, deed.visit.now)
    await notices.tell(deed, "delegation")
    return made


async def represent(visit: Visit, record: str, account: UUID, label: str, born: date | None = None) -> datetime:
    """Let a parent act for a child until the child is of age, which it returns: by the operator, at the command line.

    Also what a row of the release before is made whole with. `born`: what the operator's file says, to be the record's
    own. Raises CONTENT (of age, two parents already, another birth date), CONFLICT (a caregiver).
    """
    async with deciding(visit, record, CREATE, "Patient/$represent") as deed:
        until = delegation.of_age(await delegation.person_of(deed))
        if until is None or (born is not None and representation.majority(born) != until):
            raise Refusal("birth-date", invalid("The record has no such birth date."))
        if until <= visit.now:
            raise Refusal("of-age", invalid("This person is of age."))
        standing = await delegation.known(deed)
        mine = delegation.of_account(standing, account)
        if any(one.terms.right is not Right.LEGAL_REPRESENTATIVE for one in mine):
            raise delegation.same_person()
        if not mine:
            delegation.check_room(deed, standing, Right.LEGAL_REPRESENTATIVE)
        terms = Terms(Right.LEGAL_REPRESENTATIVE, Actor.account(account), until=until)
        consent = mine[0].id if mine else (await rights.write(deed, terms)).id
        keys = visit.installation.system_keys
        basis = representation.PARENT
        row = Representation(account, record, label, basis, visit.now, until, consent)
        await representation.add(deed.session, keys, row)
    return until


async def unrepresent(visit: Visit, record: str, account: UUID) -> bool:
    """End what `represent` began, by the operator; whether there was anything."""
    async with deciding(visit, record, UPDATE, "Patient/$unrepresent") as deed:
        standing = [
            one for one in await delegation.known(deed) if one.held.status == "active" and one.account == account
        ]
        for found in standing:
            await _end(deed, found, "revoked", f"{visit.installation.settings.issuer}/fhir")
        keys = visit.installation.system_keys
        # A row of the release before has no Consent yet.
        left = await representation.end(deed.session, keys, account, record, visit.now)
    return bool(standing) or left


def _written(deed: Deed, found: Delegation, terms: Terms) -> Json:
    kept = tuple(found.held.json.get("extension", ()))
    return consent_of(replace(terms, extension=kept), rights.keys_of(deed).record, deed.visit.now)


def _filing(deed: Deed) -> Deed:
    """The same deed for what the installation files in its course: its own name as the author, the same entry."""
    reader = System(SELF)
    visit = replace(deed.visit, reader=reader, scopes=EVERYTHING, confidential=False)
    view, decision = visit.decide(deed.opened, CREATE)
    return Deed(visit, deed.session, view, deed.opened, decision, deed.touched)


def _related(deed: Deed, terms: Terms) -> Json:
    """A contact of the person, linked to the Consent by the identifier of who acts."""
    system, code, text = _RELATIONSHIP[terms.right]
    actor = terms.actor
    body: Json = {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": {"reference": f"Patient/{rights.keys_of(deed).record}"},
        "relationship": [{"coding": [{"system": system, "code": code}], "text": text}],
        "period": {"start": deed.visit.now.isoformat(timespec="seconds")},
    }
    if actor is not None:
        body["identifier"] = [{"system": URI, "value": actor.value}]
        body["name"] = [{"text": actor.display}]
    return body


async def _attest(plan: Plan, deed: Deed, terms: Terms, replaced: Json | None) -> str:
    """File the attestation, in place of the one before; its reference."""
    patient, identifier = await delegation.person_of(deed), plan.new_id(_DOCUMENT)
    body = attestation.document(patient, terms, deed.visit.now, deed.visit.installation.settings.issuer)
    if replaced is not None:
        body["relatesTo"] = [{"code": "replaces", "target": replaced}]
    await plan.add(Item(_DOCUMENT, identifier, body, _DOCUMENT.name))
    return f"DocumentReference/{identifier}"
