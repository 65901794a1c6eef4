"""The strict identity traits of the INS, in one spelling, so that two sources of them compare.

The rule: a trait that is missing, unreadable or contradicts another makes no traits at all. Pure: no database, no key.
Traits: birth family name, first given name, sex, birth date, INSEE code of the birth place (ARS identitovigilance).
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

FRANCE = "99100"
_PLACE = re.compile(r"[0-9][0-9AB][0-9]{3}", re.ASCII)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", re.ASCII)
_LETTERS = str.maketrans({"Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "İ": "I", "ẞ": "SS"})
_SPACES = re.compile(r"[\s'’ʼ`´\-‐‑‒–—]+")
_NAME = re.compile(r"[A-Z]+(?: [A-Z]+)*", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Traits:
    """One person's strict traits, normal. Two people may have the same."""

    family: str
    given: str
    gender: str
    birth: str
    place: str

    def __repr__(self) -> str:
        """Nothing that identifies: this may reach a log."""
        return "Traits(…)"

    @property
    def text(self) -> str:
        """All of them, to hash."""
        return "|".join((self.family, self.given, self.gender, self.birth, self.place))

    @classmethod
    def of(cls, family: object, given: object, gender: object, birth: object, place: object) -> Self | None:
        """From five values as a source spells them; `given` is the first name alone. None: they make no traits."""
        found = (name(family), name(given), gender, day(birth), _place(place))
        if gender not in ("male", "female") or not all(found):
            return None
        return cls(*(str(one) for one in found))


def of_claims(claims: Mapping[str, Any]) -> Traits | None:
    """From the claims of `profile` and `birth` of a provider like FranceConnect.

    `given_name` is a list separated by spaces, of which the first counts; `birthplace` is empty for who was born
    abroad, and `birthcountry` (99xxx) says where. A place in France with a country that is not France is refused.
    """
    given = claims.get("given_name")
    first = next(iter(given.split()), None) if isinstance(given, str) else None
    place, country = claims.get("birthplace") or "", claims.get("birthcountry") or ""
    if place and country not in ("", FRANCE):
        return None
    if not place and country == FRANCE:
        return None
    return Traits.of(claims.get("family_name"), first, claims.get("gender"), claims.get("birthdate"), place or country)


def name(text: object) -> str | None:
    """A name in capitals A to Z: no diacritics, apostrophes and hyphens as one space. None: other characters."""
    if not isinstance(text, str) or len(text) > 200:
        return None
    upper = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).upper().translate(_LETTERS))
    plain = "".join(one for one in upper if not unicodedata.combining(one))
    spaced = _SPACES.sub(" ", plain).strip()
    return spaced if _NAME.fullmatch(spaced) else None


def day(text: object) -> str | None:
    """A birth date, YYYY-MM-DD. A day or a month that is not known, left out or 00, is presumed the first."""
    found = _DATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    year, month, on = (int(part or 0) for part in found.groups())
    if on and not month:
        return None
    try:
        return date(year, month or 1, on or 1).isoformat()
    except ValueError:
        return None


def _place(text: object) -> str | None:
    upper = text.upper() if isinstance(text, str) else ""
    return upper if _PLACE.fullmatch(upper) and upper != FRANCE else None
