"""Inviting somebody to act for a person, and their answer.

The rule: whoever is invited, known here or not, the answer is the same: the invitation is written before anybody is
looked for, and it names who was typed, not who was found. Only an exact INS, family name, first name and birth date
reach an account; that somebody was looked for is in the journal of the record found.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Uuid, and_, bindparam, delete, insert, select

from auth import accounts, mail, tables, traits
from fhir.store import Draft
from fhir.tables import ID
from phr import delegation, mandates, records, representation, rights
from phr.access.consent import URI, Actor, Terms
from phr.access.decision import Because, Sight
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.reader import SELF, Citizen, Delegate, System
from phr.access.scope import CREATE, READ, SEARCH, UPDATE
from phr.access.visit import Deed, Visit
from phr.core import outbox
from phr.core.database import compile_query
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid
from phr.core.identifiers import INS
from phr.core.vault import seal, unseal
from phr.delegation import EXPIRES, INVITED, Delegation, Refusal, deciding
from phr.imports import EVERYTHING
from phr.representation import Representation, delegation_invitation

Json = dict[str, Any]
LIFETIME = timedelta(days=30)
MOST_A_DAY = 20
"""Invitations written in one record in a day: a mail goes out for each, whatever becomes of it."""
_TOLD = "delegation_invitation"

_MINE = delegation_invitation.c.account == bindparam("account", type_=Uuid())
_NOW = bindparam("now", type_=DateTime(timezone=True))
_WAITING = delegation_invitation.c.answered.is_(None)
_PUT = compile_query(
    insert(delegation_invitation).values(
        {column.name: bindparam(column.name, type_=column.type) for column in delegation_invitation.c}
    )
)
_PENDING = compile_query(
    select(delegation_invitation)
    .where(_MINE, _WAITING, delegation_invitation.c.expires > _NOW)
    .order_by(delegation_invitation.c.consent)
)
_ONE = compile_query(
    select(delegation_invitation).where(and_(_MINE, delegation_invitation.c.consent == bindparam("consent", type_=ID)))
)
_DUE = compile_query(select(delegation_invitation).where(_WAITING, delegation_invitation.c.expires <= _NOW).limit(100))
_FORGET = compile_query(delete(delegation_invitation).where(delegation_invitation.c.expires <= _NOW))
_ACCOUNT = compile_query(
    select(tables.account.c.id)
    .where(tables.account.c.id == bindparam("account", type_=Uuid()), tables.account.c.disabled.is_(False))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Invited:
    """Who is invited, as they were typed."""

    ins: INS = field(repr=False)
    family: str = field(repr=False)
    given: str = field(repr=False)
    born: str = field(repr=False)

    @classmethod
    def of(cls, identifier: Mapping[str, Any], family: str, given: str, born: str) -> "Invited":
        """Raises CONTENT (422) on what nobody's INS, name or birth date can be."""
        try:
            ins = INS.parse(str(identifier.get("value", "")), str(identifier.get("system", "")))
        except ValueError:
            raise invalid("The INS is not valid: check its digits, its key and its authority.", "identifier") from None
        day = traits.day(born) if len(born) == len("YYYY-MM-DD") else None
        if day is None or traits.name(family) is None or traits.name(given) is None:
            raise invalid("A family name, a first name and a birth date (YYYY-MM-DD) are expected.", "family")
        return cls(ins, family.strip(), given.strip(), day)

    @property
    def display(self) -> str:
        """First name and family name."""
        return f"{self.given} {self.family}"

    def is_(self, patient: Mapping[str, Any]) -> bool:
        """Whether a Patient has this name, case and accents aside, and this birth date."""
        wanted = (traits.name(self.family), traits.name(self.given))
        named = [(name.get("family"), next(iter(name.get("given", ())), None)) for name in patient.get("name", ())]
        same = wanted in [(traits.name(family), traits.name(given)) for family, given in named]
        return same and traits.day(patient.get("birthDate")) == self.born


async def invite_caregiver(
    visit: Visit, record: str, invited: Invited, powers: Sequence[str], until: datetime | None
) -> Draft:
    """Invite somebody to act with these powers: by the person, or who represents them. The proposed Consent.

    Raises FORBIDDEN (a caregiver), CONFLICT (invited already), CONTENT (oneself, no room left), TOO_MANY.
    """
    chosen = delegation.powers_of(powers)
    if until is not None and until <= visit.now:
        raise invalid("The delegation would end before it begins.", "until")
    return await _invite(visit, record, invited, Terms(Right.CAREGIVER, powers=chosen, until=until))


async def invite_parent(visit: Visit, record: str, invited: Invited) -> Draft:
    """Invite a child's other parent: by the first. Raises as `invite_caregiver` does."""
    return await _invite(visit, record, invited, Terms(Right.LEGAL_REPRESENTATIVE))


async def _invite(visit: Visit, record: str, invited: Invited, terms: Terms) -> Draft:
    delegation.at_home(visit, record, CREATE)
    asked = f"Patient/$invite-{'caregiver' if terms.right is Right.CAREGIVER else 'parent'}"
    async with deciding(visit, record, CREATE, asked) as deed:
        patient = await delegation.person_of(deed)
        terms = await _checked(deed, patient, invited, terms)
        made = await rights.write(deed, terms)
    said = {"label": delegation.given_name(patient), "right": terms.right.value, "powers": terms.powers}
    told = said | {"until": None if terms.until is None else terms.until.isoformat()}
    await _deliver(visit, made, invited, told)
    return made


async def _checked(deed: Deed, patient: Json, invited: Invited, terms: Terms) -> Terms:
    """The proposed Consent's terms, if this invitation can be. Raises Refusal."""
    visit, parent = deed.visit, terms.right is Right.LEGAL_REPRESENTATIVE
    because, of_age = delegation.governs(deed), delegation.of_age(patient)
    minor = of_age is not None and of_age > visit.now
    if parent and because is not Because.REPRESENTS:
        raise Refusal("parent", forbidden("A child's other parent is invited by the first."))
    if parent and not minor:
        raise Refusal("of-age", invalid("This person is of age, or their birth date is not known."))
    installation, ins = visit.installation, invited.ins
    if await records.find(deed.session, installation, ins.system, ins.value) == rights.keys_of(deed).record:
        raise Refusal("self", invalid("Nobody acts for themselves.", "identifier"))
    standing, mark = await delegation.known(deed), _mark(deed, ins)
    if any(one.invited == mark for one in standing):
        raise delegation.same_person()
    delegation.check_room(deed, standing, terms.right)
    if await delegation.written_since(deed, visit.now - timedelta(days=1)) >= MOST_A_DAY:
        said = Issue("throttled", "Too many invitations in a day: try again tomorrow.")
        raise Refusal("throttled", DomainError(Reason.TOO_MANY, said))
    expires = (visit.now + LIFETIME).isoformat(timespec="seconds")
    until = min(filter(None, (terms.until, of_age)), default=None) if minor else terms.until
    return replace(
        terms,
        # Nobody is named by an account yet: this one is nobody's, whether or not an account is found.
        actor=Actor(URI, f"urn:uuid:{uuid4()}", invited.display),
        until=until,
        status="proposed",
        extension=({"url": INVITED, "valueString": mark}, {"url": EXPIRES, "valueDateTime": expires}),
    )


def _mark(deed: Deed, ins: INS) -> str:
    return rights.keys_of(deed).hashed(f"invited|{ins.system}|{ins.value}").hex


async def _deliver(visit: Visit, made: Draft, invited: Invited, said: Mapping[str, Any]) -> None:
    """Look for whom the invitation is for, and tell them. The same is written when it is nobody: to no account."""
    installation = visit.installation
    async with installation.database.session() as session:
        found = await records.find(session, installation, invited.ins.system, invited.ins.value)
    own = _own(installation, visit.now)
    try:
        await _address(own, found, invited, made, said)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
        await _address(own, None, invited, made, said)  # a record that is closed is nobody's


async def _address(visit: Visit, record: str | None, invited: Invited, made: Draft, said: Mapping[str, Any]) -> None:
    keys = visit.installation.system_keys
    async with visit.act(record, SEARCH, Tag.LOOKUP, "Patient/$invite") as deed:
        found = []
        if record is not None and invited.is_(await delegation.person_of(deed)):
            found = await accounts.reached(deed.session, keys, record, ())
        account = found[0].id if found else uuid4()
        row = {
            "account": account,
            "consent": made.id,
            "bucket": made.bucket,
            "record": made.record,
            "sealed": seal(keys.get("accounts"), json.dumps(said).encode(), _context(account, made.id)),
            "expires": visit.now + LIFETIME,
            "answered": None,
        }
        await deed.session.fetch(_PUT, row)
        for one in found:
            parts = [mail.written(_TOLD, language).filled({}) for language in mail.LANGUAGES]
            text = "\n\n".join(text.strip() for _, text in parts)
            message = {"to": one.email, "subject": " / ".join(subject for subject, _ in parts), "text": f"{text}\n"}
            await outbox.enqueue(deed.session, keys, mail.KIND, message, visit.now)


async def pending(visit: Visit, record: str) -> list[Json]:
    """The invitations that wait for the person of this record: consent, from, right, power*, until, expires."""
    account = _invited(visit, record, READ)
    async with visit.act(record, READ, Tag.DELEGATE, "Patient/$invitations") as deed:
        rows = await deed.session.fetch(_PENDING, {**account, "now": visit.now})
    return [_shown(visit.installation, row) for row in rows]


def _shown(installation: Installation, row: Mapping[str, Any]) -> Json:
    said = _said(installation, row)
    names = {"from": said["label"], "right": said["right"], "until": said["until"]}
    return {
        "consent": row["consent"],
        **names,
        "powers": tuple(said["powers"]),
        "expires": row["expires"].isoformat(timespec="seconds"),
    }


async def answer(visit: Visit, record: str, consent: str, accept: bool, base: str) -> str:
    """Accept or refuse an invitation; the Consent's status then. Both records' journals say so.

    Raises ABSENT (no such invitation to this person), CONTENT (answered, withdrawn or expired; no room left),
    CONFLICT (they act for this person already).
    """
    account = _invited(visit, record, UPDATE)
    async with visit.act(record, UPDATE, Tag.DELEGATE, "Patient/$answer-invitation") as deed:
        row = await deed.session.one(_ONE, {**account, "consent": consent})
        deed.refused = "" if row is not None else "unknown"
    if row is None:
        raise absent()
    said, name = _said(visit.installation, row), str(row["record"])
    acting = replace(visit, reader=Delegate(visit.reader.client, str(account["account"]), name))
    async with deciding(acting, name, UPDATE, "Patient/$answer-invitation") as deed:
        standing = await delegation.known(deed)
        found = await delegation.one(deed, consent)
        because = Because.CARES_FOR if found.terms.right is Right.CAREGIVER else Because.REPRESENTS
        deed.decision = Sight(deed.decision.predicate, because, consent)
        if not found.stands("proposed", visit.now):
            raise delegation.over()
        if accept:
            made = await _accept(deed, found, account["account"], standing, base)
            kept = (name, said["label"], _BASES[found.terms.right], visit.now, found.terms.until, made.id)
            keys = visit.installation.system_keys
            await representation.add(deed.session, keys, Representation(account["account"], *kept))
        else:
            [made] = await rights.end(deed, [consent], "refused", "rejected")
        await mandates.answered(deed, consent)
    return str(made.json["status"])


_BASES = {Right.CAREGIVER: representation.CAREGIVER, Right.LEGAL_REPRESENTATIVE: representation.PARENT}


async def _accept(deed: Deed, found: Delegation, account: UUID, standing: Sequence[Delegation], base: str) -> Draft:
    """Begin the mandate if there is room on both sides. The account's row is locked: two records do not count apart."""
    visit, right = deed.visit, found.terms.right
    if await deed.session.one(_ACCOUNT, {"account": account}) is None:
        raise Refusal("no-account", absent())
    if found.terms.until is not None and found.terms.until <= visit.now:
        raise delegation.over()
    if delegation.of_account(standing, account):
        raise delegation.same_person()
    delegation.check_room(deed, [one for one in standing if one.id != found.id], right)
    most = visit.installation.settings.most_cared_for
    if right is Right.CAREGIVER:
        cared_for = await representation.count(deed.session, account, representation.CAREGIVER, visit.now)
        if cared_for >= most:
            raise Refusal("limit", invalid(f"A caregiver acts for at most {most} people.", code="business-rule"))
    return await mandates.begin(deed, found, account, base)


async def expire(installation: Installation, now: datetime) -> int:
    """End the invitations nobody answered in time, and forget the older ones. How many: 100 at most, call again."""
    async with installation.database.session() as session:
        rows = await session.fetch(_DUE, {"now": now})
        await session.fetch(_FORGET, {"now": now - LIFETIME})
    for row in rows:
        try:
            async with deciding(_own(installation, now), row["record"], UPDATE, "Consent/$expire") as deed:
                await rights.end(deed, [row["consent"]], "expired", "rejected")
                await mandates.answered(deed, row["consent"])
        except DomainError:  # its record is closed: forgotten in its turn
            continue
    return len(rows)


def _own(installation: Installation, now: datetime) -> Visit:
    return Visit(installation, System(SELF), EVERYTHING, (), now)


def _invited(visit: Visit, record: str, verb: str) -> dict[str, Any]:
    """The account that answers for itself, in its own record. Raises FORBIDDEN, ABSENT."""
    delegation.at_home(visit, record, verb)
    if not isinstance(visit.reader, Citizen):
        raise forbidden("An invitation is answered by who was invited, in person.")
    return {"account": UUID(visit.reader.account)}


def _said(installation: Installation, row: Mapping[str, Any]) -> Json:
    sealed = unseal(installation.system_keys.get("accounts"), row["sealed"], _context(row["account"], row["consent"]))
    said: Json = json.loads(sealed)
    return said


def _context(account: UUID, consent: str) -> bytes:
    return b"delegation invitation|" + account.bytes + b"|" + consent.encode()
