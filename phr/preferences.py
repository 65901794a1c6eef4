"""What a person says once for all: emergencies, masks of what is new, mails, research. Each is a Consent of theirs.

The rule: a closed list, with what holds while nothing was said (`preferences.toml`); changing one ends the Consent that
said otherwise and writes the new one, in one transaction; the person alone, or who represents them, changes one.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from phr import rights
from phr.access.consent import RIGHT, Terms
from phr.access.decision import Because
from phr.access.journal import Tag
from phr.access.provision import Provision, Right, in_force, preference
from phr.access.reader import Delegate, Person
from phr.access.scope import CREATE, READ, UPDATE, granted
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import DomainError, absent, forbidden


@dataclass(frozen=True, slots=True)
class Preference:
    """What holds while the person said nothing, and how it is told to people."""

    default: bool
    fr: str
    en: str


def _load() -> Mapping[str, Preference]:
    read = tomllib.loads(Path(__file__).with_name("preferences.toml").read_text(encoding="utf-8"))
    return MappingProxyType({purpose: Preference(**said) for purpose, said in read.items()})


PREFERENCES = _load()
"""Every preference there is, by purpose."""
_THESE = (("category", f"{RIGHT}|{Right.PREFERENCE.value}"),)
"""The query of a scope on all preferences, and on no other right."""


def prefers(provisions: Iterable[Provision], purpose: str, now: datetime) -> bool:
    """What the person prefers, or what holds while they said nothing. Raises KeyError: no such preference."""
    default = PREFERENCES[purpose].default
    said = preference(provisions, purpose, now)
    return default if said is None else said


async def shown(visit: Visit, record: str) -> dict[str, bool]:
    """Every preference of a record, as it holds now. Raises ABSENT, FORBIDDEN."""
    at_home(visit, record, READ, enough=_THESE)
    async with visit.act(record, READ, Tag.READ, asked_of(("Patient", record, "$preferences"))) as deed:
        refusal = refused(deed)
        if refusal is None:
            deed.touched += [f"Consent/{one.id}" for one in standing(deed, Right.PREFERENCE)]
            return _now(deed.provisions, visit.now)
    raise refusal


async def prefer(visit: Visit, record: str, wanted: Mapping[str, bool]) -> dict[str, bool]:
    """Change what is named, leave the rest; every preference as it holds then. Raises ABSENT, FORBIDDEN, KeyError."""
    at_home(visit, record, READ, CREATE, UPDATE)
    asked = asked_of(("Patient", record, "$preferences"))
    async with visit.act(record, UPDATE, Tag.SHARE, asked, deciding=True) as deed:
        refusal = refused(deed)
        if refusal is None:
            held = _now(deed.provisions, deed.visit.now)
            for purpose, permits in wanted.items():
                await _say(deed, purpose, permits=permits)
            return {**held, **wanted}
    raise refusal


async def _say(deed: Deed, purpose: str, *, permits: bool) -> None:
    said = [one for one in standing(deed, Right.PREFERENCE) if one.purpose == purpose]
    if [(one.permits, one.until) for one in said] == [(permits, None)]:
        return
    await rights.end(deed, [one.id for one in said], "changed")
    await rights.write(deed, Terms(Right.PREFERENCE, permits=permits, purpose=purpose))


def _now(provisions: Iterable[Provision], now: datetime) -> dict[str, bool]:
    known = tuple(provisions)
    return {purpose: prefers(known, purpose, now) for purpose in PREFERENCES}


def at_home(visit: Visit, record: str, *verbs: str, enough: tuple[tuple[str, str], ...] = ()) -> None:
    """Only a person at the door of their own record, or of the one they act in, with these verbs on every Consent.

    Scopes that give some Consents only would say half of what holds, but for those of a query that is `enough`. Raises
    FORBIDDEN, ABSENT.
    """
    if not isinstance(visit.reader, Person):
        raise forbidden("Who sees the record is for its person to decide.")
    if visit.reader.record != record:
        raise absent()
    plain = tuple(replace(one, query=()) if enough and one.query == enough else one for one in visit.scopes)
    if not all(granted(plain, visit.reader, verb, "Consent", whole=True) for verb in verbs):
        raise forbidden("The token's scopes do not allow this on Consent.")


def refused(deed: Deed) -> DomainError | None:
    """Why this reader does not decide, noted for the journal; None for the person and who represents them."""
    if deed.decision.because in (Because.OWN_RECORD, Because.REPRESENTS):
        return None
    deed.refused = "not-entitled"
    if deed.decision.because is Because.CARES_FOR:
        return forbidden("A caregiver does not decide for the person who sees their record.")
    return absent()


def standing(deed: Deed, right: Right) -> list[Provision]:
    """What holds of a right about everybody; a representative learns nothing of what is kept from them."""
    hushed = isinstance(deed.visit.reader, Delegate)
    found = in_force(deed.provisions, right, deed.visit.now)
    return [one for one in found if one.actor is None and not (hushed and one.confidential)]
