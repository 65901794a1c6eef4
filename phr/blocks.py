"""Blocks and designations: whom a person keeps out of their record, and whom they give a place in it.

The rule: a block ends what runs and refuses what is asked, deposits aside; lifting it brings nothing back; no
professional learns who is blocked.
"""

from collections.abc import Mapping
from typing import Any

from fhir.stored import Keyring
from phr import codes, rights
from phr.access.consent import Actor, Terms
from phr.access.decision import Because
from phr.access.journal import Tag
from phr.access.provision import Provision, Right, in_force
from phr.access.reader import Person, Professional
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.scope import CREATE, UPDATE
from phr.access.visit import Deed, Visit
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden, invalid
from phr.decided import BLOCKED, FORMS
from phr.reading import require
from phr.writing import Written, written

ROLES = {"treating-physician": Right.TREATING_PHYSICIAN, "administrator": Right.ADMINISTRATOR}
LONGEST_NAME = 200

_CAREGIVER, _BLOCKED = "caregiver", "blocked"


def named(what: str, identifier: Mapping[str, Any], display: str = "") -> Actor:
    """A `professional` or a `structure`, by a valueIdentifier and what to call it. Raises CONTENT (422)."""
    system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
    where = f"Parameters.parameter.where(name = '{what}')"
    form = FORMS[what].get(system)
    if form is None:
        raise invalid(f"A {what} is named in one of: {', '.join(FORMS[what])}.", where)
    try:
        form(value)
    except ValueError:
        raise invalid("This identifier is not valid: check its digits.", where) from None
    if len(display) > LONGEST_NAME:
        raise invalid(f"A name is at most {LONGEST_NAME} characters.", "Parameters.parameter.where(name = 'name')")
    return Actor(system, value, display.strip())


def elsewhere(visit: Visit, record: str) -> None:
    """Raises ABSENT to a person outside of the record they are in, FORBIDDEN to software without a person."""
    if not isinstance(visit.reader, Person | Professional):
        raise forbidden("Who sees the record is for its person to decide.")
    if isinstance(visit.reader, Person) and visit.reader.record != record:
        raise absent()


def refusal(deed: Deed) -> str:
    """Why the reader does not decide about access here, as a code; empty: they are the person, or represent them."""
    match deed.decision.because:
        case Because.OWN_RECORD | Because.REPRESENTS:
            return ""
        case Because.CARES_FOR:
            return _CAREGIVER
    return "not-entitled"


def refused(deed: Deed) -> DomainError:
    """What to raise once the entry that says why is written. To who sees nothing there, the record is absent."""
    if deed.refused == _CAREGIVER:
        return forbidden("A caregiver does not decide for the person who sees their record.")
    if deed.refused == _BLOCKED:
        return DomainError(Reason.CONFLICT, Issue("conflict", BLOCKED))
    return absent()


def blocked(deed: Deed) -> bool:
    """Whether the professional at the door, or the structure they act in, is blocked, from now on or soon."""
    return any(one.right is Right.BLOCK and one.actor and rights.lasting(one, deed) for one in deed.provisions)


async def kept(deed: Deed, id: str) -> Written:
    """The Consent of a right that stands as it is."""
    [held] = await rights.find(deed, [id])
    deed.touched.append(f"Consent/{id}")
    keys = rights.keys_of(deed)
    return Written(rights.CONSENT, id, held.stored.version, False, None, held.stored, Keyring({keys.record: keys}))


async def block(visit: Visit, record: str, actor: Actor) -> Written | None:
    """Keep a professional or a structure out, and end what they hold. Blocking twice is blocking once.

    By the person, or by an administrator they designated, who is told nothing (None): not even that it was so already.
    Raises ABSENT, and FORBIDDEN to caregivers.
    """
    require(visit, CREATE, rights.CONSENT)
    elsewhere(visit, record)
    async with visit.act(record, CREATE, Tag.SHARE, "Patient/$block", deciding=True) as deed:
        administrator = _administers(deed)
        deed.refused = "" if administrator else refusal(deed)
        if not deed.refused:
            before = await _blocks(deed, actor)
            if before:
                made = await kept(deed, before[0].id)
            else:
                label = (codes.VISIBILITY, HIDDEN_FROM_PROXIES) if deed.confidential else None
                made = written(await rights.write(deed, Terms(Right.BLOCK, actor, False, label=label)), created=True)
            return None if administrator else made
    raise refused(deed)


async def allow(visit: Visit, record: str, actor: Actor) -> None:
    """End the blocks of a professional or a structure. What they ended stays ended; without any, nothing happens."""
    require(visit, UPDATE, rights.CONSENT)
    elsewhere(visit, record)
    async with visit.act(record, UPDATE, Tag.SHARE, "Patient/$allow", deciding=True) as deed:
        deed.refused = refusal(deed)
        if not deed.refused:
            await rights.end(deed, [one.id for one in await _blocks(deed, actor)], "allowed")
            return
    raise refused(deed)


async def designate(visit: Visit, record: str, role: str, actor: Actor) -> Written:
    """Name a treating physician (one at most: the one before ends) or an administrator. Twice is once.

    Whether they are a physician shows when they sign in: the policy asks it then. Raises CONFLICT when they are
    blocked, CONTENT, ABSENT, and FORBIDDEN to caregivers.
    """
    require(visit, CREATE, rights.CONSENT)
    elsewhere(visit, record)
    if role not in ROLES:
        raise invalid(f"A role is one of: {', '.join(ROLES)}.", "Parameters.parameter.where(name = 'role')")
    async with visit.act(record, CREATE, Tag.SHARE, "Patient/$designate", deciding=True) as deed:
        deed.refused = refusal(deed)
        if not deed.refused and await _blocks(deed, actor):
            deed.refused = _BLOCKED
        if not deed.refused:
            return await _designated(deed, ROLES[role], actor)
    raise refused(deed)


async def _designated(deed: Deed, right: Right, actor: Actor) -> Written:
    hashed = rights.keys_of(deed).hashed(actor.name)
    for one in in_force(await rights.listed(deed, [right]), right, deed.visit.now):
        if one.actor == hashed:
            return await kept(deed, one.id)
    return written(await rights.write(deed, Terms(right, actor)), created=True)


def _administers(deed: Deed) -> bool:
    """Whether the reader is a professional whom the person designated as administrator."""
    if not isinstance(deed.visit.reader, Professional) or blocked(deed):
        return False
    author = deed.visit.author(rights.keys_of(deed))
    return any(one.actor == author for one in in_force(deed.provisions, Right.ADMINISTRATOR, deed.visit.now))


async def _blocks(deed: Deed, actor: Actor) -> list[Provision]:
    return await rights.blocks(deed, rights.keys_of(deed).hashed(actor.name))
