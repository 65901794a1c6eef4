"""Care relations: a professional says they treat somebody, and sees their record for a while (L1110-4, R1111-46).

The rule: a lease is for one professional, lasts calendar days and never longer by being asked twice; a block refuses
it, and who is refused is answered as if there were no such person.
"""

from collections.abc import Mapping
from typing import Any

from auth.professionals import Professional as Identity
from phr import codes, inbox, notices, rights
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms, end_of_day, right_of, terms_of
from phr.access.journal import Tag
from phr.access.provision import LEASES, Provision, Right, in_force
from phr.access.reader import Professional
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.scope import CREATE, UPDATE, narrowing
from phr.access.visit import Deed, Visit
from phr.blocks import blocked, elsewhere, kept, refusal, refused
from phr.core.errors import absent, forbidden, invalid
from phr.core.identifiers import NationalStructure
from phr.events import Topic, emit
from phr.reading import require
from phr.writing import Written, locked, written

BASES = {"treating": False, "care-team": True, "explicit-consent": True}
"""On what a relation rests, and whether the person must have been told, or asked, first.

Of who belongs to the care team consent is presumed (R1111-46); a team member says that the person was informed and did
not oppose; anybody else collects their agreement.
"""

PHARMACIES = frozenset({"SA33", "SA35", "SA38", "SA39", "SA56", "SA65"})
"""Sectors (TRE_R02) where medicines are dispensed: pharmacies of every sort, parapharmacies, dispensing physicians."""

ENDED_BY_ID = LEASES | {Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR}


async def open_access(visit: Visit, record: str | None, basis: str, *, informed: bool) -> Written:
    """Open the record of a person in care. `record`: None when whoever was named is unknown.

    A lease in force that lasts as long is kept (`created` is False). Raises FORBIDDEN, CONTENT, and ABSENT alike for
    who is unknown and for who blocked the professional, or the structure they act in.
    """
    who = accessor(visit)
    if basis not in BASES:
        raise invalid("The basis is treating, care-team, explicit-consent, BTG or ETREAT.", "Parameters.parameter")
    if BASES[basis] and not informed:
        raise invalid("The person is informed, or asked, first: say so with informed=true.", "Parameters.parameter")
    async with visit.act(record, CREATE, Tag.ACCESS, "Patient/$open-access", deciding=True) as deed:
        deed.refused = "unknown" if record is None else "blocked" if blocked(deed) else ""
        if not deed.refused:
            made, first = await lease(deed, who, Right.CARE_RELATION, basis, _days(visit, who))
            if first:
                await notices.tell(deed, "access", about=f"Consent/{made.id}")
            return made
    raise absent()


def accessor(visit: Visit) -> Identity:
    """The professional who may open an access, whoever acts for them: one the access matrix knows. Raises FORBIDDEN."""
    require(visit, CREATE, rights.CONSENT)
    if not isinstance(visit.reader, Professional):
        raise forbidden("Only a professional opens an access.")
    who = visit.reader.identity
    if not who.profession or who.trainee or visit.installation.matrix.line(who) is None:
        raise forbidden("The access matrix gives this profession no access.")
    return who


async def lease(
    deed: Deed, who: Identity, right: Right, basis: str, days: int, *extension: Mapping[str, Any]
) -> tuple[Written, bool]:
    """Lend the whole record to the reader for so many days; and whether they held no such lease before.

    Today is the first day: three days from a Monday end with the Wednesday, at midnight in Paris. One that lasts as
    long is kept; shorter ones are replaced. What is confidential neither stands for what is not, nor is touched by it.
    """
    visit, keys, until = deed.visit, rights.keys_of(deed), end_of_day(deed.visit.now, days - 1)
    held = [one for one in in_force(deed.provisions, right, visit.now) if _same(one, deed, basis)]
    for one in held:
        if (one.until is None or one.until >= until) and (deed.confidential or not one.confidential):
            return await kept(deed, one.id), False
    await rights.end(deed, [one.id for one in held if one.confidential is deed.confidential], "replaced")
    terms = Terms(
        right,
        Actor(PROFESSIONALS, who.id, who.name),
        until=until,
        purpose=basis,
        organization=_structure(who),
        label=(codes.VISIBILITY, HIDDEN_FROM_PROXIES) if deed.confidential else None,
        extension=extension,
    )
    made = await rights.write(deed, terms)
    await emit(deed, Topic.ACCESS, made.reference)
    if not narrowing(visit.scopes, visit.reader, CREATE, keys).holds(made.row()):
        raise forbidden("The token's scopes do not allow this in this record.")
    await inbox.put(deed, who.id, inbox.RELATION, made.id, until)
    return written(made, created=True), not held


async def end_access(visit: Visit, record: str, consent: str) -> Written:
    """End an access or a designation: by its person, or by the professional who holds it. Ending twice is ending once.

    Raises ABSENT for what is not in the reader's sight, or is no such right; FORBIDDEN to caregivers.
    """
    require(visit, UPDATE, rights.CONSENT)
    elsewhere(visit, record)
    holder = isinstance(visit.reader, Professional)
    async with visit.act(record, UPDATE, Tag.ACCESS, "Patient/$end-access", deciding=True) as deed:
        deed.refused = "" if holder else refusal(deed)
        if not deed.refused and await _endable(deed, consent, holder):
            for made in await rights.end(deed, [consent], "ended-by-holder" if holder else "ended-by-person"):
                return written(made, created=False)
            return await kept(deed, consent)
        deed.refused = deed.refused or "unknown"
    raise refused(deed)


async def _endable(deed: Deed, consent: str, holder: bool) -> bool:
    """Whether the reader sees this Consent and may end it by its id; a professional, their own alone."""
    found = await locked(deed, UPDATE, rights.CONSENT, consent)
    if found is None or found[0].gone:
        return False
    body = found[0].json(deed.view.keyring)
    if right_of(body) not in ENDED_BY_ID:
        return False
    actor, keys = terms_of(body).actor, rights.keys_of(deed)
    return not holder or (actor is not None and keys.hashed(actor.name) == deed.visit.author(keys))


def _same(one: Provision, deed: Deed, basis: str) -> bool:
    """Whether a lease of the same right is the reader's and of the whole record; an emergency, of the same basis."""
    narrowed = one.kinds or one.categories or one.tokens or one.resources
    mine = one.actor == deed.visit.author(rights.keys_of(deed))
    return mine and not narrowed and (one.right is not Right.EMERGENCY or one.purpose == basis)


def _days(visit: Visit, who: Identity) -> int:
    """By the sector of the structure; a pharmacist whose sector is not known counts as a pharmacy."""
    settings = visit.installation.settings
    pharmacy = who.sector in PHARMACIES or (who.profession == "21" and not who.sector)
    return settings.pharmacy_days if pharmacy else settings.relation_days


def _structure(who: Identity) -> Actor | None:
    """The structure a lease is opened for, when its id is a national one: a block of it ends the lease."""
    try:
        NationalStructure.parse(who.structure)
    except ValueError:
        return None
    known = codes.register(STRUCTURES, who.structure) is not None
    return Actor(STRUCTURES, who.structure, who.structure_name) if known else None
