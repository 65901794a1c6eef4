"""What people write, as plain text: the characters as they are, never markup, never a character that is not seen.

The rule: what could be taken for markup is kept as the letters it is made of; what no reader would see is refused.
"""

import unicodedata

from phr.core.errors import DomainError, Issue, Reason, invalid

LONGEST_SUBJECT = 200
LONGEST_TEXT = 10_000
"""Characters: some five printed pages."""
LONGEST_NAME = 200

_LINES = frozenset("\n\t")
_UNSEEN = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_TURNED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional overrides (UAX #9): they show a text in another order than it is written in."""


def line(text: str, where: str, most: int = LONGEST_SUBJECT) -> str:
    """One line: a subject, the name of a file. Raises CONTENT (422), which says what is wrong and not the text."""
    return _plain(text, where, most, frozenset())


def lines(text: str, where: str, most: int = LONGEST_TEXT) -> str:
    """Several lines, ended by \\n however they came. Raises CONTENT (422)."""
    return _plain(text.replace("\r\n", "\n").replace("\r", "\n"), where, most, _LINES)


def _plain(text: str, where: str, most: int, kept: frozenset[str]) -> str:
    found = text.strip()
    if not found:
        raise invalid("There is nothing to read.", where, "required")
    if len(found) > most:
        raise DomainError(Reason.CONTENT, Issue("too-long", f"At most {most} characters.", where))
    if any(_hides(letter) and letter not in kept for letter in found):
        raise invalid("Plain text: this has characters that are not seen.", where)
    return found


def _hides(letter: str) -> bool:
    return letter in _TURNED or unicodedata.category(letter) in _UNSEEN
