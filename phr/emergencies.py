"""Emergency access: who may break the glass, on what it rests, and who is told afterwards (L1111-17, R1111-48).

The rule: it is opened in person, needs a reason in words, lasts a few days, passes a block but not the person's
opposition, and is always told to the person and to their treating physician.
"""

from auth.professionals import Professional as Identity
from phr import inbox, notices, rights
from phr.access.consent import terms_of
from phr.access.journal import Tag
from phr.access.provision import Right, in_force, preference
from phr.access.reader import Professional
from phr.access.scope import CREATE
from phr.access.visit import Deed, Visit
from phr.core.errors import absent, forbidden, invalid
from phr.relations import accessor, lease
from phr.writing import Written

BREAK_GLASS, EMERGENCY_CALL = "BTG", "ETREAT"
PURPOSES = (BREAK_GLASS, EMERGENCY_CALL)
"""TRE_R248: bris de glace, by who faces the emergency; centre 15, by the physician who answers the call."""

MOTIVE = "https://carnet.example/StructureDefinition/motive"
SHORTEST, LONGEST = 10, 500
_BREAKERS = frozenset({"10", "21", "40", "50", "60"})
"""TRE_G15: physicians, pharmacists, dentists, midwives, nurses. The law says "any health professional" (L1111-17): the
narrower reading, until a text says who; others open a care relation."""
_PHYSICIAN = "10"


async def open_access(visit: Visit, record: str | None, purpose: str, motive: str | None) -> Written:
    """Open the record of somebody in danger who cannot say so. `motive`: 10 to 500 characters, kept sealed.

    Raises FORBIDDEN, CONTENT, and ABSENT alike for who is unknown and for who opposed such accesses.
    """
    who = accessor(visit)
    if not _entitled(who, purpose):
        raise forbidden("This profession does not open accesses of this kind.")
    if not isinstance(visit.reader, Professional) or visit.reader.assistant is not None:
        raise forbidden("An emergency is opened by who faces it, not by who acts for them.")
    said = (motive or "").strip()
    if not SHORTEST <= len(said) <= LONGEST:
        where = "Parameters.parameter.where(name = 'motive')"
        raise invalid(f"An emergency is motivated, in {SHORTEST} to {LONGEST} characters.", where, "required")
    async with visit.act(record, CREATE, Tag.ACCESS, "Patient/$open-access", deciding=True) as deed:
        if record is None:
            deed.refused = "unknown"
        elif preference(deed.provisions, purpose, deed.visit.now) is False:
            deed.refused, deed.motive = "opposed", said
        else:
            deed.motive = said
            days = visit.installation.settings.emergency_days
            reason = {"url": MOTIVE, "valueString": said}
            made, _ = await lease(deed, who, Right.EMERGENCY, purpose, days, reason)
            if made.created:
                await _tell(deed, made.id)
            return made
    raise absent()


def _entitled(who: Identity, purpose: str) -> bool:
    """Whether a professional opens accesses of this purpose: a code with its system, never a label."""
    if who.system != "TRE_G15":
        return False
    if purpose == EMERGENCY_CALL:
        return who.profession == _PHYSICIAN and who.regulation == "1"
    return who.profession in _BREAKERS


async def _tell(deed: Deed, consent: str) -> None:
    """The person by mail, whatever they prefer; the treating physician in their inbox, unless it was them."""
    await notices.tell(deed, "emergency", about=f"Consent/{consent}", always=True)
    right, author = Right.TREATING_PHYSICIAN, deed.visit.author(rights.keys_of(deed))
    standing = in_force(await rights.listed(deed, [right]), right, deed.visit.now)
    for held in await rights.find(deed, [one.id for one in standing if one.actor != author]):
        physician = terms_of(held.json).actor
        if physician is not None:
            await inbox.put(deed, physician.name.removeprefix("professional:"), inbox.EMERGENCY, consent, None)
