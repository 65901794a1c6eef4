"""Redeeming an access code: a professional shows it, and holds a lease on what the person lent until it ends.

The rule: tries are counted before a code is looked at, and judged under its row's lock, so that no number of parallel
guesses gets past a limit; whatever is wrong with a code is answered alike, and told to the person alone.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, and_, bindparam, or_, select, update

from phr import codes, notices, rights, tries
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms, terms_of
from phr.access.journal import Tag
from phr.access.provision import Provision, Right, in_force
from phr.access.reader import Professional, identity
from phr.access.right import HIDDEN_FROM_PROXIES
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit
from phr.blocks import blocked, kept
from phr.core.database import compile_query
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden
from phr.events import Topic, emit
from phr.reading import require
from phr.rights import Held
from phr.sharing import access_code, marks, plain
from phr.writing import Written, written

WRONG_TRIES = 5
"""Wrong rests under a code's handle, for the whole life of the code."""
WHAT = "access code"
ASKED = "Patient/$redeem"

_INSTANT = DateTime(timezone=True)
_now = bindparam("now", type_=_INSTANT)
_hash, _handle = bindparam("hash", type_=Uuid()), bindparam("handle", type_=Uuid())
_is = and_(access_code.c.handle == _handle, access_code.c.hash == _hash)
_FIND = compile_query(select(access_code.c.record).where(_is))
_HOLD = compile_query(select(access_code).where(_is).with_for_update())
_USED = compile_query(update(access_code).where(_is).values(uses=access_code.c.uses + 1))

_live = (
    select(access_code.c.hash)
    .where(
        access_code.c.handle == _handle,
        access_code.c.revoked.is_(None),
        access_code.c.until > _now,
        access_code.c.wrong < WRONG_TRIES,
        or_(access_code.c.most_uses.is_(None), access_code.c.uses < access_code.c.most_uses),
    )
    .order_by(access_code.c.hash)  # one order for all, so that two guesses never wait for each other
    .with_for_update()
)
_MISSED = compile_query(
    update(access_code)
    .where(access_code.c.handle == _handle, access_code.c.hash.in_(_live))
    .values(wrong=access_code.c.wrong + 1)
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A code as it was shown: its two hashes, as the statements bind them."""

    handle: UUID
    hash: UUID

    def bound(self) -> dict[str, object]:
        return {"handle": self.handle, "hash": self.hash}


async def redeem(visit: Visit, typed: str) -> Written:
    """The lease a code opens, or the one it opened for this professional already.

    Raises FORBIDDEN (no professional, or of no profession the matrix knows), TOO_MANY (429), and ABSENT whatever is
    wrong with the code: unknown, spent, expired, revoked, for somebody else, of a person who blocks this reader.
    """
    reader = visit.reader
    if not isinstance(reader, Professional):
        raise forbidden("A professional redeems an access code.")
    require(visit, CREATE, rights.CONSENT)
    if visit.installation.matrix.line(reader.identity) is None:
        await _refuse(visit, "no-profession")
        raise forbidden("The access matrix lets this profession see nothing.")
    if not await tries.count(visit, WHAT):
        await _refuse(visit, "too-many")
        raise DomainError(Reason.TOO_MANY, Issue("throttled", "Too many wrong codes today."))
    shown = _Shown(*marks(visit.installation.system_keys, plain(typed)))
    async with visit.installation.database.session() as session:
        row = await session.one(_FIND, shown.bound())
    made = await (_missed(visit, shown) if row is None else _in_record(visit, reader, row["record"], shown))
    if made is None:
        raise absent()
    return made


async def _missed(visit: Visit, shown: _Shown) -> None:
    async with visit.act(None, CREATE, Tag.REDEEM, ASKED) as deed:
        await deed.session.fetch(_MISSED, {"handle": shown.handle, "now": visit.now})
        deed.refused = "unknown"


async def _in_record(visit: Visit, reader: Professional, record: str, shown: _Shown) -> Written | None:
    """Judge a code that exists, in the record it lends; None when it opens nothing."""
    try:
        async with visit.act(record, CREATE, Tag.REDEEM, ASKED, deciding=True) as deed:
            return await _judged(deed, reader, shown)
    except DomainError as error:
        if error.reason is not Reason.ABSENT:
            raise
    await _refuse(visit, "closed")
    return None


async def _judged(deed: Deed, reader: Professional, shown: _Shown) -> Written | None:
    row = await deed.session.one(_HOLD, shown.bound())
    consent = None if row is None else next(iter(await rights.find(deed, [row["consent"]])), None)
    if row is None or consent is None:
        deed.refused = "unknown"
        return None
    deed.touched.append(f"Consent/{consent.stored.id}")
    running = _running(deed, consent.stored.id)
    refusal = _refusal(deed, reader, row, consent, again=running is not None)
    if refusal:
        deed.refused = refusal
        return None
    await tries.forgive(deed, WHAT)
    if running is not None:
        return await kept(deed, running.id)
    await deed.session.fetch(_USED, shown.bound())
    made = await rights.write(deed, _lease(deed, reader, row, consent))
    await emit(deed, Topic.ACCESS, made.reference)
    await notices.tell(deed, "access", about=made.reference)
    return written(made, created=True)


def _refusal(deed: Deed, reader: Professional, row: Any, consent: Held, *, again: bool) -> str:
    """Why a code that exists opens nothing to this professional, as the journal codes it; empty when it opens."""
    now, terms = deed.visit.now, terms_of(consent.json)
    if row["revoked"] is not None or consent.status != "active":
        return "revoked"
    if not row["since"] <= now < row["until"]:
        return "expired"
    if terms.actor is not None and terms.actor.name != identity(reader):
        return "not-for-you"
    if terms.purpose and (reader.identity.system, reader.identity.profession) != ("TRE_G15", terms.purpose):
        return "not-for-you"
    if blocked(deed):
        return "blocked"
    if row["wrong"] >= WRONG_TRIES and not again:
        return "locked"
    if row["most_uses"] is not None and row["uses"] >= row["most_uses"] and not again:
        return "spent"
    return ""


def _running(deed: Deed, consent: str) -> Provision | None:
    """The lease this code opened for this very professional, if it runs."""
    mine, now = deed.visit.author(rights.keys_of(deed)), deed.visit.now
    running = in_force(deed.provisions, Right.CODE_LEASE, now)
    return next((one for one in running if one.source == consent and one.actor == mine), None)


def _lease(deed: Deed, reader: Professional, row: Any, consent: Held) -> Terms:
    """What the code lends, to this professional alone, until the code ends."""
    lent, who = terms_of(consent.json), reader.identity
    return Terms(
        Right.CODE_LEASE,
        Actor(PROFESSIONALS, who.id, who.name),
        until=row["until"],
        kinds=lent.kinds,
        codes=lent.codes,
        data=lent.data,
        source=consent.stored.id,
        organization=Actor(STRUCTURES, who.structure, who.structure_name) if who.structure else None,
        label=(codes.VISIBILITY, HIDDEN_FROM_PROXIES) if deed.confidential else None,
    )


async def _refuse(visit: Visit, why: str) -> None:
    """What touched no record goes to the chain of the professional's software."""
    async with visit.act(None, CREATE, Tag.REDEEM, ASKED) as deed:
        deed.refused = why
