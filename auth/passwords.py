"""Which passwords are refused: too short, too long, among those everybody tries first, or made of what is known of you.

The rule (NIST SP 800-63B §3.1.1.2): length and a local list of common passwords, no composition rules, nothing asked of
another site.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from enum import Enum
from functools import cache

from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # publishes no types

SHORTEST = 10
LONGEST = 1024


class Weakness(Enum):
    """Why a password is refused. The values are the names of page texts."""

    SHORT = "password_short"
    LONG = "password_long"
    COMMON = "password_common"
    PERSONAL = "password_personal"


def judge(password: str, about: Sequence[str]) -> Weakness | None:
    """Why not this password, if anything.

    `about` is what is known of the person: sign-in name, e-mail, birth date (ISO 8601). It counts for nothing: without
    it, what is left must still be long enough.
    """
    spelled = unicodedata.normalize("NFKC", password)
    if len(spelled) > LONGEST:
        return Weakness.LONG
    folded = spelled.casefold()
    if {folded, folded.rstrip("0123456789!?.*"), folded.strip()} & _common():
        return Weakness.COMMON
    if len(spelled) < SHORTEST:
        return Weakness.SHORT
    if len(set(folded)) < 4:
        return Weakness.COMMON
    left = folded
    for known in sorted(_pieces(about), key=len, reverse=True):
        left = left.replace(known, "")
    return Weakness.PERSONAL if left != folded and len(left) < SHORTEST else None


def _pieces(about: Sequence[str]) -> Iterator[str]:
    """What a password should not rest on: names, the local part of an address, a date as people type it."""
    for value in about:
        folded = unicodedata.normalize("NFKC", value).casefold().strip()
        try:
            day = date.fromisoformat(folded)
        except ValueError:
            pieces = {folded, folded.partition("@")[0]}
        else:
            orders = ("%d%m%Y", "%Y%m%d", "%d%m%y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y")
            pieces = {day.strftime(order) for order in orders}
        yield from (piece for piece in pieces if len(piece) >= 4)


@cache
def _common() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])
