"""Caregivers and legal representatives: the Consents that let one person into another's record, and how they end.

The rule: proposed → active → inactive, or rejected, with a coded reason for each change, and never back. A delegate
neither delegates nor removes another; a caregiver can leave. Two mandates for one account are never made.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from auth import traits
from fhir import tokens
from fhir.criteria import TokenAny, UpdatedMatch
from fhir.lens import Lens
from fhir.predicate import And, IdIn, KindIn, Within
from fhir.record import RecordKeys, bucket_of
from fhir.search import all_of
from fhir.stored import Keyring, Stored
from phr import representation, rights
from phr.access.consent import RIGHT, Terms, right_of, terms_of
from phr.access.decision import Because
from phr.access.journal import Tag
from phr.access.provision import DELEGATIONS, Right
from phr.access.reader import Person
from phr.access.right import AGENDA, DOCUMENTS, MESSAGE, PRESCRIPTIONS
from phr.access.sight import CONSULT
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid
from phr.reading import require
from phr.rights import CONSENT, Held

Json = dict[str, Any]
POWERS = (CONSULT, DOCUMENTS, MESSAGE, PRESCRIPTIONS, AGENDA)
MOST_PARENTS = 2
INVITED = "https://carnet.example/StructureDefinition/invited"
"""A keyed hash of the INS that was typed: to see that somebody is invited twice, and nothing else."""
EXPIRES = "https://carnet.example/StructureDefinition/invitation-expires"
_MOST = 1000


class Refusal(Exception):  # noqa: N818
    """What is refused and journaled: the coded reason of the entry, and what the caller is told."""

    def __init__(self, code: str, told: DomainError) -> None:
        super().__init__(code)
        self.code, self.told = code, told


@dataclass(frozen=True, slots=True)
class Delegation:
    """One Consent of a delegation as it stands, read."""

    held: Held
    terms: Terms

    @property
    def id(self) -> str:
        """The Consent's."""
        return self.held.stored.id

    @property
    def account(self) -> UUID:
        """Who acts, once accepted."""
        return UUID("" if self.terms.actor is None else self.terms.actor.value.removeprefix("urn:uuid:"))

    @property
    def expires(self) -> datetime | None:
        """When the invitation is worth nothing any more."""
        found = self._said(EXPIRES, "valueDateTime")
        return None if found is None else datetime.fromisoformat(found)

    @property
    def invited(self) -> str | None:
        """Who was invited, as `INVITED` keeps it."""
        return self._said(INVITED, "valueString")

    def stands(self, status: str, now: datetime) -> bool:
        """Whether it is in this status, and neither over nor expired."""
        until = self.expires if status == "proposed" else self.terms.until
        return self.held.status == status and (until is None or now < until)

    def _said(self, url: str, name: str) -> str | None:
        return next((one[name] for one in self.held.json.get("extension", ()) if one.get("url") == url), None)


@asynccontextmanager
async def deciding(visit: Visit, record: str, verb: str, asked: str) -> AsyncIterator[Deed]:
    """A deed on the delegations of a record. A Refusal raised inside is journaled, commits, and is told after."""
    refusal = None
    async with visit.act(record, verb, Tag.DELEGATE, asked, deciding=True) as deed:
        try:
            yield deed
        except Refusal as caught:
            refusal, deed.refused = caught, caught.code
    if refusal is not None:
        raise refusal.told


def at_home(visit: Visit, record: str, verb: str) -> None:
    """Only the person, or who acts for them, is at the door of these operations. Raises FORBIDDEN, ABSENT."""
    if not isinstance(visit.reader, Person):
        raise forbidden("Who acts for a person is for that person to decide.")
    if visit.reader.record != record:
        raise absent()
    require(visit, verb, CONSENT)


def governs(deed: Deed) -> Because:
    """Why this reader decides who acts for the person: they are that person, or represent them. Else Refusal."""
    because = deed.decision.because
    if because in (Because.OWN_RECORD, Because.REPRESENTS):
        return because
    if because is Because.CARES_FOR:
        raise Refusal("caregiver", forbidden("A caregiver does not decide who else sees the record."))
    raise Refusal("no-rule", absent())


async def known(deed: Deed) -> list[Delegation]:
    """The delegations of this record that are proposed or active. Invitations nobody answered in time end here."""
    keys = rights.keys_of(deed)
    open_ = frozenset(keys.hashed(tokens.coded("status", None, status)) for status in ("proposed", "active"))
    ours = And((TokenAny(_categories(keys)), TokenAny(open_)))
    rows = await deed.fetch(all_of(deed.every("Consent"), ours, _MOST))
    now, keyring = deed.visit.now, Keyring({keys.record: keys})
    found = [read(Held(stored, stored.json(keyring))) for stored in map(Stored.from_row, rows)]
    late = [one.id for one in found if one.held.status == "proposed" and not one.stands("proposed", now)]
    await rights.end(deed, late, "expired", "rejected")
    return [one for one in found if one.stands("proposed", now) or one.stands("active", now)]


def _categories(keys: RecordKeys) -> frozenset[UUID]:
    return frozenset(keys.hashed(tokens.coded("category", RIGHT, right.value)) for right in DELEGATIONS)


async def written_since(deed: Deed, since: datetime) -> int:
    """How many delegations were written, changed or ended in this record since then."""
    ours = TokenAny(_categories(rights.keys_of(deed)))
    return len(await deed.fetch(all_of(deed.every("Consent"), And((ours, UpdatedMatch("ge", since, since))), _MOST)))


def of_account(standing: Iterable[Delegation], account: UUID) -> list[Delegation]:
    """Those under which an account acts now: one, or none."""
    return [one for one in standing if one.held.status == "active" and one.account == account]


def read(held: Held) -> Delegation:
    """A Consent of a delegation."""
    return Delegation(held, terms_of(held.json))


async def one(deed: Deed, consent: str) -> Delegation:
    """The delegation of this id in this record. Raises Refusal when there is none."""
    found = await rights.find(deed, [consent])
    if not found or right_of(found[0].json) not in tuple(DELEGATIONS):
        raise Refusal("unknown", absent())
    return read(found[0])


def over() -> Refusal:
    """What is asked of a delegation that cannot be done from where it stands."""
    return Refusal("transition", invalid("This was answered, withdrawn or ended already.", code="business-rule"))


def same_person() -> Refusal:
    """A second mandate for somebody who has one."""
    said = "This person acts for them, or is invited to, already."
    return Refusal("duplicate", DomainError(Reason.CONFLICT, Issue("duplicate", said)))


def check_room(deed: Deed, standing: Iterable[Delegation], right: Right) -> None:
    """Whether one more of this right has room in the record. Raises Refusal."""
    parents = right is Right.LEGAL_REPRESENTATIVE
    most = MOST_PARENTS if parents else deed.visit.installation.settings.most_caregivers
    if sum(one.terms.right is right for one in standing) >= most:
        who = "legal representatives" if parents else "caregivers"
        said = f"A person has at most {most} {who}, invitations included: end one first."
        raise Refusal("limit", invalid(said, code="business-rule"))


async def person_of(deed: Deed) -> Json:
    """The Patient of the record, for what decides about who acts for them: never to answer with."""
    keys = rights.keys_of(deed)
    own = Within(bucket_of(keys.record) or 0, keys.record)
    lens = Lens(And((own, KindIn(frozenset({"Patient"})))))
    rows = await deed.fetch(all_of(lens, IdIn(frozenset({keys.record})), 1))
    return Stored.from_row(rows[0]).json(Keyring({keys.record: keys})) if rows else {}


def of_age(patient: Json) -> datetime | None:
    """When a person is of age; None when their birth date is not known."""
    born = traits.day(patient.get("birthDate"))
    return None if born is None else representation.majority(date.fromisoformat(born))


def given_name(patient: Json) -> str:
    """What the people who act for a person call them: their first name."""
    named = sorted(patient.get("name", ()), key=lambda name: name.get("use") != "usual")
    return next((str(given) for name in named for given in name.get("given", ())[:1]), "")


def powers_of(asked: Sequence[str]) -> tuple[str, ...]:
    """The powers asked, known and in one order, at least one. Raises CONTENT (422)."""
    if not asked or not set(asked) <= set(POWERS):
        raise invalid(f"What a caregiver may do is one or more of: {', '.join(POWERS)}.", "Parameters.parameter")
    return tuple(power for power in POWERS if power in asked)
