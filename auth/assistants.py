"""Who works for a professional under their name: assistants and secretaries of the same structure.

The rule: an assistant signs in with their own identity, has at most the professional's rights, and loses them with the
next request once the professional ends the naming.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from auth import psc
from auth.professionals import Professional
from auth.provider_sessions import assistance, end
from auth.tables import assistant
from phr.core.keys import SystemKeys
from phr.core.vault import keyed_uuid, seal, subkey, unseal

MOST = 50
"""Names a professional can hold at once."""


class NamingRefusal(Enum):
    """Why nobody is named."""

    MALFORMED = "assistant_malformed"
    ONESELF = "assistant_oneself"
    NOT_ENTITLED = "assistant_not_entitled"
    NO_STRUCTURE = "assistant_no_structure"
    TOO_MANY = "assistant_too_many"


@dataclass(frozen=True, slots=True)
class Naming:
    """One assistant of one professional. `id` is opaque; `number` the assistant's national id."""

    id: UUID
    number: str
    professional: Professional
    created: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person may sign in as: themself in one activity, for nobody or for a professional who named them."""

    person: Professional
    professional: Professional | None = None


def name(
    session: Session, keys: SystemKeys, professional: Professional, number: str, now: datetime, *, sandbox: bool
) -> Naming | NamingRefusal:
    """Name somebody by national id, for the structure the professional acts in now.

    Naming twice is naming once, for the latest structure. A trainee, or who exercises no profession, names nobody.
    """
    number = number.replace(" ", "")
    if not professional.profession or professional.trainee:
        return NamingRefusal.NOT_ENTITLED
    if not professional.structure:
        return NamingRefusal.NO_STRUCTURE
    if not psc.known(number, sandbox=sandbox):
        return NamingRefusal.MALFORMED
    if number == professional.id:
        return NamingRefusal.ONESELF
    mine, theirs = professional.subject(keys), _subject(keys, number)
    standing = {one.id: one for one in of(session, keys, professional)}
    if theirs not in standing and len(standing) >= MOST:
        return NamingRefusal.TOO_MANY
    if theirs in standing and standing[theirs].professional.structure != professional.structure:
        end(session, [assistance(keys, professional.id, number)], now)
    said = {"number": number, "professional": professional.claim()}
    sealed = seal(keys.get("accounts"), json.dumps(said).encode(), _context(mine, theirs))
    row = {"professional": mine, "assistant": theirs, "sealed": sealed, "created": now, "ended": None}
    changed = {"sealed": sealed, "created": now, "ended": None}
    session.execute(
        insert(assistant)
        .values(row)
        .on_conflict_do_update(index_elements=[assistant.c.professional, assistant.c.assistant], set_=changed)
    )
    return Naming(theirs, number, professional, now)


def of(session: Session, keys: SystemKeys, professional: Professional) -> list[Naming]:
    """Those a professional named, oldest first, whatever the structure."""
    mine = assistant.c.professional == professional.subject(keys), assistant.c.ended.is_(None)
    rows = session.execute(select(assistant).where(*mine).order_by(assistant.c.created)).all()
    return [_opened(keys, row) for row in rows]


def dismiss(session: Session, keys: SystemKeys, professional: Professional, id: UUID, now: datetime) -> bool:
    """End a naming, and with it every session, grant and token under it. Whether it was there."""
    mine = assistant.c.professional == professional.subject(keys), assistant.c.assistant == id
    row = session.execute(
        update(assistant).where(*mine, assistant.c.ended.is_(None)).values(ended=now).returning(assistant)
    ).one_or_none()
    if row is None:
        return False
    end(session, [assistance(keys, professional.id, _opened(keys, row).number)], now)
    return True


def offers(session: Session, keys: SystemKeys, activities: Sequence[Professional]) -> list[Offer]:
    """What a person may choose among: each of their activities, and each for whoever named them in that structure."""
    if not activities:
        return []
    found = [Offer(person) for person in activities]
    theirs = assistant.c.assistant == activities[0].subject(keys), assistant.c.ended.is_(None)
    rows = session.execute(select(assistant).where(*theirs).order_by(assistant.c.created)).all()
    for naming in [_opened(keys, row) for row in rows]:
        place = naming.professional.structure
        at = next((person for person in activities if person.structure == place), None)
        if at is not None:
            found.append(Offer(at, naming.professional))
    return found


def holds(session: Session, keys: SystemKeys, offer: Offer) -> bool:
    """Whether an offer still stands; its naming stays locked until the transaction ends, so that ending it waits.

    Somebody acting for themself needs no naming.
    """
    if offer.professional is None:
        return True
    mine, theirs = offer.professional.subject(keys), offer.person.subject(keys)
    row = session.execute(
        select(assistant)
        .where(assistant.c.professional == mine, assistant.c.assistant == theirs, assistant.c.ended.is_(None))
        .with_for_update(read=True)
    ).one_or_none()
    return row is not None and _opened(keys, row).professional.structure == offer.person.structure


def _subject(keys: SystemKeys, number: str) -> UUID:
    """As `Professional.subject`."""
    return keyed_uuid(subkey(keys.get("lookup"), "professional"), number)


def _opened(keys: SystemKeys, row: Any) -> Naming:
    said = json.loads(unseal(keys.get("accounts"), row.sealed, _context(row.professional, row.assistant)))
    return Naming(row.assistant, said["number"], Professional.of_claim(said["professional"]), row.created)


def _context(professional: UUID, theirs: UUID) -> bytes:
    return b"assistant|" + professional.bytes + theirs.bytes
